//! Blocked Bloom filter: one 64-byte line per key, so that a lookup touches one cache line.
//!
//! | bytes | content |
//! |---|---|
//! | 64 × lines | bits; first in the section, so that lines are aligned in the file |
//! | 4 | number of lines, little endian, at least 1 |
//! | 1 | probes per key, 1..=16 |
//! | 3 | zero |
//!
//! A key with hash `h` uses line `(h >> 32) * lines >> 32` and, from `x = low 32 bits of h`, per
//! probe the bit `x >> 23` of the 512, then `x = x * 0x9E3779B9`. The scheme is that of RocksDB's
//! `FastLocalBloom`; the price for one line per key is a false positive rate above that of a
//! classic Bloom filter, because lines fill unevenly: [`expected_fpr`] tells what to expect.

#[cfg(test)]
mod tests;

/// Bytes of a line: one cache line.
pub const LINE_BYTES: usize = 64;

const LINE_BITS: f64 = 512.0;
const TAIL_BYTES: usize = 8;
const PROBES_MAX: u8 = 16;
const MULTIPLIER: u32 = 0x9E37_79B9;

/// A filter in its stored form.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    lines: &'a [u8],
    count: u64,
    probes: u8,
}

impl<'a> Filter<'a> {
    /// Reads the tail of a stored filter; `None` when it contradicts itself.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (lines, tail) = bytes.split_last_chunk::<TAIL_BYTES>()?;
        let count = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
        let probes = tail[4];
        let sound = count > 0
            && lines.len() == count as usize * LINE_BYTES
            && (1..=PROBES_MAX).contains(&probes);
        sound.then_some(Self { lines, count: u64::from(count), probes })
    }

    /// Whether a key with hash `hash` may be in the set; `false` is certain.
    #[inline]
    pub fn may_contain(&self, hash: u64) -> bool {
        let at = line_of(hash, self.count);
        let Some(line) = self.lines[at..].first_chunk::<LINE_BYTES>() else { return true };
        let mut x = hash as u32;
        for _ in 0..self.probes {
            let bit = (x >> 23) as usize;
            if line[bit >> 3] & (1 << (bit & 7)) == 0 {
                return false;
            }
            x = x.wrapping_mul(MULTIPLIER);
        }
        true
    }

    /// Offset and length in the section of the line that decides about `hash`.
    pub fn place(&self, hash: u64) -> (usize, usize) {
        (line_of(hash, self.count), LINE_BYTES)
    }
}

#[inline]
fn line_of(hash: u64, lines: u64) -> usize {
    (((hash >> 32) * lines) >> 32) as usize * LINE_BYTES
}

/// Hashes in a piece of [`Hashes`].
const PIECE: usize = 8192;

/// Hashes of the keys of a filter to come. In pieces, because a buffer that grows by doubling takes
/// three times what is in it at the worst moment.
#[derive(Default)]
pub struct Hashes {
    pieces: Vec<Vec<u64>>,
    last: Vec<u64>,
}

impl Hashes {
    /// Adds the hash of a key.
    #[inline]
    pub fn push(&mut self, hash: u64) {
        if self.last.len() == PIECE {
            let full = std::mem::replace(&mut self.last, Vec::with_capacity(PIECE));
            self.pieces.push(full);
        }
        self.last.push(hash);
    }

    /// Number of hashes.
    pub fn len(&self) -> usize {
        self.pieces.len() * PIECE + self.last.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }
}

impl FromIterator<u64> for Hashes {
    fn from_iter<I: IntoIterator<Item = u64>>(hashes: I) -> Self {
        let mut all = Self::default();
        hashes.into_iter().for_each(|hash| all.push(hash));
        all
    }
}

/// Builds the stored form of a filter over `hashes` with `bits_per_key` bits for each.
pub fn build(hashes: &Hashes, bits_per_key: u8) -> Vec<u8> {
    let bits = hashes.len() as u64 * u64::from(bits_per_key.max(1));
    let count = bits.div_ceil(512).clamp(1, u64::from(u32::MAX));
    let probes = probes_for(bits_per_key);
    let mut out = vec![0u8; count as usize * LINE_BYTES + TAIL_BYTES];
    for &hash in hashes.pieces.iter().flatten().chain(&hashes.last) {
        let at = line_of(hash, count);
        let line = &mut out[at..at + LINE_BYTES];
        let mut x = hash as u32;
        for _ in 0..probes {
            let bit = (x >> 23) as usize;
            line[bit >> 3] |= 1 << (bit & 7);
            x = x.wrapping_mul(MULTIPLIER);
        }
    }
    let tail = count as usize * LINE_BYTES;
    out[tail..tail + 4].copy_from_slice(&(count as u32).to_le_bytes());
    out[tail + 4] = probes;
    out
}

/// Probes per key that give the lowest false positive rate for `bits_per_key`.
pub fn probes_for(bits_per_key: u8) -> u8 {
    match bits_per_key {
        0..=2 => 1,
        3 => 2,
        4..=5 => 3,
        6 => 4,
        7..=8 => 5,
        9..=11 => 6,
        12..=13 => 7,
        14..=15 => 8,
        16..=18 => 9,
        19..=21 => 10,
        22..=24 => 11,
        _ => 12,
    }
}

/// Share of absent keys that a filter with `bits_per_key` lets through, between 0 and 1.
///
/// The keys of a line follow a Poisson distribution with mean `512 / bits_per_key`; a line of `k`
/// keys passes `(1 - (1 - 1/512)^(k × probes))^probes`. At 10 bits that is 0.94 %.
pub fn expected_fpr(bits_per_key: u8) -> f64 {
    if bits_per_key == 0 {
        return 1.0;
    }
    let mean = LINE_BITS / f64::from(bits_per_key);
    let probes = f64::from(probes_for(bits_per_key));
    let mut probability = (-mean).exp();
    let mut rate = 0.0;
    let keys_max = (mean + 12.0 * mean.sqrt() + 20.0) as u32;
    for keys in 0..=keys_max {
        let set = 1.0 - (1.0 - 1.0 / LINE_BITS).powf(f64::from(keys) * probes);
        rate += probability * set.powf(probes);
        probability *= mean / f64::from(keys + 1);
    }
    rate
}
