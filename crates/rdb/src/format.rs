//! The bytes. Integers are little-endian unless said otherwise.
//!
//! ```text
//! file       "REDIS" 4 digits, or "VALKEY" 3 digits: the version; records; FF; checksum u64
//! checksum   of everything before it, since version 5; 0 = none. CRC-64 "Jones": reflected,
//!            polynomial ad93d23594c935a9, no inversions
//! payload    type u8, value, version u16, checksum u64 of all before it       (DUMP, RESTORE)
//!
//! record     F3  n length, n x (class u32 BE, module value)     metadata of the next key (Redis 8)
//!            F4  slot length, keys length, expiring length      a hint
//!            F5  code string                                    a library of functions
//!            F6                                                 functions of release candidates
//!            F7  module length, when, module value              what a module keeps beside keys
//!            F8  seconds length                                 idle time of the next key
//!            F9  u8                                             frequency of the next key
//!            FA  name string, value string                      a fact about the file
//!            FB  keys length, expiring length                   a hint
//!            FC  i64 ms    FD  i32 s                            expiry of the next key
//!            FE  number length                                  the logical database from here on
//!            FF                                                 the end
//!            type, key string, value                            a key
//!
//! length     00xxxxxx                    6 bits
//!            01xxxxxx u8                 14 bits, big-endian
//!            80 u32 BE     81 u64 BE
//!            11xxxxxx                    no length, but a string that is:
//! string     length, bytes
//!            C0 i8   C1 i16   C2 i32     the integer's text
//!            C3 compressed length, length, LZF bytes
//!
//! type and value; n, m, … are lengths
//!  0 string      string
//!  1 list        n, n x string
//!  2 set         n, n x string
//!  3 sorted set  n, n x (member string, score: u8 length, text; FD nan FE inf FF -inf)
//!  4 hash        n, n x (field string, value string)
//!  5 sorted set  n, n x (member string, score f64)
//!  6 module      of release candidates: cannot be skipped
//!  7 module      module length, module value
//!  9 hash        string: zipmap
//! 10 list, 12 sorted set, 13 hash        string: ziplist of items, or of pairs in turn
//! 11 set         string: intset
//! 14 list        n, n x (string: ziplist)
//! 15 19 21 26 stream of form 1, 2, 3, 4: see below
//! 16 hash, 17 sorted set, 20 set         string: listpack of members, or of pairs in turn
//! 18 list        n, n x (1, string: an item | 2, string: listpack of items)
//! 22 hash        "REDIS": n, n x (expiry length ms or 0, field string, value string)
//!                "VALKEY": n, n x (field string, value string, expiry i64 ms or -1)
//! 23 hash        string: listpack of field, value, expiry ms or 0
//! 24 hash        base u64, n, n x (0 or 1 + expiry ms - base as length, field string, value string)
//! 25 hash        base u64, string: listpack of field, value, expiry ms or 0
//!
//! module     its name, 9 characters of 6 bits, and its encoding version in the low 10 bits
//! value      any number of: 1 length | 2 length | 3 f32 | 4 f64 | 5 string; then 0
//!
//! stream     n, n x (string: id, string: listpack of entries)
//!            entries length, last id
//!            form 2: first id, greatest deleted id, entries ever added length
//!            n groups: name string, last id, form 2: entries read length (all ones: unknown)
//!              n pending: id raw, delivered ms i64, deliveries length
//!              n consumers: name string, seen ms i64, form 3: active ms i64 (-1: never)
//!                n pending of the consumer: id raw
//!            form 4: duration length, most length, n x (id string, entry id raw),
//!              added length, duplicates length
//! id         milliseconds length, sequence length; raw, and as the string in front of a listpack:
//!            milliseconds u64 BE, sequence u64 BE
//! entries    count, deleted, n, n x field, 0; per entry:
//!            flags (1 deleted, 2 fields as at the front), ms - ms of id, sequence - sequence of id,
//!            without flag 2: n, n x (field, value), else n x value; number of items of the entry
//!
//! listpack   bytes u32, items u16, items, FF
//! item       0xxxxxxx 7 bits | 10xxxxxx text of up to 63 | 110xxxxx u8 13 bits, signed, big-endian
//!            1110xxxx u8 text of up to 4095, big-endian | F0 u32 text
//!            F1 i16 | F2 i24 | F3 i32 | F4 i64
//!            then the size of all that, 7 bits per byte, most significant first, high bit on all
//!            but the first
//! ziplist    bytes u32, place of the last u32, items u16, items, FF
//! item       size of the one before: u8, or FE u32; then
//!            00xxxxxx text | 01xxxxxx u8 text, big-endian | 80 u32 BE text
//!            C0 i16 | D0 i32 | E0 i64 | F0 i24 | FE i8 | F1 … FD the numbers 0 to 12
//! intset     bytes per number u32 (2, 4, 8), numbers u32, numbers
//! zipmap     count u8, entries: field size, field, value size, free u8, value, free bytes; FF
//!            size: u8 up to FD, or FE u32
//! ```

