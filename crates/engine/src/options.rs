//! Settings of a database and of a keyspace. Plain data; defaults live here and nowhere else.

use std::sync::Arc;

use aidb_base::{Clock, SystemClock};

use crate::events::Listener;
use crate::vfs::{OsVfs, Vfs};

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Durability {
    /// The death of the process; the machine's only after the kernel wrote it back.
    #[default]
    None,
    /// As `None`, and of the machine after at most one second.
    EverySec,
    /// The death of the machine: acknowledged after fdatasync, shared by concurrent writers.
    Sync,
}

/// Block compression. Numbers are part of the table format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Codec {
    /// Blocks as they are; read straight from the page cache.
    None = 0,
    /// LZ4 block format.
    #[default]
    Lz4 = 1,
    /// Snappy raw format.
    Snappy = 2,
    /// Zstandard, level 1.
    Zstd = 3,
}

/// How log segments are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogMode {
    /// Mapped, unless the database's durability is `Sync` or the file system cannot.
    #[default]
    Auto,
    /// Through memory.
    Mapped,
    /// Through `write`.
    Append,
}

/// The outside world of an engine: file system and time.
#[derive(Clone)]
pub struct Env {
    /// All I/O.
    pub vfs: Arc<dyn Vfs>,
    /// All time.
    pub clock: Arc<dyn Clock>,
}

impl Default for Env {
    fn default() -> Self {
        Self { vfs: Arc::new(OsVfs::new()), clock: Arc::new(SystemClock::new()) }
    }
}

/// Levels of a keyspace.
pub const LEVELS: usize = 7;

/// Settings of one database.
#[derive(Clone)]
pub struct Options {
    /// File system and clock.
    pub env: Env,
    /// Create the database when the directory holds none.
    pub create_if_missing: bool,
    /// Fail when the directory holds a database.
    pub error_if_exists: bool,
    /// Open beside a writer, change nothing.
    pub read_only: bool,
    /// Level given to writes that do not ask for a stronger one.
    pub durability: Durability,
    /// How the log is written.
    pub log_mode: LogMode,
    /// Bytes of a memtable that cause its rotation. A batch larger than a quarter of them gets a
    /// memtable of its own.
    pub memtable_bytes_max: usize,
    /// Bytes of all memtables together at which writers stop, and replay flushes while it goes on.
    pub memtables_bytes_max: usize,
    /// Bytes of decompressed blocks kept.
    pub cache_bytes_max: usize,
    /// Uncompressed bytes of a data block.
    pub block_bytes: usize,
    /// Bytes at which a table is closed.
    pub table_bytes_max: u64,
    /// Filter bits per key in the last level; upper levels use four more. 0 = no filter.
    pub filter_bits_per_key: u8,
    /// Codec of the last level.
    pub compression_bottom: Codec,
    /// Codec of the levels above the last one; level 0 is raw while there is nothing below it.
    pub compression: Codec,
    /// Codec of each level, 0 to 6, in place of the two above; `None` = those.
    pub compression_levels: Option<[Codec; LEVELS]>,
    /// L0 runs at which they are merged or pushed down.
    pub l0_runs_trigger: usize,
    /// L0 runs at which writers slow down.
    pub l0_runs_slowdown: usize,
    /// L0 runs at which writers stop.
    pub l0_runs_stop: usize,
    /// Bytes of the base level.
    pub level_base_bytes: u64,
    /// Size ratio of neighbouring levels.
    pub level_fanout: u64,
    /// Values of at least this many bytes go to blob files at flush. 0 = never.
    pub blob_bytes_min: usize,
    /// Live share of a blob file below which compaction rewrites its values.
    pub blob_live_ratio_min: f64,
    /// Run flush and compaction on threads of their own; `false` only in tests that drive them.
    pub background: bool,
    /// Open files whose log is damaged by cutting it there; the loss is in the recovery report.
    pub salvage_log: bool,
    /// Takes what happens; `None` = nobody listens.
    pub listener: Option<Listener>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            env: Env::default(),
            create_if_missing: true,
            error_if_exists: false,
            read_only: false,
            durability: Durability::None,
            log_mode: LogMode::Auto,
            memtable_bytes_max: 64 << 20,
            memtables_bytes_max: 256 << 20,
            cache_bytes_max: 256 << 20,
            block_bytes: 4096,
            table_bytes_max: 64 << 20,
            filter_bits_per_key: 10,
            compression_bottom: Codec::Lz4,
            compression: Codec::Lz4,
            compression_levels: None,
            l0_runs_trigger: 4,
            l0_runs_slowdown: 20,
            l0_runs_stop: 36,
            level_base_bytes: 256 << 20,
            level_fanout: 10,
            blob_bytes_min: 4096,
            blob_live_ratio_min: 0.5,
            background: true,
            salvage_log: false,
            listener: None,
        }
    }
}

impl Options {
    /// Codec of tables of `level`, 1 to 6, that belong to a keyspace without one of its own.
    pub(crate) fn codec(&self, level: u8) -> Codec {
        match &self.compression_levels {
            Some(codecs) => codecs[usize::from(level).min(LEVELS - 1)],
            None if usize::from(level) == LEVELS - 1 => self.compression_bottom,
            None => self.compression,
        }
    }

    /// Whether a batch of `bytes` gets a memtable of its own: it would make an ordinary one much
    /// larger than it should be, or leave it half empty to its flush.
    #[inline]
    pub(crate) fn is_large_batch(&self, bytes: usize) -> bool {
        bytes > self.memtable_bytes_max / 4
    }
}

/// Settings of one keyspace, stored in the manifest. `None` = as the database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyspaceOptions {
    /// Codec of every level, and of values in blob files.
    pub compression: Option<Codec>,
    /// Time to live of records written without one, in milliseconds.
    pub ttl_ms: Option<u64>,
    /// Values of at least this many bytes go to blob files. 0 = never.
    pub blob_bytes_min: Option<u64>,
}

impl KeyspaceOptions {
    /// Codec of values in blob files: none unless the keyspace asks for one. A raw value is read in
    /// place and verified once; a compressed one is decompressed by every read.
    pub fn blob_codec(&self) -> Codec {
        self.compression.unwrap_or(Codec::None)
    }
}
