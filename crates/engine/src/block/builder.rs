//! Collects entries and lays them out as one block.

use crate::entry::{Entry, Kind};

use super::{
    ENTRIES_MAX, HAS_KINDS, HEAD_BYTES, HEADER_BYTES, IS_SPLIT, delta_width, end_width, head_of,
    tag_of,
};

/// Bytes that an entry costs besides key and value, roughly.
const ENTRY_BYTES: usize = 5;

/// A block that lacks more than one in so many of its bytes takes another entry,
const FAR_BELOW: usize = 10;
/// unless it would then be larger by more than one in so many.
const FAR_ABOVE: usize = 4;

/// Buffers above this size are given back after the block that needed them.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// Collects entries in key order; [`BlockBuilder::finish`] lays them out.
#[derive(Default)]
pub struct BlockBuilder {
    tags: Vec<u8>,
    keys: Vec<u8>,
    key_ends: Vec<u32>,
    values: Vec<u8>,
    value_ends: Vec<u32>,
    seqs: Vec<u64>,
    kinds: Vec<u8>,
    expiries: Vec<u64>,
    has_kinds: bool,
    has_expiries: bool,
    out: Vec<u8>,
}

/// Widths and smallest numbers of a block being laid out.
struct Shape {
    prefix_len: usize,
    /// Bytes of each suffix that only its head has.
    head_len: usize,
    tails_len: usize,
    seq_min: u64,
    expiry_min: u64,
    tail_code: u8,
    value_code: u8,
    seq_code: u8,
    expiry_code: u8,
}

impl BlockBuilder {
    /// An empty block.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries so far.
    #[inline]
    pub fn count(&self) -> usize {
        self.tags.len()
    }

    /// Whether the block is as close to `target` bytes as it gets, or at its entry limit: it rather
    /// ends somewhat above the target than far below. An empty block takes everything.
    #[inline]
    pub fn is_full_for(&self, entry: &Entry<'_>, target: usize) -> bool {
        if self.count() == 0 {
            return false;
        }
        let more = entry.key.len() + entry.value.len() + ENTRY_BYTES;
        let (now, then) = (self.bytes(), self.bytes() + more);
        let is_close = now >= target - target / FAR_BELOW || then > target + target / FAR_ABOVE;
        (is_close && then > target) || self.count() >= ENTRIES_MAX
    }

    /// Estimated size of the block.
    #[inline]
    pub fn bytes(&self) -> usize {
        HEADER_BYTES + self.keys.len() + self.values.len() + self.count() * ENTRY_BYTES
    }

    /// Appends an entry whose key is after the last one and has hash `hash`.
    #[inline]
    pub fn add(&mut self, entry: &Entry<'_>, hash: u64) {
        self.tags.push(tag_of(hash));
        self.keys.extend_from_slice(entry.key);
        self.key_ends.push(self.keys.len() as u32);
        self.values.extend_from_slice(entry.value);
        self.value_ends.push(self.values.len() as u32);
        self.seqs.push(entry.seq);
        self.kinds.push(entry.kind as u8);
        self.expiries.push(entry.expire_at_ms);
        self.has_kinds |= entry.kind != Kind::Put;
        self.has_expiries |= entry.expire_at_ms != 0;
    }

