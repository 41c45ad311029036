use std::path::Path;

use aidb_base::ErrorKind;
use aidb_engine::vfs::Vfs;

use super::{CallKind, Fault, FaultVfs};
use crate::disk::Loss;

const A: &str = "/a";

fn contents(vfs: &FaultVfs, path: &str) -> Option<Vec<u8>> {
    let file = vfs.open_read(Path::new(path)).ok()?;
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    Some(bytes)
}

#[test]
fn the_world_ends_at_the_ordered_change_and_stays_ended() {
    let vfs = FaultVfs::default();
    vfs.end_at(2);
    let mut file = vfs.create(Path::new(A)).unwrap();
    file.append(b"one").unwrap();
    let error = file.append(b"two").unwrap_err();
    assert!(error.message().contains("ended"), "{error}");
    assert!(vfs.has_ended() && vfs.open_read(Path::new(A)).is_err() && file.sync().is_err());
    assert_eq!(contents(&vfs.reboot(Loss::ProcessCrash, 0), A).unwrap(), b"one");
}

#[test]
fn the_nth_call_of_a_kind_fails_once_or_forever() {
    let vfs = FaultVfs::default();
    vfs.fail(Fault::once(CallKind::Append, 1, libc::EIO));
    vfs.fail(Fault::once(CallKind::Rename, 0, libc::EIO).on("b").forever());
    let mut file = vfs.create(Path::new(A)).unwrap();
    file.append(b"1").unwrap();
    assert_eq!(file.append(b"2").unwrap_err().kind(), ErrorKind::Unavailable);
    file.append(b"3").unwrap();
    assert_eq!(contents(&vfs, A).unwrap(), b"13");
    vfs.rename(Path::new(A), Path::new("/b")).unwrap();
    assert!(vfs.rename(Path::new("/b"), Path::new(A)).is_err());
    assert!(vfs.rename(Path::new("/b"), Path::new(A)).is_err());
    assert_eq!(vfs.failures(), 3);
    vfs.heal();
    vfs.rename(Path::new("/b"), Path::new(A)).unwrap();
}

#[test]
fn a_short_write_leaves_a_part_and_a_full_disk_what_fits() {
    let vfs = FaultVfs::default();
    vfs.fail(Fault::once(CallKind::Append, 0, libc::EIO).short(50));
    let mut file = vfs.create(Path::new(A)).unwrap();
    assert!(file.append(b"12345678").is_err());
    assert_eq!((file.len(), contents(&vfs, A).unwrap()), (4, b"1234".to_vec()));
    vfs.set_capacity(Some(6));
    assert_eq!(vfs.free_bytes(Path::new("/")).unwrap(), 2);
    assert_eq!(file.append(b"5678").unwrap_err().kind(), ErrorKind::Exhausted);
    assert_eq!(contents(&vfs, A).unwrap(), b"123456");
    let full = vfs.create(Path::new("/b")).map(|_| ());
    assert_eq!(full.unwrap_err().kind(), ErrorKind::Exhausted);
    assert!(vfs.create_mapped(Path::new("/m"), 10).is_err());
    vfs.heal();
    file.append(b"78").unwrap();
    assert_eq!(contents(&vfs, A).unwrap(), b"12345678");
}

#[test]
fn after_a_failed_fsync_a_later_one_succeeds_and_saves_nothing() {
    let vfs = FaultVfs::default();
    let mut file = vfs.create(Path::new(A)).unwrap();
    vfs.sync_dir(Path::new("/")).unwrap();
    vfs.fail(Fault::once(CallKind::Sync, 0, libc::EIO));
    file.append(b"lost").unwrap();
    assert!(file.sync().is_err());
    file.sync().unwrap();
    assert_eq!(contents(&vfs, A).unwrap(), b"lost", "the page cache still shows it");
    assert_eq!(contents(&vfs.reboot(Loss::ProcessCrash, 0), A).unwrap(), b"lost");
    assert_eq!(contents(&vfs.reboot(Loss::PowerKept, 0), A).unwrap(), b"");
}

#[test]
fn every_change_is_recorded_with_the_disk_before_it() {
    let vfs = FaultVfs::default();
    vfs.record();
    let mut file = vfs.create(Path::new(A)).unwrap();
    file.append(b"x").unwrap();
    file.sync().unwrap();
    assert!(vfs.exists(Path::new(A)).unwrap(), "reads are not changes");
    vfs.remove(Path::new(A)).unwrap();
    let moments = vfs.take_moments();
    let kinds: Vec<_> = moments.iter().map(|moment| moment.kind).collect();
    assert_eq!(
        kinds,
        [CallKind::Create, CallKind::Append, CallKind::Sync, CallKind::Remove],
        "in order"
    );
    assert_eq!(moments[1].write.as_ref().unwrap().2, b"x");
    assert!(contents(&FaultVfs::on(moments[0].before.clone()), A).is_none());
    assert_eq!(contents(&FaultVfs::on(moments[3].before.clone()), A).unwrap(), b"x");
    assert_eq!(vfs.changes(), 4);
}

#[test]
fn a_lock_dies_with_its_process() {
    let vfs = FaultVfs::default();
    let lock = vfs.lock(Path::new("/LOCK")).unwrap();
    assert!(vfs.lock(Path::new("/LOCK")).is_err());
    let _next = vfs.reboot(Loss::ProcessCrash, 0).lock(Path::new("/LOCK")).unwrap();
    drop(lock);
    let _again = vfs.lock(Path::new("/LOCK")).unwrap();
}
