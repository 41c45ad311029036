//! The shape of the databases of one history, drawn from its seed.

use std::sync::Arc;

use aidb_base::{Clock, ManualClock, Rng};
use aidb_engine::{Codec, Durability, Env, LogMode, Options};

use crate::vfs::FaultVfs;

/// Where every history keeps its database.
pub const DIR: &str = "/data/db";

/// When every history begins.
const START_MS: u64 = 1_700_000_000_000;

/// Options of a history, and its clock.
#[derive(Clone)]
pub struct Setting {
    /// Whether the file system can map files.
    pub mappable: bool,
    /// Whether some records expire.
    pub expires: bool,
    /// Level of writes that ask for none.
    pub durability: Durability,
    log_mode: LogMode,
    codec: Codec,
    blob_bytes_min: usize,
    memtables_bytes_max: usize,
    clock: Arc<ManualClock>,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting")
            .field("mappable", &self.mappable)
            .field("expires", &self.expires)
            .field("durability", &self.durability)
            .field("log_mode", &self.log_mode)
            .field("codec", &self.codec)
            .field("blob_bytes_min", &self.blob_bytes_min)
            .field("memtables_bytes_max", &self.memtables_bytes_max)
            .finish_non_exhaustive()
    }
}

impl Setting {
    /// The setting of a history.
    pub fn draw(rng: &mut Rng) -> Self {
        let codecs = [Codec::None, Codec::Lz4, Codec::Snappy, Codec::Zstd];
        Self {
            mappable: rng.below(4) != 0,
            expires: rng.below(3) == 0,
            durability: if rng.below(4) == 0 { Durability::Sync } else { Durability::None },
            log_mode: [LogMode::Auto, LogMode::Mapped, LogMode::Append][rng.below(3) as usize],
            codec: codecs[rng.below(4) as usize],
            blob_bytes_min: if rng.below(3) == 0 { 64 } else { 0 },
            memtables_bytes_max: [4 << 10, 8 << 10, 64 << 10][rng.below(3) as usize],
            clock: Arc::new(ManualClock::at(START_MS)),
        }
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Lets time pass.
    pub fn advance_ms(&self, ms: u64) {
        self.clock.advance_ms(ms);
    }

    /// Options small enough that a hundred operations flush and compact.
    pub fn options(&self, vfs: &FaultVfs) -> Options {
        Options {
            env: Env { vfs: Arc::new(vfs.clone()), clock: self.clock.clone() },
            durability: self.durability,
            log_mode: self.log_mode,
            memtable_bytes_max: 4 << 10,
            memtables_bytes_max: self.memtables_bytes_max,
            cache_bytes_max: 64 << 10,
            block_bytes: 128,
            table_bytes_max: 2 << 10,
            compression_bottom: self.codec,
            compression: self.codec,
            l0_runs_trigger: 2,
            level_base_bytes: 4 << 10,
            level_fanout: 2,
            blob_bytes_min: self.blob_bytes_min,
            background: false,
            ..Options::default()
        }
    }
}
