//! Cursors over a memtable: a merge of its sorted runs.

use std::sync::Arc;

use aidb_base::{Result, Seq};

use super::Memtable;
use super::arena::{Record, RecordRef};
use super::sort::Sorted;
use crate::entry::Entry;
use crate::iterator::{Cursor, MergeCursor};

const PREFETCH_DISTANCE: usize = 10;

/// All versions of all keys of one keyspace with a sequence number up to the cursor's limit.
///
/// **Ownership**: keeps the memtable alive. Sees nothing inserted after it was made.
pub struct MemCursor(Source);

enum Source {
    Run(RunCursor),
    Runs(MergeCursor<RunCursor>),
}

macro_rules! each {
    ($self:expr, $cursor:ident => $call:expr) => {
        match $self {
            MemCursor(Source::Run($cursor)) => $call,
            MemCursor(Source::Runs($cursor)) => $call,
        }
    };
}

impl MemCursor {
    pub(super) fn new(memtable: &Arc<Memtable>, runs: Vec<Arc<Sorted>>, max_seq: Seq) -> Self {
        let cursor_of = |run| RunCursor { memtable: memtable.clone(), run, at: None, max_seq };
        let mut sources: Vec<RunCursor> = runs.into_iter().map(cursor_of).collect();
        match sources.pop() {
            Some(only) if sources.is_empty() => Self(Source::Run(only)),
            last => {
                sources.extend(last);
                Self(Source::Runs(MergeCursor::new(sources)))
            }
        }
    }
}

impl Cursor for MemCursor {
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
}

/// A cursor over one run.
struct RunCursor {
    memtable: Arc<Memtable>,
    run: Arc<Sorted>,
    max_seq: Seq,
    at: Option<(usize, RecordRef)>,
}

impl RunCursor {
    #[inline]
    fn record(&self, at: RecordRef) -> Record<'_> {
        self.memtable.arena.record(at)
    }

    #[inline]
    fn is_visible(&self, at: RecordRef) -> bool {
        let record = self.record(at);
        record.seq() <= self.max_seq && !record.is_replaced()
    }

    /// Stands at the first visible record from `index` on.
    #[inline]
    fn settle_forward(&mut self, index: usize) {
        let items = &self.run.items;
        if let Some(ahead) = items.get(index + PREFETCH_DISTANCE) {
            ahead.record.prefetch();
        }
        let rest = items.get(index..).unwrap_or(&[]);
        let found = rest.iter().position(|item| self.is_visible(item.record));
        self.at = found.map(|offset| (index + offset, rest[offset].record));
    }

    /// Stands at the last visible record before `index`.
    #[inline]
    fn settle_backward(&mut self, index: usize) {
        let before = &self.run.items[..index];
        if let Some(ahead) = index.checked_sub(PREFETCH_DISTANCE).and_then(|i| before.get(i)) {
            ahead.record.prefetch();
        }
        let found = before.iter().rposition(|item| self.is_visible(item.record));
        self.at = found.map(|found| (found, before[found].record));
    }
}

impl Cursor for RunCursor {
    fn seek_to_first(&mut self) -> Result<()> {
        self.settle_forward(0);
        Ok(())
    }

    fn seek_to_last(&mut self) -> Result<()> {
        self.settle_backward(self.run.items.len());
        Ok(())
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.settle_forward(self.run.rank(&self.memtable.arena, key));
        Ok(())
    }

    fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        self.settle_backward(self.run.rank(&self.memtable.arena, key));
        Ok(())
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        if let Some((index, _)) = self.at {
            self.settle_forward(index + 1);
        }
        Ok(())
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        if let Some((index, _)) = self.at {
            self.settle_backward(index);
        }
        Ok(())
    }

    #[inline(always)]
    fn entry(&self) -> Option<Entry<'_>> {
        self.at.map(|(_, record)| self.record(record).entry())
    }

    #[inline(always)]
    fn key_and_seq(&self) -> Option<(&[u8], Seq)> {
        self.at.map(|(_, at)| {
            let record = self.record(at);
            (record.key(), record.seq())
        })
    }
}