use aidb_base::{Error, ErrorKind};

/// Version of what is written: redis-server 7.0 and newer read it.
pub const VERSION_WRITTEN: u16 = 10;
/// Newest version of payloads that are read.
pub const VERSION_READ_MAX: u16 = 13;
/// Versions of Valkey's own line.
pub const VALKEY_VERSIONS: std::ops::RangeInclusive<u16> = 80..=89;
/// First version with a checksum.
pub const VERSION_CHECKED: u16 = 5;

/// Longest string.
pub const STRING_BYTES_MAX: u64 = 512 << 20;

pub(crate) mod opcode {
    pub(crate) const KEY_META: u8 = 0xF3;
    pub(crate) const SLOT_INFO: u8 = 0xF4;
    pub(crate) const FUNCTION: u8 = 0xF5;
    pub(crate) const FUNCTION_OF_CANDIDATES: u8 = 0xF6;
    pub(crate) const MODULE_AUX: u8 = 0xF7;
    pub(crate) const IDLE: u8 = 0xF8;
    pub(crate) const FREQUENCY: u8 = 0xF9;
    pub(crate) const AUX: u8 = 0xFA;
    pub(crate) const RESIZE: u8 = 0xFB;
    pub(crate) const EXPIRE_MS: u8 = 0xFC;
    pub(crate) const EXPIRE_S: u8 = 0xFD;
    pub(crate) const SELECT: u8 = 0xFE;
    pub(crate) const END: u8 = 0xFF;
}

pub(crate) mod types {
    pub(crate) const STRING: u8 = 0;
    pub(crate) const LIST: u8 = 1;
    pub(crate) const SET: u8 = 2;
    pub(crate) const ZSET: u8 = 3;
    pub(crate) const HASH: u8 = 4;
    pub(crate) const ZSET_2: u8 = 5;
    pub(crate) const MODULE_2: u8 = 7;
    pub(crate) const HASH_ZIPMAP: u8 = 9;
    pub(crate) const LIST_ZIPLIST: u8 = 10;
    pub(crate) const SET_INTSET: u8 = 11;
    pub(crate) const ZSET_ZIPLIST: u8 = 12;
    pub(crate) const HASH_ZIPLIST: u8 = 13;
    pub(crate) const LIST_QUICKLIST: u8 = 14;
    pub(crate) const STREAM: u8 = 15;
    pub(crate) const HASH_LISTPACK: u8 = 16;
    pub(crate) const ZSET_LISTPACK: u8 = 17;
    pub(crate) const LIST_QUICKLIST_2: u8 = 18;
    pub(crate) const STREAM_2: u8 = 19;
    pub(crate) const SET_LISTPACK: u8 = 20;
    pub(crate) const STREAM_3: u8 = 21;
    pub(crate) const HASH_EXPIRIES_PRE: u8 = 22;
    pub(crate) const HASH_LISTPACK_EXPIRIES_PRE: u8 = 23;
    pub(crate) const HASH_EXPIRIES: u8 = 24;
    pub(crate) const HASH_LISTPACK_EXPIRIES: u8 = 25;
    pub(crate) const STREAM_4: u8 = 26;
}

/// What kind of value a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
    /// Of a module.
    Module,
}

impl Kind {
    /// The kind of a type byte; `None`: a type that this version does not know.
    pub fn of(type_byte: u8) -> Option<Self> {
        use types::*;
        Some(match type_byte {
            STRING => Self::String,
            LIST | LIST_ZIPLIST | LIST_QUICKLIST | LIST_QUICKLIST_2 => Self::List,
            SET | SET_INTSET | SET_LISTPACK => Self::Set,
            ZSET | ZSET_2 | ZSET_ZIPLIST | ZSET_LISTPACK => Self::SortedSet,
            HASH | HASH_ZIPMAP | HASH_ZIPLIST | HASH_LISTPACK => Self::Hash,
            HASH_EXPIRIES_PRE | HASH_LISTPACK_EXPIRIES_PRE => Self::Hash,
            HASH_EXPIRIES | HASH_LISTPACK_EXPIRIES => Self::Hash,
            STREAM | STREAM_2 | STREAM_3 | STREAM_4 => Self::Stream,
            MODULE_2 => Self::Module,
            _ => return None,
        })
    }

    /// The answer of TYPE; modules have names of their own.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Module => "module",
        }
    }
}

/// Bytes that are not as the format says.
#[cold]
pub(crate) fn damaged(what: &str, offset: u64) -> Error {
    Error::new(
        ErrorKind::Corruption,
        format!("the RDB bytes before offset {offset} are damaged: {what}; dump them again"),
    )
}

/// Bytes that a newer Redis, or a module, wrote.
#[cold]
pub(crate) fn unsupported(what: &str, offset: u64) -> Error {
    Error::new(
        ErrorKind::Invalid,
        format!("the RDB bytes before offset {offset} have {what}, which this version cannot read"),
    )
}
