//! Databases that swap and persist, versions that never repeat, locks.

use std::sync::Arc;

use aidb_base::ManualClock;
use aidb_engine::options::{Env, Options};

use super::*;

fn store() -> Store {
    let db = Db::open_in_memory(Options::default()).expect("a database");
    Store::open(db, AppendFsync::EverySec).expect("a store")
}

fn key(name: &str) -> MetaKey {
    MetaKey::encode(name.as_bytes()).expect("short")
}

fn put(store: &Store, database: usize, name: &str, text: &str) {
    let record = [&[0], text.as_bytes()].concat();
    let keyspace = store.keyspace(database);
    store.put(Mode::Wait, keyspace, &key(name), &record, 0).expect("written");
}

fn get(store: &Store, database: usize, name: &str) -> Option<Vec<u8>> {
    let keyspace = store.keyspace(database);
    store.read(Mode::Wait, keyspace, &key(name), |value, _| value.bytes.to_vec()).expect("read")
}

#[test]
fn logical_databases_are_apart() {
    let store = store();
    put(&store, 0, "k", "zero");
    put(&store, 15, "k", "fifteen");
    assert_eq!(get(&store, 0, "k").as_deref(), Some(b"zero".as_slice()));
    assert_eq!(get(&store, 15, "k").as_deref(), Some(b"fifteen".as_slice()));
    assert_eq!((store.len(0).unwrap(), store.len(1).unwrap()), (1, 0));
}

#[test]
fn a_swap_survives_reopening() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || Db::open(directory.path(), Options::default()).expect("a database");
    let db = open();
    let store = Store::open(db.clone(), AppendFsync::No).expect("a store");
    put(&store, 2, "k", "two");
    store.swap(2, 9).expect("swapped");
    assert_eq!(get(&store, 9, "k").as_deref(), Some(b"two".as_slice()));
    drop(store);
    db.close().expect("closed");
    let db = open();
    let store = Store::open(db.clone(), AppendFsync::No).expect("a store");
    assert_eq!(get(&store, 2, "k"), None);
    assert_eq!(get(&store, 9, "k").as_deref(), Some(b"two".as_slice()));
    db.close().expect("closed");
}

#[test]
fn clearing_ends_only_the_given_databases() {
    let store = store();
    (0..4).for_each(|database| put(&store, database, "k", "v"));
    assert!(store.clear(1..3).expect("cleared"));
    assert!(!store.clear(1..3).expect("nothing to clear"));
    let left: Vec<u64> = (0..4).map(|database| store.len(database).unwrap()).collect();
    assert_eq!(left, [1, 0, 0, 1]);
    put(&store, 1, "k", "again");
    assert_eq!(store.len(1).unwrap(), 1);
}

#[test]
fn a_version_is_never_given_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut last = 0;
    for _ in 0..3 {
        let db = Db::open(directory.path(), Options::default()).expect("a database");
        let store = Store::open(db.clone(), AppendFsync::No).expect("a store");
        for _ in 0..70_000 {
            let version = store.versions().next(&db).expect("a version");
            assert!(version > last);
            last = version;
        }
        drop(store);
        db.close().expect("closed");
    }
}

#[test]
fn a_held_slot_stops_those_who_may_not_wait() {
    let store = store();
    let (a, b) = (key("{s}a"), key("{s}b"));
    let held = store.lock(Mode::Try, &a).expect("free");
    assert!(matches!(store.lock(Mode::Try, &b), Err(Stop::WouldBlock)));
    assert!(matches!(store.lock_all_of(Mode::Try, &[key("x"), b.clone()]), Err(Stop::WouldBlock)));
    drop(held);
    // A slot that occurs twice is locked once, and a failed attempt has given back what it had.
    assert!(store.lock_all_of(Mode::Try, &[key("x"), a, b]).is_ok());
}

#[test]
fn expiry_is_seen_at_once() {
    let clock = Arc::new(ManualClock::at(1_000));
    let env = Env { clock: Arc::clone(&clock) as _, ..Env::default() };
    let db = Db::open_in_memory(Options { env, ..Options::default() }).expect("a database");
    let store = Store::open(db, AppendFsync::No).expect("a store");
    store.put(Mode::Wait, store.keyspace(0), &key("k"), b"\0v", 1_500).expect("written");
    assert!(get(&store, 0, "k").is_some());
    clock.advance_ms(500);
    assert!(get(&store, 0, "k").is_none());
}

#[test]
fn a_record_of_another_version_is_refused_not_misread() {
    let store = store();
    store.put(Mode::Wait, store.keyspace(0), &key("k"), b"\xffwhat", 0).expect("written");
    let result = store.read(Mode::Wait, store.keyspace(0), &key("k"), |_, _| ());
    let Err(Stop::Fail(line)) = result else { panic!("read as {result:?}") };
    assert!(String::from_utf8_lossy(&line).contains("newer aidb"));
}

