//! A spread list: numbered items in chunks. Part of the storage format.
//!
//! ```text
//! metadata   byte 0, id, count u64 LE             as every spread collection
//!            head u64 LE                          number of the first item
//!            next u64 LE                          number for the next long item
//!            front bytes u32 LE, front, back      packed items of both ends
//! chunk      id 40 (number / 16) u64 BE           16 packed items
//! long item  id 41 number u64 BE                  -> the item
//! packed item   00 bytes | 01 number u64 LE       short, or the number of a long one
//! ```
//!
//! **Invariants**: items `head .. head + count` are front, chunks, back in this order; front and back
//! have at most 16 items; where there are chunks, front ends and back begins at a multiple of 16. So
//! an item's place follows from its number, a push rewrites the metadata only, and every 16th push
//! writes a chunk.

use super::packed::{Items, push_tagged};
use super::{Id, SPREAD_BYTES, Spread};
use crate::key::tag;

/// Items of a chunk.
pub const CHUNK_ITEMS: u64 = 16;
/// Longest item that is stored where it belongs.
pub const SHORT_BYTES_MAX: usize = 128;
/// Number of a new list's first item; a multiple of [`CHUNK_ITEMS`] in the middle of the numbers.
pub const FIRST: u64 = 1 << 62;

/// Tag of long items.
const LONG_ITEM: u8 = tag::LIST_ITEM + 1;

const SHORT: u8 = 0;
const LONG: u8 = 1;

/// Metadata of a spread list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadList {
    /// Whose items.
    pub id: Id,
    /// How many.
    pub count: u64,
    /// Number of the first one.
    pub head: u64,
    /// Number for the next long item.
    pub next_long: u64,
    /// Packed items in front of the chunks.
    pub front: Vec<u8>,
    /// Packed items behind the chunks.
    pub back: Vec<u8>,
}

impl SpreadList {
    /// An empty list.
    pub fn new(id: Id) -> Self {
        Self { id, count: 0, head: FIRST, next_long: 0, front: Vec::new(), back: Vec::new() }
    }

    /// Reads what follows the metadata's first byte; `None`: damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let Spread { id, count } = Spread::decode(bytes)?;
        let rest = bytes.get(SPREAD_BYTES..)?;
        let head = u64::from_le_bytes(*rest.first_chunk()?);
        let next_long = u64::from_le_bytes(*rest.get(8..)?.first_chunk()?);
        let front_bytes = u32::from_le_bytes(*rest.get(16..)?.first_chunk()?) as usize;
        let front = rest.get(20..20 + front_bytes)?.to_vec();
        let back = rest.get(20 + front_bytes..)?.to_vec();
        Some(Self { id, count, head, next_long, front, back })
    }

    /// Appends what [`SpreadList::decode`] reads.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Spread { id: self.id, count: self.count }.encode(out);
        out.extend_from_slice(&self.head.to_le_bytes());
        out.extend_from_slice(&self.next_long.to_le_bytes());
        out.extend_from_slice(&(self.front.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.front);
        out.extend_from_slice(&self.back);
    }

    /// Key of a chunk.
    pub fn chunk_key(&self, chunk: u64) -> super::MemberKey {
        self.id.key(tag::LIST_ITEM, &[&chunk.to_be_bytes()])
    }

    /// Key of a long item.
    pub fn long_key(&self, number: u64) -> super::MemberKey {
        self.id.key(LONG_ITEM, &[&number.to_be_bytes()])
    }
}

/// An item as it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// The item.
    Short(&'a [u8]),
    /// The number of a long one.
    Long(u64),
}

impl<'a> Item<'a> {
    /// Reads a packed item; what is damaged reads as empty.
    #[inline]
    pub fn decode(packed: &'a [u8]) -> Self {
        match packed.split_first() {
            Some((&LONG, number)) => {
                Self::Long(number.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
            }
            Some((_, item)) => Self::Short(item),
            None => Self::Short(b""),
        }
    }

    /// Packs the item behind the others.
    #[inline]
    pub fn append(&self, out: &mut Vec<u8>) {
        match self {
            Self::Short(item) => push_tagged(out, SHORT, item),
            Self::Long(number) => push_tagged(out, LONG, &number.to_le_bytes()),
        }
    }

    /// Packs the item in front of the others.
    #[inline]
    pub fn prepend(&self, out: &mut Vec<u8>) {
        let mut first = Vec::with_capacity(SHORT_BYTES_MAX + 4);
        self.append(&mut first);
        out.splice(..0, first);
    }
}

/// The items of a chunk or an end.
pub fn items(bytes: &[u8]) -> impl Iterator<Item = Item<'_>> {
    Items::new(bytes).map(Item::decode)
}
