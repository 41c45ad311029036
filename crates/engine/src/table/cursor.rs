//! Walks a table in both directions.
//!
//! Moving inside a block reads the next numbers of each column and copies the key's suffix behind
//! the prefix; nothing is searched or parsed again. A cursor that fills no cache (compaction) reads
//! stretches of the file into a buffer of its own and gives back to the system what was not in
//! memory before.

use std::ops::Range;
use std::sync::Arc;

use aidb_base::{Error, Result};

use arc_swap::Guard;

use crate::block::{Block, Damaged, Layout, Record};
use crate::cache::CachedBlock;
use crate::entry::{Entry, Kind};
use crate::index::{BlockPlace, Index, TRAILER_BYTES};
use crate::iterator::Cursor;
use crate::options::Codec;

use super::format::PayloadKind;
use super::reader::{HeldBlock, Table};
use super::section::Access;

/// Bytes a cursor without cache reads at once; what `is_resident` can answer in one call.
const STRETCH_BYTES: u64 = 256 << 10;

/// First read-ahead of a forward scan; it doubles up to a stretch.
const AHEAD_BYTES_MIN: u64 = 16 << 10;

/// A position in a table. See [`Cursor`].
pub struct TableCursor {
    table: Arc<Table>,
    fill_cache: bool,
    /// Whether the cursor is at an entry.
    is_valid: bool,
    block: usize,
    data: BlockData,
    layout: Layout,
    index: usize,
    key: Vec<u8>,
    prefix_len: usize,
    /// Range of the suffix in the block.
    suffix: Range<usize>,
    /// Range of the value in the block.
    value: Range<usize>,
    record: Record,
    stretch: Stretch,
    ahead: ReadAhead,
}

/// Where the raw bytes of the current block are.
enum BlockData {
    None,
    Mapped(Range<usize>),
    Cached(Arc<CachedBlock>),
    Stretch(Range<usize>),
    Unpacked(Vec<u8>),
}

impl BlockData {
    #[inline]
    fn bytes<'a>(&'a self, table: &'a Table, stretch: &'a Stretch) -> &'a [u8] {
        match self {
            Self::Mapped(range) => {
                let map = table.source.file.map().unwrap_or_default();
                map.get(range.clone()).unwrap_or_default()
            }
            Self::Cached(block) => block.bytes(),
            Self::Stretch(range) => &stretch.bytes[range.clone()],
            Self::Unpacked(bytes) => bytes,
            Self::None => &[],
        }
    }
}

/// Part of the file, read by a cursor without cache.
#[derive(Default)]
struct Stretch {
    offset: u64,
    bytes: Vec<u8>,
    /// Whether the system had it in memory before, so that it stays.
    was_resident: bool,
}

impl Stretch {
    /// Makes the block at `place` part of the stretch; its range there, trailer included.
    fn cover(&mut self, table: &Table, place: BlockPlace, data_end: u64) -> Result<Range<usize>> {
        let whole = (place.len + TRAILER_BYTES) as u64;
        let end = place.offset + whole;
        if place.offset < self.offset || end > self.offset + self.bytes.len() as u64 {
            self.give_back(table);
            let until = (place.offset + STRETCH_BYTES).min(data_end).max(end);
            let file = &table.source.file;
            if until > file.len() {
                return Err(table.source.damaged(place.offset, "block outside the file"));
            }
            let len = (until - place.offset) as usize;
            self.was_resident = file.is_resident(place.offset, len);
            self.bytes.clear();
            self.bytes.resize(len, 0);
            self.offset = place.offset;
            if let Err(error) = file.read_exact_at(place.offset, &mut self.bytes) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let start = (place.offset - self.offset) as usize;
        Ok(start..start + whole as usize)
    }

    fn give_back(&mut self, table: &Table) {
        if !self.was_resident && !self.bytes.is_empty() {
            table.source.file.drop_cache(self.offset, self.bytes.len() as u64);
        }
    }
}

/// Tells the system what a forward scan will touch next.
#[derive(Default)]
struct ReadAhead {
    expected: usize,
    until: u64,
    window: u64,
}

impl ReadAhead {
    fn touch(&mut self, table: &Table, block: usize, place: BlockPlace, data_end: u64) {
        let is_sequential = block == self.expected && block > 0;
        self.expected = block + 1;
        if !is_sequential {
            self.window = 0;
            self.until = place.offset;
            return;
        }
        let end = place.offset + place.len as u64;
        if end + self.window / 2 < self.until {
            return;
        }
        self.window = (self.window * 2).clamp(AHEAD_BYTES_MIN, STRETCH_BYTES);
        let start = self.until.max(place.offset);
        let until = (end + self.window).min(data_end);
        if start < until {
            table.source.file.will_need(start, until - start);
            self.until = until;
        }
    }
}

impl Table {
    /// A cursor at no entry. With `fill_cache` false it leaves block cache and page cache as they
    /// are, for readers that will not come back.
    pub fn cursor(self: &Arc<Self>, fill_cache: bool) -> TableCursor {
        TableCursor {
            table: self.clone(),
            fill_cache,
            is_valid: false,
            block: 0,
            data: BlockData::None,
            layout: Layout::default(),
            index: 0,
            key: Vec::new(),
            prefix_len: 0,
            suffix: 0..0,
            value: 0..0,
            record: Record { seq: 0, kind: Kind::Put, expire_at_ms: 0 },
            stretch: Stretch::default(),
            ahead: ReadAhead::default(),
        }
    }
}

impl Drop for TableCursor {
    fn drop(&mut self) {
        self.stretch.give_back(&self.table);
    }
}

impl TableCursor {
    /// The table walked.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    fn damaged(&self, what: Damaged) -> Error {
        let place = self.table.index().ok().and_then(|(index, _)| index.place(self.block));
        self.table.source.damaged(place.map_or(0, |place| place.offset), what.0)
    }

