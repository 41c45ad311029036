//! Searching levels and walking them, against a sorted list of keys.

use std::sync::Arc;

use aidb_base::{Attempt, Result, Rng, hash};
use proptest::prelude::*;

use crate::compaction::tests::harness::{Harness, Op};
use crate::iterator::Cursor;
use crate::version::{Level, LevelCursor};

/// One level of many small tables that hold `keys`.
fn level_of(keys: &[Vec<u8>]) -> (Harness, Arc<Level>) {
    let mut db = Harness::new(|options| options.table_bytes_max = 1);
    let ops: Vec<Op> = keys.iter().map(|key| Op::Put(key.clone(), b"v".to_vec())).collect();
    db.flush(&ops);
    db.compact();
    let level = db.tree().levels[5].clone();
    (db, level)
}

/// Keys with long shared prefixes, prefixes of each other, zeros and the empty key.
fn awkward_keys(rng: &mut Rng, count: u64) -> Vec<Vec<u8>> {
    let prefixes: [&[u8]; 5] = [b"", b"user:0000000", b"user:0000001", b"\0\0\0\0\0\0\0\0\0", b"z"];
    let mut keys: Vec<Vec<u8>> = (0..count)
        .map(|_| {
            let mut key = prefixes[rng.below(5) as usize].to_vec();
            key.extend((0..rng.below(12)).map(|_| b"\0a\xff"[rng.below(3) as usize]));
            key
        })
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

fn key_at(cursor: &LevelCursor) -> Option<Vec<u8>> {
    cursor.entry().map(|entry| entry.key.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn find_gives_the_first_table_that_ends_at_or_after_the_key(seed in any::<u64>(), one_prefix in any::<bool>()) {
        let mut rng = Rng::seeded(seed);
        let mut keys = awkward_keys(&mut rng, 60);
        if one_prefix {
            keys.iter_mut().for_each(|key| { key.splice(0..0, *b"all the same "); });
        }
        let (_db, level) = level_of(&keys);
        prop_assert!(level.tables().len() > 1 || keys.len() < 3);
        let mut probes = awkward_keys(&mut rng, 200);
        probes.extend(keys.iter().cloned());
        probes.extend(keys.iter().map(|key| [key, &b"\0"[..]].concat()));
        probes.extend(probes.clone().iter().map(|key| [&b"all the same "[..], key].concat()));
        for probe in probes {
            let expected = level.tables().iter().position(|table| table.meta().largest >= probe);
            prop_assert_eq!(level.find(&probe), expected.unwrap_or(level.tables().len()));
        }
    }

    #[test]
    fn a_level_cursor_moves_like_one_over_a_sorted_list(seed in any::<u64>()) {
        let mut rng = Rng::seeded(seed);
        let keys = awkward_keys(&mut rng, 40);
        let (_db, level) = level_of(&keys);
        let mut cursor = LevelCursor::new(level, true);
        let mut at: Option<usize> = None;
        for _ in 0..200 {
            let probe = awkward_keys(&mut rng, 1).pop().unwrap();
            let after = keys.partition_point(|key| *key < probe);
            let (moved, expected): (Result<()>, Option<usize>) = match rng.below(6) {
                0 => (cursor.seek_to_first(), Some(0)),
                1 => (cursor.seek_to_last(), keys.len().checked_sub(1)),
                2 => (cursor.seek(&probe), Some(after)),
                3 => (cursor.seek_before(&probe), after.checked_sub(1)),
                4 => (cursor.next(), at.map(|at| at + 1)),
                _ => (cursor.prev(), at.and_then(|at| at.checked_sub(1))),
            };
            moved.unwrap();
            at = expected.filter(|at| *at < keys.len());
            prop_assert_eq!(key_at(&cursor), at.map(|at| keys[at].clone()));
        }
    }
}

#[test]
fn an_empty_level_holds_nothing() {
    let level = Level::new(Vec::new());
    assert!(level.table_for(b"a").is_none());
    let mut cursor = LevelCursor::new(Arc::new(level), true);
    cursor.seek_to_first().unwrap();
    assert!(cursor.entry().is_none());
    cursor.seek_before(b"a").unwrap();
    assert!(cursor.entry().is_none());
    cursor.prev().unwrap();
    assert!(cursor.entry().is_none());
}

#[test]
fn get_and_try_get_agree() {
    let keys: Vec<Vec<u8>> = (0..200u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let (db, _) = level_of(&keys);
    let tree = db.tree();
    for number in 0..400u32 {
        let key = number.to_be_bytes();
        let hash = hash::key_hash_seeded(&key, 77);
        let found = tree.get(&key, hash, 77, |entry| entry.seq).unwrap();
        let tried = tree.try_get(&key, hash, 77, |entry| entry.seq).unwrap();
        assert_eq!(found.is_some(), number < 200);
        assert_eq!(tried, Attempt::Done(found));
    }
}

#[test]
fn cursors_leave_out_what_cannot_hold_a_key_in_range() {
    let mut db = Harness::new(|_| ());
    for (from, to) in [(0u32, 10), (20, 30), (40, 50)] {
        let put = |n: u32| Op::Put(n.to_be_bytes().to_vec(), vec![]);
        db.flush(&(from..to).map(put).collect::<Vec<_>>());
    }
    let count = |lower: Option<u32>, upper: Option<u32>| {
        let bytes = |bound: Option<u32>| bound.map(|n| n.to_be_bytes());
        let (lower, upper) = (bytes(lower), bytes(upper));
        let tree = db.tree();
        tree.cursors(lower.as_ref().map(|b| &b[..]), upper.as_ref().map(|b| &b[..]), true).len()
    };
    assert_eq!(count(None, None), 3);
    assert_eq!(count(Some(10), Some(20)), 0);
    assert_eq!(count(Some(9), Some(21)), 2);
    assert_eq!(count(Some(25), None), 2);
    assert_eq!(count(None, Some(40)), 2);
}
