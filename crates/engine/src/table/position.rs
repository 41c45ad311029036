//! A place in a table: a block, an entry in it, and its decoded key.
//!
//! Moving inside a block reads the next row and copies head and tail of the key behind the prefix;
//! nothing is searched or parsed again.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use aidb_base::{Error, Result, Seq};
use arc_swap::Guard;

use crate::block::{Block, Damaged, Layout, Record};
use crate::cache::CachedBlock;
use crate::entry::{Entry, Kind};
use crate::index::{BlockPlace, Index, TRAILER_BYTES};
use crate::iterator::{Patience, Ran, compare_keys};
use crate::options::Codec;
use crate::vfs::prefetch;

use super::format::PayloadKind;
use super::reader::{Blocks, HeldBlock, Table};
use super::section::Access;
use super::stretch::{ReadAhead, Stretch};

/// Short tails of keys are copied as so many bytes, whatever their length, without a call.
const SHORT: usize = 16;
/// Room behind the prefix for a head and a short tail.
const ROOM: usize = 4 + SHORT;

/// Where the raw bytes of the current block are.
enum BlockData {
    None,
    Mapped(Range<usize>),
    Cached(Arc<CachedBlock>),
    Stretch(Range<usize>),
    Unpacked(Vec<u8>),
}

/// A place in a table. Every method must be given the same table.
pub(super) struct Position {
    fill_cache: bool,
    /// Whether a block that is not in memory may be waited for; `None` = it may.
    patience: Option<Arc<Patience>>,
    /// Whether it is at an entry.
    is_valid: bool,
    block: usize,
    data: BlockData,
    layout: Layout,
    row: Row,
    stretch: Stretch,
    ahead: ReadAhead,
}

/// An entry of the current block, decoded.
struct Row {
    index: usize,
    /// The key and, behind `key_len`, room for short copies.
    key: Vec<u8>,
    key_len: usize,
    prefix_len: usize,
    /// End of the key's tail in the block.
    tail_end: usize,
    value_start: usize,
    value_end: usize,
    record: Record,
}

#[inline]
fn bytes_of<'a>(data: &'a BlockData, table: &'a Table, stretch: &'a Stretch) -> &'a [u8] {
    match data {
        BlockData::Mapped(range) => {
            let map = table.source.file.map().unwrap_or_default();
            map.get(range.start..range.end).unwrap_or_default()
        }
        BlockData::Cached(block) => block.bytes(),
        BlockData::Stretch(range) => &stretch.bytes[range.start..range.end],
        BlockData::Unpacked(bytes) => bytes,
        BlockData::None => &[],
    }
}

impl Row {
    fn new() -> Self {
        Self {
            index: 0,
            key: Vec::new(),
            key_len: 0,
            prefix_len: 0,
            tail_end: 0,
            value_start: 0,
            value_end: 0,
            record: Record { seq: 0, kind: Kind::Put, expire_at_ms: 0 },
        }
    }

    /// Takes the prefix of all keys of a block.
    fn set_prefix(&mut self, prefix: &[u8]) {
        self.key.clear();
        self.key.extend_from_slice(prefix);
        self.prefix_len = prefix.len();
        self.key.resize(self.prefix_len + ROOM, 0);
    }

    /// Decodes entry `index`, whose predecessor ended at `tail_end` and `value_end`.
    #[inline]
    fn decode(&mut self, layout: &Layout, bytes: &[u8]) -> std::result::Result<(), Damaged> {
        let tail = layout.tail_from(bytes, self.tail_end, self.index)?;
        let value = layout.value_from(bytes, self.value_end, self.index)?;
        self.record = layout.record(bytes, self.index)?;
        (self.tail_end, self.value_start, self.value_end) = (tail.end, value.start, value.end);
        let (head, head_len) = layout.head(bytes, self.index);
        self.key_len = self.prefix_len + head_len + tail.len();
        let room = self.key.get_mut(self.prefix_len..self.prefix_len + ROOM);
        match (bytes.get(tail.start..tail.start + SHORT), room) {
            (Some(source), Some(room)) if tail.len() <= SHORT => {
                room[..4].copy_from_slice(&head.to_be_bytes());
                room[head_len..head_len + SHORT].copy_from_slice(source);
            }
            _ => self.set_long_key(&head.to_be_bytes()[..head_len], &bytes[tail]),
        }
        Ok(())
    }

