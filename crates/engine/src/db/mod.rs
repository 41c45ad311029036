//! The database: one handle over log, memtables, tables and the threads that keep them in shape.
//!
//! A write goes through [`write`] (log, memtable, visible), a read through `read` (memtables, then
//! the version's tables), a scan through [`scan`]. `flush` turns full memtables into tables,
//! `background` runs flush, compaction and housekeeping, `open` and `close` are at the two ends.
//!
//! Locks, in the order in which they are taken: flush lock, compaction lock, versions, writer, view.

mod background;
mod changes;
mod checkpoint;
mod close;
mod compact;
mod count;
mod flush;
mod ingest;
mod keyspaces;
mod latency;
mod open;
mod pins;
mod pressure;
mod put_many;
mod read;
mod replay;
mod restore;
mod run;
mod scan;
mod snapshot;
mod state;
mod stats;
mod sweep;
mod sync;
#[cfg(test)]
mod tests;
mod view;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aidb_base::{KeyspaceId, Result, Seq};
use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

use self::background::{Threads, Wakeup};
use self::pins::Pins;
use self::pressure::{Fill, Pressure};
use self::state::State;
use self::stats::Counters;
use self::sync::SyncState;
use self::view::ReadView;
use self::write::Writer;
use crate::blob::BlobFiles;
use crate::cache::BlockCache;
use crate::events::{Event, WritePressure};
use crate::options::Options;
use crate::version::{FileContext, FileNumbers, VersionSet};
use crate::vfs::{FileLock, Vfs};
use crate::wal::log::Spares;

pub use self::changes::{Change, Changes};
pub use self::latency::Latency;
pub use self::restore::{RestoreReport, restore};
pub use self::scan::{Chunk, Pause, Portion, Scan, ScanRange};
pub use self::snapshot::{KEYS_AHEAD, Snapshot};
pub use self::stats::{LevelStats, RecoveryReport, Stats};
pub use self::write::{Condition, WriteOptions};

/// The keyspace that every database has, named "default".
pub const DEFAULT_KEYSPACE: KeyspaceId = 0;

/// An open database. Clones share it; it is closed by [`Db::close`] or when the last clone goes.
///
/// **Concurrency**: every method may be called from any thread.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
    _closer: Arc<close::Closer>,
}

/// Everything that the handles, snapshots, scans and threads of one database share.
struct Inner {
    dir: PathBuf,
    options: Options,
    uuid: [u8; 16],
    hash_seed: u64,
    cache: Arc<BlockCache>,
    state: State,
    view: ArcSwap<ReadView>,
    view_lock: Mutex<()>,
    visible_seq: AtomicU64,
    flushed_seq: AtomicU64,
    writer: Mutex<Writer>,
    log_spares: Arc<Spares>,
    sync: SyncState,
    versions: Mutex<VersionSet>,
    numbers: Arc<FileNumbers>,
    files: FileContext,
    blobs: Arc<BlobFiles>,
    flush_lock: Mutex<()>,
    compaction_lock: Mutex<()>,
    /// Files written while there was no time to check them.
    unchecked: Mutex<Vec<flush::Written>>,
    /// Held by everybody who counts keys; exclusively while records come in below memtables.
    count_gate: RwLock<()>,
    pressure: Pressure,
    pins: Pins,
    sweeper: sweep::Sweeper,
    flusher: Wakeup,
    compactor: Wakeup,
    housekeeper: Wakeup,
    threads: Threads,
    counters: Counters,
    recovery: RecoveryReport,
    lock: Mutex<Option<Box<dyn FileLock>>>,
}

impl Inner {
    #[inline]
    fn visible_seq(&self) -> Seq {
        self.visible_seq.load(Ordering::Acquire)
    }

    /// Every batch up to here is synced in the log, or in tables that the manifest names.
    fn durable_seq(&self) -> Seq {
        self.sync.durable_seq().max(self.flushed_seq.load(Ordering::Acquire))
    }

    fn vfs(&self) -> &dyn Vfs {
        &*self.options.env.vfs
    }

    fn now_ms(&self) -> u64 {
        self.options.env.clock.now_ms()
    }

    fn now_ns(&self) -> u64 {
        self.options.env.clock.monotonic_ns()
    }

    /// Replaces the view that new readers get, and sets the price of writing accordingly.
    fn change_view(&self, change: impl FnOnce(&ReadView) -> ReadView) {
        let _guard = self.view_lock.lock();
        let next = change(&self.view.load());
        let fill = self.fill(&next);
        self.view.store(Arc::new(next));
        if let Some(level) = self.pressure.set(fill) {
            let scarcity = (level != WritePressure::Free).then(|| fill.scarcity());
            self.options.tell(&Event::WritePressure { level, scarcity });
        }
    }

    /// How full the resources of writers are. Memory counts from the second full memtable on, so
    /// that one is flushed while another one fills.
    fn fill(&self, view: &ReadView) -> Fill {
        if !self.options.background {
            return Fill::default();
        }
        let share = |value: usize, low: usize, high: usize| {
            (value as f64 - low as f64) / (high.max(low + 1) as f64 - low as f64)
        };
        let frozen: usize = view.frozen.iter().map(|g| g.memtable.bytes()).sum();
        let one = self.options.memtable_bytes_max + self.options.memtable_bytes_max / 8;
        let memory = share(frozen, one, self.options.memtables_bytes_max);
        let runs = view.version.trees().map(|tree| tree.l0.len()).max().unwrap_or(0);
        let runs = share(runs, self.options.l0_runs_slowdown, self.options.l0_runs_stop);
        Fill { memory, runs }
    }
}

impl Db {
    /// The settings it was opened with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The directory; empty for an in-memory database.
    pub fn path(&self) -> &Path {
        &self.inner.dir
    }

    /// Whether [`Db::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.inner.state.is_closed()
    }

    /// The identity of the database.
    pub fn uuid(&self) -> [u8; 16] {
        self.inner.uuid
    }

    /// Number of keys of `keyspace`: exact. Expired keys count until the sweeper has removed them,
    /// which this call waits for.
    ///
    /// Costs one look-up per key written since the last call; a range delete costs once as
    /// much as the keys that it covers.
    ///
    /// # Errors
    /// Those of reading tables.
    pub fn len(&self, keyspace: KeyspaceId) -> Result<u64> {
        self.inner.state.check_open()?;
        self.inner.sweep(keyspace)?;
        let _counting = self.inner.count_gate.read();
        let (generations, version) = {
            let mut writer = self.inner.writer.lock();
            if writer.active.counts.is_costly() && !self.inner.options.read_only {
                self.inner.rotate(&mut writer);
            }
            let view = self.inner.view.load_full();
            let moments = view.generations().map(|generation| {
                (generation.clone(), generation.counts.moment(keyspace, generation.last_seq()))
            });
            (moments.collect::<Vec<_>>(), view.version.clone())
        };
        let hash_seed = self.inner.hash_seed;
        let sources = read::Sources { generations: &[], version: &version, hash_seed };
        count::total(&generations, &sources, keyspace)
    }

    /// Whether `keyspace` has no key; see [`Db::len`].
    ///
    /// # Errors
    /// Those of reading tables.
    pub fn is_empty(&self, keyspace: KeyspaceId) -> Result<bool> {
        Ok(self.len(keyspace)? == 0)
    }
}
