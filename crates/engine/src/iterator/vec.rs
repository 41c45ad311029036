//! A cursor over entries in a vector, for tests and small sorted sets.

use std::ops::ControlFlow;
use std::sync::Arc;

use aidb_base::{Result, Seq};

use super::{Cursor, Ran};
use crate::entry::{Entry, Kind};

/// An [`Entry`] that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedEntry {
    /// User key.
    pub key: Vec<u8>,
    /// Batch that wrote it.
    pub seq: Seq,
    /// What the record says.
    pub kind: Kind,
    /// Milliseconds since the Unix epoch; 0 = never.
    pub expire_at_ms: u64,
    /// Value bytes.
    pub value: Vec<u8>,
}

impl OwnedEntry {
    /// The entry, borrowed.
    #[inline]
    pub fn borrow(&self) -> Entry<'_> {
        Entry {
            key: &self.key,
            seq: self.seq,
            kind: self.kind,
            expire_at_ms: self.expire_at_ms,
            value: &self.value,
        }
    }
}

impl From<Entry<'_>> for OwnedEntry {
    fn from(entry: Entry<'_>) -> Self {
        Self {
            key: entry.key.to_vec(),
            seq: entry.seq,
            kind: entry.kind,
            expire_at_ms: entry.expire_at_ms,
            value: entry.value.to_vec(),
        }
    }
}

/// A cursor over a sorted vector.
#[derive(Clone, Debug)]
pub struct VecCursor {
    entries: Arc<[OwnedEntry]>,
    /// Index of the entry; the length = at none.
    at: usize,
}

impl VecCursor {
    /// A cursor over `entries`, which it sorts by key, then sequence number descending.
    pub fn new(mut entries: Vec<OwnedEntry>) -> Self {
        entries.sort_by(|a, b| a.key.cmp(&b.key).then(b.seq.cmp(&a.seq)));
        let at = entries.len();
        Self { entries: entries.into(), at }
    }

    fn go_to(&mut self, index: Option<usize>) -> Result<()> {
        self.at = index.unwrap_or(self.entries.len());
        Ok(())
    }
}

impl Cursor for VecCursor {
    fn seek_to_first(&mut self) -> Result<()> {
        self.go_to(Some(0))
    }

    fn seek_to_last(&mut self) -> Result<()> {
        self.go_to(self.entries.len().checked_sub(1))
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.go_to(Some(self.entries.partition_point(|entry| entry.key.as_slice() < key)))
    }

    fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        let after = self.entries.partition_point(|entry| entry.key.as_slice() < key);
        self.go_to(after.checked_sub(1))
    }

    fn next(&mut self) -> Result<()> {
        self.go_to(Some((self.at + 1).min(self.entries.len())))
    }

    fn prev(&mut self) -> Result<()> {
        let at_none = self.at == self.entries.len();
        self.go_to(if at_none { None } else { self.at.checked_sub(1) })
    }

    fn entry(&self) -> Option<Entry<'_>> {
        self.entries.get(self.at).map(OwnedEntry::borrow)
    }

    fn run<F>(&mut self, until: Option<&[u8]>, visit: &mut F) -> Result<Ran>
    where
        F: FnMut(Entry<'_>) -> ControlFlow<()>,
    {
        while let Some([now, next]) = self.entries.get(self.at..self.at + 2) {
            if now.key == next.key {
                return Ok(Ran::Stayed);
            }
            self.at += 1;
            if until.is_some_and(|until| next.key.as_slice() >= until) {
                return Ok(Ran::Ahead);
            }
            if visit(next.borrow()).is_break() {
                return Ok(Ran::Stayed);
            }
        }
        Ok(Ran::Stayed)
    }
}
