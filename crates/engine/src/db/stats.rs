//! Statistics: what the database holds and what it has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

use aidb_base::{Error, Seq};
use parking_lot::Mutex;

use super::latency::{Histogram, Latency};
use super::{Db, Inner};
use crate::compaction::CompactionStats;
use crate::events::WritePressure;
use crate::version::Version;

/// Tables of one level, over all keyspaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelStats {
    /// Level, 0..=6.
    pub level: u8,
    /// Tables.
    pub tables: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Records in them.
    pub entries: u64,
}

/// A moment's statistics. Counters start at 0 when the database is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Newest batch that readers see.
    pub visible_seq: Seq,
    /// Newest batch known to survive the loss of the machine.
    pub durable_seq: Seq,
    /// Newest batch that is in tables.
    pub flushed_seq: Seq,
    /// Live keys of all keyspaces: exact, 0 when tables cannot be read.
    pub live_keys: u64,
    /// Keyspaces, the default one included.
    pub keyspaces: u64,
    /// Bytes of all memtables.
    pub memtable_bytes: u64,
    /// Full memtables waiting for their flush.
    pub frozen_memtables: u64,
    /// Levels that hold tables.
    pub levels: Vec<LevelStats>,
    /// Blob files.
    pub blob_files: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Those of their bytes that no record refers to.
    pub blob_dead_bytes: u64,
    /// Block cache hits.
    pub cache_hits: u64,
    /// Block cache misses.
    pub cache_misses: u64,
    /// Bytes in the block cache.
    pub cache_bytes: u64,
    /// Its budget.
    pub cache_capacity: u64,
    /// Encoded bytes of committed batches.
    pub user_bytes_written: u64,
    /// Bytes of log records.
    pub log_bytes_written: u64,
    /// Bytes of tables and blob files written by flushes.
    pub flush_bytes_written: u64,
    /// Bytes of tables read by compactions.
    pub compaction_bytes_read: u64,
    /// Bytes of tables and blob files written by compactions.
    pub compaction_bytes_written: u64,
    /// Flushes.
    pub flushes: u64,
    /// Compactions.
    pub compactions: u64,
    /// Compactions that run or are due; at 0, with no frozen memtable, the database is at rest.
    pub compactions_pending: u64,
    /// How writers are treated now.
    pub write_pressure: WritePressure,
    /// Writes that waited for back-pressure.
    pub stall_count: u64,
    /// Their waiting time in nanoseconds.
    pub stall_ns: u64,
    /// The longest of them.
    pub stall_max_ns: u64,
    /// Latency of writes, sampled; back-pressure and syncs included.
    pub write_latency: Latency,
    /// Latency of point reads, sampled.
    pub read_latency: Latency,
    /// Syncs of the log.
    pub syncs: u64,
    /// Bytes of tables and blob files.
    pub table_bytes: u64,
    /// Bytes of log segments that are kept.
    pub log_bytes: u64,
    /// Bytes of all files: tables, blob files and log.
    pub disk_bytes: u64,
    /// Failures of background jobs; each is tried again.
    pub background_errors: u64,
    /// The last of them.
    pub last_background_error: Option<String>,
    /// Why writes are refused.
    pub read_only_reason: Option<String>,
}

/// What the last open had to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Log segments read.
    pub segments: u64,
    /// Batches put into memtables again.
    pub batches_replayed: u64,
    /// Batches that were in tables already.
    pub batches_skipped: u64,
    /// Bytes of the replayed batches.
    pub bytes_replayed: u64,
    /// Bytes after the end of the log that were no records.
    pub torn_bytes: u64,
    /// Memtables that were flushed meanwhile, to stay within the memory budget.
    pub flushes: u64,
    /// What was cut because salvage was asked for.
    pub salvaged: Vec<String>,
    /// Duration of the whole open.
    pub duration_ms: u64,
}

/// Counters of an open database.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) flushes: AtomicU64,
    pub(super) flush_bytes: AtomicU64,
    pub(super) write_latency: Histogram,
    pub(super) read_latency: Histogram,
    compactions: AtomicU64,
    pub(super) compactions_running: AtomicU64,
    compaction_bytes_read: AtomicU64,
    compaction_bytes_written: AtomicU64,
    background_errors: AtomicU64,
    last_background_error: Mutex<Option<String>>,
}

