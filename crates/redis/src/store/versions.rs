//! Versions of collections: numbers that are never used twice in the life of a database.
//!
//! ```text
//! key "version" in the system keyspace: u64 LE, first number that nobody may have used
//! ```
//!
//! Numbers are reserved in blocks: the record is written before the block's first number is given
//! out, so that a crash skips numbers and never repeats one.

use aidb_base::{Error, ErrorKind, KeyspaceId, Result};
use aidb_engine::db::{Db, WriteOptions};
use parking_lot::Mutex;

const RECORD: &[u8] = b"version";
const BLOCK: u64 = 1 << 16;

/// Source of versions.
pub struct VersionCounter {
    system: KeyspaceId,
    range: Mutex<Range>,
}

struct Range {
    next: u64,
    reserved: u64,
}

impl VersionCounter {
    pub(super) fn open(db: &Db, system: KeyspaceId) -> Result<Self> {
        let next = match db.get(system, RECORD)? {
            None => 1,
            Some(record) => u64::from_le_bytes(record.as_slice().try_into().map_err(|_| {
                Error::new(
                    ErrorKind::Corruption,
                    "the record of collection versions has a wrong length; run `aidb check`",
                )
            })?),
        };
        Ok(Self { system, range: Mutex::new(Range { next, reserved: next }) })
    }

    /// A number never given before.
    ///
    /// **Durability**: the reservation has that of the write which uses the number, because it is
    /// earlier in the log. May wait for the log once in 65,536 calls.
    ///
    /// # Errors
    /// Those of the engine; then no number is given.
    pub fn next(&self, db: &Db) -> Result<u64> {
        let mut range = self.range.lock();
        if range.next == range.reserved {
            let reserved = range.reserved + BLOCK;
            db.put(self.system, RECORD, &reserved.to_le_bytes(), 0, WriteOptions::default())?;
            range.reserved = reserved;
        }
        range.next += 1;
        Ok(range.next - 1)
    }
}
