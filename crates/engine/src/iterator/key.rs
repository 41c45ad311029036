//! Comparisons of keys without a call: most keys are short, and calling `memcmp` costs more than
//! comparing a few words.

use std::cmp::Ordering;

const WORD_BYTES: usize = 8;

/// Bytewise order, as `a.cmp(b)`.
#[inline]
pub(crate) fn compare_keys(a: &[u8], b: &[u8]) -> Ordering {
    let shared = a.len().min(b.len());
    if shared < WORD_BYTES {
        return a.cmp(b);
    }
    let last = shared - WORD_BYTES;
    let mut at = 0;
    // The last word may overlap the one before; the bytes seen twice are equal.
    loop {
        let (left, right) = (word(a, at), word(b, at));
        if left != right {
            return left.cmp(&right);
        }
        if at == last {
            return a.len().cmp(&b.len());
        }
        at = (at + WORD_BYTES).min(last);
    }
}

/// Whether two keys are equal, as `a == b`. Looks at the ends first: neighbours share prefixes.
#[inline]
pub(crate) fn same_key(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.last_chunk::<WORD_BYTES>(), b.last_chunk::<WORD_BYTES>()) {
        (Some(left), Some(right)) => left == right && a == b,
        _ => a == b,
    }
}

#[inline]
fn word(key: &[u8], at: usize) -> u64 {
    let bytes = key.get(at..at + WORD_BYTES).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
