use aidb_base::ErrorKind;
use std::path::Path;

use super::{DIR, KS, World, all, put};
use crate::db::{Db, WriteOptions};
use crate::file_names::FileKind;
use crate::options::{Durability, LogMode, Options};
use crate::vfs::Vfs;

#[test]
fn everything_is_there_after_reopening_in_each_log_mode() {
    for log_mode in [LogMode::Mapped, LogMode::Append] {
        let world = World::new();
        let options = || Options { log_mode, ..world.options() };
        for round in 0..5u32 {
            let db = Db::open(Path::new(DIR), options()).unwrap();
            assert_eq!(db.len(KS).unwrap(), u64::from(round) * 100);
            for i in 0..100u32 {
                put(&db, &(round * 100 + i).to_be_bytes(), &[round as u8; 60]);
            }
        }
        let db = Db::open(Path::new(DIR), options()).unwrap();
        assert_eq!(all(&db, false).len(), 500);
        assert!(db.recovery().batches_replayed > 0);
    }
}

#[test]
fn a_flush_leaves_no_log_behind_and_a_segment_that_comes_back_is_ignored() {
    let world = World::new();
    let mut expected = Vec::new();
    for round in 0..4u32 {
        let db = world.open();
        assert_eq!(all(&db, false), expected);
        let mut last = Vec::new();
        for i in 0..50u32 {
            let key = (round * 50 + i).to_be_bytes();
            put(&db, &key, &[round as u8; 60]);
            expected.push((key.to_vec(), vec![round as u8; 60]));
            last = FileKind::Wal.list(&*world.vfs, Path::new(DIR)).unwrap();
        }
        let path = FileKind::Wal.path(Path::new(DIR), last[0]);
        let file = world.vfs.open_read(&path).unwrap();
        let mut bytes = vec![0; file.len() as usize];
        file.read_exact_at(0, &mut bytes).unwrap();
        db.flush().unwrap();
        let kept = FileKind::Wal.list(&*world.vfs, Path::new(DIR)).unwrap();
        assert!(kept.is_empty(), "{kept:?}");
        assert_eq!(db.stats().log_bytes, 0);
        put(&db, b"after", b"1");
        expected.push((b"after".to_vec(), b"1".to_vec()));
        expected.sort();
        expected.dedup();
        drop(db);
        world.vfs.create(&path).unwrap().append(&bytes).unwrap();
    }
}

#[test]
fn a_second_opener_is_told_who_holds_it() {
    let world = World::new();
    let db = world.open();
    let error = Db::open(Path::new(DIR), world.options()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    drop(db);
    world.open();
}

#[test]
fn a_read_only_open_beside_a_writer_sees_what_was_written() {
    let world = World::new();
    let db = world.open();
    put(&db, b"a", b"1");
    db.flush().unwrap();
    put(&db, b"b", b"2");
    let reader = Db::open(Path::new(DIR), Options { read_only: true, ..world.options() }).unwrap();
    assert_eq!(all(&reader, false).len(), 2);
    let error = reader.put(KS, b"c", b"", 0, WriteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    put(&db, b"c", b"3");
}

#[test]
fn a_missing_database_is_created_only_on_request() {
    let world = World::new();
    let strict = Options { create_if_missing: false, ..world.options() };
    let error = Db::open(Path::new(DIR), strict).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    drop(world.open());
    let fresh = Options { error_if_exists: true, ..world.options() };
    assert!(Db::open(Path::new(DIR), fresh).is_err());
}

#[test]
fn sync_writes_move_the_durable_position() {
    let world = World::new();
    let db = world.open();
    put(&db, b"a", b"");
    let durability = Some(Durability::Sync);
    let seq = db.put(KS, b"b", b"", 0, WriteOptions { durability }).unwrap();
    assert_eq!(db.durable_seq(), seq);
    put(&db, b"c", b"");
    assert!(db.durable_seq() < db.visible_seq());
    db.sync().unwrap();
    assert_eq!(db.durable_seq(), db.visible_seq());
}
