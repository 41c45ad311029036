use std::path::PathBuf;

use aidb_base::ErrorKind;

use super::{KS, World, all, delete, put};
use crate::entry::{Entry, Kind};
use crate::table::{TableBuilder, TableOptions};
use crate::vfs::Vfs;

fn foreign(world: &World, name: &str, keys: &[&[u8]]) -> PathBuf {
    let path = PathBuf::from("/foreign").join(name);
    world.vfs.create_dir_all("/foreign".as_ref()).unwrap();
    let options = TableOptions { uid: 4711, ..TableOptions::default() };
    let mut builder = TableBuilder::create(&*world.vfs, &path, options).unwrap();
    for key in keys {
        let entry = Entry { key, seq: 1, kind: Kind::Put, expire_at_ms: 0, value: b"ingested" };
        builder.add(&entry).unwrap();
    }
    builder.finish().unwrap();
    path
}

#[test]
fn ingested_records_are_above_older_writes_and_below_newer_ones() {
    let world = World::new();
    let db = world.open();
    put(&db, b"a", b"memtable");
    put(&db, b"b", b"flushed");
    db.flush().unwrap();
    put(&db, b"b", b"memtable");
    delete(&db, b"c");
    let path = foreign(&world, "one", &[b"a", b"b", b"c"]);
    assert_eq!(db.ingest(KS, &[path]).unwrap().entries, 3);
    for key in [b"a", b"b", b"c"] {
        assert_eq!(db.get(KS, key).unwrap().unwrap(), b"ingested");
    }
    put(&db, b"b", b"newer");
    delete(&db, b"c");
    for _ in 0..2 {
        assert_eq!(db.get(KS, b"b").unwrap().unwrap(), b"newer");
        assert_eq!(db.get(KS, b"c").unwrap(), None);
        assert_eq!(all(&db, false).len(), 2);
        assert_eq!(db.len(KS).unwrap(), 2);
        db.compact(None).unwrap();
    }
}

#[test]
fn ingested_records_survive_reopening_together_with_later_writes() {
    let world = World::new();
    let db = world.open();
    put(&db, b"a", b"1");
    let path = foreign(&world, "one", &[b"a", b"b"]);
    db.ingest(KS, &[path]).unwrap();
    put(&db, b"b", b"2");
    db.close().unwrap();
    let db = world.open();
    assert_eq!(db.get(KS, b"a").unwrap().unwrap(), b"ingested");
    assert_eq!(db.get(KS, b"b").unwrap().unwrap(), b"2");
    assert_eq!(db.len(KS).unwrap(), 2);
}

#[test]
fn the_length_stays_exact_when_records_come_in_below_a_counted_memtable() {
    let world = World::new();
    let db = world.open();
    put(&db, b"x", b"1");
    db.flush().unwrap();
    assert_eq!(db.len(KS).unwrap(), 1);
    for round in 0..3 {
        let name = format!("{round}");
        let keys: Vec<Vec<u8>> = (0..=round).map(|n| vec![b'k', n]).collect();
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        db.ingest(KS, &[foreign(&world, &name, &keys)]).unwrap();
        assert_eq!(db.len(KS).unwrap(), 2 + u64::from(round));
        put(&db, &[b'k', round], b"again");
        assert_eq!(db.len(KS).unwrap(), 2 + u64::from(round));
    }
}

#[test]
fn what_cannot_be_taken_in_changes_nothing() {
    let world = World::new();
    let db = world.open();
    put(&db, b"a", b"1");
    let path = foreign(&world, "one", &[b"a"]);
    assert_eq!(
        db.ingest(KS + 77, std::slice::from_ref(&path)).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    let twice = db.ingest(KS, &[path.clone(), path]).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Invalid);
    assert_eq!(db.get(KS, b"a").unwrap().unwrap(), b"1");
    assert_eq!(db.len(KS).unwrap(), 1);
}

#[test]
fn a_scrub_of_an_open_database_reads_all_its_files() {
    let world = World::new();
    let db = world.open();
    for round in 0..5u8 {
        put(&db, &[round], &vec![round; 5000]);
        db.flush().unwrap();
    }
    let report = db.scrub().unwrap();
    assert!(report.tables > 0 && report.blobs > 0, "{report:?}");
    assert_eq!(report.damaged, []);
}
