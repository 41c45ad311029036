use aidb_base::{Attempt, ErrorKind};

use super::{KS, World, all, delete, put};
use crate::batch::WriteBatch;
use crate::db::{Chunk, Condition, Db, ScanRange, WriteOptions};
use crate::options::{KeyspaceOptions, Options};

#[test]
fn a_flushed_key_can_be_deleted() {
    let world = World::new();
    let db = world.open();
    put(&db, b"k", b"1");
    db.flush().unwrap();
    delete(&db, b"k");
    assert_eq!(db.get(KS, b"k").unwrap(), None);
    db.flush().unwrap();
    assert_eq!(db.get(KS, b"k").unwrap(), None);
    db.compact(None).unwrap();
    assert_eq!(db.get(KS, b"k").unwrap(), None);
    assert_eq!(db.len(KS).unwrap(), 0);
}

#[test]
fn the_newest_of_two_flushed_versions_wins() {
    let world = World::new();
    let db = world.open();
    for value in [b"1", b"2", b"3"] {
        put(&db, b"k", value);
        db.flush().unwrap();
    }
    assert_eq!(db.get(KS, b"k").unwrap().unwrap(), b"3");
    assert_eq!(db.len(KS).unwrap(), 1);
}

#[test]
fn an_empty_value_is_not_absence_and_an_empty_key_is_a_key() {
    let world = World::new();
    let db = world.open();
    put(&db, b"", b"");
    for _ in 0..2 {
        assert_eq!(db.get(KS, b"").unwrap(), Some(Vec::new()));
        assert!(db.contains(KS, b"").unwrap());
        assert_eq!(db.len(KS).unwrap(), 1);
        assert_eq!(all(&db, true), vec![(vec![], vec![])]);
        db.flush().unwrap();
    }
}

#[test]
fn a_batch_is_one_sequence_number_and_its_last_operation_on_a_key_wins() {
    let world = World::new();
    let db = world.open();
    let mut batch = WriteBatch::new();
    batch.put(KS, b"a", b"1", 0).unwrap();
    batch.put(KS, b"a", b"2", 0).unwrap();
    batch.put(KS, b"b", b"1", 0).unwrap();
    batch.delete_range(KS, b"b", Some(b"c")).unwrap();
    batch.put(KS, b"b2", b"3", 0).unwrap();
    let before = db.visible_seq();
    assert_eq!(db.write(&batch, WriteOptions::default()).unwrap(), before + 1);
    for _ in 0..2 {
        assert_eq!(db.get(KS, b"a").unwrap().unwrap(), b"2");
        assert_eq!(db.get(KS, b"b").unwrap(), None);
        assert_eq!(db.get(KS, b"b2").unwrap().unwrap(), b"3");
        assert_eq!(db.len(KS).unwrap(), 2);
        db.flush().unwrap();
    }
}

#[test]
fn a_snapshot_keeps_its_moment_through_flush_and_compaction() {
    let world = World::new();
    let db = world.open();
    for i in 0..200u32 {
        put(&db, &i.to_be_bytes(), b"old");
    }
    let snapshot = db.snapshot().unwrap();
    for i in 0..200u32 {
        put(&db, &i.to_be_bytes(), b"new");
    }
    delete(&db, &7u32.to_be_bytes());
    db.compact(None).unwrap();
    let read = |key: u32| snapshot.get_with(KS, &key.to_be_bytes(), |v, _| v.to_vec()).unwrap();
    assert_eq!(read(7).unwrap(), b"old");
    let mut scan = snapshot.scan(KS, ScanRange::default()).unwrap();
    let mut chunk = Chunk::default();
    scan.next_chunk(&mut chunk, 1000, 1 << 20).unwrap();
    assert_eq!(chunk.len(), 200);
    assert!(chunk.items().all(|(_, value, _)| value == b"old"));
    assert_eq!(db.len(KS).unwrap(), 199);
}

