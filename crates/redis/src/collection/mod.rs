//! How lists, sets, sorted sets and hashes are stored. Part of the storage format.
//!
//! ```text
//! metadata   byte 0: type, flags          in the keyspace of keys, at the key itself
//! packed     items                        flag SPREAD clear: the whole collection
//! spread     id, count u64 LE             flag SPREAD set: the items are records of their own
//!            lists add what `list` says
//! id         slot u16 BE, version u64 BE
//!
//! in the keyspace of members:
//! owner      id 00                        -> user key
//! hash       id 10 digest u32 BE field    -> value; the field's expiry in the record
//!            id 11 …                      see `expiring`
//! set        id 20 digest u32 BE member   -> nothing
//! sorted set id 30 digest u32 BE member   -> score
//!            id 31 score member           -> nothing
//! list       id 40, id 41                 see `list`
//! stream     id 50 … 54                   see `stream`
//! JSON       id 70                        see `commands::json`
//! Bloom      id 71                        see `commands::bloom`
//! ```
//!
//! A collection is packed while it has few short items ([`PACKED_ITEMS_MAX`],
//! [`PACKED_BYTES_MAX`]) and stays spread once it was. Versions are never used twice, so a
//! collection ends when its metadata does, whatever its size; its records are removed later by
//! `store::reclaim`, which asks the owner record whose they are. The digest orders members at
//! random: a place between 0 and 2^32 is a cursor that needs no memory, and a fair place to draw.
//!
//! The flag LARGE only says what OBJECT ENCODING answers; it is set where Redis leaves its compact
//! encoding.

pub mod expiring;
pub mod list;
pub mod packed;
pub mod score;
pub mod stream;
#[cfg(test)]
mod tests;

use aidb_base::hash::key_hash;
use smallvec::SmallVec;

use crate::key::tag;
use crate::value::Type;

/// Flag: items are records of their own.
pub const SPREAD: u8 = 1;
/// Flag: OBJECT ENCODING names the encoding for large collections.
pub const LARGE: u8 = 2;

/// Flag of a hash: fields end at times of their own. Such a hash is spread.
pub const EXPIRING: u8 = 4;

/// Most items of a packed collection.
pub const PACKED_ITEMS_MAX: usize = 128;
/// Most bytes of a packed collection.
pub const PACKED_BYTES_MAX: usize = 1024;

/// Tag of the record that says whose members they are.
pub const OWNER: u8 = 0x00;

/// Bytes of an [`Id`].
pub const ID_BYTES: usize = 10;
const DIGEST_BYTES: usize = 4;
/// Bytes of a spread collection's metadata behind the first one; lists have more.
pub const SPREAD_BYTES: usize = ID_BYTES + 8;

/// A key in the keyspace of members.
pub type MemberKey = SmallVec<[u8; 64]>;

/// Names the members of one collection for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id([u8; ID_BYTES]);

impl Id {
    /// The members of `version`, at home in `slot`.
    pub fn new(slot: u16, version: u64) -> Self {
        let mut bytes = [0; ID_BYTES];
        bytes[..2].copy_from_slice(&slot.to_be_bytes());
        bytes[2..].copy_from_slice(&version.to_be_bytes());
        Self(bytes)
    }

    /// The collection to which a key of the keyspace of members belongs.
    pub fn of(member_key: &[u8]) -> Option<Self> {
        member_key.first_chunk().map(|bytes| Self(*bytes))
    }

    /// Key of the owner record.
    pub fn owner(&self) -> MemberKey {
        self.key(OWNER, &[])
    }

    /// Key of a record.
    #[inline]
    pub fn key(&self, tag: u8, parts: &[&[u8]]) -> MemberKey {
        let mut key = MemberKey::new();
        key.extend_from_slice(&self.0);
        key.push(tag);
        for part in parts {
            key.extend_from_slice(part);
        }
        key
    }

    /// Key of a hash's field or a member.
    #[inline]
    pub fn member(&self, kind: Type, member: &[u8]) -> MemberKey {
        self.key(member_tag(kind), &[&digest(member).to_be_bytes(), member])
    }

    /// First key of members whose digest is at least `digest`.
    pub fn members_from(&self, kind: Type, digest: u32) -> Vec<u8> {
        self.key(member_tag(kind), &[&digest.to_be_bytes()]).to_vec()
    }

    /// First key behind all records of one tag.
    pub fn behind(&self, tag: u8) -> Vec<u8> {
        self.key(tag + 1, &[]).to_vec()
    }

    /// First key behind all records.
    pub fn end(&self) -> Vec<u8> {
        self.key(0xFF, &[]).to_vec()
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Tag of fields and members.
#[inline]
pub fn member_tag(kind: Type) -> u8 {
    match kind {
        Type::Hash => tag::HASH_FIELD,
        Type::SortedSet => tag::ZSET_MEMBER,
        _ => tag::SET_MEMBER,
    }
}

/// Where a member lies among the others.
#[inline]
pub fn digest(member: &[u8]) -> u32 {
    (key_hash(member) >> 32) as u32
}

/// The member in a key that [`Id::member`] made.
#[inline]
pub fn member_of(member_key: &[u8]) -> &[u8] {
    member_key.get(ID_BYTES + 1 + DIGEST_BYTES..).unwrap_or_default()
}

/// The digest in a key that [`Id::member`] made.
pub fn digest_of(member_key: &[u8]) -> u32 {
    let bytes = member_key.get(ID_BYTES + 1..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Metadata of a spread collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Whose members.
    pub id: Id,
    /// How many.
    pub count: u64,
}

impl Spread {
    /// Reads what follows the first byte; `None`: damaged.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let id = Id::of(bytes)?;
        let count = u64::from_le_bytes(*bytes.get(ID_BYTES..)?.first_chunk()?);
        Some(Self { id, count })
    }

    /// Appends what [`Spread::decode`] reads.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.count.to_le_bytes());
    }
}

/// First byte of a collection's metadata.
#[inline]
pub fn header(kind: Type, flags: u8) -> u8 {
    (kind as u8) << 4 | flags
}

/// The answer of OBJECT ENCODING for a collection.
pub fn encoding_name(kind: Type, flags: u8) -> &'static str {
    match (kind, flags & LARGE != 0) {
        (Type::Set, false) => "intset",
        (Type::Set | Type::Hash, true) => "hashtable",
        (Type::SortedSet, true) => "skiplist",
        (Type::Hash, false) if flags & EXPIRING != 0 => "listpackex",
        (Type::List, _) => "quicklist",
        (Type::Stream, _) => "stream",
        (Type::Json | Type::Bloom, _) => "raw",
        _ => "listpack",
    }
}
