//! Every kind of loss, one at a time: what can be saved is, what cannot is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use aidb_base::ManualClock;

use super::*;
use crate::inspect::tests::{BLOB, LOG, MANIFEST, TABLE, database, dir, replace};
use crate::inspect::{check, check_references, files, read};
use crate::table::Table;
use crate::version::manifest;
use crate::vfs::MemVfs;

type Content = BTreeMap<Vec<u8>, Vec<u8>>;

fn options(vfs: MemVfs) -> Options {
    let env = Env { vfs: Arc::new(vfs), clock: Arc::new(ManualClock::at(1)) };
    Options { env, ..Options::default() }
}

/// Keys and values of the only keyspace, from its tables.
fn content(vfs: &dyn Vfs) -> Content {
    let number = manifest::read_current(vfs, &dir()).unwrap().unwrap();
    let replayed = manifest::read(vfs, &dir(), number).unwrap();
    let mut found = Content::new();
    for (_, placed) in replayed.state.tables() {
        let path = file_names::table(&dir(), placed.meta.number);
        let uid = aidb_base::hash::file_uid(&replayed.uuid, placed.meta.number);
        let cache = Arc::new(crate::cache::BlockCache::new(0));
        let table = Table::open(vfs, &path, uid, cache).unwrap();
        let mut cursor = table.cursor(false);
        use crate::iterator::Cursor as _;
        cursor.seek_to_first().unwrap();
        while let Some(entry) = cursor.entry() {
            found.insert(entry.key.to_vec(), entry.value.to_vec());
            cursor.next().unwrap();
        }
    }
    let live: u64 = replayed.state.trees.values().map(|tree| tree.live_keys).sum();
    assert_eq!(live, found.len() as u64);
    found
}

/// What `inspect::tests::database` holds: its table without deletes, and the put of its log.
fn expected() -> Content {
    let mut all = Content::new();
    for number in (0..20).filter(|number| number % 5 != 0) {
        all.insert(format!("key{number:03}").into_bytes(), b"value".to_vec());
    }
    all.insert(b"logged".to_vec(), b"value".to_vec());
    all
}

fn repaired(vfs: MemVfs) -> (RepairReport, Arc<dyn Vfs>) {
    let options = options(vfs);
    let report = repair(&dir(), &options).unwrap();
    let vfs = Arc::clone(&options.env.vfs);
    for file in files(&*vfs, &dir()).unwrap() {
        assert_eq!(check(&*vfs, &dir(), &dir().join(&file.name)).unwrap(), [""; 0]);
    }
    assert_eq!(check_references(&*vfs, &dir()).unwrap(), [""; 0]);
    (report, vfs)
}

fn flip(vfs: &MemVfs, path: &Path, at: usize) {
    let mut bytes = read(vfs, path).unwrap();
    bytes[at] ^= 0x10;
    replace(vfs, path, &bytes);
}

#[test]
fn what_a_killed_process_left_is_no_loss() {
    let vfs = database();
    replace(&vfs, &file_names::wal(&dir(), 20), &[0; 4096]);
    replace(&vfs, &file_names::table(&dir(), 21), b"begun");
    let (report, vfs) = repaired(vfs);
    assert_eq!(report.lost, []);
    assert_eq!(content(&*vfs), expected());
    assert!(!vfs.exists(&dir().join(LOST_DIR)).unwrap());
}

#[test]
fn a_sound_database_loses_nothing() {
    let (report, vfs) = repaired(database());
    assert_eq!(report.lost, []);
    assert_eq!((report.tables, report.batches, report.entries), (1, 3, 17));
    assert_eq!(content(&*vfs), expected());
}

#[test]
fn repairing_twice_changes_nothing() {
    let (_, vfs) = repaired(database());
    let options = Options {
        env: Env { vfs: Arc::clone(&vfs), clock: Arc::new(ManualClock::at(2)) },
        ..Options::default()
    };
    assert_eq!(repair(&dir(), &options).unwrap().lost, []);
    assert_eq!(content(&*vfs), expected());
}

#[test]
fn without_current_the_manifest_is_still_used() {
    let vfs = database();
    vfs.remove(&file_names::current(&dir())).unwrap();
    let (report, vfs) = repaired(vfs);
    assert_eq!(report.lost.len(), 1, "{report:?}");
    assert!(report.lost[0].what.contains("CURRENT does not name it"));
    assert_eq!(content(&*vfs), expected());
}