#[test]
fn a_transaction_reads_its_own_writes_and_nobody_else_does() {
    let store = store();
    put(&store, 0, "a", "old");
    put(&store, 0, "b", "old");
    let keyspace = store.keyspace(0);
    let transaction = Transaction::default();
    let access = Access::within(&store, &transaction);
    let read = |name: &str| {
        access.read(Mode::Wait, keyspace, &key(name), |value, _| value.bytes.to_vec()).unwrap()
    };
    access.put(Mode::Wait, keyspace, &key("a"), b"\0new", 0).unwrap();
    access.delete(Mode::Wait, keyspace, &key("b")).unwrap();
    access.put(Mode::Wait, keyspace, &key("c"), b"\0new", 0).unwrap();
    access.put(Mode::Wait, keyspace, &key("d"), b"\0gone", 1).unwrap();
    assert_eq!(read("a").as_deref(), Some(b"new".as_slice()));
    assert_eq!((read("b"), read("d")), (None, None));
    assert_eq!(access.len(0).unwrap(), 2);
    assert_eq!(get(&store, 0, "a").as_deref(), Some(b"old".as_slice()));
    assert_eq!(get(&store, 0, "c"), None);
    store.commit_transaction(Mode::Wait, transaction).unwrap();
    assert_eq!(get(&store, 0, "a").as_deref(), Some(b"new".as_slice()));
    assert_eq!((get(&store, 0, "b"), store.len(0).unwrap()), (None, 2));
}

#[test]
fn walks_inside_a_transaction_show_its_changes_in_both_directions() {
    let store = store();
    for name in ["{s}1", "{s}3", "{s}5", "{s}7"] {
        put(&store, 0, name, "engine");
    }
    let keyspace = store.keyspace(0);
    let transaction = Transaction::default();
    let access = Access::within(&store, &transaction);
    access.delete(Mode::Wait, keyspace, &key("{s}3")).unwrap();
    for name in ["{s}0", "{s}5", "{s}6", "{s}8"] {
        access.put(Mode::Wait, keyspace, &key(name), b"\0changed", 0).unwrap();
    }
    let walked = |mut walk: Walk| {
        let mut seen = Vec::new();
        while let Some((record_key, value)) = walk.next().unwrap() {
            seen.push((record_key[5], value.len()));
        }
        seen
    };
    let mut expected = vec![(b'0', 8), (b'1', 7), (b'5', 8), (b'6', 8), (b'7', 7), (b'8', 8)];
    assert_eq!(walked(access.scan(keyspace, Vec::new(), None).unwrap()), expected);
    expected.reverse();
    assert_eq!(walked(access.scan_backward(keyspace, Vec::new(), None).unwrap()), expected);
    access.clear(0..1).unwrap();
    access.put(Mode::Wait, keyspace, &key("{s}2"), b"\0late", 0).unwrap();
    assert_eq!(walked(access.scan(keyspace, Vec::new(), None).unwrap()), [(b'2', 5)]);
    store.commit_transaction(Mode::Wait, transaction).unwrap();
    assert_eq!(store.len(0).unwrap(), 1);
}

#[test]
fn a_watched_key_is_touched_by_writes_to_it_and_by_nothing_else() {
    let store = store();
    put(&store, 0, "watched", "1");
    let watch = |name: &str| {
        let mut watching = store.watching();
        store.watch(&mut watching, 0, &key(name)).unwrap();
        watching
    };
    let watching = watch("watched");
    put(&store, 0, "other", "1");
    put(&store, 1, "watched", "1");
    assert!(!watching.is_touched(store.now_ms()));
    put(&store, 0, "watched", "1");
    assert!(watching.is_touched(store.now_ms()));
    let (present, absent) = (watch("watched"), watch("absent"));
    store.clear(0..1).unwrap();
    assert!(present.is_touched(store.now_ms()));
    assert!(!absent.is_touched(store.now_ms()));
    let swapped = watch("watched");
    store.swap(0, 1).unwrap();
    assert!(swapped.is_touched(store.now_ms()));
    drop((watching, present, absent, swapped));
    assert!(!store.watches.any());
}

#[test]
fn the_expiry_of_a_watched_key_touches_it() {
    let store = store();
    let soon = store.now_ms() + 60_000;
    store.put(Mode::Wait, store.keyspace(0), &key("k"), b"\0v", soon).unwrap();
    let mut watching = store.watching();
    store.watch(&mut watching, 0, &key("k")).unwrap();
    assert!(!watching.is_touched(soon - 1));
    assert!(watching.is_touched(soon));
}