    #[inline(never)]
    fn set_long_key(&mut self, head: &[u8], tail: &[u8]) {
        self.key.truncate(self.prefix_len);
        self.key.extend_from_slice(head);
        self.key.extend_from_slice(tail);
        self.key.resize(self.key_len.max(self.prefix_len + ROOM), 0);
    }

    #[inline]
    fn entry<'a>(&'a self, bytes: &'a [u8]) -> Option<Entry<'a>> {
        Some(Entry {
            key: self.key.get(..self.key_len)?,
            seq: self.record.seq,
            kind: self.record.kind,
            expire_at_ms: self.record.expire_at_ms,
            value: bytes.get(self.value_start..self.value_end)?,
        })
    }
}

impl Position {
    pub(super) fn new(fill_cache: bool) -> Self {
        Self {
            fill_cache,
            patience: None,
            is_valid: false,
            block: 0,
            data: BlockData::None,
            layout: Layout::default(),
            row: Row::new(),
            stretch: Stretch::default(),
            ahead: ReadAhead::default(),
        }
    }

    pub(super) fn set_patience(&mut self, patience: &Arc<Patience>) {
        self.patience = Some(patience.clone());
    }

    pub(super) fn close(&mut self, table: &Table) {
        self.stretch.give_back(table);
    }

    #[cold]
    fn fail<T>(&mut self, table: &Table, what: Damaged) -> Result<T> {
        self.is_valid = false;
        let place = table.index().ok().and_then(|(index, _)| index.place(self.block));
        Err(table.source.damaged(place.map_or(0, |place| place.offset), what.0))
    }

    /// Makes `block`, which exists, the current one, at no entry yet.
    fn load(&mut self, table: &Table, index: &Index<'_>, block: usize) -> Result<()> {
        self.is_valid = false;
        if self.block == block && !matches!(self.data, BlockData::None) {
            return Ok(());
        }
        // A failure below must not leave the layout of one block with the bytes of another.
        let old = std::mem::replace(&mut self.data, BlockData::None);
        let place = table.place(index, block)?;
        let data = match self.fill_cache {
            true => self.hold(table, index, (block, place))?.ok_or_else(|| self.refuse())?,
            false => self.read(table, index, place, old)?,
        };
        self.enter(table, block, data)
    }

    /// Makes `block`, whose raw bytes are `data`, the current one.
    fn enter(&mut self, table: &Table, block: usize, data: BlockData) -> Result<()> {
        (self.block, self.data) = (block, data);
        let bytes = bytes_of(&self.data, table, &self.stretch);
        match Layout::parse(bytes) {
            Ok(layout) => {
                self.layout = layout;
                self.row.set_prefix(layout.prefix(bytes));
                Ok(())
            }
            Err(what) => {
                self.data = BlockData::None;
                self.fail(table, what)
            }
        }
    }

    /// A raw block; `None` when it would have to be waited for and that is not allowed.
    fn hold(
        &mut self,
        table: &Table,
        index: &Index<'_>,
        (block, place): (usize, BlockPlace),
    ) -> Result<Option<BlockData>> {
        let access = self.access();
        let is_sequential = match access {
            Access::Wait => self.ahead.touch(table, block, place, index.data_end()),
            Access::Try => self.ahead.pass(block, place),
        };
        let map = table.source.file.map();
        let Some(held) = table.hold(map, block, place, access)? else { return Ok(None) };
        Ok(Some(match held {
            HeldBlock::Mapped(bytes) => {
                let range = place.offset as usize..place.offset as usize + place.len;
                let after = range.end + TRAILER_BYTES..range.end + TRAILER_BYTES + place.len;
                match map.and_then(|map| map.get(after)).filter(|_| is_sequential) {
                    Some(next) => prefetch(next),
                    None => prefetch(bytes),
                }
                BlockData::Mapped(range)
            }
            HeldBlock::Owned(block) => BlockData::Cached(block),
            HeldBlock::Cached(guard) => {
                Guard::into_inner(guard).map_or(BlockData::None, BlockData::Cached)
            }
        }))
    }

