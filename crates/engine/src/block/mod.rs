//! Data blocks: entries in key order, one per key, taken apart into tags, rows, heads, keys, values.
//!
//! A point lookup runs over the tags (one byte of each key's hash) and compares keys only where
//! the tag matches; a seek searches the heads (the first four bytes of each suffix) and compares
//! keys only among equal heads. No entry is decoded that is not asked for.
//!
//! All numbers are little endian. `n` is the number of entries.
//!
//! | bytes | content |
//! |---|---|
//! | 2 | `n`, at least 1 |
//! | 1 | widths: bits 0–1 of tail ends (code 0 = no such number: all tails are equally long; else `1 << (code - 1)` bytes), bits 2–3 of value ends (the same), bits 4–7 of sequence deltas (code 0 = all equal, else `1 << (code - 1)` bytes, code ≤ 4) |
//! | 1 | bits 0–2 expiry width (as sequence deltas; 0 = no entry expires), bit 3: rows have a kind (else every entry is a put), bit 4: keys are split, other bits zero |
//! | 2 | length of the prefix that all keys share |
//! | 4 | length of all tails together |
//! | 8 | smallest sequence number |
//! | 8 | smallest expiry; only with expiry width > 0 |
//! | n | tags |
//! | n × row | rows |
//! | 4n | heads: the first four bytes of each suffix, padded with zeroes, as a big-endian number |
//! | | prefix, tails, values |
//!
//! A suffix is what follows the prefix in a key. Where every suffix has four bytes at least, keys are
//! *split*: the tail is what follows the head. Else the tail is the whole suffix.
//!
//! A row has the numbers of one entry side by side, because whoever needs one of them needs all:
//! tail end, counted from the start of the tails; value end, counted from the start of the values;
//! sequence number minus the smallest; kind (1 byte), only with the kind bit; expiry, 0 = never, else
//! expiry minus the smallest plus one. Keys of one length, values of one length and records of one
//! sequence number, which is what flush and compaction write, need no rows at all.
//!
//! In a table a block is followed by an 8-byte trailer, see [`crate::table::format`].

mod builder;
mod search;
#[cfg(test)]
mod tests;

use std::ops::Range;

use aidb_base::Seq;

use crate::entry::Kind;

pub use builder::BlockBuilder;
pub(crate) use builder::shared_prefix;

/// Bytes of the fixed part of a block.
const HEADER_BYTES: usize = 18;

/// Bytes of a head.
const HEAD_BYTES: usize = 4;

/// Flag: rows have a kind.
const HAS_KINDS: u8 = 1 << 3;
/// Flag: tails begin behind the heads.
const IS_SPLIT: u8 = 1 << 4;

/// Most entries in one block.
pub const ENTRIES_MAX: usize = 4096;

/// A block whose bytes contradict themselves; the caller knows the path and the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged(pub &'static str);

/// The first four bytes of a suffix as a number that sorts as they do.
#[inline]
fn head_of(suffix: &[u8]) -> u32 {
    match suffix.first_chunk::<4>() {
        Some(head) => u32::from_be_bytes(*head),
        None => {
            let mut head = [0; 4];
            head[..suffix.len()].copy_from_slice(suffix);
            u32::from_be_bytes(head)
        }
    }
}

/// The tag of a key with hash `hash`: bits that neither choose the filter line nor probe it.
#[inline]
pub fn tag_of(hash: u64) -> u8 {
    (hash >> 32) as u8
}

#[inline]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// A number of each row: its offset in the row and its width.
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    at: usize,
    width: usize,
}

impl Field {
    /// The number in the row that starts at `row`.
    #[inline]
    fn get(self, bytes: &[u8], row: usize) -> u64 {
        let at = row + self.at;
        match self.width {
            1 => u64::from(bytes[at]),
            2 => u64::from(u16::from_le_bytes(chunk(bytes, at))),
            4 => u64::from(u32::from_le_bytes(chunk(bytes, at))),
            8 => u64::from_le_bytes(chunk(bytes, at)),
            _ => 0,
        }
    }
}

