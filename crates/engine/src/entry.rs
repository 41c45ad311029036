//! Entries: what memtables, tables, cursors and compactions pass to each other.
//!
//! Order everywhere: user key ascending bytewise, then sequence number descending. A batch has one
//! sequence number; within a batch only the last operation on a key survives, so (key, seq) is
//! unique in every sorted structure.

use aidb_base::{Error, Result, Seq};

/// What a record says about its key. Numbers are part of every file format; 4..=7 are kept for merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The key is deleted.
    Delete = 0,
    /// The value is in the record.
    Put = 1,
    /// The record's value bytes are a [`crate::blob::BlobRef`] to the value.
    Blob = 2,
}

impl Kind {
    /// Decodes a stored kind number.
    pub fn from_u8(byte: u8) -> Result<Self> {
        match byte {
            0 => Ok(Self::Delete),
            1 => Ok(Self::Put),
            2 => Ok(Self::Blob),
            _ => Err(Error::invalid(format!("unknown record kind {byte}"))),
        }
    }
}

/// One version of one key, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// User key.
    pub key: &'a [u8],
    /// Batch that wrote it.
    pub seq: Seq,
    /// What the record says.
    pub kind: Kind,
    /// Milliseconds since the Unix epoch at which the record stops being visible; 0 = never.
    pub expire_at_ms: u64,
    /// Value bytes (empty for `Delete`, an encoded reference for `Blob`).
    pub value: &'a [u8],
}

impl Entry<'_> {
    /// Whether a reader at `now_ms` must treat the record as absent because its time has come.
    #[inline]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expire_at_ms != 0 && self.expire_at_ms <= now_ms
    }
}

/// A deletion of every key in `start..end` written before `seq`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RangeTombstone {
    /// First key covered.
    pub start: Vec<u8>,
    /// First key not covered; `None` = to the end of the keyspace.
    pub end: Option<Vec<u8>>,
    /// Covers records with a sequence number strictly below this one.
    pub seq: Seq,
}

impl RangeTombstone {
    /// Whether `key` lies in the range.
    pub fn covers(&self, key: &[u8]) -> bool {
        key >= self.start.as_slice() && self.end.as_deref().is_none_or(|end| key < end)
    }
}