#[test]
fn large_values_go_to_blob_files_and_come_back() {
    let world = World::new();
    let db = world.open();
    let large = vec![9u8; 10_000];
    put(&db, b"large", &large);
    put(&db, b"small", b"s");
    db.flush().unwrap();
    assert_eq!(db.stats().blob_files, 1);
    assert_eq!(db.get(KS, b"large").unwrap().unwrap(), large);
    assert_eq!(db.get(KS, b"small").unwrap().unwrap(), b"s");
    assert!(matches!(db.try_get_with(KS, b"small", |_, _| ()).unwrap(), Attempt::Done(Some(()))));
    assert_eq!(all(&db, false).len(), 2);
    delete(&db, b"large");
    db.compact(None).unwrap();
    db.compact(None).unwrap();
    assert_eq!(db.stats().blob_bytes, 0);
}

#[test]
fn conditional_writes_conflict_when_the_key_changed() {
    let world = World::new();
    let db = world.open();
    let mut batch = WriteBatch::new();
    batch.put(KS, b"k", b"1", 0).unwrap();
    let absent = [Condition { keyspace: KS, key: b"k", seen: 0 }];
    db.write_if(&absent, &batch, WriteOptions::default()).unwrap();
    let error = db.write_if(&absent, &batch, WriteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let (seq, _, _) = db.get_versioned(KS, b"k").unwrap().unwrap();
    db.flush().unwrap();
    let seen = [Condition { keyspace: KS, key: b"k", seen: seq }];
    db.write_if(&seen, &batch, WriteOptions::default()).unwrap();
    assert!(db.write_if(&seen, &batch, WriteOptions::default()).is_err());
}

#[test]
fn keyspaces_are_apart_and_droppable() {
    let world = World::new();
    let db = world.open();
    let users = db.create_keyspace("users", &KeyspaceOptions::default()).unwrap();
    put(&db, b"k", b"default");
    db.put(users, b"k", b"users", 0, WriteOptions::default()).unwrap();
    db.flush().unwrap();
    assert_eq!(db.get(users, b"k").unwrap().unwrap(), b"users");
    assert_eq!((db.len(KS).unwrap(), db.len(users).unwrap()), (1, 1));
    db.drop_keyspace("users").unwrap();
    let error = db.put(users, b"k", b"x", 0, WriteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_ne!(db.create_keyspace("users", &KeyspaceOptions::default()).unwrap(), users);
    drop(db);
    let db = world.open();
    let users = db.keyspace("users").unwrap();
    assert_eq!(db.get(users, b"k").unwrap(), None);
    assert_eq!(db.get(KS, b"k").unwrap().unwrap(), b"default");
}

#[test]
fn a_closed_database_says_so() {
    let world = World::new();
    let db = world.open();
    put(&db, b"k", b"1");
    let mut scan = db.scan(KS, ScanRange::default()).unwrap();
    db.close().unwrap();
    db.close().unwrap();
    assert_eq!(db.get(KS, b"k").unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(scan.next().unwrap_err().kind(), ErrorKind::Closed);
    let refused = db.put(KS, b"k", b"2", 0, WriteOptions::default()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
}

#[test]
fn keys_up_to_the_limit_are_taken_and_one_byte_more_is_refused() {
    let world = World::new();
    let db = world.open();
    let longest = vec![1u8; aidb_base::limits::KEY_BYTES_MAX];
    put(&db, &longest, b"v");
    db.flush().unwrap();
    assert_eq!(db.get(KS, &longest).unwrap().unwrap(), b"v");
    let longer = vec![1u8; aidb_base::limits::KEY_BYTES_MAX + 1];
    let error = db.put(KS, &longer, b"v", 0, WriteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(db.get(KS, &longer).unwrap(), None);
}

#[test]
fn an_in_memory_database_needs_no_disk_and_takes_background_work() {
    let options = Options { memtable_bytes_max: 4096, ..Options::default() };
    let db = Db::open_in_memory(options).unwrap();
    for i in 0..5000u32 {
        put(&db, &i.to_be_bytes(), &[7; 50]);
    }
    assert_eq!(db.len(KS).unwrap(), 5000);
    assert_eq!(all(&db, false).len(), 5000);
    db.compact(None).unwrap();
    assert_eq!(all(&db, true).len(), 5000);
}
