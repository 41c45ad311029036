//! The bytes of a log segment, `wal/<number>.log`. All integers are little endian.
//!
//! ```text
//! segment header, 96 bytes
//!   0  magic            8   "aidb.wal"
//!   8  format version   u16
//!  10  reserved         u16  0
//!  12  required bits    u32  an unknown bit: refuse the file
//!  16  optional bits    u32  unknown bits are ignored
//!  20  reserved         u32  0
//!  24  number           u64  of this file
//!  32  database uuid    16
//!  48  predecessor      u64  number of the segment before, 0 = none
//!  56  predecessor end  u64  offset at which the predecessor's valid records end
//!  64  first seq        u64  one above the last sequence number of the predecessor, 1..=2^62
//!  72  epoch            u64
//!  80  boot id          u64  of the machine's start during which the segment was written
//!  88  checksum         u32  of bytes 0..88, bound to (file uid, 0)
//!  92  reserved         u32  0
//!
//! record, at a multiple of 8 from offset 96 on
//!   0  checksum         u32  of the rest, bound to (file uid, offset of the record)
//!   4  payload length   u32
//!   8  type             u8   1 batch, 2 sync marker, 3 seal, 4 epoch start; 128..=255 ignorable
//!   9  reserved         7    0
//!  16  seq              u64  batch: its own; others: the last one before
//!  24  payload               batch: see `batch.rs`; sync marker: durable end u64; epoch: u64
//!      padding               zeroes up to a multiple of 8
//! ```
//!
//! A mapped segment is longer than its records: after the last one come zeroes. Batches carry
//! consecutive sequence numbers. A sync marker says that everything before its durable end, and
//! every earlier segment, had been made durable when it was written.
//!
//! **What a damaged place means** (`recovery.rs`): an invalid record with nothing valid after it is
//! a torn tail and ends the log. With something valid after it, it is corruption when the segment
//! was written during this start of the machine (nothing can have been lost), or when a later sync
//! marker had promised it durable; otherwise the machine lost unsynced pages out of order, and the
//! log ends there.

use aidb_base::hash::{bind, checksum, digest};
use aidb_base::{Epoch, FileNumber, Seq};

use crate::planted::{Bug, is_planted};

/// First bytes of every segment.
pub const MAGIC: [u8; 8] = *b"aidb.wal";
/// Version written.
pub const FORMAT_VERSION: u16 = 1;
/// Required feature bits that this version understands.
pub const REQUIRED_BITS_KNOWN: u32 = 0;
/// No segment starts above this sequence number.
pub const SEQ_MAX: u64 = 1 << 62;
/// Bytes of the segment header.
pub const HEADER_BYTES: usize = 96;
/// Bytes of a record header.
pub const RECORD_HEADER_BYTES: usize = 24;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordType {
    /// An atomic batch.
    Batch = 1,
    /// Everything before its durable end had been synced.
    SyncMarker = 2,
    /// The last record of a segment that has a successor or was closed.
    Seal = 3,
    /// A new epoch begins.
    EpochStart = 4,
}

/// Types from here on may be skipped by readers that do not know them.
pub const IGNORABLE_FROM: u8 = 128;

/// Contents of a segment header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Number of the segment.
    pub number: FileNumber,
    /// Database it belongs to.
    pub uuid: [u8; 16],
    /// Number of the segment before; 0 = none.
    pub predecessor: FileNumber,
    /// Where the predecessor's valid records end.
    pub predecessor_end: u64,
    /// Sequence number of the first batch to come.
    pub first_seq: Seq,
    /// Epoch at the start of the segment.
    pub epoch: Epoch,
    /// Start of the machine during which it is written.
    pub boot_id: u64,
}

