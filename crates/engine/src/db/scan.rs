//! Scans: ordered walks over a range at one moment, lazily and in bounded memory.

use std::sync::Arc;

use aidb_base::{KeyspaceId, Result, Seq};

use super::read::Sources;
use super::view::ReadView;
use super::{Db, Inner};
use crate::blob::BlobRef;
use crate::entry::Kind;
use crate::iterator::{AnyCursor, Bounds, MergeCursor, ViewCursor};

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

    /// Key and value of each item.
    pub fn items(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.chunks_exact(2).map(move |ends| {
            let (key_end, value_end) = (ends[0] as usize, ends[1] as usize);
            let item = (&self.bytes[start..key_end], &self.bytes[key_end..value_end]);
            start = value_end;
            item
        })
    }

    fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len() as u32);
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len() as u32);
    }
}

/// A cursor per source, merged.
pub(crate) fn merged(sources: &Sources<'_>, keyspace: KeyspaceId, max_seq: Seq) -> MergeCursor {
    let mut cursors: Vec<AnyCursor> = sources
        .generations
        .iter()
        .filter(|generation| generation.memtable.entries() > 0)
        .map(|generation| AnyCursor::Mem(generation.memtable.cursor(keyspace, max_seq)))
        .collect();
    if let Some(tree) = sources.version.tree(keyspace) {
        cursors.extend(tree.cursors(None, None, true));
    }
    MergeCursor::new(cursors)
}

/// An ordered walk. Owns its view of the database; use it from one thread at a time.
pub struct Scan {
    inner: Arc<Inner>,
    _view: Arc<ReadView>,
    cursor: ViewCursor,
    reverse: bool,
    started: bool,
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
        let merge = merged(&sources, keyspace, seq);
        let bounds = Bounds { lower: range.lower, upper: range.upper };
        let hidden = sources.tombstones(keyspace);
        let cursor = ViewCursor::new(merge, hidden, seq, inner.now_ms(), bounds);
        let inner = inner.clone();
        Ok(Self {
            inner,
            _view: view,
            cursor,
            reverse: range.reverse,
            started: false,
            blob: Vec::new(),
        })
    }

    #[inline]
    fn advance(&mut self) -> Result<()> {
        match (self.started, self.reverse) {
            (true, false) => self.cursor.next(),
            (true, true) => self.cursor.prev(),
            (false, reverse) => {
                self.started = true;
                if reverse { self.cursor.seek_to_last() } else { self.cursor.seek_to_first() }
            }
        }
    }

    /// The next key and value, valid until the next call; `None` at the end.
    ///
    /// # Errors
    /// `Closed`, `Corruption`, others as the file system says.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        self.inner.state.check_open()?;
        self.advance()?;
        self.load_blob()?;
        let Some(entry) = self.cursor.entry() else { return Ok(None) };
        let value = if entry.kind == Kind::Blob { &self.blob } else { entry.value };
        Ok(Some((entry.key, value)))
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
        self.inner.state.check_open()?;
        chunk.bytes.clear();
        chunk.ends.clear();
        while chunk.len() < items_max && chunk.bytes.len() < bytes_max {
            self.advance()?;
            if with_values {
                self.load_blob()?;
            }
            let Some(entry) = self.cursor.entry() else { break };
            let value = match (with_values, entry.kind) {
                (false, _) => b"",
                (true, Kind::Blob) => self.blob.as_slice(),
                (true, _) => entry.value,
            };
            chunk.push(entry.key, value);
        }
        Ok(())
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

impl Db {
    /// A walk over `range` as it is now.
    ///
    /// # Errors
    /// `Closed`, `Corruption`, others as the file system says.
    pub fn scan(&self, keyspace: KeyspaceId, range: ScanRange) -> Result<Scan> {
        self.snapshot()?.scan(keyspace, range)
    }
}
