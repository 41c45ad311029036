//! Scores as bytes that sort like the numbers. Part of the storage format.
//!
//! ```text
//! u64 BE: the bits of the double; positive ones with the top bit set, negative ones inverted
//! ```
//!
//! -0 is stored as 0, so that equal numbers have equal bytes.

/// Bytes of a score.
pub const SCORE_BYTES: usize = 8;

const SIGN: u64 = 1 << 63;

/// The bytes of a number.
#[inline]
pub fn encode(score: f64) -> [u8; SCORE_BYTES] {
    let bits = if score == 0.0 { 0 } else { score.to_bits() };
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    ordered.to_be_bytes()
}

/// The number of bytes that [`encode`] made; anything else reads as 0.
#[inline]
pub fn decode(bytes: &[u8]) -> f64 {
    let Some(bytes) = bytes.first_chunk() else { return 0.0 };
    let ordered = u64::from_be_bytes(*bytes);
    f64::from_bits(if ordered & SIGN == 0 { !ordered } else { ordered & !SIGN })
}
