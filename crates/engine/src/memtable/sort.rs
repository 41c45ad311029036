//! Sorting records by key through 8-byte heads.
//!
//! All keys of a set share a prefix of `skip` bytes. The head of a key is the 8 bytes after it, big
//! endian, padded with zeros; heads in order mean keys in order, equal heads say nothing. Comparing
//! integers next to each other instead of keys all over memory makes the sort several times faster.

use std::cmp::Ordering;
use std::sync::Arc;

use super::arena::{Arena, Record, RecordRef};
use crate::iterator::compare_keys;

const HEAD_BYTES: usize = 8;
/// Groups of equal heads up to this size are sorted by whole keys.
const SMALL_GROUP: usize = 24;
const DEPTH_MAX: usize = 32;
const SAMPLES: usize = 64;
const PREFETCH_DISTANCE: usize = 12;

/// A record and the head of its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) head: u64,
    pub(super) record: RecordRef,
}

/// Records in the order of cursors.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Bytes that all keys share, left out of the heads.
    pub(super) skip: usize,
    pub(super) items: Vec<Item>,
}

impl Sorted {
    /// Sorts `records`; those already in order are only checked. Replaced records are left out.
    pub(super) fn new(arena: &Arena, records: &[RecordRef]) -> Self {
        let mut items = Vec::with_capacity(records.len());
        let skip = with_heads(arena, records, &mut items);
        if !items.is_sorted_by(|a, b| !is_before(arena, b, a)) {
            sort(arena, &mut items, skip, 0);
        }
        Self { skip, items }
    }

    /// Number of records whose key is before `key`.
    pub(super) fn rank(&self, arena: &Arena, key: &[u8]) -> usize {
        let Some(first) = self.items.first() else { return 0 };
        let prefix = &arena.record(first.record).key()[..self.skip];
        match key[..key.len().min(self.skip)].cmp(prefix) {
            Ordering::Less => return 0,
            Ordering::Greater => return self.items.len(),
            Ordering::Equal => {}
        }
        let head = head(key, self.skip);
        let from = self.items.partition_point(|item| item.head < head);
        let same = self.items[from..]
            .partition_point(|item| item.head == head && arena.record(item.record).key() < key);
        from + same
    }

    /// The same records with heads after `skip` bytes, which may not be more than now.
    fn with_skip(&self, arena: &Arena, skip: usize) -> Self {
        let mut items = self.items.clone();
        set_heads(arena, &mut items, skip);
        Self { skip, items }
    }
}

/// Key ascending, then sequence number descending.
#[inline]
fn compare(a: &Record<'_>, b: &Record<'_>) -> Ordering {
    compare_keys(a.key(), b.key()).then_with(|| b.seq().cmp(&a.seq()))
}

/// The order of items whose heads were taken after the same number of bytes.
#[inline]
fn is_before(arena: &Arena, a: &Item, b: &Item) -> bool {
    if a.head != b.head {
        return a.head < b.head;
    }
    compare(&arena.record(a.record), &arena.record(b.record)) == Ordering::Less
}

#[inline]
fn head(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or(&[]);
    match rest.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; HEAD_BYTES];
            bytes[..rest.len()].copy_from_slice(rest);
            u64::from_be_bytes(bytes)
        }
    }
}

fn set_heads(arena: &Arena, items: &mut [Item], skip: usize) {
    for item in items {
        item.head = head(arena.record(item.record).key(), skip);
    }
}

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// Length of the prefix that the keys of `records` share.
fn shared_by_all(arena: &Arena, records: impl Iterator<Item = RecordRef>) -> usize {
    let mut prefix: Option<&[u8]> = None;
    for record in records {
        let key = arena.record(record).key();
        prefix = Some(match prefix {
            None => key,
            Some(prefix) if key.starts_with(prefix) => prefix,
            Some(prefix) => &prefix[..shared_prefix(prefix, key)],
        });
    }
    prefix.map_or(0, <[u8]>::len)
}