impl Counters {
    pub(super) fn note_compaction(&self, stats: &CompactionStats) {
        self.compactions.fetch_add(1, Ordering::Relaxed);
        self.compaction_bytes_read.fetch_add(stats.bytes_in, Ordering::Relaxed);
        self.compaction_bytes_written.fetch_add(stats.bytes_out, Ordering::Relaxed);
    }

    pub(super) fn note_background_error(&self, error: &Error) {
        self.background_errors.fetch_add(1, Ordering::Relaxed);
        *self.last_background_error.lock() = Some(error.message().to_owned());
    }
}

impl Db {
    /// Statistics of this moment.
    pub fn stats(&self) -> Stats {
        let keyspaces = self.keyspaces();
        let lengths = keyspaces.iter().map(|(keyspace, _, _)| self.len(*keyspace).unwrap_or(0));
        Stats { live_keys: lengths.sum(), ..self.inner.stats() }
    }

    /// What opening had to do.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.recovery
    }
}

impl Inner {
    fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // Before the view: what does not run any more is in it.
        let running = self.counters.compactions_running.load(Ordering::Acquire);
        let view = self.view.load();
        let compactions_pending = match running {
            0 => u64::from(self.is_compaction_due(&view)),
            running => running,
        };
        let (log_bytes, log_bytes_written, user_bytes_written) = {
            let writer = self.writer.lock();
            (writer.log.bytes(), writer.log.bytes_written(), writer.user_bytes)
        };
        let (stall_count, stall_ns, stall_max_ns) = self.pressure.stalls();
        let cache = self.cache.stats();
        let levels = levels(&view.version);
        let blobs = || view.version.state().blobs.values();
        let blob_bytes: u64 = blobs().map(|blob| blob.meta.bytes).sum();
        let table_bytes = levels.iter().map(|level| level.bytes).sum::<u64>() + blob_bytes;
        Stats {
            visible_seq: self.visible_seq(),
            durable_seq: self.durable_seq(),
            flushed_seq: read(&self.flushed_seq),
            live_keys: 0,
            keyspaces: view.version.trees().count() as u64,
            memtable_bytes: view.memtable_bytes() as u64,
            frozen_memtables: view.frozen.len() as u64,
            table_bytes,
            levels,
            blob_files: blobs().count() as u64,
            blob_bytes,
            blob_dead_bytes: blobs()
                .map(|blob| blob.meta.value_bytes.saturating_sub(blob.live_bytes))
                .sum(),
            cache_hits: cache.hits,
            cache_misses: cache.misses,
            cache_bytes: cache.bytes,
            cache_capacity: cache.capacity,
            user_bytes_written,
            log_bytes_written,
            flush_bytes_written: read(&self.counters.flush_bytes),
            compaction_bytes_read: read(&self.counters.compaction_bytes_read),
            compaction_bytes_written: read(&self.counters.compaction_bytes_written),
            flushes: read(&self.counters.flushes),
            compactions: read(&self.counters.compactions),
            compactions_pending,
            write_pressure: self.pressure.level(),
            stall_count,
            stall_ns,
            stall_max_ns,
            write_latency: self.counters.write_latency.read(),
            read_latency: self.counters.read_latency.read(),
            syncs: self.sync.syncs(),
            log_bytes,
            disk_bytes: table_bytes + log_bytes,
            background_errors: read(&self.counters.background_errors),
            last_background_error: self.counters.last_background_error.lock().clone(),
            read_only_reason: self.state.reason(),
        }
    }
}

fn levels(version: &Version) -> Vec<LevelStats> {
    let mut levels: Vec<LevelStats> =
        (0..7).map(|level| LevelStats { level, ..LevelStats::default() }).collect();
    for (_, placed) in version.state().tables() {
        let level = &mut levels[usize::from(placed.level).min(6)];
        level.tables += 1;
        level.bytes += placed.meta.bytes;
        level.entries += placed.meta.entries;
    }
    levels.retain(|level| level.tables > 0);
    levels
}
