use std::cmp::Reverse;
use std::sync::atomic::AtomicU64;

use aidb_base::hash::key_hash;
use aidb_base::limits::KEY_BYTES_MAX;
use proptest::prelude::*;

use super::*;
use crate::iterator::{Cursor, OwnedEntry};

type Model = BTreeMap<(KeyspaceId, Vec<u8>, Reverse<Seq>), OwnedEntry>;

fn put<'a>(key: &'a [u8], seq: Seq, value: &'a [u8]) -> Entry<'a> {
    Entry { key, seq, kind: Kind::Put, expire_at_ms: 0, value }
}

fn insert(memtable: &Memtable, keyspace: KeyspaceId, entry: &Entry<'_>) -> Previous {
    memtable.insert(keyspace, key_hash(entry.key), entry)
}

fn get(memtable: &Memtable, keyspace: KeyspaceId, key: &[u8], max_seq: Seq) -> Option<OwnedEntry> {
    memtable.get(keyspace, key, key_hash(key), max_seq).map(OwnedEntry::from)
}

#[derive(Clone, Debug)]
enum Step {
    Insert { keyspace: KeyspaceId, key: Vec<u8>, kind: Kind, expire_at_ms: u64, value: Vec<u8> },
    NextBatch,
    Cursor(KeyspaceId),
}

/// Keys that share prefixes, extend each other with zeros and repeat often.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(vec![0u8, 1, 0xFF]), 0..12),
        (0u32..40).prop_map(|n| format!("user:profile:{n:06}").into_bytes()),
        (0u8..20).prop_map(|n| vec![n]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec![Kind::Put, Kind::Put, Kind::Delete, Kind::Blob]);
    let expiry = prop_oneof![3 => Just(0u64), 1 => 1u64..100];
    let insert = (0u32..3, key(), kind, expiry, prop::collection::vec(any::<u8>(), 0..9)).prop_map(
        |(keyspace, key, kind, expire_at_ms, value)| Step::Insert {
            keyspace,
            key,
            kind,
            expire_at_ms,
            value,
        },
    );
    prop_oneof![20 => insert, 8 => Just(Step::NextBatch), 1 => (0u32..3).prop_map(Step::Cursor)]
}

/// Applies the steps to a memtable and a model; gives both and the last sequence number.
fn apply(steps: &[Step]) -> (Arc<Memtable>, Model, Seq) {
    let memtable = Arc::new(Memtable::new(1 << 20, 0));
    let mut model = Model::new();
    let mut seq = 1;
    for step in steps {
        match step {
            Step::NextBatch => seq += 1,
            Step::Cursor(keyspace) => drop(memtable.cursor(*keyspace, seq)),
            Step::Insert { keyspace, key, kind, expire_at_ms, value } => {
                let (kind, expire_at_ms) = (*kind, *expire_at_ms);
                let entry = Entry { key, seq, kind, expire_at_ms, value };
                let from = (*keyspace, key.clone(), Reverse(Seq::MAX));
                let to = (*keyspace, key.clone(), Reverse(0));
                let expected = match model.range(from..=to).next() {
                    None => Previous::None,
                    Some((_, newest)) if newest.kind == Kind::Delete => Previous::Deleted,
                    Some(_) => Previous::Live,
                };
                assert_eq!(insert(&memtable, *keyspace, &entry), expected);
                model.insert((*keyspace, key.clone(), Reverse(seq)), entry.into());
            }
        }
    }
    (memtable, model, seq)
}

fn visible(model: &Model, keyspace: KeyspaceId, max_seq: Seq) -> Vec<OwnedEntry> {
    let own = model.iter().filter(|((ks, _, Reverse(seq)), _)| *ks == keyspace && *seq <= max_seq);
    own.map(|(_, entry)| entry.clone()).collect()
}

