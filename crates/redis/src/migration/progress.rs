//! How far an import from a running Redis is. Part of the storage format.
//!
//! ```text
//! key "import" in the system keyspace:
//! phase u8           0 the first copy is being loaded, 1 commands are being applied, 2 done
//! database u8        the logical database that the next command goes to
//! offset u64 LE      bytes of the source's stream of commands that are applied, as it counts them
//! history 40 bytes   the source's name for that stream
//! source             the source's address, UTF-8
//! ```
//!
//! In phase 1 the record is written by the batch that applies the commands it counts.

use aidb_base::{Error, ErrorKind, Result};
use aidb_engine::batch::WriteBatch;
use aidb_engine::db::WriteOptions;

use super::{Importer, error};
use crate::store::{Mode, Store};

const RECORD: &[u8] = b"import";
const HISTORY_BYTES: usize = 40;
const FIXED_BYTES: usize = 10 + HISTORY_BYTES;

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// The first copy is being loaded; an interruption means to begin again.
    Loading = 0,
    /// Commands are being applied; an interruption costs nothing.
    Following = 1,
    /// Ended by its user.
    Done = 2,
}

/// How far an import is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub phase: Phase,
    /// The logical database that the next command goes to.
    pub database: u8,
    /// Bytes of the source's stream of commands that are applied, as it counts them.
    pub offset: u64,
    /// The source's name for its stream: 40 characters.
    pub history: String,
    /// The source's address.
    pub source: String,
}

impl Progress {
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.phase as u8, self.database];
        out.extend_from_slice(&self.offset.to_le_bytes());
        let mut history = self.history.as_bytes().to_vec();
        history.resize(HISTORY_BYTES, b' ');
        out.extend_from_slice(&history);
        out.extend_from_slice(self.source.as_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (fixed, source) = bytes.split_at_checked(FIXED_BYTES)?;
        let phase = match fixed[0] {
            0 => Phase::Loading,
            1 => Phase::Following,
            2 => Phase::Done,
            _ => return None,
        };
        Some(Self {
            phase,
            database: fixed[1],
            offset: u64::from_le_bytes(*fixed[2..].first_chunk()?),
            history: std::str::from_utf8(&fixed[10..]).ok()?.trim_end().to_owned(),
            source: std::str::from_utf8(source).ok()?.to_owned(),
        })
    }

    /// Adds the record to a batch.
    pub(super) fn stage(&self, store: &Store, batch: &mut WriteBatch) -> Result<()> {
        batch.put(store.system_keyspace(), RECORD, &self.encode(), 0)
    }
}

impl Importer {
    /// How far the last import into this database is; `None`: there was none.
    ///
    /// # Errors
    /// Those of the engine; `Corruption`.
    pub fn progress(&self) -> Result<Option<Progress>> {
        let found = self.store.db().get(self.store.system_keyspace(), RECORD)?;
        let Some(record) = found else { return Ok(None) };
        let damaged = || Error::new(ErrorKind::Corruption, "the record of an import is damaged");
        Progress::decode(&record).map(Some).ok_or_else(damaged)
    }

    /// Stores how far the import is.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn save(&mut self, progress: &Progress) -> Result<()> {
        let mut batch = WriteBatch::new();
        progress.stage(&self.store, &mut batch)?;
        self.store.commit(Mode::Wait, &batch).map_err(error)
    }
}

pub(super) fn remove(store: &Store) -> Result<()> {
    store.db().delete(store.system_keyspace(), RECORD, WriteOptions::default()).map(drop)
}
