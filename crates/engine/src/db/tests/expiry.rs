use super::{KS, World, all};
use crate::db::WriteOptions;
use crate::options::KeyspaceOptions;

#[test]
fn an_expired_record_is_hidden_at_once_and_leaves_the_count() {
    for flush in [false, true] {
        let world = World::new();
        let db = world.open();
        db.put(KS, b"soon", b"1", 1_000_500, WriteOptions::default()).unwrap();
        db.put(KS, b"later", b"2", 1_002_000, WriteOptions::default()).unwrap();
        db.put(KS, b"never", b"3", 0, WriteOptions::default()).unwrap();
        if flush {
            db.flush().unwrap();
        }
        assert_eq!(db.len(KS).unwrap(), 3);
        world.clock.advance_ms(500);
        assert_eq!(db.get(KS, b"soon").unwrap(), None);
        assert_eq!(all(&db, false).len(), 2);
        assert_eq!(db.len(KS).unwrap(), 2);
        world.clock.advance_ms(5000);
        assert_eq!(db.len(KS).unwrap(), 1);
        db.compact(None).unwrap();
        assert_eq!(db.len(KS).unwrap(), 1);
        let entries: u64 = db.stats().levels.iter().map(|level| level.entries).sum();
        assert_eq!(entries, 1, "compaction reclaims what expired");
    }
}

#[test]
fn a_key_written_again_outlives_its_old_expiry() {
    let world = World::new();
    let db = world.open();
    db.put(KS, b"k", b"1", 1_000_100, WriteOptions::default()).unwrap();
    db.flush().unwrap();
    db.put(KS, b"k", b"2", 0, WriteOptions::default()).unwrap();
    world.clock.advance_ms(1000);
    assert_eq!(db.len(KS).unwrap(), 1);
    db.compact(None).unwrap();
    assert_eq!(db.get(KS, b"k").unwrap().unwrap(), b"2");
}

#[test]
fn more_expire_at_once_than_one_step_takes() {
    let world = World::new();
    let db = world.open();
    for i in 0..3000u32 {
        db.put(KS, &i.to_be_bytes(), b"v", 1_000_100 + u64::from(i % 7), WriteOptions::default())
            .unwrap();
    }
    world.clock.advance_ms(1000);
    assert_eq!(db.len(KS).unwrap(), 0);
    drop(db);
    assert_eq!(world.open().len(KS).unwrap(), 0);
}

#[test]
fn a_keyspace_can_have_a_time_to_live() {
    let world = World::new();
    let db = world.open();
    let options = KeyspaceOptions { ttl_ms: Some(250), ..KeyspaceOptions::default() };
    let ks = db.create_keyspace("short", &options).unwrap();
    assert_eq!(db.default_expire_at_ms(ks), 1_000_250);
    assert_eq!(db.default_expire_at_ms(KS), 0);
}
