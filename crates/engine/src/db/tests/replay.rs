//! Claims about replay within the memory budget, and about batches with a memtable of their own.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DIR, KS, World, all, put};
use crate::batch::WriteBatch;
use crate::db::{Db, WriteOptions};
use crate::events::Event;
use crate::options::Options;
use crate::vfs::Vfs;

const VALUE: [u8; 100] = [7; 100];

/// A log of `count` records that no table holds.
fn logged(world: &World, count: u32) {
    let options = Options { memtable_bytes_max: 1 << 20, ..world.options() };
    let db = Db::open(Path::new(DIR), options).unwrap();
    (0..count).for_each(|i| put(&db, &i.to_be_bytes(), &VALUE));
}

fn narrow(world: &World) -> Options {
    Options { memtables_bytes_max: 12 << 10, ..world.options() }
}

#[test]
fn a_long_replay_stays_in_the_budget_and_loses_nothing() {
    let world = World::new();
    logged(&world, 1000);
    let flushed = Arc::new(Mutex::new(Vec::new()));
    let told = flushed.clone();
    let mut options = narrow(&world);
    options.listener = Some(Arc::new(move |event: &Event| {
        if let Event::Flushed { seq, .. } = event {
            told.lock().push(*seq);
        }
    }));
    let db = Db::open(Path::new(DIR), options).unwrap();
    let stats = db.stats();
    assert!(stats.memtable_bytes <= 13 << 10, "{} bytes", stats.memtable_bytes);
    assert!(db.recovery().flushes > 10);
    assert_eq!(flushed.lock().len() as u64, db.recovery().flushes);
    assert_eq!(flushed.lock().last().copied(), Some(stats.flushed_seq));
    assert_eq!(db.len(KS).unwrap(), 1000);
    assert_eq!(all(&db, false).len(), 1000);
    put(&db, b"after", b"");
    db.flush().unwrap();
    assert_eq!(db.stats().log_bytes, 0);
    drop(db);
    let db = Db::open(Path::new(DIR), narrow(&world)).unwrap();
    assert_eq!((db.recovery().batches_replayed, all(&db, true).len()), (0, 1001));
}

#[test]
fn a_replay_within_the_budget_flushes_nothing() {
    let world = World::new();
    logged(&world, 1000);
    let db = world.open();
    assert_eq!((db.recovery().flushes, db.recovery().batches_replayed), (0, 1000));
}

#[test]
fn a_read_only_open_never_flushes() {
    let world = World::new();
    logged(&world, 1000);
    let options = Options { read_only: true, ..narrow(&world) };
    let db = Db::open(Path::new(DIR), options).unwrap();
    assert_eq!((db.recovery().flushes, all(&db, false).len()), (0, 1000));
    assert!(world.vfs.list_dir(&Path::new(DIR).join("sst")).unwrap().is_empty());
}

#[test]
fn a_large_batch_gets_a_memtable_of_its_own() {
    let world = World::new();
    let db = world.open();
    put(&db, b"before", b"1");
    let mut batch = WriteBatch::new();
    (0..20u8).for_each(|i| batch.put(KS, &[i], &VALUE, 0).unwrap());
    db.write(&batch, WriteOptions::default()).unwrap();
    assert_eq!(db.stats().frozen_memtables, 2);
    db.put_many(KS, &[(b"pair", &[1; 2000])], 0, WriteOptions::default()).unwrap();
    assert_eq!(db.stats().frozen_memtables, 3);
    put(&db, b"after", b"2");
    assert_eq!(db.stats().frozen_memtables, 3);
    let before = all(&db, false);
    assert_eq!(before.len(), 23);
    drop(db);
    let db = world.open();
    assert_eq!(db.stats().frozen_memtables, 3);
    db.flush().unwrap();
    assert_eq!(all(&db, false), before);
}
