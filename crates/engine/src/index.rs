//! Table index: finds the one block that can hold a key, in place, without decoding anything.
//!
//! Each block but the first has a separator: the shortest string after the last key of the block
//! before it and not after its own first key. The separator of the first block is the prefix that
//! all keys of the table share. All numbers are little endian; `n` is the number of blocks.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | `n` |
//! | 2 | length of the prefix |
//! | 2 | zero |
//! | 8n | heads: the first eight bytes of each separator after the prefix, padded with zeroes, as a big-endian number |
//! | 8(n+1) | places: file offset of each block in the low 56 bits, codec in the top byte; the last one is the end of the data |
//! | 4n | separator ends, counted from the start of the separators |
//! | | prefix, separators without the prefix |

use std::cmp::Ordering;

use crate::block::shared_prefix;
use crate::compress::codec_from_u8;
use crate::options::Codec;

#[cfg(test)]
mod tests;

const HEADER_BYTES: usize = 8;
const OFFSET_BITS: u32 = 56;

/// Every how many heads one is repeated in the level above.
const FANOUT: usize = 16;

/// Where a block lies and how it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// File offset of the first byte.
    pub offset: u64,
    /// Bytes without the trailer.
    pub len: usize,
    /// Codec of the payload.
    pub codec: Codec,
}

/// Bytes of the trailer after each block.
pub const TRAILER_BYTES: usize = 8;

/// An index in its stored form.
#[derive(Clone, Copy, Debug)]
pub struct Index<'a> {
    count: usize,
    heads: &'a [u8],
    places: &'a [u8],
    ends: &'a [u8],
    prefix: &'a [u8],
    separators: &'a [u8],
}

/// Sparse copies of the heads that stay in the nearest cache, sparsest first: the last has every
/// 16th head, the one before every 16th of those, until one has 16 at most.
#[derive(Debug, Default)]
pub struct IndexTop(Vec<Box<[u64]>>);

impl<'a> Index<'a> {
    /// Cuts a stored index into its columns; `None` when the sizes contradict each other.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let count = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let prefix_len = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let (heads, rest) = rest.split_at_checked(count * 8)?;
        let (places, rest) = rest.split_at_checked((count + 1) * 8)?;
        let (ends, rest) = rest.split_at_checked(count * 4)?;
        let (prefix, separators) = rest.split_at_checked(prefix_len)?;
        Some(Self { count, heads, places, ends, prefix, separators })
    }

    /// Number of blocks.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    #[inline]
    fn head(&self, block: usize) -> u64 {
        u64_at(self.heads, block)
    }

    /// End of the data blocks.
    pub fn data_end(&self) -> u64 {
        u64_at(self.places, self.count) & ((1 << OFFSET_BITS) - 1)
    }

    /// File offset at which `block` starts; that of the end of the data for `count()`.
    #[inline]
    pub fn offset(&self, block: usize) -> u64 {
        u64_at(self.places, block) & ((1 << OFFSET_BITS) - 1)
    }

    /// Where `block` lies; `None` when the index contradicts itself.
    #[inline]
    pub fn place(&self, block: usize) -> Option<BlockPlace> {
        let word = u64_at(self.places, block);
        let offset = word & ((1 << OFFSET_BITS) - 1);
        let len = self.offset(block + 1).checked_sub(offset)? as usize;
        let codec = codec_from_u8((word >> OFFSET_BITS) as u8)?;
        Some(BlockPlace { offset, len: len.checked_sub(TRAILER_BYTES)?, codec })
    }

    /// Separator of `block` without the prefix; empty when the index contradicts itself.
    #[inline]
    fn separator(&self, block: usize) -> &'a [u8] {
        let start = if block == 0 { 0 } else { u32_at(self.ends, block - 1) as usize };
        self.separators.get(start..u32_at(self.ends, block) as usize).unwrap_or_default()
    }

    /// The one block that can hold `key`; `None` when `key` is before every key.
    #[inline]
    pub fn find(&self, top: &IndexTop, key: &[u8]) -> Option<usize> {
        let shared = key.len().min(self.prefix.len());
        match key[..shared].cmp(&self.prefix[..shared]) {
            Ordering::Less => return None,
            Ordering::Greater => return self.count.checked_sub(1),
            Ordering::Equal if shared < self.prefix.len() => return None,
            Ordering::Equal => {}
        }
        let suffix = &key[shared..];
        let head = head_of(suffix);
        let after = self.first_head_above(top, head);
        if after == 0 || self.head(after - 1) != head {
            return after.checked_sub(1);
        }
        self.find_among_equal(after, head, suffix)
    }

    /// Last block with head `head`, ending at `after`, whose separator is not above `suffix`.
    #[inline(never)]
    fn find_among_equal(&self, after: usize, head: u64, suffix: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, after);
        while low < high {
            let middle = low.midpoint(high);
            let at = self.head(middle);
            if at < head || (at == head && self.separator(middle) <= suffix) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
    }

    /// First block whose head is above `head`.
    ///
    /// Counts in windows of 16 instead of halving: a count has no branch to mispredict.
    #[inline]
    fn first_head_above(&self, top: &IndexTop, head: u64) -> usize {
        let mut start = 0;
        for level in &top.0 {
            let window = &level[start..(start + FANOUT).min(level.len())];
            let count = window.iter().map(|&value| usize::from(value <= head)).sum::<usize>();
            // Each window starts with a head not above the wanted one, but for the first of all.
            start = (start + count).saturating_sub(1) * FANOUT;
        }
        let end = (start + FANOUT).min(self.count);
        let window = &self.heads[start * 8..end * 8];
        let count = window.chunks_exact(8).map(|value| usize::from(u64_of(value) <= head));
        start + count.sum::<usize>()
    }

    /// The sparse copies of the heads that [`Index::find`] searches first.
    pub fn top(&self) -> IndexTop {
        let mut levels: Vec<Box<[u64]>> = Vec::new();
        let mut len = self.count;
        while len > FANOUT {
            let level: Box<[u64]> = match levels.last() {
                None => (0..self.count).step_by(FANOUT).map(|block| self.head(block)).collect(),
                Some(below) => below.iter().copied().step_by(FANOUT).collect(),
            };
            len = level.len();
            levels.push(level);
        }
        levels.reverse();
        IndexTop(levels)
    }

    /// Checks what reading checks lazily: offsets and separators ascending, heads right.
    pub fn is_sound(&self) -> bool {
        let whole =
            self.count == 0 || u32_at(self.ends, self.count - 1) as usize == self.separators.len();
        whole
            && (0..self.count).all(|block| {
                let separator = self.separator(block);
                self.place(block).is_some()
                    && self.head(block) == head_of(separator)
                    && (block == 0 || self.separator(block - 1) < separator)
            })
    }
}

