//! Values of metadata records. Part of the storage format.
//!
//! ```text
//! byte 0      type in the high nibble, encoding in the low one
//! type 0      string: the bytes follow
//! types 1..=4 list, set, sorted set, hash: see `collection`
//! type 5      stream: see `collection::stream`
//! type 6      JSON: see `commands::json`
//! type 7      Bloom filter: see `commands::bloom`
//! ```
//!
//! Encodings of a string say what `OBJECT ENCODING` may answer; the bytes are always the text. The
//! low nibble of a collection has its flags.

use aidb_base::Error;

use crate::collection;
use crate::number::parse_integer;
use crate::stop::{Stop, WRONG_TYPE};

/// Type of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// A string of bytes.
    String = 0,
    /// A list.
    List = 1,
    /// A set.
    Set = 2,
    /// A sorted set.
    SortedSet = 3,
    /// A hash.
    Hash = 4,
    /// A stream.
    Stream = 5,
    /// A JSON document.
    Json = 6,
    /// A Bloom filter.
    Bloom = 7,
}

impl Type {
    /// The answer of TYPE.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Json => "ReJSON-RL",
            Self::Bloom => "MBbloom--",
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
    /// Encoding of the string; of other types `Whole`.
    pub encoding: Encoding,
    /// Flags of a collection; of strings 0.
    pub flags: u8,
    /// The string, or what follows a collection's first byte.
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
            Some(first) => return Self::decode_collection(*first, &record[HEADER_BYTES..]),
            None => return Err(unknown(None)),
        };
        Ok(Self { kind: Type::String, encoding, flags: 0, bytes: &record[HEADER_BYTES..] })
    }

    fn decode_collection(first: u8, bytes: &'a [u8]) -> Result<Self, Stop> {
        let kind = match first >> 4 {
            1 => Type::List,
            2 => Type::Set,
            3 => Type::SortedSet,
            4 => Type::Hash,
            5 => Type::Stream,
            6 => Type::Json,
            7 => Type::Bloom,
            _ => return Err(unknown(Some(first))),
        };
        Ok(Self { kind, encoding: Encoding::Whole, flags: first & 0x0F, bytes })
    }

    /// The string.
    ///
    /// # Errors
    /// [`WRONG_TYPE`] when it is none.
    #[inline]
    pub fn string(&self) -> Result<&'a [u8], Stop> {
        if self.kind == Type::String { Ok(self.bytes) } else { Err(WRONG_TYPE) }
    }

    /// The byte from which type, encoding and flags were decoded.
    pub fn first_byte(&self) -> u8 {
        match self.kind {
            Type::String => header(self.encoding),
            kind => collection::header(kind, self.flags),
        }
    }

    /// The answer of OBJECT ENCODING.
    pub fn encoding_name(&self) -> &'static str {
        if self.kind != Type::String {
            return collection::encoding_name(self.kind, self.flags);
        }
        encoding_name(self.encoding, self.bytes)
    }
}

/// The answer of OBJECT ENCODING for a string.
pub fn encoding_name(encoding: Encoding, bytes: &[u8]) -> &'static str {
    match encoding {
        Encoding::Pieces => "raw",
        Encoding::Whole if parse_integer(bytes).is_some() => "int",
        _ if bytes.len() <= EMBEDDED_BYTES_MAX => "embstr",
        _ => "raw",
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
