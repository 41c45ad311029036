//! Bytes of a table file, `sst/<number>.sst`. All numbers are little endian.
//!
//! | part | content |
//! |---|---|
//! | header | 32 bytes, [`crate::file_header`], magic `AIDBSST\0` |
//! | data blocks | in key order without gaps, each followed by a trailer; payload: [`crate::block`] |
//! | filter | [`crate::filter`]; absent with 0 bits per key or no entries |
//! | index | [`crate::index`] |
//! | expiry index | [`crate::table::expiry`]; absent when no record expires |
//! | range tombstones | below; absent when there are none |
//! | properties | [`crate::table::properties`] |
//! | footer | 104 bytes, below |
//!
//! Filter to properties each start at the next multiple of 64, after zeroes that nothing checks
//! but the digest, and are followed by a trailer.
//!
//! Trailer, 8 bytes after every payload:
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 1 | codec of the payload: 0 none, 1 LZ4, 2 Snappy, 3 Zstandard; other than 0 only for data |
//! | 1 | 1 | kind: 1 data, 2 filter, 3 index, 4 expiry index, 5 range tombstones, 6 properties |
//! | 2 | 2 | zero |
//! | 4 | 4 | checksum of payload and the four bytes before, bound to (file uid, offset of the payload) |
//!
//! A compressed payload is the raw length (4 bytes) and the output of the codec, see
//! [`crate::compress`].
//!
//! Range tombstones: a 4-byte count, then each as sequence number (8), start length (4), end length
//! plus one (4, 0 = no end), start, end.
//!
//! Footer:
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 80 | offset (8) and payload length (8) of filter, index, expiry index, range tombstones, properties; both 0 = absent |
//! | 80 | 2 | format version |
//! | 82 | 2 | zero |
//! | 84 | 4 | required feature bits known when the file was finished |
//! | 88 | 4 | optional feature bits |
//! | 92 | 4 | checksum of bytes 0..92, bound to (file uid, offset of the footer) |
//! | 96 | 8 | magic `AIDBEND\0` |
//!
//! A table is written once, from start to end, synced, and only then named in the manifest; a torn
//! table has no footer and is never read. The digest of the whole file is kept in the manifest.

use std::path::Path;

use aidb_base::{Error, Result, hash};

use crate::entry::RangeTombstone;
use crate::file_header::refuse_newer;
use crate::index::TRAILER_BYTES;
use crate::options::Codec;

/// Magic of the file header.
pub const MAGIC: [u8; 8] = *b"AIDBSST\0";
/// Magic at the end of the file.
pub const FOOTER_MAGIC: [u8; 8] = *b"AIDBEND\0";
/// Newest format version this code reads, and the one it writes.
pub const VERSION: u16 = 1;
/// Required feature: blocks whose keys may be split, as [`crate::block`] says. Every table has it.
pub const SPLIT_KEYS: u32 = 1;
/// Required feature bits this code knows.
pub const REQUIRED_KNOWN: u32 = SPLIT_KEYS;
/// Bytes of the footer.
pub const FOOTER_BYTES: usize = 104;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PayloadKind {
    /// Entries.
    Data = 1,
    /// Bloom filter.
    Filter = 2,
    /// Block index.
    Index = 3,
    /// Expiry index.
    Expiry = 4,
    /// Range tombstones.
    RangeTombstones = 5,
    /// Properties.
    Properties = 6,
}

/// Appends the trailer of the payload that starts at `out[start..]` and at `offset` in file `uid`.
pub fn push_trailer(
    out: &mut Vec<u8>,
    start: usize,
    codec: Codec,
    kind: PayloadKind,
    place: (u64, u64),
) {
    out.extend_from_slice(&[codec as u8, kind as u8, 0, 0]);
    let (uid, offset) = place;
    let sum = hash::checksum(&out[start..], uid, offset);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// Checks the trailer at the end of `bytes` and returns the payload before it.
///
/// # Errors
/// What is wrong with it, for a `Corruption` error.
#[inline]
pub fn check_trailer(
    bytes: &[u8],
    codec: Codec,
    kind: PayloadKind,
    place: (u64, u64),
) -> std::result::Result<&[u8], &'static str> {
    let Some((payload, trailer)) = bytes.split_last_chunk::<TRAILER_BYTES>() else {
        return Err("block shorter than its trailer");
    };
    let (uid, offset) = place;
    let stored = u32::from_le_bytes([trailer[4], trailer[5], trailer[6], trailer[7]]);
    if stored != hash::checksum(&bytes[..payload.len() + 4], uid, offset) {
        return Err("checksum mismatch");
    }
    if trailer[..4] != [codec as u8, kind as u8, 0, 0] {
        return Err("block of an unexpected kind or codec");
    }
    Ok(payload)
}

/// Place of a payload in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handle {
    /// Offset of its first byte.
    pub offset: u64,
    /// Bytes without the trailer.
    pub len: u64,
}

impl Handle {
    /// Whether the table has such a payload.
    pub fn is_present(&self) -> bool {
        self.offset != 0
    }
}

