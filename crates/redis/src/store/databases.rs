//! Which keyspace is which logical database, persisted so that SWAPDB survives a restart.
//!
//! ```text
//! key "databases" in the system keyspace: 16 × keyspace id u32 LE
//! keyspace NAME            keys and their metadata: one record per key, so its length is DBSIZE
//! keyspace NAME:members    members of large collections of those keys
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use aidb_base::{Error, KeyspaceId, Result};
use aidb_engine::db::{Db, WriteOptions};
use aidb_engine::options::KeyspaceOptions;

/// Number of logical databases.
pub const DATABASES: usize = 16;

const RECORD: &[u8] = b"databases";

pub(super) struct Databases {
    system: KeyspaceId,
    pairs: [AtomicU64; DATABASES],
}

/// Keyspaces of one logical database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Keys and their metadata.
    pub keys: KeyspaceId,
    /// Members of large collections.
    pub members: KeyspaceId,
}

impl Pair {
    fn pack(self) -> u64 {
        u64::from(self.keys) << 32 | u64::from(self.members)
    }

    #[inline]
    fn unpack(packed: u64) -> Self {
        Self { keys: (packed >> 32) as KeyspaceId, members: packed as KeyspaceId }
    }
}

impl Databases {
    pub(super) fn open(db: &Db, system: KeyspaceId) -> Result<Self> {
        let ids = match db.get(system, RECORD)? {
            Some(record) => decode(&record)?,
            None => create(db, system)?,
        };
        let mut pairs = Vec::with_capacity(DATABASES);
        for keys in ids {
            pairs.push(Pair { keys, members: members_of(db, keys)? });
        }
        Ok(Self { system, pairs: std::array::from_fn(|i| AtomicU64::new(pairs[i].pack())) })
    }

    #[inline]
    pub(super) fn pair(&self, database: usize) -> Pair {
        Pair::unpack(self.pairs[database % DATABASES].load(Ordering::Acquire))
    }

    /// The keyspace of keys that belongs to one of members.
    pub(super) fn keys_of(&self, members: KeyspaceId) -> Option<KeyspaceId> {
        (0..DATABASES).map(|i| self.pair(i)).find(|p| p.members == members).map(|p| p.keys)
    }

    /// The logical database whose keys a keyspace has.
    pub(super) fn index_of(&self, keys: KeyspaceId) -> Option<usize> {
        (0..DATABASES).find(|index| self.pair(*index).keys == keys)
    }

    /// The caller keeps every other writer out.
    pub(super) fn swap(
        &self,
        db: &Db,
        first: usize,
        second: usize,
        options: WriteOptions,
    ) -> Result<()> {
        let mut pairs: [Pair; DATABASES] = std::array::from_fn(|i| self.pair(i));
        pairs.swap(first, second);
        db.put(self.system, RECORD, &encode(&pairs.map(|pair| pair.keys)), 0, options)?;
        for (place, pair) in self.pairs.iter().zip(pairs) {
            place.store(pair.pack(), Ordering::Release);
        }
        Ok(())
    }
}

/// The keyspace of members that belongs to one of keys; made when it is missing.
fn members_of(db: &Db, keys: KeyspaceId) -> Result<KeyspaceId> {
    let known = db.keyspaces().into_iter().find(|(id, _, _)| *id == keys);
    let Some((_, name, _)) = known else {
        return Err(Error::internal(format!("logical database without its keyspace {keys}")));
    };
    let name = format!("{name}:members");
    match db.keyspace(&name) {
        Some(id) => Ok(id),
        None => db.create_keyspace(&name, &KeyspaceOptions::default()),
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
