//! Items of a packed collection, one behind the other. Part of the storage format.
//!
//! ```text
//! item   length as LEB128, bytes
//! hash        field, value, …        in order of insertion
//! set         member, …
//! sorted set  member, score, …       in order of score, then member
//! list        item, …
//! ```

use std::ops::Range;

/// Reads items; ends early where bytes are missing.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Items<'a> {
    /// The items of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Where the next item begins.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let first = *self.bytes.get(self.at)?;
        let (len, start) = if first < 0x80 {
            (usize::from(first), self.at + 1)
        } else {
            let (len, bytes) = long_length(&self.bytes[self.at..])?;
            (len, self.at + bytes)
        };
        let item = self.bytes.get(start..start.checked_add(len)?)?;
        self.at = start + len;
        Some(item)
    }
}

#[cold]
fn long_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0u64;
    for (index, byte) in bytes.iter().take(6).enumerate() {
        length |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(length).ok()?, index + 1));
        }
    }
    None
}

/// Appends an item.
#[inline]
pub fn push(out: &mut Vec<u8>, item: &[u8]) {
    push_length(out, item.len());
    out.extend_from_slice(item);
}

/// Appends an item made of a byte and what follows it.
#[inline]
pub fn push_tagged(out: &mut Vec<u8>, tag: u8, rest: &[u8]) {
    push_length(out, rest.len() + 1);
    out.push(tag);
    out.extend_from_slice(rest);
}

#[inline]
fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// An item and what belongs to it, found among packed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Bytes of the whole entry.
    pub entry: Range<usize>,
    /// Bytes of the value's content; empty without values.
    pub value: Range<usize>,
}

/// Finds a member among entries that have a value each, or none.
#[inline]
pub fn find(bytes: &[u8], has_values: bool, member: &[u8]) -> Option<Found> {
    let mut items = Items::new(bytes);
    loop {
        let start = items.position();
        let item = items.next()?;
        let mut value = 0..0;
        if has_values {
            let len = items.next()?.len();
            value = items.position() - len..items.position();
        }
        if item == member {
            return Some(Found { entry: start..items.position(), value });
        }
    }
}

/// Number of items.
pub fn count(bytes: &[u8]) -> usize {
    Items::new(bytes).count()
}
