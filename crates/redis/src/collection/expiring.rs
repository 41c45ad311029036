//! Hashes whose fields end at times of their own. Part of the storage format.
//!
//! ```text
//! metadata   byte 0, id, count u64 LE, due u64 LE     flag EXPIRING
//! field      id 10 digest field                       -> value; its expiry in the record
//! ending     id 11 instant u64 BE field               -> nothing
//! due        FF FF instant u64 BE key                 -> nothing: the hash with this metadata key
//! ```
//!
//! **Invariants**: a field that has an expiry has an ending; `count` counts endings whose time has come
//! until they are settled, which removes both and what is left of the field. So the engine may
//! hide and remove an expired field whenever it likes. `due` is not later than the first ending, and
//! [`NEVER`] when there is none; whenever it is another, the keyspace of members has a due record of
//! that instant, by which the sweeper finds the hash. A due record whose hash is gone, or has another
//! `due`, means nothing. No slot is FFFF.

use super::{Id, MemberKey, SPREAD_BYTES};
use crate::key::tag;

/// The instant of what has no end.
pub const NEVER: u64 = u64::MAX;
/// Latest instant at which a field may end, that of Redis.
pub const INSTANT_MAX: u64 = (1 << 46) - 2;

const DUE: [u8; 2] = [0xFF; 2];
const INSTANT_BYTES: usize = 8;

impl Id {
    /// Key of the ending of a field.
    pub fn ending(&self, instant: u64, field: &[u8]) -> MemberKey {
        self.key(tag::HASH_EXPIRY, &[&instant.to_be_bytes(), field])
    }

    /// First key of endings.
    pub fn endings(&self) -> Vec<u8> {
        self.key(tag::HASH_EXPIRY, &[]).to_vec()
    }

    /// Instant and field of an ending.
    pub fn read_ending<'k>(&self, key: &'k [u8]) -> Option<(u64, &'k [u8])> {
        let (instant, field) = key.get(self.endings().len()..)?.split_first_chunk()?;
        Some((u64::from_be_bytes(*instant), field))
    }
}

/// The instant in the metadata of a hash, behind its first byte.
pub fn due_of(metadata: &[u8]) -> u64 {
    let bytes = metadata.get(SPREAD_BYTES..).and_then(|rest| rest.first_chunk());
    bytes.map_or(NEVER, |bytes| u64::from_le_bytes(*bytes))
}

/// Key of the due record of the hash with a metadata key.
pub fn due_key(instant: u64, metadata_key: &[u8]) -> Vec<u8> {
    [&DUE[..], &instant.to_be_bytes(), metadata_key].concat()
}

/// First key of due records.
pub fn due_records() -> Vec<u8> {
    DUE.to_vec()
}

/// Instant and metadata key of a due record.
pub fn read_due(key: &[u8]) -> Option<(u64, &[u8])> {
    let (instant, metadata_key) = key.strip_prefix(&DUE)?.split_at_checked(INSTANT_BYTES)?;
    Some((u64::from_be_bytes(*instant.first_chunk()?), metadata_key))
}
