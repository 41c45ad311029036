//! Reading ahead: by hints to the system, or into a buffer of the cursor's own.

use std::ops::Range;

use aidb_base::Result;

use crate::index::{BlockPlace, TRAILER_BYTES};

use super::reader::Table;

/// Bytes a cursor without cache reads at once.
const STRETCH_BYTES: u64 = 256 << 10;

/// Bytes asked about at once; `is_resident` does not answer for arbitrarily many.
const RESIDENCY_BYTES: usize = 128 << 10;

/// First read-ahead of a forward scan; it doubles up to a stretch.
const AHEAD_BYTES_MIN: u64 = 16 << 10;

/// Part of the file, read by a cursor that fills no cache.
#[derive(Default)]
pub(super) struct Stretch {
    offset: u64,
    pub(super) bytes: Vec<u8>,
    /// Whether the system had it in memory before, so that it stays.
    was_resident: bool,
}

impl Stretch {
    /// Makes the block at `place` part of the stretch; its range there, trailer included.
    pub(super) fn cover(
        &mut self,
        table: &Table,
        place: BlockPlace,
        data_end: u64,
    ) -> Result<Range<usize>> {
        let whole = (place.len + TRAILER_BYTES) as u64;
        let end = place.offset + whole;
        if place.offset < self.offset || end > self.offset + self.bytes.len() as u64 {
            self.give_back(table);
            self.read(table, place.offset, (place.offset + STRETCH_BYTES).min(data_end).max(end))?;
        }
        let start = (place.offset - self.offset) as usize;
        Ok(start..start + whole as usize)
    }

    fn read(&mut self, table: &Table, start: u64, end: u64) -> Result<()> {
        let file = &table.source.file;
        self.bytes.clear();
        if end > file.len() {
            return Err(table.source.damaged(start, "block outside the file"));
        }
        let len = (end - start) as usize;
        self.was_resident = (0..len)
            .step_by(RESIDENCY_BYTES)
            .all(|at| file.is_resident(start + at as u64, RESIDENCY_BYTES.min(len - at)));
        self.offset = start;
        self.bytes.resize(len, 0);
        let read = file.read_exact_at(start, &mut self.bytes);
        if read.is_err() {
            self.bytes.clear();
        }
        read
    }

    /// Gives pages back to the system that only this reader wanted.
    pub(super) fn give_back(&mut self, table: &Table) {
        if !self.was_resident && !self.bytes.is_empty() {
            table.source.file.drop_cache(self.offset, self.bytes.len() as u64);
        }
    }
}

/// Tells the system what a forward scan will touch next.
#[derive(Default)]
pub(super) struct ReadAhead {
    expected: usize,
    until: u64,
    window: u64,
}

impl ReadAhead {
    /// Notes that `block`, at `place`, is about to be read, which needs no hint; whether it follows
    /// the one before.
    #[inline]
    pub(super) fn pass(&mut self, block: usize, place: BlockPlace) -> bool {
        let is_sequential = block == self.expected && block > 0;
        self.expected = block + 1;
        if !is_sequential {
            self.window = 0;
            self.until = place.offset;
        }
        is_sequential
    }

    /// As [`ReadAhead::pass`], but may hint at what comes next.
    #[inline]
    pub(super) fn touch(
        &mut self,
        table: &Table,
        block: usize,
        place: BlockPlace,
        data_end: u64,
    ) -> bool {
        let is_sequential = self.pass(block, place);
        let end = place.offset + place.len as u64;
        if !is_sequential || end + self.window / 2 < self.until {
            return is_sequential;
        }
        self.window = (self.window * 2).clamp(AHEAD_BYTES_MIN, STRETCH_BYTES);
        let start = self.until.max(place.offset);
        let until = (end + self.window).min(data_end);
        if start < until {
            table.source.file.will_need(start, until - start);
            self.until = until;
        }
        is_sequential
    }
}
