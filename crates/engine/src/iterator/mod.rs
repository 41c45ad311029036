//! Cursors: one trait for every sorted source, a merge over many of them, and the visible view.

mod any;
mod bounds;
mod key;
mod merge;
mod patience;
mod vec;
mod view;

use std::ops::ControlFlow;

use aidb_base::{Result, Seq};

pub use any::AnyCursor;
pub use bounds::{Bounds, prefix_upper_bound};
pub(crate) use key::{compare_keys, same_key};
pub use merge::MergeCursor;
pub(crate) use patience::Patience;
pub use vec::{OwnedEntry, VecCursor};
pub use view::ViewCursor;

use crate::entry::Entry;

/// Where a cursor stands after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// At the last entry visited, or where it was when there is none.
    Stayed,
    /// At the first entry that is not before the end of the run; it was not visited.
    Ahead,
}

/// A position in a sorted source of entries: key ascending, then sequence number descending.
///
/// A new cursor is at no entry. After an error it is at no entry and may be sought again.
pub trait Cursor {
    /// Moves to the first entry.
    fn seek_to_first(&mut self) -> Result<()>;
    /// Moves to the last entry.
    fn seek_to_last(&mut self) -> Result<()>;
    /// Moves to the first entry whose key is at or after `key` (its newest version).
    fn seek(&mut self, key: &[u8]) -> Result<()>;
    /// Moves to the last entry whose key is before `key` (its oldest version).
    fn seek_before(&mut self, key: &[u8]) -> Result<()>;
    /// Moves to the following entry; past the last one the cursor is at no entry.
    fn next(&mut self) -> Result<()>;
    /// Moves to the preceding entry; before the first one the cursor is at no entry.
    fn prev(&mut self) -> Result<()>;
    /// The entry at the cursor, valid until the next move.
    fn entry(&self) -> Option<Entry<'_>>;
    /// Key and sequence number of the entry, for comparisons; may cost less than the whole entry.
    #[inline]
    fn key_and_seq(&self) -> Option<(&[u8], Seq)> {
        self.entry().map(|entry| (entry.key, entry.seq))
    }

    /// Visits entries behind the current one: those that cost little more than their decoding, up
    /// to the first whose key is not before `until`, as long as `visit` goes on. Visits no second
    /// version of a key. A cursor may end a run at any time, even before it began.
    #[inline]
    fn run<F>(&mut self, _until: Option<&[u8]>, _visit: &mut F) -> Result<Ran>
    where
        F: FnMut(Entry<'_>) -> ControlFlow<()>,
        Self: Sized,
    {
        Ok(Ran::Stayed)
    }
}
