//! Sets of range tombstones, cut into fragments so that a key is looked up by binary search.
//!
//! ```text
//! tombstones   a........m @5        fragments   a..c [5]
//!                 c..f @9                       c..f [9, 5]
//!                                               f..m [5]
//! ```
//!
//! A set has parts, each cut on its own. [`RangeTombstones::with`] adds a part of one tombstone and
//! joins the last parts while they are of similar size, like a binary counter; so n additions cost
//! O(n log n) in all, and a look-up asks O(log n) parts.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use aidb_base::Seq;

use crate::entry::RangeTombstone;

/// Range tombstones of one keyspace. Immutable; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct RangeTombstones {
    parts: Vec<Arc<Part>>,
}

#[derive(Debug)]
struct Part {
    tombstones: Vec<RangeTombstone>,
    fragments: Vec<Fragment>,
}

/// Keys in `start..end` that the same tombstones cover.
#[derive(Debug)]
struct Fragment {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
    /// Descending.
    seqs: Vec<Seq>,
}

/// How a set covers a key, and the keys around it that it covers in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover<'a> {
    /// As [`RangeTombstones::seq_covering`] says.
    pub seq: Seq,
    /// First key covered in this way.
    pub from: &'a [u8],
    /// First key that may be covered otherwise; `None` = none.
    pub until: Option<&'a [u8]>,
}

impl<'a> Cover<'a> {
    /// What covers no key.
    pub const NOTHING: Self = Self { seq: 0, from: b"", until: None };

    /// How two sets together cover the keys that are in both stretches.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { seq: self.seq.max(other.seq), from: self.from.max(other.from), until }
    }
}

impl RangeTombstones {
    /// The set of `tombstones`, in any order; duplicates and empty ranges are dropped.
    pub fn new(tombstones: Vec<RangeTombstone>) -> Self {
        let part = Part::new(tombstones);
        Self { parts: if part.tombstones.is_empty() { Vec::new() } else { vec![Arc::new(part)] } }
    }

    /// The set with one more tombstone.
    #[must_use]
    pub fn with(&self, tombstone: RangeTombstone) -> Self {
        let mut parts = self.parts.clone();
        let mut last = Part::new(vec![tombstone]);
        if last.tombstones.is_empty() {
            return Self { parts };
        }
        while parts.last().is_some_and(|part| part.len() <= last.len()) {
            let Some(before) = parts.pop() else { break };
            let both = before.tombstones.iter().cloned().chain(last.tombstones).collect();
            last = Part::new(both);
        }
        parts.push(Arc::new(last));
        Self { parts }
    }

    /// All tombstones of several sets as one.
    #[must_use]
    pub fn union(sets: &[&Self]) -> Self {
        let mut full = sets.iter().filter(|set| !set.is_empty());
        match (full.next(), full.next()) {
            (None, _) => Self::default(),
            (Some(only), None) => (*only).clone(),
            _ => Self::new(sets.iter().flat_map(|set| set.iter().cloned()).collect()),
        }
    }

    /// Whether the set covers nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Number of tombstones.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// The tombstones, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &RangeTombstone> {
        self.parts.iter().flat_map(|part| &part.tombstones)
    }

    /// Highest sequence number, not above `max_seq`, of a tombstone that covers `key`; 0 = none.
    /// A record of `key` is covered when its own sequence number is below the result.
    #[inline]
    pub fn seq_covering(&self, key: &[u8], max_seq: Seq) -> Seq {
        self.parts.iter().map(|part| part.cover(key, max_seq).seq).max().unwrap_or(0)
    }

    /// As [`RangeTombstones::seq_covering`], with the stretch of keys for which the answer holds, for
    /// readers that visit keys in order.
    pub fn cover(&self, key: &[u8], max_seq: Seq) -> Cover<'_> {
        let parts = self.parts.iter().map(|part| part.cover(key, max_seq));
        parts.fold(Cover::NOTHING, Cover::and)
    }
}

impl Part {
    fn new(mut tombstones: Vec<RangeTombstone>) -> Self {
        tombstones.retain(|t| t.end.as_ref().is_none_or(|end| *end > t.start));
        tombstones.sort_unstable();
        tombstones.dedup();
        let fragments = cut(&tombstones);
        Self { tombstones, fragments }
    }

    fn len(&self) -> usize {
        self.tombstones.len()
    }

    #[inline]
    fn cover(&self, key: &[u8], max_seq: Seq) -> Cover<'_> {
        let after = self.fragments.partition_point(|fragment| fragment.start.as_slice() <= key);
        let until = self.fragments.get(after).map(|next| next.start.as_slice());
        let Some(fragment) = self.fragments[..after].last() else {
            return Cover { until, ..Cover::NOTHING };
        };
        match fragment.end.as_deref() {
            Some(end) if end <= key => Cover { seq: 0, from: end, until },
            end => {
                let above = fragment.seqs.partition_point(|&seq| seq > max_seq);
                let seq = fragment.seqs.get(above).copied().unwrap_or(0);
                Cover { seq, from: &fragment.start, until: end }
            }
        }
    }
}

/// The end of a tombstone that is open at the sweep's position; the heap gives the least first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct OpenEnd<'a>(std::cmp::Reverse<&'a [u8]>, Seq);

/// Sweeps over the starts and ends of `tombstones`, which are sorted by start.
fn cut(tombstones: &[RangeTombstone]) -> Vec<Fragment> {
    let starts = tombstones.iter().map(|t| t.start.as_slice());
    let ends = tombstones.iter().filter_map(|t| t.end.as_deref());
    let mut points: Vec<&[u8]> = starts.chain(ends).collect();
    points.sort_unstable();
    points.dedup();

    let mut fragments: Vec<Fragment> = Vec::new();
    let mut coming = tombstones.iter().peekable();
    let mut ends: BinaryHeap<OpenEnd<'_>> = BinaryHeap::new();
    let mut open: BTreeMap<Seq, usize> = BTreeMap::new();
    for (i, &point) in points.iter().enumerate() {
        while ends.peek().is_some_and(|end| end.0.0 <= point) {
            let Some(OpenEnd(_, seq)) = ends.pop() else { break };
            if let Some(count) = open.get_mut(&seq) {
                *count -= 1;
                if *count == 0 {
                    open.remove(&seq);
                }
            }
        }
        while let Some(tombstone) = coming.next_if(|t| t.start.as_slice() <= point) {
            *open.entry(tombstone.seq).or_default() += 1;
            if let Some(end) = &tombstone.end {
                ends.push(OpenEnd(std::cmp::Reverse(end), tombstone.seq));
            }
        }
        if !open.is_empty() {
            fragments.push(Fragment {
                start: point.to_vec(),
                end: points.get(i + 1).map(|next| next.to_vec()),
                seqs: open.keys().rev().copied().collect(),
            });
        }
    }
    fragments
}

#[cfg(test)]
mod tests;