    fn access(&self) -> Access {
        match &self.patience {
            Some(patience) if !patience.may_wait() => Access::Try,
            _ => Access::Wait,
        }
    }

    /// The failure of a position that may not wait.
    #[cold]
    fn refuse(&self) -> Error {
        match &self.patience {
            Some(patience) => patience.refuse(),
            None => Error::internal("a waiting block access refused to wait"),
        }
    }

    /// The index, waited for if that is allowed.
    fn index<'a>(&self, table: &'a Table) -> Result<(Index<'a>, &'a Blocks)> {
        table.index_with(table.source.file.map(), self.access())?.ok_or_else(|| self.refuse())
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

    /// Goes to entry `index` of the current block, wherever it was.
    fn jump(&mut self, table: &Table, index: usize) -> Result<()> {
        let bytes = bytes_of(&self.data, table, &self.stretch);
        let starts = self.layout.starts(bytes, index);
        self.row.index = index;
        (self.row.tail_end, self.row.value_end) = starts;
        self.is_valid = true;
        self.decode(table)
    }

    #[inline]
    fn decode(&mut self, table: &Table) -> Result<()> {
        let bytes = bytes_of(&self.data, table, &self.stretch);
        match self.row.decode(&self.layout, bytes) {
            Ok(()) => Ok(()),
            Err(what) => self.fail(table, what),
        }
    }

    /// As [`crate::iterator::Cursor::run`]; ends where it would have to wait for a block.
    #[inline]
    pub(super) fn run<F>(
        &mut self,
        table: &Table,
        until: Option<&[u8]>,
        visit: &mut F,
    ) -> Result<Ran>
    where
        F: FnMut(Entry<'_>) -> ControlFlow<()>,
    {
        if !self.is_valid {
            return Ok(Ran::Stayed);
        }
        let mut at = self.row.index + 1;
        loop {
            let bytes = bytes_of(&self.data, table, &self.stretch);
            while at < self.layout.count() {
                self.row.index = at;
                at += 1;
                let entry = match self.row.decode(&self.layout, bytes) {
                    Ok(()) => self.row.entry(bytes).ok_or(Damaged("value outside its block")),
                    Err(what) => Err(what),
                };
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(what) => return self.fail(table, what),
                };
                if until.is_some_and(|until| compare_keys(entry.key, until).is_ge()) {
                    return Ok(Ran::Ahead);
                }
                if visit(entry).is_break() {
                    return Ok(Ran::Stayed);
                }
            }
            if !self.enter_next(table)? {
                return Ok(Ran::Stayed);
            }
            at = 0;
        }
    }

    /// Makes the next block the current one, before its first entry; unless there is none, or it
    /// would have to be waited for and that is not allowed.
    #[inline(never)]
    fn enter_next(&mut self, table: &Table) -> Result<bool> {
        let (index, _) = self.index(table)?;
        let block = self.block + 1;
        if !self.fill_cache || block >= index.count() {
            return Ok(false);
        }
        let place = table.place(&index, block)?;
        let Some(data) = self.hold(table, &index, (block, place))? else { return Ok(false) };
        self.enter(table, block, data)?;
        (self.row.tail_end, self.row.value_end) = self.layout.starts(&[], 0);
        Ok(true)
    }

    pub(super) fn seek_to_first(&mut self, table: &Table) -> Result<()> {
        self.is_valid = false;
        let (index, _) = self.index(table)?;
        self.seek_to_block_start(table, &index, 0)
    }

    pub(super) fn seek_to_last(&mut self, table: &Table) -> Result<()> {
        self.is_valid = false;
        let (index, _) = self.index(table)?;
        match index.count().checked_sub(1) {
            Some(block) => self.seek_to_block_end(table, &index, block),
            None => Ok(()),
        }
    }

    /// Goes to the first entry of `block`; to no entry if there is no such block.
    fn seek_to_block_start(
        &mut self,
        table: &Table,
        index: &Index<'_>,
        block: usize,
    ) -> Result<()> {
        if block >= index.count() {
            self.is_valid = false;
            return Ok(());
        }
        self.load(table, index, block)?;
        self.jump(table, 0)
    }

    /// Goes to the last entry of `block`, which exists.
    fn seek_to_block_end(&mut self, table: &Table, index: &Index<'_>, block: usize) -> Result<()> {
        self.load(table, index, block)?;
        self.jump(table, self.layout.count() - 1)
    }

    pub(super) fn seek(&mut self, table: &Table, key: &[u8]) -> Result<()> {
        self.is_valid = false;
        let (index, blocks) = self.index(table)?;
        let Some(block) = index.find(&blocks.top, key) else {
            return self.seek_to_block_start(table, &index, 0);
        };
        self.load(table, &index, block)?;
        let at = self.seek_in_block(table, key)?;
        if at < self.layout.count() {
            return self.jump(table, at);
        }
        self.seek_to_block_start(table, &index, block + 1)
    }

    pub(super) fn seek_before(&mut self, table: &Table, key: &[u8]) -> Result<()> {
        self.is_valid = false;
        let (index, blocks) = self.index(table)?;
        let Some(block) = index.find(&blocks.top, key) else { return Ok(()) };
        self.load(table, &index, block)?;
        match self.seek_in_block(table, key)? {
            0 if block == 0 => Ok(()),
            0 => self.seek_to_block_end(table, &index, block - 1),
            at => self.jump(table, at - 1),
        }
    }

    /// First entry of the current block at or after `key`; its entry count when there is none.
    fn seek_in_block(&mut self, table: &Table, key: &[u8]) -> Result<usize> {
        let bytes = bytes_of(&self.data, table, &self.stretch);
        match Block::with_layout(bytes, self.layout).seek(key) {
            Ok(at) => Ok(at),
            Err(what) => self.fail(table, what),
        }
    }

    #[inline]
    pub(super) fn next(&mut self, table: &Table) -> Result<()> {
        if !self.is_valid {
            return Ok(());
        }
        if self.row.index + 1 == self.layout.count() {
            return self.next_block(table);
        }
        self.row.index += 1;
        self.decode(table)
    }

    #[inline(never)]
    fn next_block(&mut self, table: &Table) -> Result<()> {
        self.is_valid = false;
        let (index, _) = self.index(table)?;
        self.seek_to_block_start(table, &index, self.block + 1)
    }

    #[inline]
    pub(super) fn prev(&mut self, table: &Table) -> Result<()> {
        if !self.is_valid {
            return Ok(());
        }
        match (self.row.index, self.block) {
            (0, 0) => {
                self.is_valid = false;
                Ok(())
            }
            (0, block) => {
                self.is_valid = false;
                let (index, _) = self.index(table)?;
                self.seek_to_block_end(table, &index, block - 1)
            }
            (at, _) => self.jump(table, at - 1),
        }
    }

    #[inline]
    pub(super) fn entry<'a>(&'a self, table: &'a Table) -> Option<Entry<'a>> {
        if !self.is_valid {
            return None;
        }
        self.row.entry(bytes_of(&self.data, table, &self.stretch))
    }

    #[inline]
    pub(super) fn key_and_seq(&self) -> Option<(&[u8], Seq)> {
        let key = self.row.key.get(..self.row.key_len).filter(|_| self.is_valid)?;
        Some((key, self.row.record.seq))
    }
}
