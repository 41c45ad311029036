//! Sorting records by key through 8-byte heads.
//!
//! All keys of a set share a prefix of `skip` bytes. The head of a key is the 8 bytes after it, big
//! endian, padded with zeros; heads in order mean keys in order, equal heads say nothing. Comparing
//! integers next to each other instead of keys all over memory makes the sort several times faster.

use std::cmp::Ordering;

use super::arena::{Arena, Record, RecordRef};

const HEAD_BYTES: usize = 8;
const SMALL: usize = 24;
const DEPTH_MAX: usize = 32;

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
    /// Sorts `records`; those already in order are only checked.
    pub(super) fn new(arena: &Arena, records: impl Iterator<Item = RecordRef>) -> Self {
        let mut items: Vec<Item> = records
            .filter(|&at| !arena.record(at).is_replaced())
            .map(|record| Item { head: 0, record })
            .collect();
        let (skip, in_order) = survey(arena, &items);
        set_heads(arena, &mut items, skip);
        if !in_order {
            sort(arena, &mut items, skip, 0);
        }
        Self { skip, items }
    }

    /// The union of two sets.
    pub(super) fn merged(arena: &Arena, left: &Self, right: &Self) -> Self {
        let (Some(l), Some(r)) = (left.items.first(), right.items.first()) else {
            let full = if left.items.is_empty() { right } else { left };
            return Self { skip: full.skip, items: full.items.clone() };
        };
        let shared = shared_prefix(arena.record(l.record).key(), arena.record(r.record).key());
        let skip = left.skip.min(right.skip).min(shared);
        let (mut rebuilt_left, mut rebuilt_right) = (Vec::new(), Vec::new());
        let left = left.items_with_skip(arena, skip, &mut rebuilt_left);
        let right = right.items_with_skip(arena, skip, &mut rebuilt_right);
        Self { skip, items: merge(arena, left, right) }
    }

    fn items_with_skip<'a>(
        &'a self,
        arena: &Arena,
        skip: usize,
        rebuilt: &'a mut Vec<Item>,
    ) -> &'a [Item] {
        if self.skip == skip {
            return &self.items;
        }
        rebuilt.extend_from_slice(&self.items);
        set_heads(arena, rebuilt, skip);
        rebuilt
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
        let same = &self.items[from..];
        from + same
            .partition_point(|item| item.head == head && arena.record(item.record).key() < key)
    }
}

/// Key ascending, then sequence number descending.
#[inline]
pub(super) fn compare(a: &Record<'_>, b: &Record<'_>) -> Ordering {
    a.key().cmp(b.key()).then_with(|| b.seq().cmp(&a.seq()))
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

/// The length of the prefix that all keys share, and whether the records are in order.
fn survey(arena: &Arena, items: &[Item]) -> (usize, bool) {
    let Some(first) = items.first() else { return (0, true) };
    let prefix = arena.record(first.record).key();
    let mut skip = prefix.len();
    let mut in_order = true;
    let mut before = arena.record(first.record);
    for item in &items[1..] {
        let record = arena.record(item.record);
        if !record.key().starts_with(&prefix[..skip]) {
            skip = shared_prefix(&prefix[..skip], record.key());
        }
        in_order = in_order && compare(&before, &record) == Ordering::Less;
        before = record;
    }
    (skip, in_order)
}

/// Sorts items whose heads were taken after `skip` bytes.
fn sort(arena: &Arena, items: &mut [Item], skip: usize, depth: usize) {
    items.sort_unstable_by_key(|item| item.head);
    let mut start = 0;
    while start < items.len() {
        let head = items[start].head;
        let len = items[start..].iter().take_while(|item| item.head == head).count();
        if len > 1 {
            sort_equal_heads(arena, &mut items[start..start + len], skip, depth);
        }
        start += len;
    }
}

fn sort_equal_heads(arena: &Arena, items: &mut [Item], skip: usize, depth: usize) {
    if items.len() > SMALL && depth < DEPTH_MAX {
        let (shared, _) = survey(arena, items);
        if shared >= skip + HEAD_BYTES {
            let head = items[0].head;
            set_heads(arena, items, shared);
            if items.iter().any(|item| item.head != items[0].head) {
                sort(arena, items, shared, depth + 1);
                items.iter_mut().for_each(|item| item.head = head);
                return;
            }
            items.iter_mut().for_each(|item| item.head = head);
        }
    }
    items.sort_unstable_by(|a, b| compare(&arena.record(a.record), &arena.record(b.record)));
}

fn is_before(arena: &Arena, a: &Item, b: &Item) -> bool {
    match a.head.cmp(&b.head) {
        Ordering::Equal => {
            compare(&arena.record(a.record), &arena.record(b.record)) == Ordering::Less
        }
        order => order == Ordering::Less,
    }
}

fn merge(arena: &Arena, mut left: &[Item], mut right: &[Item]) -> Vec<Item> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(l), Some(r)) = (left.first(), right.first()) {
        if is_before(arena, r, l) {
            merged.push(*r);
            right = &right[1..];
        } else {
            merged.push(*l);
            left = &left[1..];
        }
        if merged.len() == 1 && is_disjoint(arena, left, right) {
            break;
        }
    }
    let (first, second) = match (left.first(), right.first()) {
        (Some(l), Some(r)) if is_before(arena, r, l) => (right, left),
        _ => (left, right),
    };
    merged.extend_from_slice(first);
    merged.extend_from_slice(second);
    merged
}

/// Whether all of one side comes before all of the other.
fn is_disjoint(arena: &Arena, left: &[Item], right: &[Item]) -> bool {
    match (left.first(), left.last(), right.first(), right.last()) {
        (Some(l), Some(left_last), Some(r), Some(right_last)) => {
            is_before(arena, left_last, r) || is_before(arena, right_last, l)
        }
        _ => true,
    }
}
