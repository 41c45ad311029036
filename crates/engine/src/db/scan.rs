//! Scans: ordered walks over a range at one moment, lazily and in bounded memory.

use std::ops::ControlFlow;
use std::sync::Arc;

use aidb_base::{Attempt, KeyspaceId, Result, Seq};

use super::read::Sources;
use super::view::ReadView;
use super::{Db, Inner};
use crate::blob::{BlobFiles, BlobRef};
use crate::entry::{Entry, Kind};
use crate::iterator::{AnyCursor, Bounds, MergeCursor, Patience, ViewCursor};

/// Which keys a scan visits, and in which order.
#[derive(Clone, Debug, Default)]
pub struct ScanRange {
    /// First key visited; `None` = from the start.
    pub lower: Option<Vec<u8>>,
    /// First key not visited; `None` = to the end.
    pub upper: Option<Vec<u8>>,
    /// Descending order.
    pub reverse: bool,
}

/// Items decoded in bulk. Item `i` has its key at `bytes[end(2i - 1)..end(2i)]` and its value at
/// `bytes[end(2i)..end(2i + 1)]`, where `end(j)` is `ends[j]` and `end(-1)` is 0.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Keys and values back to back.
    pub bytes: Vec<u8>,
    /// Where each key and each value ends.
    pub ends: Vec<u32>,
    /// When each item expires, in milliseconds since the Unix epoch; 0 = never.
    pub expiries: Vec<u64>,
}

impl Chunk {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Key, value and expiry of each item.
    pub fn items(&self) -> impl Iterator<Item = (&[u8], &[u8], u64)> {
        let mut start = 0;
        self.ends.chunks_exact(2).zip(&self.expiries).map(move |(ends, &expire_at_ms)| {
            let (key_end, value_end) = (ends[0] as usize, ends[1] as usize);
            let (key, value) = (&self.bytes[start..key_end], &self.bytes[key_end..value_end]);
            start = value_end;
            (key, value, expire_at_ms)
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.expiries.clear();
    }

    fn push(&mut self, key: &[u8], value: &[u8], expire_at_ms: u64) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len() as u32);
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len() as u32);
        self.expiries.push(expire_at_ms);
    }
}

/// How many items a call may give at most.
#[derive(Clone, Copy, Debug)]
pub struct Portion {
    /// Items.
    pub items: usize,
    /// The portion ends after the item with which keys and values have so many bytes.
    pub bytes: usize,
    /// Whether values are read; else they are given as empty.
    pub with_values: bool,
}

/// Why a scan gave no more items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// There are no more.
    End,
    /// The portion is used up.
    Full,
    /// It would have to wait for the disk.
    WouldBlock,
}

/// A cursor per source, merged.
pub(crate) fn merged(sources: &Sources<'_>, keyspace: KeyspaceId, max_seq: Seq) -> MergeCursor {
    MergeCursor::new(cursors(sources, keyspace, max_seq))
}

fn cursors(sources: &Sources<'_>, keyspace: KeyspaceId, max_seq: Seq) -> Vec<AnyCursor> {
    let mut cursors: Vec<AnyCursor> = sources
        .generations
        .iter()
        .filter(|generation| generation.memtable.entries() > 0)
        .map(|generation| AnyCursor::Mem(generation.memtable.cursor(keyspace, max_seq)))
        .collect();
    if let Some(tree) = sources.version.tree(keyspace) {
        cursors.extend(tree.cursors(None, None, true));
    }
    cursors
}

/// An ordered walk. Owns its view of the database; use it from one thread at a time.
pub struct Scan {
    inner: Arc<Inner>,
    _view: Arc<ReadView>,
    cursor: ViewCursor,
    patience: Arc<Patience>,
    reverse: bool,
    started: bool,
    /// The cursor's entry was not given yet.
    is_pending: bool,
    blob: Vec<u8>,
}