#[inline]
fn u64_at(bytes: &[u8], index: usize) -> u64 {
    u64_of(&bytes[index * 8..index * 8 + 8])
}

#[inline]
fn u64_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[inline]
fn u32_at(bytes: &[u8], index: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[index * 4..index * 4 + 4]);
    u32::from_le_bytes(word)
}

#[inline]
fn head_of(suffix: &[u8]) -> u64 {
    match suffix.first_chunk::<8>() {
        Some(head) => u64::from_be_bytes(*head),
        None => {
            let mut head = [0; 8];
            head[..suffix.len()].copy_from_slice(suffix);
            u64::from_be_bytes(head)
        }
    }
}

/// Collects blocks in key order; [`IndexBuilder::finish`] lays them out.
#[derive(Default)]
pub struct IndexBuilder {
    places: Vec<u64>,
    separators: Vec<u8>,
    ends: Vec<usize>,
}

impl IndexBuilder {
    /// Adds a block at `offset` whose first key is `first`; the key before it is `before`.
    pub fn add(&mut self, offset: u64, codec: Codec, before: Option<&[u8]>, first: &[u8]) {
        if let Some(before) = before {
            let len = shared_prefix_exact(before, first) + 1;
            self.separators.extend_from_slice(&first[..len.min(first.len())]);
        }
        self.ends.push(self.separators.len());
        self.places.push(offset | (codec as u64) << OFFSET_BITS);
    }

    /// Bytes the index will have, about.
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + self.places.len() * 20 + self.separators.len()
    }

    /// Lays out the index of a table with data up to `data_end` and keys `smallest..=largest`.
    pub fn finish(&self, data_end: u64, smallest: &[u8], largest: &[u8]) -> Vec<u8> {
        let prefix_len = if self.places.is_empty() { 0 } else { shared_prefix(smallest, largest) };
        let mut out = Vec::with_capacity(self.bytes() + prefix_len + 8);
        out.extend_from_slice(&(self.places.len() as u32).to_le_bytes());
        out.extend_from_slice(&(prefix_len as u16).to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        // The first separator is the prefix itself, so nothing of it remains.
        let suffix = |block: usize| match block {
            0 => &[][..],
            _ => &self.separators[self.ends[block - 1] + prefix_len..self.ends[block]],
        };
        let count = self.places.len();
        for block in 0..count {
            out.extend_from_slice(&head_of(suffix(block)).to_le_bytes());
        }
        for place in self.places.iter().chain([&data_end]) {
            out.extend_from_slice(&place.to_le_bytes());
        }
        let mut end = 0;
        for block in 0..count {
            end += suffix(block).len();
            out.extend_from_slice(&(end as u32).to_le_bytes());
        }
        out.extend_from_slice(&smallest[..prefix_len]);
        (0..count).for_each(|block| out.extend_from_slice(suffix(block)));
        out
    }
}

fn shared_prefix_exact(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}
