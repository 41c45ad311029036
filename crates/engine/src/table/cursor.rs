//! Walks a table in both directions.

use std::ops::ControlFlow;
use std::sync::Arc;

use aidb_base::{Result, Seq};

use crate::entry::Entry;
use crate::iterator::{Cursor, Patience, Ran};

use super::position::Position;
use super::reader::Table;

/// A position in a table. See [`Cursor`].
pub struct TableCursor {
    table: Arc<Table>,
    position: Position,
}

impl Table {
    /// A cursor at no entry.
    ///
    /// With `fill_cache` false it reads stretches of the file into a buffer of its own and leaves
    /// block cache and page cache as they were: for compaction and other readers that will not come
    /// back.
    pub fn cursor(self: &Arc<Self>, fill_cache: bool) -> TableCursor {
        TableCursor { table: self.clone(), position: Position::new(fill_cache) }
    }
}

impl TableCursor {
    /// The table walked.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Has `patience` say whether the cursor may wait for the disk.
    pub(crate) fn set_patience(&mut self, patience: &Arc<Patience>) {
        self.position.set_patience(patience);
    }
}

impl Drop for TableCursor {
    fn drop(&mut self) {
        self.position.close(&self.table);
    }
}

impl Cursor for TableCursor {
    fn seek_to_first(&mut self) -> Result<()> {
        self.position.seek_to_first(&self.table)
    }

    fn seek_to_last(&mut self) -> Result<()> {
        self.position.seek_to_last(&self.table)
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.position.seek(&self.table, key)
    }

    fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        self.position.seek_before(&self.table, key)
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        self.position.next(&self.table)
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        self.position.prev(&self.table)
    }

    #[inline]
    fn entry(&self) -> Option<Entry<'_>> {
        self.position.entry(&self.table)
    }

    #[inline]
    fn key_and_seq(&self) -> Option<(&[u8], Seq)> {
        self.position.key_and_seq()
    }

    #[inline]
    fn run<F>(&mut self, until: Option<&[u8]>, visit: &mut F) -> Result<Ran>
    where
        F: FnMut(Entry<'_>) -> ControlFlow<()>,
    {
        self.position.run(&self.table, until, visit)
    }
}
