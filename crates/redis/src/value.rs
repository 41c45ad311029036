//! Values of metadata records. Part of the storage format.
//!
//! ```text
//! byte 0      type in the high nibble, encoding in the low one
//! type 0      string: the bytes follow
//! types 1..=6 list, set, sorted set, hash, stream, JSON: kept for them
//! ```
//!
//! Encodings of a string say what `OBJECT ENCODING` may answer; the bytes are always the text.

use aidb_base::Error;

use crate::number::parse_integer;
use crate::stop::Stop;

/// Type of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// A string of bytes.
    String = 0,
}

impl Type {
    /// The answer of TYPE.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
        }
    }
}

/// How a string came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// Stored whole: `int`, `embstr` or `raw` by its content.
    Whole = 0,
    /// Result of a float operation: `embstr` or `raw` by its length.
    Text = 1,
    /// Built in pieces: `raw`.
    Pieces = 2,
}

/// Longest string that Redis embeds into its object.
const EMBEDDED_BYTES_MAX: usize = 44;
/// Bytes in front of a string.
pub const HEADER_BYTES: usize = 1;

/// A decoded metadata value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// Type of the key.
    pub kind: Type,
    /// Encoding of the string.
    pub encoding: Encoding,
    /// The string.
    pub bytes: &'a [u8],
}

impl<'a> Value<'a> {
    /// Decodes a record's value.
    ///
    /// # Errors
    /// When another version of aidb wrote it.
    #[inline]
    pub fn decode(record: &'a [u8]) -> Result<Self, Stop> {
        let encoding = match record.first() {
            Some(0) => Encoding::Whole,
            Some(1) => Encoding::Text,
            Some(2) => Encoding::Pieces,
            other => return Err(unknown(other.copied())),
        };
        Ok(Self { kind: Type::String, encoding, bytes: &record[HEADER_BYTES..] })
    }

    /// The answer of OBJECT ENCODING.
    pub fn encoding_name(&self) -> &'static str {
        match self.encoding {
            Encoding::Pieces => "raw",
            Encoding::Whole if parse_integer(self.bytes).is_some() => "int",
            _ if self.bytes.len() <= EMBEDDED_BYTES_MAX => "embstr",
            _ => "raw",
        }
    }
}

/// First byte of a string's record.
#[inline]
pub fn header(encoding: Encoding) -> u8 {
    encoding as u8
}

#[cold]
fn unknown(first: Option<u8>) -> Stop {
    Error::internal(format!(
        "the key's record begins with {first:02x?}, a type that this version does not know; \
         open the database with a newer aidb"
    ))
    .into()
}
