//! Opening: lock, manifest, log replay, threads.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use aidb_base::{Error, Result, Rng, rng};
use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

use super::pins::Pins;
use super::replay::Filling;
use super::state::State;
use super::stats::RecoveryReport;
use super::sync::SyncState;
use super::view::{Generation, ReadView};
use super::write::Writer;
use super::{DEFAULT_KEYSPACE, Db, Inner, background, close};
use crate::cache::BlockCache;
use crate::events::Event;
use crate::file_names::FileKind;
use crate::options::{Durability, KeyspaceOptions, LogMode, Options};
use crate::planted::{Bug, is_planted};
use crate::version::{Identity, KeyspaceMeta, VersionSet};
use crate::vfs::{FileLock, MemVfs, Vfs};
use crate::wal::log::{Log, LogEnv, Retired};
use crate::wal::recovery::{self, Recovered, Scope};

const SYNC_FAILURE: &str = "SYNC_FAILED";
const SEGMENT_BYTES_MAX: usize = 16 << 20;

impl Db {
    /// Opens the database in `dir`, creating it if the options allow.
    ///
    /// **Durability**: what is recovered from the log is as durable as it was; [`Db::durable_seq`]
    /// tells how far that is, and the next sync makes the rest durable before what comes after it.
    ///
    /// # Errors
    /// `Unavailable` naming the holder's pid when it is open elsewhere, `Invalid` when it is
    /// missing, newer, or not a database, `Corruption` with path and offset when it is damaged.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        let started = options.env.clock.monotonic_ns();
        check_options(&options)?;
        check_existence(dir, &options)?;
        let vfs = options.env.vfs.clone();
        let lock = if options.read_only {
            None
        } else {
            vfs.create_dir_all(dir)?;
            Some(vfs.lock(&dir.join("LOCK"))?)
        };
        let cache = Arc::new(BlockCache::new(options.cache_bytes_max));
        let mut versions = open_versions(dir, &options, cache.clone())?;
        let mut opened = Opened::replay(dir, &options, &mut versions)?;
        opened.report.duration_ms =
            (options.env.clock.monotonic_ns() - started).div_ceil(1_000_000);
        let inner = Arc::new(opened.assemble(dir, options, cache, versions, lock)?);
        let db = Self { inner: inner.clone(), _closer: Arc::new(close::Closer(inner.clone())) };
        // The memtables that replay left may fill the budget.
        inner.change_view(ReadView::clone);
        background::start(&inner)?;
        inner.options.tell(&Event::Opened {
            batches_replayed: inner.recovery.batches_replayed,
            duration_ms: inner.recovery.duration_ms,
        });
        Ok(db)
    }

    /// Opens an empty database that lives in memory only and vanishes with the last handle.
    ///
    /// # Errors
    /// `Invalid` for options that contradict each other.
    pub fn open_in_memory(mut options: Options) -> Result<Self> {
        options.env.vfs = Arc::new(MemVfs::new());
        options.create_if_missing = true;
        Self::open(Path::new("/memory"), options)
    }
}

fn open_versions(dir: &Path, options: &Options, cache: Arc<BlockCache>) -> Result<VersionSet> {
    let env = &options.env;
    // Again, now under the lock: somebody may have created or removed one meanwhile.
    check_existence(dir, options)?;
    if VersionSet::exists(env, dir)? {
        return VersionSet::open(env, dir, cache, options.read_only);
    }
    let identity =
        Identity { uuid: rng::entropy_uuid(), hash_seed: Rng::from_entropy().next_u64() };
    let default = KeyspaceMeta {
        id: DEFAULT_KEYSPACE,
        name: "default".to_owned(),
        options: KeyspaceOptions::default(),
    };
    VersionSet::create(env, dir, cache, identity, vec![default])
}

/// Refuses a directory that holds, or does not hold, what the options ask for. Changes nothing.
fn check_existence(dir: &Path, options: &Options) -> Result<()> {
    if VersionSet::exists(&options.env, dir)? {
        if options.error_if_exists {
            return Err(Error::invalid(format!(
                "{} already holds a database: open it without asking for a new one",
                dir.display()
            )));
        }
        return Ok(());
    }
    if options.read_only || !options.create_if_missing {
        return Err(Error::invalid(format!(
            "{} holds no database: check the path, or let it be created",
            dir.display()
        )));
    }
    if options.env.vfs.exists(dir)? { check_is_ours(dir, options) } else { Ok(()) }
}