    /// Makes `block` the current one, at no entry yet. `false` when there is no such block.
    fn load(&mut self, block: usize) -> Result<bool> {
        self.is_valid = false;
        let table = self.table.clone();
        let (index, _) = table.index()?;
        if block >= index.count() {
            return Ok(false);
        }
        if !matches!(self.data, BlockData::None) && self.block == block {
            return Ok(true);
        }
        // A failure below must not leave the layout of one block with the bytes of another.
        let old = std::mem::replace(&mut self.data, BlockData::None);
        let place = table.place(&index, block)?;
        self.block = block;
        self.data = match self.fill_cache {
            true => self.hold(&table, &index, block, place)?,
            false => self.read(&table, &index, place, old)?,
        };
        let bytes = self.data.bytes(&table, &self.stretch);
        match Layout::parse(bytes) {
            Ok(layout) => {
                self.layout = layout;
                self.key.clear();
                self.key.extend_from_slice(layout.prefix(bytes));
                self.prefix_len = self.key.len();
                Ok(true)
            }
            Err(what) => {
                self.data = BlockData::None;
                Err(self.damaged(what))
            }
        }
    }

    fn hold(
        &mut self,
        table: &Table,
        index: &Index<'_>,
        block: usize,
        place: BlockPlace,
    ) -> Result<BlockData> {
        self.ahead.touch(table, block, place, index.data_end());
        let held = table
            .hold(table.source.file.map(), block, place, Access::Wait)?
            .ok_or_else(|| Error::internal("a waiting block access refused to wait"))?;
        Ok(match held {
            HeldBlock::Mapped(_) => {
                let start = place.offset as usize;
                BlockData::Mapped(start..start + place.len)
            }
            HeldBlock::Owned(block) => BlockData::Cached(block),
            HeldBlock::Cached(guard) => match Guard::into_inner(guard) {
                Some(block) => BlockData::Cached(block),
                None => BlockData::None,
            },
        })
    }

    fn read(
        &mut self,
        table: &Table,
        index: &Index<'_>,
        place: BlockPlace,
        old: BlockData,
    ) -> Result<BlockData> {
        let range = self.stretch.cover(table, place, index.data_end())?;
        let bytes = &self.stretch.bytes[range.clone()];
        if place.codec == Codec::None {
            table.source.check(bytes, place.offset, Codec::None, PayloadKind::Data)?;
            return Ok(BlockData::Stretch(range.start..range.start + place.len));
        }
        let mut out = match old {
            BlockData::Unpacked(buffer) => buffer,
            _ => Vec::new(),
        };
        table.unpack_into(bytes, place, &mut out)?;
        Ok(BlockData::Unpacked(out))
    }