impl SegmentHeader {
    /// The header as stored.
    pub fn encode(&self, uid: u64) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(&MAGIC);
        out[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        out[24..32].copy_from_slice(&self.number.to_le_bytes());
        out[32..48].copy_from_slice(&self.uuid);
        out[48..56].copy_from_slice(&self.predecessor.to_le_bytes());
        out[56..64].copy_from_slice(&self.predecessor_end.to_le_bytes());
        out[64..72].copy_from_slice(&self.first_seq.to_le_bytes());
        out[72..80].copy_from_slice(&self.epoch.to_le_bytes());
        out[80..88].copy_from_slice(&self.boot_id.to_le_bytes());
        let sum = checksum(&out[..88], uid, 0);
        out[88..92].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Decodes a header; `Err` says what is wrong with it.
    pub fn decode(bytes: &[u8], uid: u64) -> Result<Self, HeaderFault> {
        let head = bytes.get(..HEADER_BYTES).ok_or(HeaderFault::Damaged("header is cut short"))?;
        if head[..8] != MAGIC {
            return Err(HeaderFault::Damaged("not a log segment (wrong magic)"));
        }
        if u64_at(head, 88) as u32 != checksum(&head[..88], uid, 0) || u64_at(head, 88) >> 32 != 0 {
            return Err(HeaderFault::Damaged("header checksum does not match"));
        }
        let version = u16::from_le_bytes([head[8], head[9]]);
        let required = u64_at(head, 8) >> 32;
        if version != FORMAT_VERSION || required as u32 & !REQUIRED_BITS_KNOWN != 0 {
            return Err(HeaderFault::Newer { version, required: required as u32 });
        }
        if !(1..=SEQ_MAX).contains(&u64_at(head, 64)) {
            return Err(HeaderFault::Damaged("first sequence number is out of range"));
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&head[32..48]);
        Ok(Self {
            number: u64_at(head, 24),
            uuid,
            predecessor: u64_at(head, 48),
            predecessor_end: u64_at(head, 56),
            first_seq: u64_at(head, 64),
            epoch: u64_at(head, 72),
            boot_id: u64_at(head, 80),
        })
    }
}

/// Why a header was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// The bytes are not a whole header.
    Damaged(&'static str),
    /// Written by a version that knows more.
    Newer {
        /// Its format version.
        version: u16,
        /// Its required feature bits.
        required: u32,
    },
}

/// A record, borrowed from its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Type number, see [`RecordType`].
    pub kind: u8,
    /// Sequence number.
    pub seq: Seq,
    /// Payload bytes.
    pub payload: &'a [u8],
    /// Where the record starts.
    pub offset: usize,
    /// Where the next record starts.
    pub end: usize,
}

/// Bytes that a record with `payload` bytes takes.
#[inline]
pub fn record_bytes(payload: usize) -> usize {
    RECORD_HEADER_BYTES + payload.next_multiple_of(8)
}

/// The header of a record at `offset`, given the digest of its payload.
#[inline]
pub fn encode_record_header(
    kind: u8,
    seq: Seq,
    payload_len: usize,
    payload_digest: u64,
    place: (u64, usize),
) -> [u8; RECORD_HEADER_BYTES] {
    let mut out = [0; RECORD_HEADER_BYTES];
    out[4..8].copy_from_slice(&(payload_len as u32).to_le_bytes());
    out[8] = kind;
    out[16..24].copy_from_slice(&seq.to_le_bytes());
    let sum = record_checksum(&out, payload_digest, place);
    out[..4].copy_from_slice(&sum.to_le_bytes());
    out
}

/// Decodes the record at `offset` of a file whose bytes from `base` on are given, or `None` when
/// there is no valid one. Offsets of the record count from `base`.
#[inline]
pub fn decode_record(bytes: &[u8], offset: usize, uid: u64, base: usize) -> Option<Record<'_>> {
    let header = bytes.get(offset..offset.checked_add(RECORD_HEADER_BYTES)?)?;
    let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    let kind = header[8];
    let known = (1..=4).contains(&kind) || kind >= IGNORABLE_FROM;
    if !known || u64_at(header, 8) >> 8 != 0 {
        return None;
    }
    let end = offset.checked_add(record_bytes(length))?;
    let start = offset + RECORD_HEADER_BYTES;
    let payload = bytes.get(start..start.checked_add(length)?)?;
    if bytes.get(start + length..end)?.iter().any(|&byte| byte != 0) {
        return None;
    }
    let stored = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let is_believed = is_planted(Bug::LogChecksumIgnored);
    if !is_believed && stored != record_checksum(header, digest(payload), (uid, base + offset)) {
        return None;
    }
    Some(Record { kind, seq: u64_at(header, 16), payload, offset, end })
}

#[inline]
fn record_checksum(header: &[u8], payload_digest: u64, (uid, offset): (u64, usize)) -> u32 {
    let length = u64::from(u32::from_le_bytes([header[4], header[5], header[6], header[7]]));
    let shape = length << 8 | u64::from(header[8]);
    let mut x = payload_digest ^ shape.wrapping_mul(0xA076_1D64_78BD_642F);
    x = (x ^ (x >> 29)).wrapping_mul(0xE703_7ED1_A0B4_28DB);
    x ^= u64_at(header, 16).wrapping_mul(0x8EBC_6AF0_9C88_C6E3);
    bind(x, uid, offset as u64)
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