/// Bytes of a block before its values, told by its header; 0 = more of the header is needed. Enough
/// of a block to find keys in and to say what it records of them.
pub fn columns_bytes(start: &[u8]) -> usize {
    let Some(header) = start.first_chunk::<HEADER_BYTES>() else { return 0 };
    let word = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let (widths, flags) = (header[2], header[3]);
    let expiry = delta_width(flags & 7);
    let row = end_width(widths & 3)
        + end_width(widths >> 2 & 3)
        + delta_width(widths >> 4)
        + usize::from(flags >> 3 & 1)
        + expiry;
    let tails = u32::from_le_bytes(chunk(header, 6)) as usize;
    let first = if expiry > 0 { 8 } else { 0 };
    HEADER_BYTES + first + word(0) * (1 + row + HEAD_BYTES) + word(4) + tails
}

/// Where the parts of a block are; apart from its bytes, so that a cursor can keep it.
///
/// Every place up to `tails_at` and `values_at` is inside the bytes it was parsed from, and the
/// methods must be given those bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    count: usize,
    tags_at: usize,
    rows_at: usize,
    row_len: usize,
    heads_at: usize,
    /// Bytes of each suffix that are only in its head: all of a head, or none.
    head_len: usize,
    tail_end: Field,
    /// Length of each tail where rows have no tail ends, else 0.
    tail_len: usize,
    value_end: Field,
    /// Length of each value where rows have no value ends, else 0.
    value_len: usize,
    seq: Field,
    /// Width 0 = every entry is a put.
    kind: Field,
    expiry: Field,
    seq_min: Seq,
    expiry_min: u64,
    prefix_at: usize,
    tails_at: usize,
    values_at: usize,
}

/// What a block says of one entry besides key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Batch that wrote it.
    pub seq: Seq,
    /// What the record says.
    pub kind: Kind,
    /// Expiry in milliseconds since the epoch; 0 = never.
    pub expire_at_ms: u64,
}

