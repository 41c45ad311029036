//! Payloads of DUMP and RESTORE: one value with a footer.

use aidb_base::Result;

use crate::crc64;
use crate::format::{VALKEY_VERSIONS, VERSION_READ_MAX, VERSION_WRITTEN, damaged};
use crate::input::Slice;
use crate::value::Dialect;

const FOOTER_BYTES: usize = 10;

/// A payload whose footer was checked.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// Type of the value.
    pub type_byte: u8,
    /// Whose type that is.
    pub dialect: Dialect,
    value: &'a [u8],
}

impl<'a> Payload<'a> {
    /// The value's bytes, to be decoded.
    pub fn input(&self) -> Slice<'a> {
        Slice::new(self.value)
    }
}

/// Checks version and checksum.
///
/// # Errors
/// `Corruption` when they are wrong, or newer than what can be read.
pub fn open(bytes: &[u8]) -> Result<Payload<'_>> {
    let (body, dialect) = check(bytes)?;
    let (&type_byte, value) = body.split_first().ok_or_else(|| wrong(bytes))?;
    Ok(Payload { type_byte, dialect, value })
}

#[cold]
fn wrong(bytes: &[u8]) -> aidb_base::Error {
    damaged("version or checksum of a payload", bytes.len() as u64)
}

/// What is in front of a footer, and whose it is.
pub(crate) fn check(bytes: &[u8]) -> Result<(&[u8], Dialect)> {
    let split = bytes.len().checked_sub(FOOTER_BYTES).ok_or_else(|| wrong(bytes))?;
    let (body, footer) = bytes.split_at(split);
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let is_valkey = VALKEY_VERSIONS.contains(&version);
    if version > VERSION_READ_MAX && !is_valkey {
        return Err(wrong(bytes));
    }
    let crc = footer[2..].iter().rev().fold(0, |crc, byte| (crc << 8) | u64::from(*byte));
    if crc64::update(0, &bytes[..split + 2]) != crc {
        return Err(wrong(bytes));
    }
    Ok((body, if is_valkey { Dialect::Valkey } else { Dialect::Redis }))
}

/// Appends the footer to a type and a value.
pub fn close(payload: &mut Vec<u8>) {
    close_as(payload, VERSION_WRITTEN);
}

/// As [`close`], for a value of a version of its own.
pub fn close_as(payload: &mut Vec<u8>, version: u16) {
    payload.extend_from_slice(&version.to_le_bytes());
    let crc = crc64::update(0, payload);
    payload.extend_from_slice(&crc.to_le_bytes());
}
