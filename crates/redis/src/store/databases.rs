//! Which keyspace is which logical database, persisted so that SWAPDB survives a restart.
//!
//! ```text
//! key "databases" in the system keyspace: 16 × keyspace id u32 LE
//! ```

use std::sync::atomic::{AtomicU32, Ordering};

use aidb_base::{Error, KeyspaceId, Result};
use aidb_engine::db::{Db, WriteOptions};
use aidb_engine::options::KeyspaceOptions;

/// Number of logical databases.
pub const DATABASES: usize = 16;

const RECORD: &[u8] = b"databases";

pub(super) struct Databases {
    system: KeyspaceId,
    keyspaces: [AtomicU32; DATABASES],
}

impl Databases {
    pub(super) fn open(db: &Db, system: KeyspaceId) -> Result<Self> {
        let ids = match db.get(system, RECORD)? {
            Some(record) => decode(&record)?,
            None => create(db, system)?,
        };
        Ok(Self { system, keyspaces: ids.map(AtomicU32::new) })
    }

    #[inline]
    pub(super) fn keyspace(&self, database: usize) -> KeyspaceId {
        self.keyspaces[database % DATABASES].load(Ordering::Acquire)
    }

    /// The caller keeps every other writer out.
    pub(super) fn swap(
        &self,
        db: &Db,
        first: usize,
        second: usize,
        options: WriteOptions,
    ) -> Result<()> {
        let mut ids: [KeyspaceId; DATABASES] = std::array::from_fn(|i| self.keyspace(i));
        ids.swap(first, second);
        db.put(self.system, RECORD, &encode(&ids), 0, options)?;
        for (slot, id) in self.keyspaces.iter().zip(ids) {
            slot.store(id, Ordering::Release);
        }
        Ok(())
    }
}

fn create(db: &Db, system: KeyspaceId) -> Result<[KeyspaceId; DATABASES]> {
    let mut ids = [0; DATABASES];
    for (database, id) in ids.iter_mut().enumerate() {
        let name = format!("redis:{database}");
        *id = match db.keyspace(&name) {
            Some(id) => id,
            None => db.create_keyspace(&name, &KeyspaceOptions::default())?,
        };
    }
    db.put(system, RECORD, &encode(&ids), 0, WriteOptions::default())?;
    Ok(ids)
}

fn encode(ids: &[KeyspaceId; DATABASES]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

fn decode(record: &[u8]) -> Result<[KeyspaceId; DATABASES]> {
    if record.len() != DATABASES * 4 {
        return Err(Error::new(
            aidb_base::ErrorKind::Corruption,
            format!(
                "the record of logical databases has {} bytes instead of {}; run `aidb check`",
                record.len(),
                DATABASES * 4
            ),
        ));
    }
    let mut ids = [0; DATABASES];
    for (id, bytes) in ids.iter_mut().zip(record.chunks_exact(4)) {
        *id = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    Ok(ids)
}