/// The fixed end of a table file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// Bloom filter.
    pub filter: Handle,
    /// Block index.
    pub index: Handle,
    /// Expiry index.
    pub expiry: Handle,
    /// Range tombstones.
    pub range_tombstones: Handle,
    /// Properties.
    pub properties: Handle,
    /// Required feature bits.
    pub required: u32,
    /// Optional feature bits.
    pub optional: u32,
}

impl Footer {
    /// The stored form, for a footer at `offset` of file `uid`.
    pub fn encode(&self, uid: u64, offset: u64) -> [u8; FOOTER_BYTES] {
        let mut out = [0; FOOTER_BYTES];
        for (i, handle) in self.handles().into_iter().enumerate() {
            out[i * 16..i * 16 + 8].copy_from_slice(&handle.offset.to_le_bytes());
            out[i * 16 + 8..i * 16 + 16].copy_from_slice(&handle.len.to_le_bytes());
        }
        out[80..82].copy_from_slice(&VERSION.to_le_bytes());
        out[84..88].copy_from_slice(&self.required.to_le_bytes());
        out[88..92].copy_from_slice(&self.optional.to_le_bytes());
        let sum = hash::checksum(&out[..92], uid, offset);
        out[92..96].copy_from_slice(&sum.to_le_bytes());
        out[96..].copy_from_slice(&FOOTER_MAGIC);
        out
    }

    fn handles(&self) -> [Handle; 5] {
        [self.filter, self.index, self.expiry, self.range_tombstones, self.properties]
    }

    /// Decodes and checks the footer at `offset` of the file `uid` at `path`.
    ///
    /// # Errors
    /// `Corruption` when the bytes are damaged or a handle leaves the file; `Invalid` when a newer
    /// program wrote it.
    pub fn decode(bytes: &[u8; FOOTER_BYTES], path: &Path, uid: u64, offset: u64) -> Result<Self> {
        let damaged = |what: &str| Error::corruption(path, offset, what);
        if bytes[96..] != FOOTER_MAGIC {
            return Err(damaged("no table footer: the file is cut short or not a table"));
        }
        if u32_at(bytes, 92) != hash::checksum(&bytes[..92], uid, offset) {
            return Err(damaged("checksum mismatch in the table footer"));
        }
        let required = u32_at(bytes, 84);
        refuse_newer(
            path,
            u16::from_le_bytes([bytes[80], bytes[81]]),
            VERSION,
            required,
            REQUIRED_KNOWN,
        )?;
        let handle =
            |i: usize| Handle { offset: u64_at(bytes, i * 16), len: u64_at(bytes, i * 16 + 8) };
        let footer = Self {
            filter: handle(0),
            index: handle(1),
            expiry: handle(2),
            range_tombstones: handle(3),
            properties: handle(4),
            required,
            optional: u32_at(bytes, 88),
        };
        let fits = |handle: Handle| {
            let end = handle.offset.checked_add(handle.len);
            end.and_then(|end| end.checked_add(TRAILER_BYTES as u64))
                .is_some_and(|end| end <= offset)
        };
        let needed = footer.index.is_present() && footer.properties.is_present();
        if !needed || !footer.handles().into_iter().all(fits) {
            return Err(damaged("table footer points outside the file"));
        }
        Ok(footer)
    }
}

fn u32_at(bytes: &[u8; FOOTER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8; FOOTER_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

/// The stored form of a list of range tombstones.
pub fn encode_range_tombstones(tombstones: &[RangeTombstone]) -> Vec<u8> {
    let mut out = (tombstones.len() as u32).to_le_bytes().to_vec();
    for tombstone in tombstones {
        let end = tombstone.end.as_deref();
        out.extend_from_slice(&tombstone.seq.to_le_bytes());
        out.extend_from_slice(&(tombstone.start.len() as u32).to_le_bytes());
        out.extend_from_slice(&end.map_or(0, |end| end.len() as u32 + 1).to_le_bytes());
        out.extend_from_slice(&tombstone.start);
        out.extend_from_slice(end.unwrap_or_default());
    }
    out
}

/// Decodes a list of range tombstones; `None` when the bytes are damaged.
pub fn decode_range_tombstones(bytes: &[u8]) -> Option<Vec<RangeTombstone>> {
    let (count, mut rest) = bytes.split_first_chunk::<4>()?;
    let mut out = Vec::new();
    for _ in 0..u32::from_le_bytes(*count) {
        let (seq, tail) = rest.split_first_chunk::<8>()?;
        let (start_len, tail) = tail.split_first_chunk::<4>()?;
        let (end_len, tail) = tail.split_first_chunk::<4>()?;
        let (start, tail) = tail.split_at_checked(u32::from_le_bytes(*start_len) as usize)?;
        let end_len = u32::from_le_bytes(*end_len) as usize;
        let (end, tail) = tail.split_at_checked(end_len.saturating_sub(1))?;
        out.push(RangeTombstone {
            start: start.to_vec(),
            end: (end_len > 0).then(|| end.to_vec()),
            seq: u64::from_le_bytes(*seq),
        });
        rest = tail;
    }
    rest.is_empty().then_some(out)
}
