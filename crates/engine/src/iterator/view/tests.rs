use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::entry::RangeTombstone;
use crate::iterator::{OwnedEntry, VecCursor, prefix_upper_bound};

const NOW_MS: u64 = 50;
const SEQ_MAX: u64 = 30;

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, 0xFF]), 0..3)
}

fn entries() -> impl Strategy<Value = Vec<OwnedEntry>> {
    let kind = prop::sample::select(vec![Kind::Put, Kind::Put, Kind::Blob, Kind::Delete]);
    let expiry = prop_oneof![4 => Just(0u64), 1 => Just(NOW_MS), 1 => Just(NOW_MS + 1)];
    let one = (key(), kind, expiry);
    prop::collection::vec(one, 0..40).prop_map(|many| {
        let numbered = many.into_iter().zip(1..);
        numbered
            .map(|((key, kind, expire_at_ms), seq)| OwnedEntry {
                key,
                seq,
                kind,
                expire_at_ms,
                value: seq.to_string().into_bytes(),
            })
            .collect()
    })
}

fn tombstones() -> impl Strategy<Value = Vec<RangeTombstone>> {
    let one = (key(), prop::option::of(key()), 1..SEQ_MAX + 10);
    let one = one.prop_map(|(start, end, seq)| RangeTombstone { start, end, seq });
    prop::collection::vec(one, 0..4)
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (prop::option::of(key()), prop::option::of(key()))
        .prop_map(|(lower, upper)| Bounds { lower, upper })
}

/// What a reader sees, found without any cleverness.
fn naive(
    entries: &[OwnedEntry],
    tombstones: &[RangeTombstone],
    max_seq: Seq,
    bounds: &Bounds,
) -> Vec<OwnedEntry> {
    let mut newest: BTreeMap<&[u8], &OwnedEntry> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.seq <= max_seq) {
        let kept = newest.entry(&entry.key).or_insert(entry);
        if entry.seq > kept.seq {
            *kept = entry;
        }
    }
    let shown = newest.into_values().filter(|entry| {
        let covered = tombstones
            .iter()
            .any(|t| t.seq <= max_seq && t.seq > entry.seq && t.covers(&entry.key));
        let inside = bounds.lower.as_ref().is_none_or(|lower| entry.key >= *lower)
            && bounds.upper.as_ref().is_none_or(|upper| entry.key < *upper);
        inside && !covered && entry.kind != Kind::Delete && !entry.borrow().is_expired(NOW_MS)
    });
    shown.cloned().collect()
}

fn view(
    entries: &[OwnedEntry],
    count: usize,
    tombstones: &[RangeTombstone],
    max_seq: Seq,
    bounds: &Bounds,
) -> ViewCursor {
    let mut sources = vec![Vec::new(); count];
    for entry in entries {
        sources[entry.seq as usize % count].push(entry.clone());
    }
    let merge = MergeCursor::new(sources.into_iter().map(|s| VecCursor::new(s).into()).collect());
    let (left, right) = tombstones.split_at(tombstones.len() / 2);
    let sets = [left, right].map(|set| Arc::new(RangeTombstones::new(set.to_vec())));
    ViewCursor::new(merge, sets.into(), max_seq, NOW_MS, bounds.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_view_walks_over_what_is_visible(
        entries in entries(),
        tombstones in tombstones(),
        max_seq in 0..SEQ_MAX + 12,
        bounds in bounds(),
        count in 1usize..5,
        moves in prop::collection::vec((0u8..12, key()), 1..40),
    ) {
        let expected = naive(&entries, &tombstones, max_seq, &bounds);
        let mut cursor = view(&entries, count, &tombstones, max_seq, &bounds);
        let mut at: Option<usize> = None;
        prop_assert!(cursor.entry().is_none());
        for (choice, key) in &moves {
            let rank = expected.partition_point(|entry| entry.key < *key);
            at = match choice {
                0..=3 => cursor.next().map(|()| at.map(|i| i + 1)).unwrap(),
                4..=7 => cursor.prev().map(|()| at.and_then(|i| i.checked_sub(1))).unwrap(),
                8 => cursor.seek(key).map(|()| Some(rank)).unwrap(),
                9 => cursor.seek_before(key).map(|()| rank.checked_sub(1)).unwrap(),
                10 => cursor.seek_to_first().map(|()| Some(0)).unwrap(),
                _ => cursor.seek_to_last().map(|()| expected.len().checked_sub(1)).unwrap(),
            };
            at = at.filter(|&i| i < expected.len());
            let got = cursor.entry().map(OwnedEntry::from);
            prop_assert_eq!(got.as_ref(), at.map(|i| &expected[i]));
        }
    }

    #[test]
    fn a_prefix_range_holds_the_keys_with_the_prefix(
        prefix in key(),
        keys in prop::collection::btree_set(key(), 0..20),
    ) {
        let bounds = Bounds::prefix(&prefix);
        let within = |key: &Vec<u8>| {
            bounds.lower.as_ref().is_none_or(|lower| key >= lower)
                && bounds.upper.as_ref().is_none_or(|upper| key < upper)
        };
        let inside: BTreeSet<_> = keys.iter().filter(|key| within(key)).collect();
        let expected: BTreeSet<_> = keys.iter().filter(|key| key.starts_with(&prefix)).collect();
        prop_assert_eq!(inside, expected);
    }
}

#[test]
fn nothing_is_above_a_prefix_of_highest_bytes() {
    assert_eq!(prefix_upper_bound(b""), None);
    assert_eq!(prefix_upper_bound(&[0xFF, 0xFF]), None);
    assert_eq!(prefix_upper_bound(&[1, 0xFF]), Some(vec![2]));
}

#[test]
fn an_empty_value_is_not_absence() {
    let entry = |seq, kind, value: &[u8]| {
        let value = value.to_vec();
        OwnedEntry { key: b"k".to_vec(), seq, kind, expire_at_ms: 0, value }
    };
    let entries = [entry(1, Kind::Put, b"x"), entry(2, Kind::Put, b"")];
    let mut cursor = view(&entries, 2, &[], 9, &Bounds::all());
    cursor.seek_to_first().unwrap();
    assert_eq!((cursor.key(), cursor.value()), (Some(&b"k"[..]), Some(&b""[..])));
    cursor.seek_to_last().unwrap();
    assert_eq!((cursor.key(), cursor.value()), (Some(&b"k"[..]), Some(&b""[..])));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn runs_and_steps_together_visit_every_visible_entry_once(
        entries in entries(),
        tombstones in tombstones(),
        max_seq in 0..SEQ_MAX + 12,
        bounds in bounds(),
        count in 1usize..5,
        start in key(),
        lengths in prop::collection::vec(0usize..5, 1..40),
    ) {
        let expected = naive(&entries, &tombstones, max_seq, &bounds);
        let rank = expected.partition_point(|entry| entry.key < start);
        let mut cursor = view(&entries, count, &tombstones, max_seq, &bounds);
        cursor.seek(&start).unwrap();
        let mut got = Vec::new();
        for length in lengths.into_iter().chain(std::iter::repeat(0)) {
            let Some(entry) = cursor.entry() else { break };
            got.push(OwnedEntry::from(entry));
            let mut left = length;
            cursor.run(&mut |entry| {
                got.push(OwnedEntry::from(entry));
                left = left.saturating_sub(1);
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }).unwrap();
            if let Some(entry) = cursor.entry() {
                // It broke off, or the run did not begin.
                prop_assert_eq!(got.last(), Some(&OwnedEntry::from(entry)));
            }
            cursor.next().unwrap();
        }
        prop_assert_eq!(&got, &expected[rank..]);
    }
}
