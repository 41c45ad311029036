//! A batch of puts that stays where its caller has it until it is copied into the log.

use aidb_base::limits::BATCH_BYTES_MAX;
use aidb_base::{KeyspaceId, Result};
use xxhash_rust::xxh3::Xxh3;

use super::{FLAG_EXPIRY, TAG_PUT, check_lengths, too_long};
use crate::varint;

/// Most bytes in front of a key: tag, three varints, expiry.
const HEAD_BYTES_MAX: usize = 1 + 3 * 5 + 8;

/// Puts of one keyspace, borrowed. Encodes to the same payload as a [`super::WriteBatch`] of them, piece
/// by piece, so that large values are copied once.
#[derive(Clone, Copy, Debug)]
pub struct PairBatch<'a> {
    keyspace: KeyspaceId,
    expire_at_ms: u64,
    pairs: &'a [(&'a [u8], &'a [u8])],
    bytes: usize,
}

impl<'a> PairBatch<'a> {
    /// A batch that puts `pairs`, in their order. `expire_at_ms` = 0: they never expire.
    ///
    /// # Errors
    /// `Invalid` when a key, a value or the batch exceed their limits.
    pub fn new(
        keyspace: KeyspaceId,
        pairs: &'a [(&'a [u8], &'a [u8])],
        expire_at_ms: u64,
    ) -> Result<Self> {
        let mut batch = Self { keyspace, expire_at_ms, pairs, bytes: 0 };
        let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
        for (key, value) in pairs {
            check_lengths(key, value)?;
            batch.encode_head(&mut head, key, value);
            batch.bytes += head.len() + key.len() + value.len();
            if batch.bytes > BATCH_BYTES_MAX {
                return Err(too_long("batch", batch.bytes, BATCH_BYTES_MAX));
            }
        }
        Ok(batch)
    }

    /// Keyspace written.
    pub fn keyspace(&self) -> KeyspaceId {
        self.keyspace
    }

    /// Encoded size in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives the encoded payload to `sink`, in pieces.
    pub fn encode(&self, mut sink: impl FnMut(&[u8])) {
        let mut head = Vec::with_capacity(HEAD_BYTES_MAX);
        for (key, value) in self.pairs {
            self.encode_head(&mut head, key, value);
            head.extend_from_slice(key);
            sink(&head);
            sink(value);
        }
    }

    /// As [`aidb_base::hash::digest`] of the encoded payload.
    pub fn digest(&self) -> u64 {
        let mut digest = Xxh3::new();
        self.encode(|piece| digest.update(piece));
        digest.digest()
    }

    /// The encoded payload.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.bytes);
        self.encode(|piece| payload.extend_from_slice(piece));
        payload
    }

    #[inline]
    fn encode_head(&self, head: &mut Vec<u8>, key: &[u8], value: &[u8]) {
        head.clear();
        head.push(if self.expire_at_ms == 0 { TAG_PUT } else { TAG_PUT | FLAG_EXPIRY });
        varint::push(head, self.keyspace);
        varint::push(head, key.len() as u32);
        varint::push(head, value.len() as u32);
        if self.expire_at_ms != 0 {
            head.extend_from_slice(&self.expire_at_ms.to_le_bytes());
        }
    }
}