impl Layout {
    /// Reads the fixed part and finds the rest.
    ///
    /// # Errors
    /// `Damaged` when the sizes contradict each other. Positions inside keys and values are
    /// checked when they are used.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, Damaged> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(Damaged("block shorter than its header"));
        };
        let count = usize::from(u16::from_le_bytes([header[0], header[1]]));
        let (widths, flags) = (header[2], header[3]);
        let (tail_code, value_code, seq_code) = (widths & 3, widths >> 2 & 3, widths >> 4);
        let expiry_code = flags & 7;
        if count == 0 || seq_code > 4 || expiry_code > 4 || flags >= IS_SPLIT << 1 {
            return Err(Damaged("impossible counts or widths in a block"));
        }
        let tags_at = HEADER_BYTES + if expiry_code > 0 { 8 } else { 0 };
        let mut row_len = 0;
        let mut field = |width: usize| {
            let at = row_len;
            row_len += width;
            Field { at, width }
        };
        let tail_end = field(end_width(tail_code));
        let value_end = field(end_width(value_code));
        let seq = field(delta_width(seq_code));
        let kind = field(usize::from(flags & HAS_KINDS != 0));
        let expiry = field(delta_width(expiry_code));
        let rows_at = tags_at + count;
        let heads_at = rows_at + count * row_len;
        let prefix_at = heads_at + count * HEAD_BYTES;
        let tails_at = prefix_at + usize::from(u16::from_le_bytes([header[4], header[5]]));
        let tails_len = u32::from_le_bytes(chunk(header, 6)) as usize;
        let values_at = tails_at + tails_len;
        if values_at > bytes.len() {
            return Err(Damaged("block shorter than what it announces"));
        }
        Ok(Self {
            count,
            tags_at,
            rows_at,
            row_len,
            heads_at,
            head_len: if flags & IS_SPLIT != 0 { HEAD_BYTES } else { 0 },
            tail_end,
            tail_len: if tail_code == 0 { tails_len / count } else { 0 },
            value_end,
            value_len: if value_code == 0 { (bytes.len() - values_at) / count } else { 0 },
            seq,
            kind,
            expiry,
            seq_min: u64::from_le_bytes(chunk(header, 10)),
            expiry_min: match expiry_code {
                0 => 0,
                _ => u64::from_le_bytes(chunk(bytes, HEADER_BYTES)),
            },
            prefix_at,
            tails_at,
            values_at,
        })
    }

    /// Number of entries, at least 1.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    #[inline]
    fn row(&self, index: usize) -> usize {
        self.rows_at + index * self.row_len
    }

    /// The prefix of every key.
    #[inline]
    pub fn prefix<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.prefix_at..self.tails_at]
    }

    /// Head of entry `index`, and how many bytes of its suffix are nowhere else: all four, or none.
    #[inline]
    pub(crate) fn head(&self, bytes: &[u8], index: usize) -> (u32, usize) {
        let head = u32::from_le_bytes(chunk(bytes, self.heads_at + index * HEAD_BYTES));
        (head, self.head_len)
    }

    #[inline]
    fn tail_end(&self, bytes: &[u8], index: usize) -> usize {
        let end = self.tail_end.get(bytes, self.row(index)) as usize;
        self.tails_at + end + (index + 1) * self.tail_len
    }

    #[inline]
    fn value_end(&self, bytes: &[u8], index: usize) -> usize {
        let end = self.value_end.get(bytes, self.row(index)) as usize;
        self.values_at + end + (index + 1) * self.value_len
    }

    /// Range of the tail of entry `index`, whose predecessor's ends at `start`.
    #[inline]
    pub(crate) fn tail_from(
        &self,
        bytes: &[u8],
        start: usize,
        index: usize,
    ) -> Result<Range<usize>, Damaged> {
        let range = start..self.tail_end(bytes, index);
        match start <= range.end && range.end <= self.values_at {
            true => Ok(range),
            false => Err(Damaged("key outside its block")),
        }
    }

    /// Range of what comes after the prefix, or after the head, in the key of entry `index`.
    #[inline]
    fn tail(&self, bytes: &[u8], index: usize) -> Result<Range<usize>, Damaged> {
        self.tail_from(bytes, self.starts(bytes, index).0, index)
    }

    /// Where tail and value of entry `index` start.
    #[inline]
    pub(crate) fn starts(&self, bytes: &[u8], index: usize) -> (usize, usize) {
        match index.checked_sub(1) {
            None => (self.tails_at, self.values_at),
            Some(before) => (self.tail_end(bytes, before), self.value_end(bytes, before)),
        }
    }

    /// Range of the value of entry `index`, whose predecessor's ends at `start`.
    #[inline]
    pub(crate) fn value_from(
        &self,
        bytes: &[u8],
        start: usize,
        index: usize,
    ) -> Result<Range<usize>, Damaged> {
        let range = start..self.value_end(bytes, index);
        match start <= range.end && range.end <= bytes.len() {
            true => Ok(range),
            false => Err(Damaged("value outside its block")),
        }
    }

    /// Range of the value of entry `index`.
    #[inline]
    pub(crate) fn value(&self, bytes: &[u8], index: usize) -> Result<Range<usize>, Damaged> {
        self.value_from(bytes, self.starts(bytes, index).1, index)
    }

    /// Sequence number, kind and expiry of entry `index`.
    #[inline]
    pub(crate) fn record(&self, bytes: &[u8], index: usize) -> Result<Record, Damaged> {
        let row = self.row(index);
        let kind = match self.kind.width {
            0 => Kind::Put,
            _ => Kind::from_u8(bytes[row + self.kind.at])
                .map_err(|_| Damaged("unknown record kind"))?,
        };
        let expire_at_ms = match self.expiry.get(bytes, row) {
            0 => 0,
            delta => self.expiry_min.wrapping_add(delta - 1),
        };
        let seq = self.seq_min.wrapping_add(self.seq.get(bytes, row));
        Ok(Record { seq, kind, expire_at_ms })
    }
}