impl Scan {
    pub(super) fn new(
        inner: &Arc<Inner>,
        view: Arc<ReadView>,
        seq: Seq,
        keyspace: KeyspaceId,
        range: ScanRange,
    ) -> Result<Self> {
        let generations: Vec<_> = view.generations().cloned().collect();
        let sources = Sources {
            generations: &generations,
            version: &view.version,
            hash_seed: inner.hash_seed,
        };
        let patience = Arc::new(Patience::new());
        let mut cursors = cursors(&sources, keyspace, seq);
        cursors.iter_mut().for_each(|cursor| cursor.set_patience(&patience));
        let merge = MergeCursor::new(cursors);
        let bounds = Bounds { lower: range.lower, upper: range.upper };
        let hidden = sources.tombstones(keyspace);
        let cursor = ViewCursor::new(merge, hidden, seq, inner.now_ms(), bounds);
        let inner = inner.clone();
        Ok(Self {
            inner,
            _view: view,
            cursor,
            patience,
            reverse: range.reverse,
            started: false,
            is_pending: false,
            blob: Vec::new(),
        })
    }

    /// The next key and value, valid until the next call; `None` at the end.
    ///
    /// # Errors
    /// `Closed`, `Corruption`, others as the file system says.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        self.inner.state.check_open()?;
        self.patience.set_may_wait(true);
        if !std::mem::take(&mut self.is_pending) {
            advance(&mut self.cursor, &mut self.started, self.reverse)?;
        }
        self.load_blob()?;
        let Some(entry) = self.cursor.entry() else { return Ok(None) };
        let value = if entry.kind == Kind::Blob { &self.blob } else { entry.value };
        Ok(Some((entry.key, value)))
    }

    /// As [`Scan::next`], but gives up instead of waiting for the disk. Only forward scans do more
    /// than that.
    ///
    /// # Errors
    /// As [`Scan::next`].
    pub fn try_next(&mut self) -> Result<Attempt<Option<(&[u8], &[u8])>>> {
        if self.reverse {
            return Ok(Attempt::WouldBlock);
        }
        self.inner.state.check_open()?;
        self.patience.set_may_wait(false);
        if !std::mem::take(&mut self.is_pending) {
            match advance(&mut self.cursor, &mut self.started, self.reverse) {
                Err(_) if self.patience.take_refusal() => return Ok(Attempt::WouldBlock),
                result => result?,
            }
        }
        if self.cursor.entry().is_some_and(|entry| entry.kind == Kind::Blob) {
            self.is_pending = true;
            return Ok(Attempt::WouldBlock);
        }
        Ok(Attempt::Done(self.cursor.entry().map(|entry| (entry.key, entry.value))))
    }

    /// Replaces the contents of `chunk` by up to `items_max` next items, ending after `bytes_max`
    /// bytes. An empty chunk means the end.
    ///
    /// # Errors
    /// As [`Scan::next`].
    pub fn next_chunk(
        &mut self,
        chunk: &mut Chunk,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<()> {
        self.fill(chunk, items_max, bytes_max, true)
    }

    /// As [`Scan::next_chunk`], with empty values.
    ///
    /// # Errors
    /// As [`Scan::next`].
    pub fn next_keys(
        &mut self,
        chunk: &mut Chunk,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<()> {
        self.fill(chunk, items_max, bytes_max, false)
    }

    fn fill(
        &mut self,
        chunk: &mut Chunk,
        items_max: usize,
        bytes_max: usize,
        with_values: bool,
    ) -> Result<()> {
        chunk.clear();
        let portion = Portion { items: items_max, bytes: bytes_max, with_values };
        self.visit(portion, |key, value, expiry| chunk.push(key, value, expiry)).map(drop)
    }

    /// Gives up to a portion of the next items to `f`: key, value, and when the item expires, in
    /// milliseconds since the Unix epoch (0 = never).
    ///
    /// # Errors
    /// As [`Scan::next`]; `f` may have been called for some items.
    #[inline]
    pub fn visit(&mut self, portion: Portion, f: impl FnMut(&[u8], &[u8], u64)) -> Result<Pause> {
        self.patience.set_may_wait(true);
        self.give(portion, f)
    }

    /// As [`Scan::visit`], but pauses instead of waiting for the disk. Only forward scans do more
    /// than that.
    ///
    /// # Errors
    /// As [`Scan::visit`].
    #[inline]
    pub fn try_visit(
        &mut self,
        portion: Portion,
        f: impl FnMut(&[u8], &[u8], u64),
    ) -> Result<Pause> {
        if self.reverse {
            return Ok(Pause::WouldBlock);
        }
        self.patience.set_may_wait(false);
        match self.give(portion, f) {
            Err(_) if self.patience.take_refusal() => Ok(Pause::WouldBlock),
            result => result,
        }
    }

    fn give(&mut self, portion: Portion, mut f: impl FnMut(&[u8], &[u8], u64)) -> Result<Pause> {
        self.inner.state.check_open()?;
        let mut giver = Giver {
            blobs: &self.inner.blobs,
            may_wait: self.patience.may_wait(),
            left: portion,
            outcome: None,
            f: &mut f,
        };
        while giver.left.items > 0 && giver.left.bytes > 0 {
            if !std::mem::take(&mut self.is_pending) {
                advance(&mut self.cursor, &mut self.started, self.reverse)?;
            }
            let Some(entry) = self.cursor.entry() else { return Ok(Pause::End) };
            if giver.take(entry).is_continue() && !self.reverse {
                self.cursor.run(&mut |entry| giver.take(entry))?;
            }
            if let Some(outcome) = giver.outcome {
                self.is_pending = outcome != Ok(Pause::Full);
                return outcome;
            }
        }
        Ok(Pause::Full)
    }

    #[inline]
    fn load_blob(&mut self) -> Result<()> {
        let Some(entry) = self.cursor.entry() else { return Ok(()) };
        if entry.kind != Kind::Blob {
            return Ok(());
        }
        let reference = BlobRef::decode(entry.value)?;
        let blob = &mut self.blob;
        self.inner.blobs.read_with(&reference, |value| {
            blob.clear();
            blob.extend_from_slice(value);
        })
    }
}

/// Moves to the next visible entry.
#[inline]
fn advance(cursor: &mut ViewCursor, started: &mut bool, reverse: bool) -> Result<()> {
    match (*started, reverse) {
        (true, false) => return cursor.next(),
        (true, true) => return cursor.prev(),
        (false, true) => cursor.seek_to_last()?,
        (false, false) => cursor.seek_to_first()?,
    }
    *started = true;
    Ok(())
}

/// Hands entries to the caller of a scan until the portion is used up.
struct Giver<'a, F> {
    blobs: &'a BlobFiles,
    may_wait: bool,
    left: Portion,
    /// Why it stopped.
    outcome: Option<Result<Pause>>,
    f: F,
}