/// Refuses to make a database among the files of another program.
fn check_is_ours(dir: &Path, options: &Options) -> Result<()> {
    let names = options.env.vfs.list_dir(dir)?;
    let is_ours = |name: &Path| {
        ["LOCK", "wal", "sst", "blob", "CURRENT.tmp"].iter().any(|ours| name == Path::new(ours))
            || name.to_string_lossy().starts_with("MANIFEST-")
    };
    match names.iter().find(|name| !is_ours(name)) {
        Some(foreign) => Err(Error::invalid(format!(
            "{} holds {}, which is not part of a database; choose an empty or new directory",
            dir.display(),
            foreign.display()
        ))),
        None => Ok(()),
    }
}

fn check_options(options: &Options) -> Result<()> {
    let at_least = |name: &str, value: usize, least: usize| {
        if value < least {
            return Err(Error::invalid(format!("{name} is {value}; it must be at least {least}")));
        }
        Ok(())
    };
    at_least("memtable_bytes_max", options.memtable_bytes_max, 1024)?;
    at_least("memtables_bytes_max", options.memtables_bytes_max, options.memtable_bytes_max)?;
    at_least("block_bytes", options.block_bytes, 64)?;
    at_least("table_bytes_max", options.table_bytes_max as usize, 1024)?;
    at_least("level_fanout", options.level_fanout as usize, 2)?;
    at_least("l0_runs_trigger", options.l0_runs_trigger, 2)?;
    at_least("l0_runs_slowdown", options.l0_runs_slowdown, options.l0_runs_trigger)?;
    at_least("l0_runs_stop", options.l0_runs_stop, options.l0_runs_slowdown + 1)
}

/// Memtables filled from the log, on the way to an open database.
struct Opened {
    active: Arc<Generation>,
    frozen: Vec<Arc<Generation>>,
    recovered: Recovered,
    report: RecoveryReport,
    pins: Pins,
    distrust: bool,
}

impl Opened {
    fn replay(dir: &Path, options: &Options, versions: &mut VersionSet) -> Result<Self> {
        let vfs = &*options.env.vfs;
        let pins = Pins::load(vfs, dir)?;
        let flushed_seq = versions.last_seq();
        let distrust = vfs.exists(&dir.join(SYNC_FAILURE))?;
        let scope = Scope {
            dir,
            uuid: &versions.uuid(),
            floor: versions.log_floor(),
            flushed_seq,
            kept_seq: pins.oldest(),
            distrust,
            salvage: options.salvage_log,
            progress: &|bytes_done, bytes_total| {
                options.tell(&Event::RecoveryProgress { bytes_done, bytes_total });
            },
        };
        let mut filling = Filling::new(options, dir, versions);
        let recovered =
            recovery::recover(vfs, scope, &mut |seq, payload| filling.apply(seq, payload))?;
        let report = RecoveryReport {
            segments: recovered.segments.len() as u64,
            batches_replayed: recovered.batches_replayed,
            batches_skipped: recovered.batches_skipped,
            bytes_replayed: recovered.bytes_replayed,
            torn_bytes: recovered.torn_bytes,
            flushes: filling.flushes,
            salvaged: recovered.salvaged.clone(),
            duration_ms: 0,
        };
        let (active, frozen) = (filling.active, filling.frozen);
        Ok(Self { active, frozen, recovered, report, pins, distrust })
    }

    /// Removes the segments that were not accepted, and leaves those that may not be durable to the
    /// first sync: reading them back is no reason to wait for the disk.
    fn settle_log(&mut self, vfs: &dyn Vfs, dir: &Path) -> Result<()> {
        let recovered = &mut self.recovered;
        for path in recovered.discarded.iter().rev() {
            vfs.remove(path)?;
        }
        if !recovered.discarded.is_empty() {
            vfs.sync_dir(&FileKind::Wal.dir(dir))?;
        }
        if self.distrust {
            settle_sync_failure(vfs, dir, &recovered.segments)?;
        }
        if self.distrust || is_planted(Bug::RecoveredNotSynced) {
            recovered.segments_durable = recovered.segments.len();
            recovered.durable_seq = recovered.last_seq;
        }
        for segment in &mut recovered.segments[recovered.segments_durable..] {
            segment.sync_later(vfs.syncer(&FileKind::Wal.path(dir, segment.number))?);
        }
        Ok(())
    }

