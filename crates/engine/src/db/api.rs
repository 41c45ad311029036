//! Signatures of the database handle; bodies are replaced as they land.
#![allow(unused_variables, missing_docs)]
use crate::batch::WriteBatch;
use crate::options::{Durability, KeyspaceOptions, Options};
use aidb_base::{Attempt, Error, KeyspaceId, Result, Seq};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const DEFAULT_KEYSPACE: KeyspaceId = 0;

#[derive(Clone)]
pub struct Db {
    inner: Arc<()>,
}
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions {
    pub durability: Option<Durability>,
}
#[derive(Clone, Copy, Debug)]
pub struct Condition<'a> {
    pub keyspace: KeyspaceId,
    pub key: &'a [u8],
    pub seen: Seq,
}
#[derive(Clone, Debug, Default)]
pub struct ScanRange {
    pub lower: Option<Vec<u8>>,
    pub upper: Option<Vec<u8>>,
    pub reverse: bool,
}
#[derive(Clone)]
pub struct Snapshot {
    inner: Arc<()>,
}
pub struct Scan {
    inner: (),
}
/// Items decoded in bulk: keys and values back to back. Item i: key = bytes[ends[2i-1]..ends[2i]], value = bytes[ends[2i]..ends[2i+1]].
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    pub bytes: Vec<u8>,
    pub ends: Vec<u32>,
}
pub struct Changes {
    inner: (),
}
#[derive(Clone, Debug)]
pub struct Change {
    pub seq: Seq,
    pub batch: WriteBatch,
}
#[derive(Clone, Debug, Default)]
pub struct LevelStats {
    pub level: u8,
    pub tables: u64,
    pub bytes: u64,
    pub entries: u64,
}
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub visible_seq: Seq,
    pub durable_seq: Seq,
    pub live_keys: u64,
    pub memtable_bytes: u64,
    pub frozen_memtables: u64,
    pub levels: Vec<LevelStats>,
    pub blob_files: u64,
    pub blob_bytes: u64,
    pub blob_dead_bytes: u64,
    pub cache_hits: u64,
    pub cache_misses: u64,
    pub cache_bytes: u64,
    pub cache_capacity: u64,
    pub user_bytes_written: u64,
    pub log_bytes_written: u64,
    pub flush_bytes_written: u64,
    pub compaction_bytes_read: u64,
    pub compaction_bytes_written: u64,
    pub flushes: u64,
    pub compactions: u64,
    pub stall_count: u64,
    pub stall_ns: u64,
    pub stall_max_ns: u64,
    pub syncs: u64,
    pub disk_bytes: u64,
    pub log_bytes: u64,
    pub read_only_reason: Option<String>,
}
#[derive(Clone, Debug, Default)]
pub struct RecoveryReport {
    pub segments: u64,
    pub batches_replayed: u64,
    pub batches_skipped: u64,
    pub bytes_replayed: u64,
    pub torn_bytes: u64,
    pub duration_ms: u64,
}

fn no<T>() -> Result<T> {
    Err(Error::internal("not landed yet"))
}

