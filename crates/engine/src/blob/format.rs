//! Bytes of a blob file, `blob/<number>.blob`, and of references to its values. Little endian.
//!
//! | part | content |
//! |---|---|
//! | header | 32 bytes, [`crate::file_header`], magic `AIDBBLO\0` |
//! | records | without gaps |
//! | footer | 32 bytes: records (8), bytes before the footer (8), zero (4), checksum (4) of the 20 bytes before bound to (file uid, offset of the footer), magic `AIDBBEN\0` |
//!
//! Record:
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 4 | checksum of the rest of the record, bound to (file uid, offset of the record) |
//! | 4 | 4 | stored length |
//! | 8 | 4 | raw length |
//! | 12 | 1 | codec of the value: 0 none, else as in [`crate::compress`] |
//! | 13 | 3 | zero |
//! | 16 | | value as stored |
//!
//! Reference, the value bytes of an entry of kind `Blob`, 25 bytes: file number (8), offset of the
//! record (8), stored length (4), raw length (4), codec (1).

use std::path::Path;

use aidb_base::{Error, FileNumber, Result, hash};

use crate::compress::codec_from_u8;
use crate::options::Codec;

/// Magic of the file header.
pub const MAGIC: [u8; 8] = *b"AIDBBLO\0";
/// Magic at the end of the file.
pub const FOOTER_MAGIC: [u8; 8] = *b"AIDBBEN\0";
/// Format version.
pub const VERSION: u16 = 1;
/// Required feature bits this code knows.
pub const REQUIRED_KNOWN: u32 = 0;
/// Bytes in front of each value.
pub const RECORD_HEADER_BYTES: usize = 16;
/// Bytes of the footer.
pub const FOOTER_BYTES: usize = 32;
/// Bytes of an encoded [`BlobRef`].
pub const BLOB_REF_BYTES: usize = 25;

/// Where a value lies in which blob file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobRef {
    /// Blob file.
    pub file: FileNumber,
    /// Offset of the record.
    pub offset: u64,
    /// Bytes of the value as stored.
    pub len: u32,
    /// Bytes of the value.
    pub raw_len: u32,
    /// How it is stored.
    pub codec: Codec,
}

impl BlobRef {
    /// The stored form.
    pub fn encode(&self) -> [u8; BLOB_REF_BYTES] {
        let mut out = [0; BLOB_REF_BYTES];
        out[..8].copy_from_slice(&self.file.to_le_bytes());
        out[8..16].copy_from_slice(&self.offset.to_le_bytes());
        out[16..20].copy_from_slice(&self.len.to_le_bytes());
        out[20..24].copy_from_slice(&self.raw_len.to_le_bytes());
        out[24] = self.codec as u8;
        out
    }

    /// Decodes the stored form.
    ///
    /// # Errors
    /// `Invalid` when the bytes are not a reference; the caller knows the place of the damage.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let wrong = || Error::invalid(format!("{} bytes are not a blob reference", bytes.len()));
        let bytes: &[u8; BLOB_REF_BYTES] = bytes.try_into().map_err(|_| wrong())?;
        Ok(Self {
            file: u64::from_le_bytes(field(bytes, 0)),
            offset: u64::from_le_bytes(field(bytes, 8)),
            len: u32::from_le_bytes(field(bytes, 16)),
            raw_len: u32::from_le_bytes(field(bytes, 20)),
            codec: codec_from_u8(bytes[24]).ok_or_else(wrong)?,
        })
    }

    /// Bytes the value takes in its file.
    pub fn stored_bytes(&self) -> u64 {
        RECORD_HEADER_BYTES as u64 + u64::from(self.len)
    }

    /// The record header in front of the value, without the checksum.
    pub(super) fn record_header(&self) -> [u8; RECORD_HEADER_BYTES] {
        let mut out = [0; RECORD_HEADER_BYTES];
        out[4..8].copy_from_slice(&self.len.to_le_bytes());
        out[8..12].copy_from_slice(&self.raw_len.to_le_bytes());
        out[12] = self.codec as u8;
        out
    }

    /// Checks the record in `bytes` against this reference; the value as stored.
    pub(super) fn check<'a>(&self, bytes: &'a [u8], path: &Path, uid: u64) -> Result<&'a [u8]> {
        let damaged = |what: &str| Error::corruption(path, self.offset, what);
        let Some((header, value)) = bytes.split_first_chunk::<RECORD_HEADER_BYTES>() else {
            return Err(damaged("blob record cut short"));
        };
        let stored = u32::from_le_bytes(field(header, 0));
        if stored != hash::checksum(&bytes[4..], uid, self.offset) {
            return Err(damaged("checksum mismatch in a blob record"));
        }
        if header[4..] != self.record_header()[4..] {
            return Err(damaged("blob record is not the one referenced"));
        }
        Ok(value)
    }
}

/// The fixed end of a blob file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobFooter {
    /// Values in the file.
    pub records: u64,
}

impl BlobFooter {
    /// The stored form, for a footer at `offset` of file `uid`.
    pub fn encode(&self, uid: u64, offset: u64) -> [u8; FOOTER_BYTES] {
        let mut out = [0; FOOTER_BYTES];
        out[..8].copy_from_slice(&self.records.to_le_bytes());
        out[8..16].copy_from_slice(&offset.to_le_bytes());
        let sum = hash::checksum(&out[..20], uid, offset);
        out[20..24].copy_from_slice(&sum.to_le_bytes());
        out[24..].copy_from_slice(&FOOTER_MAGIC);
        out
    }

    /// Decodes and checks the footer at `offset` of the file `uid` at `path`.
    pub fn decode(bytes: &[u8; FOOTER_BYTES], path: &Path, uid: u64, offset: u64) -> Result<Self> {
        let damaged = |what: &str| Error::corruption(path, offset, what);
        if bytes[24..] != FOOTER_MAGIC {
            return Err(damaged("no blob footer: the file is cut short or not a blob file"));
        }
        let stored = u32::from_le_bytes(field(bytes, 20));
        if stored != hash::checksum(&bytes[..20], uid, offset)
            || u64::from_le_bytes(field(bytes, 8)) != offset
        {
            return Err(damaged("checksum mismatch in the blob footer"));
        }
        Ok(Self { records: u64::from_le_bytes(field(bytes, 0)) })
    }
}

fn field<const N: usize, const M: usize>(bytes: &[u8; M], at: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[at + i])
}
