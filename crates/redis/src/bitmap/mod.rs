//! Bits of strings. Bit 0 is the highest of byte 0; whatever lies behind the end is 0.

pub mod field;
#[cfg(test)]
mod tests;

/// How BITOP combines strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// Bits set in all.
    And,
    /// Bits set in any.
    Or,
    /// Bits set in an odd number of them.
    Xor,
    /// Bits not set in the only one.
    Not,
    /// Bits set in the first one and in no other.
    Diff,
    /// Bits set in another one and not in the first.
    Diff1,
    /// Bits set in the first one and in another.
    AndOr,
    /// Bits set in exactly one.
    One,
}

/// A bit of a string.
#[inline]
pub fn bit(bytes: &[u8], offset: u64) -> bool {
    let byte = usize::try_from(offset / 8).ok().and_then(|at| bytes.get(at));
    byte.is_some_and(|byte| byte & mask(offset) != 0)
}

/// Changes a bit; one behind the end stays as it is.
#[inline]
pub fn set_bit(bytes: &mut [u8], offset: u64, on: bool) {
    let byte = usize::try_from(offset / 8).ok().and_then(|at| bytes.get_mut(at));
    if let Some(byte) = byte {
        *byte = if on { *byte | mask(offset) } else { *byte & !mask(offset) };
    }
}

fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

/// Number of set bits among those from `first` to `last`, both inside the string.
pub fn count(bytes: &[u8], first: u64, last: u64) -> u64 {
    let (from, to) = ((first / 8) as usize, (last / 8) as usize);
    let Some(whole) = bytes.get(from..=to) else { return 0 };
    let ones: u64 = whole.iter().map(|byte| u64::from(byte.count_ones())).sum();
    let before = bytes[from] & !(0xFF >> (first % 8));
    let behind = bytes[to] & !mask_through(last);
    ones - u64::from(before.count_ones()) - u64::from(behind.count_ones())
}

/// The bits of a byte up to the one of `offset`.
fn mask_through(offset: u64) -> u8 {
    !(0x7F >> (offset % 8))
}

/// The first bit that is `wanted` among those from `first` to `last`, both inside the string.
pub fn position(bytes: &[u8], wanted: bool, first: u64, last: u64) -> Option<u64> {
    let (from, to) = ((first / 8) as usize, (last / 8) as usize);
    let skipped = if wanted { 0x00 } else { 0xFF };
    let whole = bytes.get(from..=to)?;
    // The edge bytes hold bits that do not count.
    let unlike = |at: usize| {
        let mut differing = whole[at] ^ skipped;
        if at == 0 {
            differing &= 0xFF >> (first % 8);
        }
        if from + at == to {
            differing &= mask_through(last);
        }
        differing
    };
    let mut at = 0;
    while at < whole.len() {
        let differing = unlike(at);
        if differing != 0 {
            return Some((from + at) as u64 * 8 + u64::from(differing.leading_zeros()));
        }
        at += 1 + run(&whole[at + 1..], skipped);
    }
    None
}

/// Bytes at the start that are all `byte`, to within a few.
fn run(bytes: &[u8], byte: u8) -> usize {
    const STEP: usize = 32;
    bytes.chunks_exact(STEP).take_while(|chunk| **chunk == [byte; STEP]).count() * STEP
}

/// Combines strings as if all had the length of the longest.
pub fn combine(combination: Combination, sources: &[Vec<u8>]) -> Vec<u8> {
    let len = sources.iter().map(Vec::len).max().unwrap_or(0);
    let mut first = sources.first().cloned().unwrap_or_default();
    first.resize(len, 0);
    let others = sources.get(1..).unwrap_or_default();
    match combination {
        Combination::And => others.iter().for_each(|other| and(&mut first, other)),
        Combination::Or => others.iter().for_each(|other| or(&mut first, other)),
        Combination::Xor => others.iter().for_each(|other| xor(&mut first, other)),
        Combination::Not => invert(&mut first),
        Combination::Diff => {
            let mut any = union(others, len);
            invert(&mut any);
            and(&mut first, &any);
        }
        Combination::Diff1 => {
            invert(&mut first);
            and(&mut first, &union(others, len));
        }
        Combination::AndOr => and(&mut first, &union(others, len)),
        Combination::One => {
            let mut twice = vec![0; len];
            for other in others {
                let mut again = first.clone();
                and(&mut again, other);
                or(&mut twice, &again);
                or(&mut first, other);
            }
            invert(&mut twice);
            and(&mut first, &twice);
        }
    }
    first
}

fn union(sources: &[Vec<u8>], len: usize) -> Vec<u8> {
    let mut any = vec![0; len];
    sources.iter().for_each(|source| or(&mut any, source));
    any
}

fn and(bytes: &mut [u8], other: &[u8]) {
    let common = bytes.len().min(other.len());
    bytes.iter_mut().zip(other).for_each(|(byte, other)| *byte &= other);
    bytes[common..].fill(0);
}

fn or(bytes: &mut [u8], other: &[u8]) {
    bytes.iter_mut().zip(other).for_each(|(byte, other)| *byte |= other);
}

fn xor(bytes: &mut [u8], other: &[u8]) {
    bytes.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
}

fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
}