impl Db {
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        no()
    }
    pub fn open_in_memory(options: Options) -> Result<Self> {
        no()
    }
    pub fn close(&self) -> Result<()> {
        no()
    }
    pub fn is_closed(&self) -> bool {
        false
    }
    pub fn options(&self) -> &Options {
        unimplemented!()
    }
    pub fn path(&self) -> &Path {
        unimplemented!()
    }
    pub fn get_with<R>(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>> {
        no()
    }
    pub fn try_get_with<R>(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Attempt<Option<R>>> {
        no()
    }
    pub fn get(&self, keyspace: KeyspaceId, key: &[u8]) -> Result<Option<Vec<u8>>> {
        no()
    }
    pub fn contains(&self, keyspace: KeyspaceId, key: &[u8]) -> Result<bool> {
        no()
    }
    /// Newest batch that wrote the key (0 = absent), its value and expiry.
    pub fn get_versioned(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
    ) -> Result<Option<(Seq, Vec<u8>, u64)>> {
        no()
    }
    pub fn multi_get(
        &self,
        keyspace: KeyspaceId,
        keys: &[&[u8]],
        f: impl FnMut(usize, Option<(&[u8], u64)>),
    ) -> Result<()> {
        no()
    }
    pub fn write(&self, batch: &WriteBatch, options: WriteOptions) -> Result<Seq> {
        no()
    }
    pub fn try_write(&self, batch: &WriteBatch, options: WriteOptions) -> Result<Attempt<Seq>> {
        no()
    }
    pub fn put(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        value: &[u8],
        expire_at_ms: u64,
        options: WriteOptions,
    ) -> Result<Seq> {
        no()
    }
    pub fn try_put(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        value: &[u8],
        expire_at_ms: u64,
        options: WriteOptions,
    ) -> Result<Attempt<Seq>> {
        no()
    }
    pub fn delete(&self, keyspace: KeyspaceId, key: &[u8], options: WriteOptions) -> Result<Seq> {
        no()
    }
    pub fn try_delete(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        options: WriteOptions,
    ) -> Result<Attempt<Seq>> {
        no()
    }
    /// Commits only if each key was last written by the batch seen (0 = absent); else `Conflict`.
    pub fn write_if(
        &self,
        conditions: &[Condition<'_>],
        batch: &WriteBatch,
        options: WriteOptions,
    ) -> Result<Seq> {
        no()
    }
    pub fn sync(&self) -> Result<()> {
        no()
    }
    pub fn visible_seq(&self) -> Seq {
        0
    }
    pub fn durable_seq(&self) -> Seq {
        0
    }
    pub fn snapshot(&self) -> Result<Snapshot> {
        no()
    }
    pub fn scan(&self, keyspace: KeyspaceId, range: ScanRange) -> Result<Scan> {
        no()
    }
    /// Live keys: exact. Amortised O(1).
    pub fn len(&self, keyspace: KeyspaceId) -> Result<u64> {
        no()
    }
    pub fn create_keyspace(&self, name: &str, options: &KeyspaceOptions) -> Result<KeyspaceId> {
        no()
    }
    pub fn keyspace(&self, name: &str) -> Option<KeyspaceId> {
        None
    }
    pub fn keyspaces(&self) -> Vec<(KeyspaceId, String, KeyspaceOptions)> {
        vec![]
    }
    pub fn drop_keyspace(&self, name: &str) -> Result<()> {
        no()
    }
    pub fn flush(&self) -> Result<()> {
        no()
    }
    pub fn compact(&self, keyspace: Option<KeyspaceId>) -> Result<()> {
        no()
    }
    pub fn checkpoint(&self, target: &Path) -> Result<()> {
        no()
    }
    pub fn changes(&self, since: Seq) -> Result<Changes> {
        no()
    }
    pub fn pin_log(&self, name: &str, seq: Seq) -> Result<()> {
        no()
    }
    pub fn unpin_log(&self, name: &str) -> Result<()> {
        no()
    }
    pub fn ingest(&self, keyspace: KeyspaceId, tables: &[PathBuf]) -> Result<()> {
        no()
    }
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
    pub fn recovery(&self) -> RecoveryReport {
        RecoveryReport::default()
    }
}
impl Snapshot {
    pub fn seq(&self) -> Seq {
        0
    }
    pub fn get_with<R>(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>> {
        no()
    }
    pub fn multi_get(
        &self,
        keyspace: KeyspaceId,
        keys: &[&[u8]],
        f: impl FnMut(usize, Option<(&[u8], u64)>),
    ) -> Result<()> {
        no()
    }
    pub fn scan(&self, keyspace: KeyspaceId, range: ScanRange) -> Result<Scan> {
        no()
    }
}
impl Scan {
    /// The next item, valid until the next call.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        no()
    }
    /// Clears `chunk` and fills it with up to `items_max` items, stopping after `bytes_max` bytes. Empty = end.
    pub fn next_chunk(
        &mut self,
        chunk: &mut Chunk,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<()> {
        no()
    }
    /// As `next_chunk`, without values.
    pub fn next_keys(
        &mut self,
        chunk: &mut Chunk,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<()> {
        no()
    }
}
impl Changes {
    /// The next committed batch, or `None` when the feed has caught up (call again later).
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Change>> {
        no()
    }
}
