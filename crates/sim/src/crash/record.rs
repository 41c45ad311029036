//! What a history leaves for the checks: what was asked, what was acknowledged, and when.
//!
//! Time is counted in changes of the file system.

use std::path::PathBuf;

use aidb_base::{KeyspaceId, Seq};

use super::model::{Model, State};
use crate::vfs::Moment;

/// A keyspace that was created, and dropped perhaps.
#[derive(Clone, Debug)]
pub struct KeyspaceLife {
    /// Its name.
    pub name: String,
    /// Its number, once the creation was acknowledged.
    pub id: Option<KeyspaceId>,
    /// First and last change of its creation.
    pub created: (u64, u64),
    /// First and last change of its drop.
    pub dropped: Option<(u64, u64)>,
}

/// Guarantees that hold from a place in the history on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promise {
    /// Changes made before.
    pub at: u64,
    /// Highest sequence number acknowledged.
    pub acknowledged: Seq,
    /// Highest sequence number that survives a power cut.
    pub durable: Seq,
}

/// A finished checkpoint.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Where.
    pub path: PathBuf,
    /// Changes made before it was acknowledged.
    pub at: u64,
    /// Keyspaces that existed, and their contents.
    pub state: State,
}

/// A change of the pin that keeps the log.
#[derive(Clone, Copy, Debug)]
pub struct Pin {
    /// First and last change of the call.
    pub during: (u64, u64),
    /// Batches after this one are kept.
    pub seq: Seq,
}

/// Everything a check needs to know about a history.
#[derive(Default)]
pub struct Record {
    /// Every batch.
    pub model: Model,
    /// Keyspaces beside the default one.
    pub keyspaces: Vec<KeyspaceLife>,
    /// Promises in order.
    pub promises: Vec<Promise>,
    /// Batches in order: (changes before it was started, sequence number).
    pub started: Vec<(u64, Seq)>,
    /// Checkpoints.
    pub copies: Vec<Copy>,
    /// Pins in order; each replaces the one before.
    pub pins: Vec<Pin>,
    /// Memtables that recoveries flushed while they replayed.
    pub recovery_flushes: u64,
    /// Every change of the file system.
    pub moments: Vec<Moment>,
    /// What was done, for a report: (changes before, operation).
    pub script: Vec<(u64, String)>,
}

impl Record {
    /// Keyspaces that certainly exist: place in the list and number.
    pub fn alive(&self) -> impl Iterator<Item = (usize, KeyspaceId)> {
        let lives = self.keyspaces.iter().enumerate();
        lives.filter(|(_, life)| life.dropped.is_none()).filter_map(|(i, life)| Some((i, life.id?)))
    }

    /// The state after batch `seq` in the keyspaces that certainly exist.
    pub fn state_at(&self, seq: Seq) -> State {
        let mut state = self.model.state_at(seq);
        let alive: Vec<_> = self.alive().map(|(_, id)| id).chain([0]).collect();
        state.retain(|id, _| alive.contains(id));
        state
    }

    /// The batch after which a reader is promised everything, when `moment` changes had been made.
    pub fn pinned_at(&self, moment: u64) -> Option<Seq> {
        let latest = self.pins.iter().rfind(|pin| pin.during.0 <= moment)?;
        // Pins move forward, so an unfinished one promises at least its own place.
        self.pins.iter().any(|pin| pin.during.1 <= moment).then_some(latest.seq)
    }
}
