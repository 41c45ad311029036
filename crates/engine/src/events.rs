//! What happens inside a database, as typed events for whoever logs or shows it.
//!
//! Events are delivered on the thread where they happen; a listener must be quick and must not call
//! the database.

use std::path::PathBuf;
use std::sync::Arc;

use aidb_base::Seq;

use crate::options::Options;

/// How writers are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WritePressure {
    /// Writes pass at once.
    #[default]
    Free,
    /// Writes wait for their turn.
    Slowed,
    /// Writes wait until there is room.
    Stopped,
}

/// What is scarce when writers have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scarcity {
    /// Memtables wait for their flush.
    Memory,
    /// Level 0 waits for its compaction.
    LevelZero,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The log is being replayed; sent after every segment.
    RecoveryProgress {
        /// Bytes of segments behind.
        bytes_done: u64,
        /// Bytes of segments in all.
        bytes_total: u64,
    },
    /// The database is open.
    Opened {
        /// Batches replayed from the log.
        batches_replayed: u64,
        /// Duration of the open.
        duration_ms: u64,
    },
    /// A memtable became tables.
    Flushed {
        /// Everything up to here is in tables.
        seq: Seq,
        /// Duration of the flush.
        duration_ms: u64,
    },
    /// A compaction finished.
    Compacted {
        /// Bytes read.
        bytes_in: u64,
        /// Bytes written.
        bytes_out: u64,
        /// Duration of the compaction.
        duration_ms: u64,
    },
    /// Writers are slowed down or stopped, or free again.
    WritePressure {
        /// How they are treated from now on.
        level: WritePressure,
        /// Why; `None` when they are free.
        scarcity: Option<Scarcity>,
    },
    /// A background job failed and will be tried again.
    BackgroundError {
        /// What and where.
        message: String,
    },
    /// Writes are refused from now on.
    ReadOnly {
        /// Why.
        reason: String,
    },
    /// The database is closed.
    Closed {
        /// Where it is.
        dir: PathBuf,
    },
}

/// Takes the events of one database.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

impl Options {
    /// Tells the listener, if there is one.
    pub fn tell(&self, event: &Event) {
        if let Some(listener) = &self.listener {
            listener(event);
        }
    }
}
