//! A scrub finds every damaged byte of every file, and nothing in sound ones.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aidb_base::ErrorKind;

use super::{ScrubReport, scrub};
use crate::cache::BlockCache;
use crate::compaction::tests::harness::{Harness, Op};
use crate::version::VersionSet;
use crate::vfs::Vfs;

fn database() -> Harness {
    let mut db = Harness::new(|_| ());
    for round in 0..3 {
        let ops: Vec<Op> = (0..40u8)
            .map(|i| Op::Put(vec![b'k', i], vec![round; if i % 10 == 0 { 200 } else { 10 }]))
            .collect();
        db.flush(&ops);
    }
    db
}

fn check(db: &Harness) -> ScrubReport {
    let cache = Arc::new(BlockCache::new(1 << 20));
    let set = VersionSet::open(&db.options.env, &db.dir, cache, true).unwrap();
    scrub(set.current(), set.blob_files(), &AtomicBool::new(false)).unwrap()
}

fn rewrite(db: &Harness, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let file = db.vfs.open_read(path).unwrap();
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    change(&mut bytes);
    db.vfs.remove(path).unwrap();
    db.vfs.create(path).unwrap().append(&bytes).unwrap();
}

#[test]
fn a_sound_database_has_no_finding() {
    let db = database();
    let report = check(&db);
    assert_eq!((report.tables, report.blobs), (3, 3));
    assert_eq!(report.damaged, []);
}

#[test]
fn a_flipped_byte_in_the_data_of_any_file_is_found() {
    let db = database();
    let version = db.version();
    let tables = version.trees().flat_map(|tree| tree.tables()).map(|file| file.path().to_owned());
    let blobs = version.blobs().iter().map(|blob| blob.path().to_owned());
    for path in tables.chain(blobs) {
        for at in [40, 100, 250] {
            rewrite(&db, &path, |bytes| bytes[at] ^= 1);
            let report = check(&db);
            assert_eq!(report.damaged.len(), 1, "byte {at} of {}", path.display());
            assert_eq!(report.damaged[0].0, path);
            rewrite(&db, &path, |bytes| bytes[at] ^= 1);
        }
    }
    assert_eq!(check(&db).damaged, []);
}

#[test]
fn a_scrub_can_be_cancelled() {
    let db = database();
    let version = db.version();
    let error = scrub(&version, db.set.blob_files(), &AtomicBool::new(true)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}
