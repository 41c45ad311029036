use std::collections::BTreeSet;
use std::path::Path;

use aidb_base::Rng;

use super::{Disk, Loss};

fn after(disk: &Disk, loss: Loss, seed: u64) -> Disk {
    disk.after(loss, &mut Rng::seeded(seed))
}

fn read(disk: &Disk, path: &str) -> Option<Vec<u8>> {
    let id = disk.find(Path::new(path)).ok()?;
    Some(disk.contents(id).unwrap().to_vec())
}

/// A disk with a durable, empty file.
fn with_file(path: &str) -> (Disk, usize) {
    let mut disk = Disk::default();
    let id = disk.create(Path::new(path)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    (disk, id)
}

#[test]
fn unsynced_bytes_survive_the_process_and_not_the_power() {
    let (mut disk, id) = with_file("/a");
    disk.write(id, 0, b"synced").unwrap();
    disk.sync(id).unwrap();
    disk.write(id, 6, b" not").unwrap();
    assert_eq!(read(&after(&disk, Loss::ProcessCrash, 0), "/a").unwrap(), b"synced not");
    assert_eq!(read(&after(&disk, Loss::PowerKept, 0), "/a").unwrap(), b"synced not");
    assert_eq!(read(&after(&disk, Loss::PowerDropped, 0), "/a").unwrap(), b"synced");
    assert_eq!(after(&disk, Loss::ProcessCrash, 0).boot_id, disk.boot_id);
    assert_ne!(after(&disk, Loss::PowerKept, 0).boot_id, disk.boot_id);
}

#[test]
fn a_process_crash_leaves_unsynced_bytes_unsynced() {
    let (mut disk, id) = with_file("/a");
    disk.write(id, 0, b"late").unwrap();
    let restarted = after(&disk, Loss::ProcessCrash, 0);
    assert_eq!(read(&after(&restarted, Loss::PowerDropped, 0), "/a").unwrap(), b"");
}

#[test]
fn names_are_durable_only_after_their_directory_is_synced() {
    let mut disk = Disk::default();
    disk.create_dir(Path::new("/d")).unwrap();
    disk.create(Path::new("/d/a")).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    assert!(disk.find(Path::new("/d/a")).is_ok());
    assert!(after(&disk, Loss::PowerDropped, 0).find(Path::new("/d")).is_err());
    disk.sync_dir(Path::new("/")).unwrap();
    assert!(after(&disk, Loss::PowerDropped, 0).find(Path::new("/d/a")).is_ok());
    disk.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
    disk.create(Path::new("/d/c")).unwrap();
    disk.remove(Path::new("/d/c")).unwrap();
    let rebooted = after(&disk, Loss::PowerDropped, 0);
    assert_eq!(rebooted.list(Path::new("/d")).unwrap(), [Path::new("a")]);
    assert_eq!(disk.list(Path::new("/d")).unwrap(), [Path::new("b")]);
}

#[test]
fn a_torn_file_is_a_prefix_at_a_sector() {
    let (mut disk, id) = with_file("/a");
    disk.write(id, 0, &[1; 700]).unwrap();
    disk.write(id, 700, &[2; 10_000]).unwrap();
    let mut lengths = BTreeSet::new();
    for seed in 0..200 {
        let bytes = read(&after(&disk, Loss::PowerTorn, seed), "/a").unwrap();
        assert!(bytes.len() % 512 == 0 || [700, 10_700].contains(&bytes.len()));
        let expected = |index: usize| if index < 700 { 1 } else { 2 };
        assert!(bytes.iter().enumerate().all(|(index, &byte)| byte == expected(index)));
        lengths.insert(bytes.len());
    }
    assert!(lengths.len() > 10, "{lengths:?}");
}

#[test]
fn a_scrambled_file_loses_any_sectors_and_shows_zeroes_there() {
    let (mut disk, id) = with_file("/a");
    disk.write(id, 0, &[9; 4 * 512]).unwrap();
    let mut seen = BTreeSet::new();
    for seed in 0..2000 {
        let mut bytes = read(&after(&disk, Loss::PowerScrambled, seed), "/a").unwrap();
        bytes.resize(4 * 512, 0);
        assert!(bytes.chunks(512).all(|sector| sector.iter().all(|&b| b == sector[0])));
        seen.insert(bytes.chunks(512).map(|sector| sector[0] == 9).collect::<Vec<_>>());
    }
    assert_eq!(seen.len(), 16, "every subset of four sectors is met");
}

#[test]
fn a_sector_written_twice_may_keep_its_first_version() {
    let (mut disk, id) = with_file("/a");
    disk.write(id, 0, b"first").unwrap();
    disk.write(id, 5, b"second").unwrap();
    let mut seen = BTreeSet::new();
    for seed in 0..500 {
        seen.insert(read(&after(&disk, Loss::PowerScrambled, seed), "/a").unwrap());
    }
    assert!(seen.contains(&b"first"[..]) && seen.contains(&b"firstsecond"[..]));
}

#[test]
fn scrambled_names_survive_independently() {
    let mut disk = Disk::default();
    disk.create(Path::new("/a")).unwrap();
    disk.create(Path::new("/b")).unwrap();
    let subsets: BTreeSet<_> = (0..500)
        .map(|seed| after(&disk, Loss::PowerScrambled, seed).list(Path::new("/")).unwrap())
        .collect();
    assert_eq!(subsets.len(), 4);
}

#[test]
fn a_rename_is_atomic_under_every_loss() {
    let (mut disk, old) = with_file("/CURRENT");
    disk.write(old, 0, b"old").unwrap();
    disk.sync(old).unwrap();
    let new = disk.create(Path::new("/CURRENT.tmp")).unwrap();
    disk.write(new, 0, b"new").unwrap();
    disk.sync(new).unwrap();
    disk.rename(Path::new("/CURRENT.tmp"), Path::new("/CURRENT")).unwrap();
    for loss in Loss::ALL {
        for seed in 0..100 {
            let bytes = read(&after(&disk, loss, seed), "/CURRENT").unwrap();
            assert!(bytes == b"old" || bytes == b"new", "{loss:?}");
        }
    }
    assert_eq!(read(&disk, "/CURRENT").unwrap(), b"new");
}

#[test]
fn used_bytes_count_named_files_once() {
    let (mut disk, id) = with_file("/a");
    disk.write(id, 0, &[0; 100]).unwrap();
    disk.link(Path::new("/a"), Path::new("/b")).unwrap();
    assert_eq!(disk.used_bytes(), 100);
    disk.remove(Path::new("/a")).unwrap();
    assert_eq!(disk.used_bytes(), 100);
    disk.remove(Path::new("/b")).unwrap();
    assert_eq!(disk.used_bytes(), 0);
}