    /// Settles the log and builds the shared state.
    fn assemble(
        mut self,
        dir: &Path,
        options: Options,
        cache: Arc<BlockCache>,
        versions: VersionSet,
        lock: Option<Box<dyn FileLock>>,
    ) -> Result<Inner> {
        let (uuid, hash_seed) = (versions.uuid(), versions.hash_seed());
        let numbers = versions.numbers().clone();
        if !options.read_only {
            self.settle_log(&*options.env.vfs, dir)?;
        }
        let last_seq = self.recovered.last_seq.max(versions.last_seq());
        let durable_seq = self.recovered.durable_seq.max(versions.last_seq());
        let for_log = numbers.clone();
        let env = LogEnv {
            vfs: options.env.vfs.clone(),
            dir: dir.to_owned(),
            uuid,
            mapped: is_mapped(&options),
            segment_bytes_max: SEGMENT_BYTES_MAX
                .min(options.memtable_bytes_max.next_power_of_two()),
            next_number: Box::new(move || for_log.next()),
        };
        let epoch = self.recovered.epoch.max(versions.epoch());
        let log = Log::new(env, self.recovered.segments, last_seq, epoch);
        let (active, version) = (self.active.clone(), versions.current().clone());
        let view = ReadView { active, frozen: self.frozen, version };
        Ok(Inner {
            dir: dir.to_owned(),
            uuid,
            hash_seed,
            cache,
            state: State::new(options.read_only),
            view: ArcSwap::from_pointee(view),
            view_lock: Mutex::new(()),
            visible_seq: AtomicU64::new(last_seq),
            flushed_seq: AtomicU64::new(versions.last_seq()),
            log_spares: log.spares(),
            writer: Mutex::new(Writer {
                log,
                next_seq: last_seq + 1,
                active: self.active,
                user_bytes: 0,
            }),
            sync: SyncState::durable_up_to(durable_seq),
            files: versions.context().clone(),
            blobs: versions.blob_files().clone(),
            versions: Mutex::new(versions),
            numbers,
            flush_lock: Mutex::new(()),
            compaction_lock: Mutex::new(()),
            unchecked: Mutex::default(),
            count_gate: RwLock::new(()),
            pressure: super::pressure::Pressure::default(),
            pins: self.pins,
            sweeper: super::sweep::Sweeper::default(),
            flusher: background::Wakeup::default(),
            compactor: background::Wakeup::default(),
            housekeeper: background::Wakeup::default(),
            threads: background::Threads::default(),
            counters: super::stats::Counters::default(),
            recovery: self.report,
            lock: Mutex::new(lock),
            options,
        })
    }
}

fn is_mapped(options: &Options) -> bool {
    match options.log_mode {
        LogMode::Auto => options.durability != Durability::Sync,
        LogMode::Mapped => true,
        LogMode::Append => false,
    }
}

/// After a failed sync the log's files may show what the kernel will never write: writes them anew,
/// as far as their records go.
fn settle_sync_failure(vfs: &dyn Vfs, dir: &Path, segments: &[Retired]) -> Result<()> {
    for segment in segments {
        let path = FileKind::Wal.path(dir, segment.number);
        let temporary = path.with_extension("tmp");
        vfs.remove(&temporary)?;
        copy(vfs, &path, &temporary, segment.end)?;
        vfs.rename(&temporary, &path)?;
    }
    vfs.sync_dir(&FileKind::Wal.dir(dir))?;
    vfs.remove(&dir.join(SYNC_FAILURE))?;
    vfs.sync_dir(dir)
}

fn copy(vfs: &dyn Vfs, from: &Path, to: &Path, bytes: usize) -> Result<()> {
    const PIECE_BYTES: usize = 1 << 20;
    let (source, mut target) = (vfs.open_read(from)?, vfs.create(to)?);
    let mut piece = vec![0; PIECE_BYTES.min(bytes)];
    for start in (0..bytes).step_by(PIECE_BYTES) {
        let part = &mut piece[..PIECE_BYTES.min(bytes - start)];
        source.read_exact_at(start as u64, part)?;
        target.append(part)?;
    }
    target.sync()
}

/// Leaves word for the next open that the unsynced part of the log in `dir` cannot be trusted.
pub(super) fn mark_sync_failure(vfs: &dyn Vfs, dir: &Path) {
    let note = || -> Result<()> {
        vfs.create(&dir.join(SYNC_FAILURE))?.sync()?;
        vfs.sync_dir(dir)
    };
    // Best effort on a failing disk: without it the next open is stricter, never laxer.
    let _ = note();
}