/// A walk by random moves must always stand where an index into the sorted entries stands.
fn walk(cursor: &mut impl Cursor, entries: &[OwnedEntry], moves: &[(u8, Vec<u8>)]) {
    let mut at: Option<usize> = None;
    for (choice, key) in moves {
        let rank = entries.partition_point(|entry| entry.key < *key);
        at = match choice {
            0..=3 => cursor.next().map(|()| at.map(|i| i + 1)).unwrap(),
            4..=7 => cursor.prev().map(|()| at.and_then(|i| i.checked_sub(1))).unwrap(),
            8 => cursor.seek(key).map(|()| Some(rank)).unwrap(),
            9 => cursor.seek_before(key).map(|()| rank.checked_sub(1)).unwrap(),
            10 => cursor.seek_to_first().map(|()| Some(0)).unwrap(),
            _ => cursor.seek_to_last().map(|()| entries.len().checked_sub(1)).unwrap(),
        };
        at = at.filter(|&i| i < entries.len());
        assert_eq!(cursor.entry().map(OwnedEntry::from).as_ref(), at.map(|i| &entries[i]));
    }
}

fn moves() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    prop::collection::vec((0u8..12, key()), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn get_gives_the_newest_version_up_to_the_limit(
        steps in prop::collection::vec(step(), 1..200),
        probes in prop::collection::vec((0u32..3, key(), 0u64..60), 1..30),
    ) {
        let (memtable, model, _) = apply(&steps);
        for (keyspace, key, max_seq) in probes {
            let range = (keyspace, key.clone(), Reverse(max_seq))..=(keyspace, key.clone(), Reverse(0));
            let expected = model.range(range).next().map(|(_, entry)| entry.clone());
            prop_assert_eq!(get(&memtable, keyspace, &key, max_seq), expected);
        }
    }

    #[test]
    fn cursors_agree_with_a_sorted_map(
        steps in prop::collection::vec(step(), 1..200),
        moves in moves(),
        keyspace in 0u32..3,
        back in 0u64..5,
    ) {
        let (memtable, model, last) = apply(&steps);
        let max_seq = last.saturating_sub(back);
        let entries = visible(&model, keyspace, max_seq);
        walk(&mut memtable.cursor(keyspace, max_seq), &entries, &moves);
        memtable.freeze();
        let everything = visible(&model, keyspace, Seq::MAX);
        walk(&mut memtable.sorted_cursor(keyspace), &everything, &moves);
        walk(&mut memtable.cursor(keyspace, max_seq), &entries, &moves);
    }

    #[test]
    fn first_versions_and_expiring_records_come_in_insertion_order(
        steps in prop::collection::vec(step(), 1..100),
        from in 0usize..20,
    ) {
        let (memtable, _, _) = apply(&steps);
        let mut seen = std::collections::BTreeSet::new();
        let (mut firsts, mut expiring) = (Vec::new(), Vec::new());
        let inserts = steps.iter().filter_map(|step| match step {
            Step::Insert { keyspace, key, expire_at_ms, .. } => Some((*keyspace, key, *expire_at_ms)),
            _ => None,
        });
        for (index, (keyspace, key, expire_at_ms)) in inserts.enumerate() {
            if seen.insert((keyspace, key)) && index >= from {
                firsts.push((index, keyspace, key.clone()));
            }
            if expire_at_ms != 0 && index >= from {
                expiring.push((index, keyspace, key.clone(), expire_at_ms));
            }
        }
        let got: Vec<_> =
            memtable.first_versions(from).map(|(i, ks, e)| (i, ks, e.key.to_vec())).collect();
        prop_assert_eq!(got, firsts);
        let got: Vec<_> = memtable
            .expiring(from)
            .map(|(i, ks, e)| (i, ks, e.key.to_vec(), e.expire_at_ms))
            .collect();
        prop_assert_eq!(got, expiring);
        let keyspaces: std::collections::BTreeSet<_> = seen.iter().map(|(ks, _)| *ks).collect();
        prop_assert_eq!(memtable.keyspaces(), keyspaces.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_later_record_of_the_same_batch_replaces_the_earlier_one() {
    let memtable = Arc::new(Memtable::new(1 << 20, 10));
    insert(&memtable, 0, &put(b"k", 1, b"old"));
    insert(&memtable, 0, &put(b"k", 2, b"first"));
    let mut early = memtable.cursor(0, 2);
    assert_eq!(insert(&memtable, 0, &put(b"k", 2, b"second")), Previous::Live);
    assert_eq!(get(&memtable, 0, b"k", 2).unwrap().value, b"second");
    assert_eq!(get(&memtable, 0, b"k", 1).unwrap().value, b"old");
    let mut values = Vec::new();
    let mut cursor = memtable.cursor(0, 2);
    cursor.seek_to_first().unwrap();
    while let Some(entry) = cursor.entry() {
        values.push(entry.value.to_vec());
        cursor.next().unwrap();
    }
    assert_eq!(values, [b"second".to_vec(), b"old".to_vec()]);
    early.seek(b"k").unwrap();
    assert_eq!(early.entry().unwrap().value, b"old");
}

#[test]
fn the_longest_key_and_large_values_are_kept() {
    let memtable = Arc::new(Memtable::new(1 << 20, 10));
    let key = vec![7; KEY_BYTES_MAX];
    let value = vec![9; 3 << 20];
    insert(&memtable, 0, &put(&key, 1, &value));
    insert(&memtable, 0, &put(b"", 2, b""));
    insert(&memtable, 0, &Entry { expire_at_ms: 5, ..put(b"k", 3, &value) });
    assert_eq!(get(&memtable, 0, &key, 9).unwrap().value, value);
    assert_eq!(get(&memtable, 0, b"", 9).unwrap().value, b"");
    assert_eq!(get(&memtable, 0, b"k", 9).unwrap().expire_at_ms, 5);
    assert!(memtable.bytes() > 6 << 20);
    assert_eq!(memtable.entries(), 3);
}

#[test]
fn keys_with_the_same_hash_are_told_apart() {
    let memtable = Memtable::new(1 << 20, 0);
    for i in 0..500u32 {
        let previous = memtable.insert(i % 3, 42, &put(&i.to_be_bytes(), 1, &i.to_le_bytes()));
        assert_eq!(previous, Previous::None);
    }
    for i in 0..500u32 {
        let found = memtable.get(i % 3, &i.to_be_bytes(), 42, 1).unwrap();
        assert_eq!(found.value, i.to_le_bytes());
        assert!(memtable.get((i + 1) % 3, &i.to_be_bytes(), 42, 1).is_none());
    }
}

#[test]
fn the_index_grows_far_beyond_what_was_expected() {
    let memtable = Memtable::new(1 << 20, 0);
    let count = if cfg!(miri) { 300 } else { 50_000 };
    for i in 0..count {
        let key = format!("key{i}");
        assert_eq!(insert(&memtable, 1, &put(key.as_bytes(), 1, b"a")), Previous::None);
        let back = format!("key{}", i / 2);
        assert_eq!(insert(&memtable, 1, &put(back.as_bytes(), 2 + i, b"b")), Previous::Live);
    }
    for i in 0..count {
        let key = format!("key{i}");
        assert_eq!(get(&memtable, 1, key.as_bytes(), 1).unwrap().value, b"a");
        let newest = get(&memtable, 1, key.as_bytes(), Seq::MAX).unwrap();
        assert_eq!(newest.value, if i < count.div_ceil(2) { b"b" } else { b"a" });
        assert!(get(&memtable, 0, key.as_bytes(), Seq::MAX).is_none());
    }
}

#[test]
fn range_tombstones_are_kept_by_keyspace() {
    let memtable = Memtable::new(1 << 20, 10);
    assert!(!memtable.has_range_tombstones());
    assert!(memtable.range_tombstones(3).is_empty());
    insert(&memtable, 3, &put(b"k", 1, b"v"));
    memtable.delete_range(3, RangeTombstone { start: b"a".to_vec(), end: None, seq: 2 });
    assert!(memtable.has_range_tombstones());
    assert_eq!(memtable.range_tombstones(3).seq_covering(b"k", 2), 2);
    assert_eq!(memtable.seq_covering(3, b"k", 1), 0);
    assert!(memtable.range_tombstones(4).is_empty());
    assert_eq!(insert(&memtable, 3, &put(b"k", 3, b"v")), Previous::Deleted);
    assert_eq!(insert(&memtable, 3, &put(b"k", 4, b"v")), Previous::Live);
    memtable.delete_range(9, RangeTombstone { start: vec![], end: None, seq: 5 });
    assert_eq!(memtable.keyspaces(), [3, 9]);
}

#[test]
#[should_panic(expected = "frozen")]
#[cfg(debug_assertions)]
fn writing_to_a_frozen_memtable_is_a_bug() {
    let memtable = Memtable::new(1 << 20, 10);
    memtable.freeze();
    insert(&memtable, 0, &put(b"k", 1, b"v"));
}

#[test]
fn cursors_are_complete_while_runs_are_being_merged() {
    let memtable = Arc::new(Memtable::new(64 << 20, 0));
    let count: u64 = if cfg!(miri) { 200 } else { 30_000 };
    let mut keys = std::collections::BTreeSet::new();
    for seq in 1..=count {
        // Neighbouring batches share more of their keys than distant ones.
        let key = format!("{}:{:05}", seq / 9_000, seq.wrapping_mul(7919) % 65_536).into_bytes();
        insert(&memtable, 0, &put(&key, seq, b""));
        keys.insert(key);
        if seq % 97 == 0 {
            memtable.cursor(0, seq).seek(b"1").unwrap();
        }
        if seq % 4_999 == 0 || seq == count {
            let mut cursor = memtable.cursor(0, seq);
            cursor.seek_to_first().unwrap();
            for key in &keys {
                assert_eq!(cursor.entry().unwrap().key, key);
                cursor.next().unwrap();
            }
            assert!(cursor.entry().is_none());
        }
    }
}

#[test]
fn memory_is_used_again() {
    let mut memtable = Memtable::new(3 << 20, 0);
    let pool = memtable.arena.pool().clone();
    for round in 0..3u8 {
        for i in 0..50_000u32 {
            insert(&memtable, 0, &put(&i.to_be_bytes(), 1, &[round; 40]));
        }
        let found = get(&memtable, 0, &7u32.to_be_bytes(), 1).unwrap();
        assert_eq!(found.value, [round; 40]);
        memtable = memtable.successor();
        assert_eq!(pool.bytes(), 3 << 20);
    }
}

/// Every value repeats its key and batch, so that a torn or misplaced record is recognized.
fn check(entry: &Entry<'_>) {
    let mut expected = entry.key.to_vec();
    expected.extend_from_slice(&entry.seq.to_le_bytes());
    assert_eq!(entry.value, expected);
}

#[test]
fn readers_run_beside_the_writer() {
    const KEYS: u64 = 700;
    let rounds: u64 = if cfg!(miri) { 200 } else { 40_000 };
    let memtable = Arc::new(Memtable::new(64 << 20, 0));
    let visible = AtomicU64::new(0);
    let key_of = |seq: u64| format!("key{:05}", seq.wrapping_mul(7919) % KEYS).into_bytes();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 1..=rounds {
                let key = key_of(seq);
                let mut value = key.clone();
                value.extend_from_slice(&seq.to_le_bytes());
                insert(&memtable, 0, &put(&key, seq, &value));
                visible.store(seq, Ordering::Release);
            }
        });
        scope.spawn(|| {
            while visible.load(Ordering::Acquire) < rounds {
                let seq = visible.load(Ordering::Acquire);
                for back in 0..KEYS.min(seq) {
                    let key = key_of(seq - back);
                    let found = memtable.get(0, &key, key_hash(&key), seq).unwrap();
                    assert_eq!(found.seq, seq - back);
                    check(&found);
                }
            }
        });
        scope.spawn(|| {
            while visible.load(Ordering::Acquire) < rounds {
                let seq = visible.load(Ordering::Acquire);
                let mut cursor = memtable.cursor(0, seq);
                cursor.seek_to_first().unwrap();
                let mut count = 0;
                while let Some(entry) = cursor.entry() {
                    check(&entry);
                    count += 1;
                    cursor.next().unwrap();
                }
                assert_eq!(count, seq);
            }
        });
    });
}