    fn key(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.key_ends[index - 1] as usize };
        &self.keys[start..self.key_ends[index] as usize]
    }

    /// Lays out the block and forgets the entries. There must be at least one.
    pub fn finish(&mut self) -> &[u8] {
        let shape = self.shape();
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        self.push_header(&mut out, &shape);
        out.extend_from_slice(&self.tags);
        self.push_rows(&mut out, &shape);
        for index in 0..self.count() {
            let head = head_of(&self.key(index)[shape.prefix_len..]);
            out.extend_from_slice(&head.to_le_bytes());
        }
        out.extend_from_slice(&self.keys[..shape.prefix_len]);
        for index in 0..self.count() {
            out.extend_from_slice(&self.key(index)[shape.prefix_len + shape.head_len..]);
        }
        out.extend_from_slice(&self.values);
        self.out = out;
        self.clear();
        &self.out
    }

    fn shape(&self) -> Shape {
        let count = self.count();
        let prefix_len = shared_prefix(self.key(0), self.key(count - 1));
        let shortest = lengths(&self.key_ends).min().unwrap_or(0);
        let head_len = if shortest >= prefix_len + HEAD_BYTES { HEAD_BYTES } else { 0 };
        let tails_len = self.keys.len() - count * (prefix_len + head_len);
        let seq_min = self.seqs.iter().copied().min().unwrap_or(0);
        let seq_max = self.seqs.iter().copied().max().unwrap_or(0);
        let expiry_min = self.expiries.iter().copied().filter(|&at| at != 0).min().unwrap_or(0);
        let expiry_max = self.expiries.iter().copied().max().unwrap_or(0);
        let expiry_range = (expiry_max - expiry_min).saturating_add(1);
        Shape {
            prefix_len,
            head_len,
            tails_len,
            seq_min,
            expiry_min,
            tail_code: end_code(&self.key_ends, tails_len),
            value_code: end_code(&self.value_ends, self.values.len()),
            seq_code: delta_code(seq_max - seq_min),
            expiry_code: if self.has_expiries { delta_code(expiry_range) } else { 0 },
        }
    }

    fn push_header(&self, out: &mut Vec<u8>, shape: &Shape) {
        out.extend_from_slice(&(self.count() as u16).to_le_bytes());
        out.push(shape.tail_code | shape.value_code << 2 | shape.seq_code << 4);
        let kinds = if self.has_kinds { HAS_KINDS } else { 0 };
        let split = if shape.head_len > 0 { IS_SPLIT } else { 0 };
        out.push(shape.expiry_code | kinds | split);
        out.extend_from_slice(&(shape.prefix_len as u16).to_le_bytes());
        out.extend_from_slice(&(shape.tails_len as u32).to_le_bytes());
        out.extend_from_slice(&shape.seq_min.to_le_bytes());
        if self.has_expiries {
            out.extend_from_slice(&shape.expiry_min.to_le_bytes());
        }
    }

    fn push_rows(&self, out: &mut Vec<u8>, shape: &Shape) {
        for index in 0..self.count() {
            let apart = (index + 1) * (shape.prefix_len + shape.head_len);
            let tail_end = self.key_ends[index] as usize - apart;
            push_number(out, tail_end as u64, end_width(shape.tail_code));
            push_number(out, u64::from(self.value_ends[index]), end_width(shape.value_code));
            push_number(out, self.seqs[index] - shape.seq_min, delta_width(shape.seq_code));
            push_number(out, u64::from(self.kinds[index]), usize::from(self.has_kinds));
            let expiry = match self.expiries[index] {
                0 => 0,
                at => at - shape.expiry_min + 1,
            };
            push_number(out, expiry, delta_width(shape.expiry_code));
        }
    }

    fn clear(&mut self) {
        self.tags.clear();
        self.keys.clear();
        self.key_ends.clear();
        self.values.clear();
        self.value_ends.clear();
        self.seqs.clear();
        self.kinds.clear();
        self.expiries.clear();
        self.has_kinds = false;
        self.has_expiries = false;
        self.values.shrink_to(BUFFER_BYTES_KEPT);
    }

    /// Gives back the output buffer if an unusually large block made it grow.
    pub fn shrink(&mut self) {
        if self.out.capacity() > BUFFER_BYTES_KEPT {
            self.out = Vec::new();
        }
    }
}

/// Length of the longest common prefix, at most what a block can say.
pub(crate) fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let len = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    len.min(usize::from(u16::MAX))
}

/// Distances between neighbouring ends.
fn lengths(ends: &[u32]) -> impl Iterator<Item = usize> {
    let starts = std::iter::once(&0).chain(ends);
    starts.zip(ends).map(|(start, end)| (end - start) as usize)
}

/// Code of the width of `ends`, whose last number will be `max`.
fn end_code(ends: &[u32], max: usize) -> u8 {
    let mut lengths = lengths(ends);
    let first = lengths.next();
    match max {
        _ if lengths.all(|len| Some(len) == first) => 0,
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        _ => 3,
    }
}

fn delta_code(max: u64) -> u8 {
    match max {
        0 => 0,
        1..=0xFF => 1,
        0x100..=0xFFFF => 2,
        0x1_0000..=0xFFFF_FFFF => 3,
        _ => 4,
    }
}

#[inline]
fn push_number(out: &mut Vec<u8>, number: u64, width: usize) {
    match width {
        0 => {}
        1 => out.push(number as u8),
        2 => out.extend_from_slice(&(number as u16).to_le_bytes()),
        4 => out.extend_from_slice(&(number as u32).to_le_bytes()),
        _ => out.extend_from_slice(&number.to_le_bytes()),
    }
}
