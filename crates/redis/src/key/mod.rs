//! Engine keys of the Redis data model. Part of the storage format.
//!
//! ```text
//! K    := slot u16 BE | escaped user key | 00 01
//! meta := K | 00                                  the record of the key itself
//! ```
//!
//! Escaping turns every `00` of the user key into `00 FF`, so that encoded keys sort as (slot, user
//! key), none is a prefix of another, and whatever follows a key lies between it and the next key.
//! This keyspace holds metadata only; the members of large collections have one of their own
//! (`collection`). [`tag`] lists the tags of both.

#[cfg(test)]
mod tests;

use aidb_base::slot::slot_of;
use smallvec::SmallVec;

use crate::stop::Stop;

/// Bytes behind `K`, or behind the id of a collection, that say what a record is. Never reused; all
/// lower than `FF`.
pub mod tag {
    /// The key itself: type, encoding, small values; expiry in the engine's record.
    pub const META: u8 = 0x00;
    /// Hash: version, field.
    pub const HASH_FIELD: u8 = 0x10;
    /// Hash: version, instant, field that ends then.
    pub const HASH_EXPIRY: u8 = 0x11;
    /// Set: version, member.
    pub const SET_MEMBER: u8 = 0x20;
    /// Sorted set: version, member.
    pub const ZSET_MEMBER: u8 = 0x30;
    /// Sorted set: version, ordered score, member.
    pub const ZSET_SCORE: u8 = 0x31;
    /// List: version, chunk; the next one holds long items.
    pub const LIST_ITEM: u8 = 0x40;
    /// Stream: version, milliseconds, sequence.
    pub const STREAM_ENTRY: u8 = 0x50;
    /// Stream: version, name of a group.
    pub const STREAM_GROUP: u8 = 0x51;
    /// Stream: version, group, name of a consumer.
    pub const STREAM_CONSUMER: u8 = 0x52;
    /// Stream: version, group, entry that waits for its acknowledgement.
    pub const STREAM_PENDING: u8 = 0x53;
    /// Stream: version, group, consumer, entry that waits for its acknowledgement.
    pub const STREAM_PENDING_OF: u8 = 0x54;
    /// Bitmap: version, segment.
    pub const BITMAP_SEGMENT: u8 = 0x60;
    /// JSON: version, chunk.
    pub const JSON_CHUNK: u8 = 0x70;
    /// Bloom filter: version, filter, segment.
    pub const BLOOM_SEGMENT: u8 = 0x71;
}

/// Longest user key. Escaping may double it and subkeys need room under the engine's limit.
pub const USER_KEY_BYTES_MAX: usize = 32_000;

const SLOT_BYTES: usize = 2;
const END: [u8; 2] = [0x00, 0x01];
const ESCAPED_ZERO: [u8; 2] = [0x00, 0xFF];
/// Slot, end and tag around a user key.
const FRAME_BYTES: usize = SLOT_BYTES + END.len() + 1;
/// Encoded keys up to this length need no allocation.
const INLINE_BYTES: usize = 96;

type EncodedBytes = SmallVec<[u8; INLINE_BYTES]>;

/// An encoded metadata key and its slot. Kept on the stack for keys up to about 90 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaKey {
    slot: u16,
    bytes: EncodedBytes,
}

impl MetaKey {
    /// Encodes a user key.
    ///
    /// # Errors
    /// When the key is longer than [`USER_KEY_BYTES_MAX`].
    #[inline]
    pub fn encode(user_key: &[u8]) -> Result<Self, Stop> {
        if user_key.len() > USER_KEY_BYTES_MAX {
            return Err(too_long(user_key.len()));
        }
        let slot = slot_of(user_key);
        let len = user_key.len();
        if len > INLINE_BYTES - FRAME_BYTES || memchr::memchr(0, user_key).is_some() {
            return Ok(Self { slot, bytes: frame(slot, user_key) });
        }
        let mut bytes = [0; INLINE_BYTES];
        bytes[..SLOT_BYTES].copy_from_slice(&slot.to_be_bytes());
        bytes[SLOT_BYTES..][..len].copy_from_slice(user_key);
        bytes[SLOT_BYTES + len..][..END.len()].copy_from_slice(&END);
        bytes[SLOT_BYTES + len + END.len()] = tag::META;
        Ok(Self { slot, bytes: SmallVec::from_buf_and_len(bytes, len + FRAME_BYTES) })
    }

    /// Slot of the key.
    #[inline]
    pub fn slot(&self) -> u16 {
        self.slot
    }

    /// The key as clients know it.
    pub fn user_key(&self) -> Vec<u8> {
        let mut user_key = Vec::new();
        // It was encoded here.
        let _ = decode(&self.bytes, &mut user_key);
        user_key
    }

    /// Key of the engine's record.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The key in general: long, or with bytes to escape.
fn frame(slot: u16, user_key: &[u8]) -> EncodedBytes {
    let mut bytes = EncodedBytes::new();
    bytes.extend_from_slice(&slot.to_be_bytes());
    escape(user_key, &mut bytes);
    bytes.extend_from_slice(&END);
    bytes.push(tag::META);
    bytes
}

#[cold]
fn too_long(bytes: usize) -> Stop {
    Stop::fail(format!(
        "ERR key of {bytes} bytes exceeds the limit of {USER_KEY_BYTES_MAX} bytes; use a shorter key"
    ))
}

#[inline]
fn escape(user_key: &[u8], out: &mut EncodedBytes) {
    let mut rest = user_key;
    while let Some(zero) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..zero]);
        out.extend_from_slice(&ESCAPED_ZERO);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
}

/// A decoded engine key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Slot of the user key.
    pub slot: u16,
    /// Tag behind `K`.
    pub tag: u8,
}

/// Decodes an engine key: the user key goes to `user_key`, slot and tag are returned.
/// `None`: not a key of the Redis data model.
pub fn decode(engine_key: &[u8], user_key: &mut Vec<u8>) -> Option<Decoded> {
    user_key.clear();
    let slot = u16::from_be_bytes(engine_key.get(..SLOT_BYTES)?.try_into().ok()?);
    let mut rest = &engine_key[SLOT_BYTES..];
    loop {
        let zero = memchr::memchr(0, rest)?;
        user_key.extend_from_slice(&rest[..zero]);
        match rest.get(zero + 1)? {
            0xFF => user_key.push(0),
            0x01 => return Some(Decoded { slot, tag: *rest.get(zero + 2)? }),
            _ => return None,
        }
        rest = &rest[zero + 2..];
    }
}

/// First engine key of `slot`, or of what follows the last slot.
pub fn slot_start(slot: u16) -> Vec<u8> {
    slot.to_be_bytes().to_vec()
}

/// The engine keys at or after user key `user_key` in its slot: lower bound of a resumed scan.
pub fn lower_bound(slot: u16, user_key: &[u8]) -> Vec<u8> {
    let mut bytes = EncodedBytes::new();
    bytes.extend_from_slice(&slot.to_be_bytes());
    escape(user_key, &mut bytes);
    bytes.to_vec()
}

/// First engine key behind every record of the encoded key.
pub fn behind(meta: &MetaKey) -> Vec<u8> {
    let mut bytes = meta.bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last = 0xFF;
    }
    bytes
}
