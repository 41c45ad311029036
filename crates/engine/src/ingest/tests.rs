//! Foreign tables come in above what is there, are counted exactly, or are refused as a whole.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use aidb_base::{ErrorKind, Result};

use super::{IngestStats, ingest};
use crate::compaction::tests::harness::{Harness, KEYSPACE, Op};
use crate::compaction::{CompactionContext, LAST_LEVEL};
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::file_names::FileKind;
use crate::table::{TableBuilder, TableOptions};
use crate::vfs::Vfs;

fn foreign(db: &Harness, name: &str, records: &[(&str, Option<&str>)]) -> PathBuf {
    let path = PathBuf::from("/foreign").join(name);
    db.vfs.create_dir_all("/foreign".as_ref()).unwrap();
    let options =
        TableOptions { uid: 4711, block_bytes: 128, hash_seed: 5, ..TableOptions::default() };
    let mut builder = TableBuilder::create(&db.vfs, &path, options).unwrap();
    for (key, value) in records {
        let kind = if value.is_some() { Kind::Put } else { Kind::Delete };
        let value = value.unwrap_or_default().as_bytes();
        let entry = Entry { key: key.as_bytes(), seq: 9_999, kind, expire_at_ms: 0, value };
        builder.add(&entry).unwrap();
    }
    builder.finish().unwrap();
    path
}

fn take_in(db: &mut Harness, paths: &[PathBuf]) -> Result<IngestStats> {
    db.seq += 1;
    let version = db.version();
    let cancel = AtomicBool::new(false);
    let context = CompactionContext {
        files: db.set.context(),
        blobs: db.set.blob_files(),
        version: &version,
        options: &db.options,
        numbers: db.set.numbers(),
        cancel: &cancel,
    };
    let (edit, stats) = ingest(&context, KEYSPACE, paths, db.seq)?;
    db.set.apply(edit)?;
    Ok(stats)
}

fn put(key: &str, value: &str) -> Op {
    Op::Put(key.into(), value.into())
}

fn keys() -> Vec<Vec<u8>> {
    (b'a'..=b'z').map(|byte| vec![byte]).collect()
}

#[test]
fn new_records_are_above_older_ones_and_below_newer_ones() {
    let mut db = Harness::new(|_| ());
    db.flush(&[put("a", "old"), put("b", "old"), put("d", "old"), put("z", "old")]);
    let path = foreign(&db, "one", &[("a", Some("new")), ("b", None), ("c", Some("new"))]);
    let stats = take_in(&mut db, &[path]).unwrap();
    assert_eq!((stats.entries, stats.tables), (3, 1));
    db.model.insert("a".into(), "new".into());
    db.model.insert("c".into(), "new".into());
    db.model.remove(&b"b"[..]);
    db.check(&keys());
    db.flush(&[put("c", "newer")]);
    db.check(&keys());
    db.compact();
    db.check(&keys());
    db.reopen();
    db.check(&keys());
}

#[test]
fn what_overlaps_nothing_goes_to_the_last_level() {
    let mut db = Harness::new(|_| ());
    db.flush(&[put("a", "1"), put("c", "1")]);
    db.compact();
    let path = foreign(&db, "one", &[("d", Some("2")), ("e", Some("2"))]);
    take_in(&mut db, &[path]).unwrap();
    assert_eq!(db.shape()[usize::from(LAST_LEVEL)], 2);
    db.model.insert("d".into(), "2".into());
    db.model.insert("e".into(), "2".into());
    db.check(&keys());
}

#[test]
fn range_deletes_before_do_not_cover_and_those_after_do() {
    let mut db = Harness::new(|_| ());
    db.flush(&[put("a", "1"), put("c", "1")]);
    db.flush(&[Op::DeleteRange("a".into(), None)]);
    let path = foreign(&db, "one", &[("b", Some("2"))]);
    take_in(&mut db, &[path]).unwrap();
    db.model.insert("b".into(), "2".into());
    db.check(&keys());
    db.compact();
    db.check(&keys());
    db.flush(&[Op::DeleteRange("b".into(), Some("c".into()))]);
    db.check(&keys());
}

#[test]
fn several_tables_may_interleave_but_not_share_a_key() {
    let mut db = Harness::new(|_| ());
    let a = foreign(&db, "a", &[("a", Some("1")), ("d", Some("1"))]);
    let b = foreign(&db, "b", &[("b", Some("2")), ("e", Some("2"))]);
    let shared = foreign(&db, "c", &[("d", Some("3"))]);
    let error = take_in(&mut db, &[a.clone(), shared]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(FileKind::Table.list(&db.vfs, &db.dir).unwrap().is_empty(), "nothing stays behind");
    take_in(&mut db, &[a, b]).unwrap();
    for (key, value) in [("a", "1"), ("b", "2"), ("d", "1"), ("e", "2")] {
        db.model.insert(key.into(), value.into());
    }
    db.check(&keys());
}

#[test]
fn large_inputs_are_cut_into_tables() {
    let mut db = Harness::new(|_| ());
    let names: Vec<String> = (0..500).map(|number| format!("key{number:05}")).collect();
    let records: Vec<_> = names.iter().map(|name| (name.as_str(), Some("some value"))).collect();
    let path = foreign(&db, "one", &records);
    let stats = take_in(&mut db, &[path]).unwrap();
    assert!(stats.tables > 5, "{stats:?}");
    db.model.extend(names.iter().map(|name| (name.clone().into(), b"some value".to_vec())));
    db.check(&names.into_iter().map(String::into_bytes).collect::<Vec<_>>());
}

#[test]
fn damaged_tables_and_range_tombstones_are_refused() {
    let mut db = Harness::new(|_| ());
    let path = PathBuf::from("/foreign/ranges");
    foreign(&db, "one", &[("a", Some("1"))]);
    let options = TableOptions { uid: 4712, ..TableOptions::default() };
    let mut builder = TableBuilder::create(&db.vfs, &path, options).unwrap();
    builder.add_range_tombstone(&RangeTombstone { start: vec![], end: None, seq: 4 });
    builder.finish().unwrap();
    assert_eq!(take_in(&mut db, &[path]).unwrap_err().kind(), ErrorKind::Invalid);

    let good = PathBuf::from("/foreign/one");
    let file = db.vfs.open_read(&good).unwrap();
    let mut bytes = vec![0; file.len() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let path = PathBuf::from("/foreign/damaged");
        db.vfs.remove(&path).unwrap();
        db.vfs.create(&path).unwrap().append(&damaged).unwrap();
        if take_in(&mut db, &[path]).is_ok() {
            // Bytes between sections mean nothing.
            db.model.insert("a".into(), "1".into());
        }
        db.check(&keys());
    }
}