/// Makes items of `records` in one pass over them and gives the length of their shared prefix. A
/// sample tells the length; when it was wrong, the heads are taken again.
fn with_heads(arena: &Arena, records: &[RecordRef], items: &mut Vec<Item>) -> usize {
    let Some(&first) = records.first() else { return 0 };
    let samples = records.iter().step_by(records.len().div_ceil(SAMPLES)).copied();
    let guess = shared_by_all(arena, samples);
    let prefix = &arena.record(first).key()[..guess];
    let mut skip = guess;
    for (i, &at) in records.iter().enumerate() {
        if let Some(ahead) = records.get(i + PREFETCH_DISTANCE) {
            ahead.prefetch();
        }
        let record = arena.record(at);
        if record.is_replaced() {
            continue;
        }
        let key = record.key();
        if !key.starts_with(&prefix[..skip]) {
            skip = shared_prefix(&prefix[..skip], key);
        }
        items.push(Item { head: head(key, skip), record: at });
    }
    if skip < guess {
        set_heads(arena, items, skip);
    }
    skip
}

/// Sorts items whose heads were taken after `skip` bytes.
fn sort(arena: &Arena, items: &mut [Item], skip: usize, depth: usize) {
    items.sort_unstable_by_key(|item| item.head);
    for group in items.chunk_by_mut(|a, b| a.head == b.head) {
        if group.len() > 1 {
            sort_group(arena, group, skip, depth);
        }
    }
}

/// Sorts items of the same head: large groups by the heads behind what the group shares.
fn sort_group(arena: &Arena, group: &mut [Item], skip: usize, depth: usize) {
    if group.len() > SMALL_GROUP && depth < DEPTH_MAX {
        let head = group[0].head;
        let shared = shared_by_all(arena, group.iter().map(|item| item.record));
        set_heads(arena, group, shared);
        // Less is shared when a key ends inside the head; nothing differs when all keys are equal.
        let is_useful =
            shared >= skip + HEAD_BYTES && group.iter().any(|item| item.head != group[0].head);
        if is_useful {
            sort(arena, group, shared, depth + 1);
        }
        group.iter_mut().for_each(|item| item.head = head);
        if is_useful {
            return;
        }
    }
    group.sort_unstable_by(|a, b| compare(&arena.record(a.record), &arena.record(b.record)));
}

/// Two sets on their way to becoming one, step by step.
pub(super) struct Merging {
    left: Arc<Sorted>,
    right: Arc<Sorted>,
    left_at: usize,
    right_at: usize,
    merged: Sorted,
}

impl Merging {
    pub(super) fn new(arena: &Arena, left: Arc<Sorted>, right: Arc<Sorted>) -> Self {
        let mut skip = left.skip.min(right.skip);
        if let (Some(l), Some(r)) = (left.items.first(), right.items.first()) {
            let shared = shared_prefix(arena.record(l.record).key(), arena.record(r.record).key());
            skip = skip.min(shared);
        }
        let adapt = |set: Arc<Sorted>| {
            if set.skip == skip { set } else { set.with_skip(arena, skip).into() }
        };
        let (left, right) = (adapt(left), adapt(right));
        let items = Vec::with_capacity(left.items.len() + right.items.len());
        Self { left, right, left_at: 0, right_at: 0, merged: Sorted { skip, items } }
    }

    /// Merges up to `steps` records more; the set when it is complete.
    pub(super) fn advance(&mut self, arena: &Arena, steps: usize) -> Option<Sorted> {
        let (left, right) = (&self.left.items, &self.right.items);
        let until = self.merged.items.len().saturating_add(steps);
        while let (Some(l), Some(r)) = (left.get(self.left_at), right.get(self.right_at)) {
            if self.merged.items.len() >= until {
                return None;
            }
            let takes_right = is_before(arena, r, l);
            self.merged.items.push(if takes_right { *r } else { *l });
            self.right_at += usize::from(takes_right);
            self.left_at += usize::from(!takes_right);
        }
        // One side is used up. Copying costs less than a step, so it may be more of them.
        let room = until.saturating_sub(self.merged.items.len()).saturating_mul(4);
        let (left, right) = (&left[self.left_at..], &right[self.right_at..]);
        let rest = if left.is_empty() { right } else { left };
        let copied = rest.len().min(room);
        self.merged.items.extend_from_slice(&rest[..copied]);
        self.left_at += if left.is_empty() { 0 } else { copied };
        self.right_at += if left.is_empty() { copied } else { 0 };
        (copied == rest.len()).then(|| std::mem::take(&mut self.merged))
    }
}
