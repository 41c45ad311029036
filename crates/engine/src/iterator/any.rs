//! The kinds of sources a merge can have, behind an enum instead of a vtable.

use std::ops::ControlFlow;
use std::sync::Arc;

use aidb_base::{Result, Seq};

use super::{Cursor, Patience, Ran, VecCursor};
use crate::entry::Entry;
use crate::memtable::MemCursor;
use crate::table::TableCursor;
use crate::version::LevelCursor;

/// A cursor over a memtable, a table, a level or a vector.
pub enum AnyCursor {
    /// Over a memtable.
    Mem(MemCursor),
    /// Over a table.
    Table(TableCursor),
    /// Over the tables of a level.
    Level(LevelCursor),
    /// Over entries in memory.
    Vec(VecCursor),
}

macro_rules! each {
    ($self:expr, $cursor:ident => $call:expr) => {
        match $self {
            AnyCursor::Mem($cursor) => $call,
            AnyCursor::Table($cursor) => $call,
            AnyCursor::Level($cursor) => $call,
            AnyCursor::Vec($cursor) => $call,
        }
    };
}

impl AnyCursor {
    /// Has `patience` say whether the cursor may wait for the disk.
    pub(crate) fn set_patience(&mut self, patience: &Arc<Patience>) {
        match self {
            Self::Table(cursor) => cursor.set_patience(patience),
            Self::Level(cursor) => cursor.set_patience(patience),
            Self::Mem(_) | Self::Vec(_) => {}
        }
    }
}

impl Cursor for AnyCursor {
    fn seek_to_first(&mut self) -> Result<()> {
        each!(self, cursor => cursor.seek_to_first())
    }

    fn seek_to_last(&mut self) -> Result<()> {
        each!(self, cursor => cursor.seek_to_last())
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        each!(self, cursor => cursor.seek(key))
    }

    fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        each!(self, cursor => cursor.seek_before(key))
    }

    #[inline(always)]
    fn next(&mut self) -> Result<()> {
        each!(self, cursor => cursor.next())
    }

    #[inline(always)]
    fn prev(&mut self) -> Result<()> {
        each!(self, cursor => cursor.prev())
    }

    #[inline(always)]
    fn entry(&self) -> Option<Entry<'_>> {
        each!(self, cursor => cursor.entry())
    }

    #[inline(always)]
    fn key_and_seq(&self) -> Option<(&[u8], Seq)> {
        each!(self, cursor => cursor.key_and_seq())
    }

    #[inline(always)]
    fn run<F>(&mut self, until: Option<&[u8]>, visit: &mut F) -> Result<Ran>
    where
        F: FnMut(Entry<'_>) -> ControlFlow<()>,
    {
        each!(self, cursor => cursor.run(until, visit))
    }
}

impl From<MemCursor> for AnyCursor {
    fn from(cursor: MemCursor) -> Self {
        Self::Mem(cursor)
    }
}

impl From<VecCursor> for AnyCursor {
    fn from(cursor: VecCursor) -> Self {
        Self::Vec(cursor)
    }
}

impl From<TableCursor> for AnyCursor {
    fn from(cursor: TableCursor) -> Self {
        Self::Table(cursor)
    }
}

impl From<LevelCursor> for AnyCursor {
    fn from(cursor: LevelCursor) -> Self {
        Self::Level(cursor)
    }
}