/// Width of the ends in a row; 0 = there are none.
#[inline]
fn end_width(code: u8) -> usize {
    if code == 0 { 0 } else { 1 << (code - 1) }
}

/// Width of a delta column with a checked code.
#[inline]
fn delta_width(code: u8) -> usize {
    if code == 0 { 0 } else { 1 << (code - 1) }
}

/// A parsed block: its bytes and where its parts are in them.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    bytes: &'a [u8],
    layout: Layout,
}

impl<'a> Block<'a> {
    /// Parses a raw block, see [`Layout::parse`].
    ///
    /// # Errors
    /// `Damaged` when the sizes contradict each other.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Damaged> {
        Ok(Self { bytes, layout: Layout::parse(bytes)? })
    }

    /// A block whose layout was parsed from the same bytes.
    #[inline]
    pub(crate) fn with_layout(bytes: &'a [u8], layout: Layout) -> Self {
        Self { bytes, layout }
    }

    /// Number of entries, at least 1.
    #[inline]
    pub fn count(&self) -> usize {
        self.layout.count
    }

    /// The prefix of every key.
    #[inline]
    pub fn prefix(&self) -> &'a [u8] {
        self.layout.prefix(self.bytes)
    }

    /// What comes after the prefix, or after the head, in the key of entry `index`.
    #[inline]
    fn tail(&self, index: usize) -> Result<&'a [u8], Damaged> {
        Ok(&self.bytes[self.layout.tail(self.bytes, index)?])
    }

    /// Value of entry `index`.
    #[inline]
    pub fn value(&self, index: usize) -> Result<&'a [u8], Damaged> {
        Ok(&self.bytes[self.layout.value(self.bytes, index)?])
    }

    /// Sequence number, kind and expiry of entry `index`.
    #[inline]
    pub fn record(&self, index: usize) -> Result<Record, Damaged> {
        self.layout.record(self.bytes, index)
    }

    /// The whole key of entry `index`.
    pub fn key(&self, index: usize) -> Result<Vec<u8>, Damaged> {
        let (head, head_len) = self.layout.head(self.bytes, index);
        Ok([self.prefix(), &head.to_be_bytes()[..head_len], self.tail(index)?].concat())
    }

    /// Tags of all entries.
    #[inline]
    pub fn tags(&self) -> &'a [u8] {
        &self.bytes[self.layout.tags_at..self.layout.rows_at]
    }

    /// Checks everything that reading checks lazily: ends ascending and exact, keys ascending,
    /// heads right, kinds known. Tags are the table's business, which knows the hash seed.
    ///
    /// # Errors
    /// `Damaged` with the first contradiction.
    pub fn verify(&self) -> Result<(), Damaged> {
        let mut previous: Option<(u32, &[u8])> = None;
        for index in 0..self.count() {
            let ((head, head_len), tail) = (self.layout.head(self.bytes, index), self.tail(index)?);
            if previous.is_some_and(|previous| previous >= (head, tail)) {
                return Err(Damaged("keys out of order"));
            }
            if head_len == 0 && head != head_of(tail) {
                return Err(Damaged("key head does not match its key"));
            }
            self.value(index)?;
            self.record(index)?;
            previous = Some((head, tail));
        }
        let last = self.count() - 1;
        let keys_end = self.layout.tail(self.bytes, last)?.end;
        let values_end = self.layout.value(self.bytes, last)?.end;
        match keys_end == self.layout.values_at && values_end == self.bytes.len() {
            true => Ok(()),
            false => Err(Damaged("block has bytes that belong to no entry")),
        }
    }
}
