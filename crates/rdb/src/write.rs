//! Values as bytes.

use crate::format::{Kind, types};
use crate::listpack::Item;
use crate::lzf;
use crate::streams::item_of;

/// Strings up to this length are not worth compressing.
const COMPRESSED_BYTES_MIN: usize = 21;
/// Longest text of an integer of 32 bits.
const INTEGER_BYTES_MAX: usize = 11;

/// `ReJSON-RL`, version 3.
const JSON_MODULE: u64 = 0x45E2_5238_DF91_2C03;
const MODULE_STRING: u64 = 5;
const MODULE_END: u64 = 0;

/// Appends parts of values to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    compresses: bool,
}

impl<'a> Writer<'a> {
    /// Appends to `out`; long strings are compressed on request.
    pub fn new(out: &'a mut Vec<u8>, compresses: bool) -> Self {
        Self { out, compresses }
    }

    /// The type in front of a value of a kind.
    pub fn kind(&mut self, kind: Kind) {
        self.out.push(match kind {
            Kind::String => types::STRING,
            Kind::Module => types::MODULE_2,
            Kind::List => types::LIST,
            Kind::Set => types::SET,
            Kind::SortedSet => types::ZSET_2,
            Kind::Hash => types::HASH,
            Kind::Stream => types::STREAM_2,
        });
    }

    /// The type of a hash whose fields expire, and the earliest of these times. Redis 7.4 and newer
    /// read it, in a payload of version 12.
    pub fn expiring_hash(&mut self, earliest_ms: u64) {
        self.out.push(types::HASH_EXPIRIES);
        self.out.extend_from_slice(&earliest_ms.to_le_bytes());
    }

    /// When a field of an expiring hash expires, in front of it; 0 = never.
    pub fn field_expiry(&mut self, expire_at_ms: u64, earliest_ms: u64) {
        self.length(match expire_at_ms {
            0 => 0,
            expire_at_ms => expire_at_ms - earliest_ms + 1,
        });
    }

    /// A length: of a collection, in front of its parts.
    pub fn length(&mut self, length: u64) {
        match length {
            0..=0x3F => self.out.push(length as u8),
            0x40..=0x3FFF => self.out.extend_from_slice(&(0x4000 | length as u16).to_be_bytes()),
            0x4000..=0xFFFF_FFFF => {
                self.out.push(0x80);
                self.out.extend_from_slice(&(length as u32).to_be_bytes());
            }
            _ => {
                self.out.push(0x81);
                self.out.extend_from_slice(&length.to_be_bytes());
            }
        }
    }

    /// A string: a value, an item, a member, a field.
    pub fn string(&mut self, text: &[u8]) {
        if text.len() <= INTEGER_BYTES_MAX {
            if let Item::Number(number) = item_of(text) {
                if self.integer(number) {
                    return;
                }
            }
        }
        if self.compresses && text.len() >= COMPRESSED_BYTES_MIN {
            if let Some(packed) = lzf::compress(text) {
                self.out.push(0xC3);
                self.length(packed.len() as u64);
                self.length(text.len() as u64);
                self.out.extend_from_slice(&packed);
                return;
            }
        }
        self.length(text.len() as u64);
        self.out.extend_from_slice(text);
    }

    fn integer(&mut self, number: i64) -> bool {
        if let Ok(number) = i8::try_from(number) {
            self.out.extend_from_slice(&[0xC0, number as u8]);
        } else if let Ok(number) = i16::try_from(number) {
            self.out.push(0xC1);
            self.out.extend_from_slice(&number.to_le_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.out.push(0xC2);
            self.out.extend_from_slice(&number.to_le_bytes());
        } else {
            return false;
        }
        true
    }

    /// The score behind a sorted set's member.
    pub fn score(&mut self, score: f64) {
        self.out.extend_from_slice(&score.to_le_bytes());
    }

    /// A JSON document, as the module that has them in Redis writes it.
    pub fn json(&mut self, text: &[u8]) {
        self.length(JSON_MODULE);
        self.length(MODULE_STRING);
        self.string(text);
        self.length(MODULE_END);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }
}
