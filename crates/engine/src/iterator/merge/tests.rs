use aidb_base::Error;
use proptest::prelude::*;

use super::*;
use crate::entry::Kind;
use crate::iterator::{OwnedEntry, VecCursor};

fn entry(key: &[u8], seq: u64) -> OwnedEntry {
    OwnedEntry { key: key.to_vec(), seq, kind: Kind::Put, expire_at_ms: 0, value: Vec::new() }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, 0xFF]), 0..3)
}

/// Sources with few keys, so that versions of a key meet; some are empty.
fn sources() -> impl Strategy<Value = Vec<Vec<OwnedEntry>>> {
    let placed = prop::collection::vec((key(), 0usize..7), 0..40);
    (placed, 0usize..7).prop_map(|(placed, count)| {
        let mut sources = vec![Vec::new(); count];
        for (i, (key, source)) in placed.into_iter().enumerate() {
            if count > 0 {
                sources[source % count].push(entry(&key, i as u64 + 1));
            }
        }
        sources
    })
}

fn merge_of(sources: &[Vec<OwnedEntry>]) -> MergeCursor {
    MergeCursor::new(sources.iter().map(|s| VecCursor::new(s.clone()).into()).collect())
}

fn moves() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    prop::collection::vec((0u8..12, key()), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_merge_is_a_cursor_over_the_union(sources in sources(), moves in moves()) {
        let mut union = VecCursor::new(sources.concat());
        let mut merge = merge_of(&sources);
        for (choice, key) in &moves {
            for cursor in [&mut union as &mut dyn Cursor, &mut merge] {
                match choice {
                    0..=3 => cursor.next().unwrap(),
                    4..=7 => cursor.prev().unwrap(),
                    8 => cursor.seek(key).unwrap(),
                    9 => cursor.seek_before(key).unwrap(),
                    10 => cursor.seek_to_first().unwrap(),
                    _ => cursor.seek_to_last().unwrap(),
                }
            }
            prop_assert_eq!(merge.entry(), union.entry());
        }
    }
}

#[test]
fn one_leading_source_after_the_other_is_merged_in_order() {
    let ranges = [0u8..50, 50..60, 60..200, 55..58];
    let sources: Vec<Vec<_>> = ranges
        .iter()
        .enumerate()
        .map(|(i, range)| range.clone().map(|key| entry(&[key], i as u64)).collect())
        .collect();
    let mut merge = merge_of(&sources);
    let mut union = VecCursor::new(sources.concat());
    merge.seek_to_first().unwrap();
    union.seek_to_first().unwrap();
    while union.entry().is_some() {
        assert_eq!(merge.entry(), union.entry());
        merge.next().unwrap();
        union.next().unwrap();
    }
    assert!(merge.entry().is_none());
}

/// Fails at its third entry.
struct Failing(VecCursor, u32);

impl Failing {
    fn count(&mut self) -> Result<()> {
        self.1 += 1;
        if self.1 == 3 {
            self.0.seek_before(b"").and(Err(Error::internal("planted")))
        } else {
            Ok(())
        }
    }
}

impl Cursor for Failing {
    fn seek_to_first(&mut self) -> Result<()> {
        self.0.seek_to_first()
    }
    fn seek_to_last(&mut self) -> Result<()> {
        self.0.seek_to_last()
    }
    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.0.seek(key)
    }
    fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        self.0.seek_before(key)
    }
    fn next(&mut self) -> Result<()> {
        self.0.next().and_then(|()| self.count())
    }
    fn prev(&mut self) -> Result<()> {
        self.0.prev().and_then(|()| self.count())
    }
    fn entry(&self) -> Option<Entry<'_>> {
        self.0.entry()
    }
}

#[test]
fn after_an_error_a_merge_is_at_no_entry_and_can_be_sought_again() {
    let source = |first: u8| {
        let entries = (0..5).map(|i| entry(&[first + i * 2], 1)).collect();
        Failing(VecCursor::new(entries), u32::from(first) * 100)
    };
    let mut merge = MergeCursor::new(vec![source(0), source(1)]);
    merge.seek_to_first().unwrap();
    let error = std::iter::repeat_with(|| merge.next()).find_map(Result::err);
    assert_eq!(error, Some(Error::internal("planted")));
    assert!(merge.entry().is_none());
    assert_eq!(merge.next(), Ok(()));
    merge.seek(&[3]).unwrap();
    assert_eq!(merge.entry().unwrap().key, [3]);
    merge.next().unwrap();
    assert_eq!(merge.entry().unwrap().key, [4]);
}