impl<F: FnMut(&[u8], &[u8], u64)> Giver<'_, F> {
    #[inline]
    fn take(&mut self, entry: Entry<'_>) -> ControlFlow<()> {
        let value_len = match (self.left.with_values, entry.kind) {
            (false, _) => {
                (self.f)(entry.key, b"", entry.expire_at_ms);
                0
            }
            (true, Kind::Blob) => match self.take_blob(&entry) {
                Ok(Attempt::Done(len)) => len,
                Ok(Attempt::WouldBlock) => return self.stop(Ok(Pause::WouldBlock)),
                Err(error) => return self.stop(Err(error)),
            },
            (true, _) => {
                (self.f)(entry.key, entry.value, entry.expire_at_ms);
                entry.value.len()
            }
        };
        self.left.items -= 1;
        self.left.bytes = self.left.bytes.saturating_sub(entry.key.len() + value_len);
        match self.left.items == 0 || self.left.bytes == 0 {
            true => self.stop(Ok(Pause::Full)),
            false => ControlFlow::Continue(()),
        }
    }

    #[inline(never)]
    fn take_blob(&mut self, entry: &Entry<'_>) -> Result<Attempt<usize>> {
        let reference = BlobRef::decode(entry.value)?;
        let give = |value: &[u8]| {
            (self.f)(entry.key, value, entry.expire_at_ms);
            value.len()
        };
        match self.may_wait {
            true => self.blobs.read_with(&reference, give).map(Attempt::Done),
            false => self.blobs.try_read_with(&reference, give),
        }
    }

    fn stop(&mut self, outcome: Result<Pause>) -> ControlFlow<()> {
        self.outcome = Some(outcome);
        ControlFlow::Break(())
    }
}

impl Db {
    /// Whether starting a scan takes no time worth mentioning: no memtable has to be sorted first.
    pub fn is_scan_ready(&self) -> bool {
        self.inner.view.load().is_scan_ready()
    }

    /// A walk over `range` as it is now.
    ///
    /// # Errors
    /// `Closed`, `Corruption`, others as the file system says.
    pub fn scan(&self, keyspace: KeyspaceId, range: ScanRange) -> Result<Scan> {
        self.snapshot()?.scan(keyspace, range)
    }
}