#[test]
fn without_any_manifest_the_records_are_all_there() {
    let vfs = database();
    vfs.remove(&file_names::current(&dir())).unwrap();
    vfs.remove(&file_names::manifest(&dir(), MANIFEST)).unwrap();
    let (report, vfs) = repaired(vfs);
    assert_eq!(report.lost.len(), 1, "{report:?}");
    assert!(report.lost[0].what.contains("names and options of namespaces"));
    assert_eq!(content(&*vfs), expected());
}

#[test]
fn without_manifest_and_log_tables_are_taken_by_the_identity_they_claim() {
    let vfs = database();
    vfs.remove(&file_names::current(&dir())).unwrap();
    vfs.remove(&file_names::manifest(&dir(), MANIFEST)).unwrap();
    vfs.remove(&file_names::wal(&dir(), LOG)).unwrap();
    let (_, vfs) = repaired(vfs);
    let mut left = expected();
    left.remove(b"logged".as_slice());
    assert_eq!(content(&*vfs), left);
}

#[test]
fn a_damaged_block_loses_its_records_and_no_others() {
    let vfs = database();
    let path = file_names::table(&dir(), TABLE);
    flip(&vfs, &path, 200);
    let (report, vfs) = repaired(vfs);
    assert_eq!(report.lost.len(), 1, "{report:?}");
    assert!(report.lost[0].what.contains("records of keyspace 0, with keys after key"));
    let left = content(&*vfs);
    assert!(left.len() < 17 && left.len() > 5, "{left:?}");
    assert!(left.iter().all(|pair| expected().contains_key(pair.0)));
    assert!(vfs.exists(&dir().join("lost/0000000003.sst")).unwrap());
    assert!(!vfs.exists(&path).unwrap());
}

#[test]
fn an_unreadable_table_is_named_with_its_bounds() {
    let vfs = database();
    flip(&vfs, &file_names::table(&dir(), TABLE), 0);
    let (report, vfs) = repaired(vfs);
    assert!(report.lost[0].what.contains("20 records with keys key000 to key019"), "{report:?}");
    assert_eq!(content(&*vfs).len(), 1);
}

#[test]
fn a_missing_table_is_named() {
    let vfs = database();
    vfs.remove(&file_names::table(&dir(), TABLE)).unwrap();
    let (report, _) = repaired(vfs);
    assert!(report.lost[0].what.contains("the file is missing: 20 records"), "{report:?}");
}

#[test]
fn batches_after_a_damaged_one_are_kept_and_the_gap_is_named() {
    let vfs = database();
    let path = file_names::wal(&dir(), LOG);
    let middle = read(&vfs, &path).unwrap().len() / 2;
    flip(&vfs, &path, middle);
    let (report, vfs) = repaired(vfs);
    assert_eq!(report.batches, 2);
    let lost: Vec<_> = report.lost.iter().map(|lost| lost.what.as_str()).collect();
    assert!(lost.iter().any(|what| what.contains("batches with seq 31 to 31")), "{lost:?}");
    assert_eq!(content(&*vfs), expected());
    assert!(vfs.exists(&dir().join("lost/0000000002.log")).unwrap());
}

#[test]
fn every_flipped_byte_of_every_file_can_be_repaired() {
    for file in files(&database(), &dir()).unwrap() {
        for at in (0..file.bytes as usize).step_by(3) {
            let vfs = database();
            flip(&vfs, &dir().join(&file.name), at);
            let options = options(vfs);
            match repair(&dir(), &options) {
                Ok(report) => {
                    let vfs = &*options.env.vfs;
                    let left = content(vfs);
                    let is_whole = left == expected();
                    let wrong: Vec<_> =
                        left.iter().filter(|pair| !expected().contains_key(pair.0)).collect();
                    assert!(wrong.is_empty(), "{} byte {at}: {wrong:?}", file.name.display());
                    assert!(
                        is_whole || !report.lost.is_empty(),
                        "{} byte {at}",
                        file.name.display()
                    );
                }
                Err(error) => assert!(error.message().contains("newer"), "{error}"),
            }
        }
    }
}

#[test]
fn a_directory_without_a_database_is_refused() {
    let vfs = MemVfs::new();
    vfs.create_dir_all(&dir()).unwrap();
    assert!(repair(&dir(), &options(vfs)).is_err());
}

#[test]
fn an_unused_blob_file_goes() {
    let (_, vfs) = repaired(database());
    assert!(!vfs.exists(&file_names::blob(&dir(), BLOB)).unwrap());
}