    /// Moves to entry `index` of the current block, wherever the cursor was.
    fn jump(&mut self, index: usize) -> Result<()> {
        let bytes = self.data.bytes(&self.table, &self.stretch);
        let place = self
            .layout
            .suffix(bytes, index)
            .and_then(|suffix| Ok((suffix, self.layout.value(bytes, index)?)));
        let place = place
            .and_then(|(suffix, value)| Ok((suffix, value, self.layout.record(bytes, index)?)));
        match place {
            Ok((suffix, value, record)) => {
                self.key.truncate(self.prefix_len);
                self.key.extend_from_slice(&bytes[suffix.clone()]);
                (self.index, self.suffix, self.value, self.record) = (index, suffix, value, record);
                self.is_valid = true;
                Ok(())
            }
            Err(what) => self.fail(what),
        }
    }

    #[cold]
    fn fail(&mut self, what: Damaged) -> Result<()> {
        self.is_valid = false;
        Err(self.damaged(what))
    }

    /// Moves to the following entry of the same block, which exists.
    #[inline]
    fn step(&mut self) -> std::result::Result<(), Damaged> {
        let bytes = self.data.bytes(&self.table, &self.stretch);
        let index = self.index + 1;
        let suffix = self.layout.suffix_from(bytes, self.suffix.end, index)?;
        self.value = self.layout.value_from(bytes, self.value.end, index)?;
        self.record = self.layout.record(bytes, index)?;
        self.key.truncate(self.prefix_len);
        self.key.extend_from_slice(&bytes[suffix.clone()]);
        self.suffix = suffix;
        self.index = index;
        Ok(())
    }

    fn block_for(&self, key: &[u8]) -> Result<Option<usize>> {
        let (index, blocks) = self.table.index()?;
        Ok(index.find(&blocks.top, key))
    }

    /// First entry of the current block at or after `key`; its entry count when there is none.
    fn seek_in_block(&self, key: &[u8]) -> Result<usize> {
        let bytes = self.data.bytes(&self.table, &self.stretch);
        Block::with_layout(bytes, self.layout).seek(key).map_err(|what| self.damaged(what))
    }
}

impl Cursor for TableCursor {
    fn seek_to_first(&mut self) -> Result<()> {
        if self.load(0)? { self.jump(0) } else { Ok(()) }
    }

    fn seek_to_last(&mut self) -> Result<()> {
        self.is_valid = false;
        let count = self.table.index()?.0.count();
        if count > 0 && self.load(count - 1)? {
            return self.jump(self.layout.count() - 1);
        }
        Ok(())
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.is_valid = false;
        let Some(block) = self.block_for(key)? else { return self.seek_to_first() };
        if !self.load(block)? {
            return Ok(());
        }
        let index = self.seek_in_block(key)?;
        if index < self.layout.count() {
            return self.jump(index);
        }
        if self.load(block + 1)? { self.jump(0) } else { Ok(()) }
    }

    fn seek_before(&mut self, key: &[u8]) -> Result<()> {
        self.is_valid = false;
        let Some(block) = self.block_for(key)? else { return Ok(()) };
        if !self.load(block)? {
            return Ok(());
        }
        match self.seek_in_block(key)? {
            0 if block == 0 => Ok(()),
            0 => {
                self.load(block - 1)?;
                self.jump(self.layout.count() - 1)
            }
            index => self.jump(index - 1),
        }
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        if !self.is_valid {
            return Ok(());
        }
        if self.index + 1 < self.layout.count() {
            return match self.step() {
                Ok(()) => Ok(()),
                Err(what) => self.fail(what),
            };
        }
        if self.load(self.block + 1)? { self.jump(0) } else { Ok(()) }
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        if !self.is_valid {
            return Ok(());
        }
        if self.index > 0 {
            return self.jump(self.index - 1);
        }
        self.is_valid = false;
        if self.block > 0 && self.load(self.block - 1)? {
            return self.jump(self.layout.count() - 1);
        }
        Ok(())
    }

    #[inline]
    fn entry(&self) -> Option<Entry<'_>> {
        if !self.is_valid {
            return None;
        }
        let bytes = self.data.bytes(&self.table, &self.stretch);
        Some(Entry {
            key: &self.key,
            seq: self.record.seq,
            kind: self.record.kind,
            expire_at_ms: self.record.expire_at_ms,
            value: bytes.get(self.value.clone())?,
        })
    }
}
