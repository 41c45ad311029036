use std::path::Path;

use aidb_base::ErrorKind;

use super::{KS, World, all, put};
use crate::batch::Operation;
use crate::db::Db;

#[test]
fn the_feed_gives_every_batch_once_and_goes_on() {
    let world = World::new();
    let db = world.open();
    let mut changes = db.changes(0).unwrap();
    assert!(changes.next().unwrap().is_none());
    for i in 0..500u32 {
        put(&db, &i.to_be_bytes(), &[1; 20]);
    }
    for expected in 1..=500 {
        let change = changes.next().unwrap().unwrap();
        assert_eq!(change.seq, expected);
        let operation = change.batch.operations().next().unwrap().unwrap();
        let key = (expected as u32 - 1).to_be_bytes();
        assert!(matches!(operation, Operation::Put { key: k, .. } if k == key));
    }
    assert!(changes.next().unwrap().is_none());
    put(&db, b"more", b"");
    assert_eq!(changes.next().unwrap().unwrap().seq, 501);
}

#[test]
fn a_pin_keeps_the_log_through_flush_and_reopen() {
    let world = World::new();
    let db = world.open();
    for i in 0..300u32 {
        put(&db, &i.to_be_bytes(), &[1; 20]);
    }
    db.pin_log("reader", 100).unwrap();
    db.flush().unwrap();
    drop(db);
    let db = world.open();
    put(&db, b"z", b"");
    db.flush().unwrap();
    let mut changes = db.changes(100).unwrap();
    assert_eq!(changes.next().unwrap().unwrap().seq, 101);
    let mut last = 101;
    while let Some(change) = changes.next().unwrap() {
        assert_eq!(change.seq, last + 1);
        last = change.seq;
    }
    assert_eq!(last, 301);
    db.unpin_log("reader").unwrap();
    let error = db.changes(100).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("checkpoint"), "{error}");
}

#[test]
fn a_checkpoint_opens_as_a_database_of_its_own() {
    let world = World::new();
    let db = world.open();
    for i in 0..300u32 {
        put(&db, &i.to_be_bytes(), &vec![1; (i * 3) as usize]);
    }
    let target = Path::new("/copy");
    db.checkpoint(target).unwrap();
    assert_eq!(db.checkpoint(target).unwrap_err().kind(), ErrorKind::Invalid);
    let expected = all(&db, false);
    for i in 0..300u32 {
        put(&db, &i.to_be_bytes(), b"changed");
    }
    db.compact(None).unwrap();
    let copy = Db::open(target, world.options()).unwrap();
    assert_eq!(all(&copy, false), expected);
    assert_eq!(copy.len(KS).unwrap(), 300);
    put(&copy, b"new", b"");
    assert_eq!(db.get(KS, b"new").unwrap(), None);
}

#[test]
fn a_checkpoint_and_the_log_restore_any_batch_after_it() {
    let world = World::new();
    let db = world.open();
    db.pin_log("archive", 0).unwrap();
    for i in 0..100u32 {
        put(&db, &i.to_be_bytes(), b"before");
    }
    let checkpoint = Path::new("/checkpoint");
    db.checkpoint(checkpoint).unwrap();
    for i in 0..100u32 {
        put(&db, &i.to_be_bytes(), &i.to_be_bytes());
    }
    drop(db);
    for (until, changed) in [(None, 100), (Some(150), 50), (Some(100), 0)] {
        let target = format!("/restored-{changed}");
        let target = Path::new(&target);
        let report =
            crate::db::restore(checkpoint, Path::new(super::DIR), target, until, &world.options());
        let report = report.unwrap();
        assert_eq!((report.checkpoint_seq, report.batches), (100, changed));
        let restored = Db::open(target, world.options()).unwrap();
        let items = all(&restored, false);
        assert_eq!(items.len(), 100);
        let is_changed = |(_, value): &&(Vec<u8>, Vec<u8>)| value != b"before";
        assert_eq!(items.iter().filter(is_changed).count() as u64, changed);
        assert_eq!(restored.len(KS).unwrap(), 100);
    }
    assert_eq!(all(&world.open(), false).len(), 100);
}
