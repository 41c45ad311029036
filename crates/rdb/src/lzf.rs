//! LZF, as Redis compresses strings.
//!
//! ```text
//! 000lllll            l + 1 bytes follow as they are
//! lllooooo u8         l + 2 bytes from o·256 + u8 + 1 bytes back, l in 1..=6
//! 111ooooo u8 u8      7 + the first u8 + 2 bytes, from o·256 + the second u8 + 1 bytes back
//! ```

const LITERALS_MAX: usize = 32;
const MATCH_MAX: usize = 264;
const DISTANCE_MAX: usize = 1 << 13;
const HASH_BITS: u32 = 14;

/// Appends what `packed` stands for, which must be `len` bytes; whether it is.
pub(crate) fn decompress(packed: &[u8], len: usize, out: &mut Vec<u8>) -> bool {
    // Three bytes make 264 at most: a length that lies is not believed.
    if len > packed.len().saturating_mul(MATCH_MAX) {
        return false;
    }
    let start = out.len();
    out.reserve(len);
    let mut rest = packed;
    while let Some((&control, behind)) = rest.split_first() {
        rest = behind;
        let control = usize::from(control);
        if control < LITERALS_MAX {
            let Some((literal, behind)) = rest.split_at_checked(control + 1) else { return false };
            out.extend_from_slice(literal);
            rest = behind;
        } else {
            let mut count = control >> 5;
            if count == 7 {
                let Some((&more, behind)) = rest.split_first() else { return false };
                count += usize::from(more);
                rest = behind;
            }
            let Some((&low, behind)) = rest.split_first() else { return false };
            rest = behind;
            let distance = ((control & 31) << 8 | usize::from(low)) + 1;
            if !repeat(out, start, distance, count + 2) {
                return false;
            }
        }
        if out.len() - start > len {
            return false;
        }
    }
    out.len() - start == len
}

fn repeat(out: &mut Vec<u8>, start: usize, distance: usize, count: usize) -> bool {
    if distance > out.len() - start {
        return false;
    }
    let from = out.len() - distance;
    if distance >= count {
        out.extend_from_within(from..from + count);
    } else {
        (from..from + count).for_each(|at| out.push(out[at]));
    }
    true
}

/// `bytes` compressed; `None`: that would not make them smaller.
pub(crate) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let room = bytes.len().checked_sub(4)?;
    let mut out = Vec::with_capacity(room.min(1 << 16));
    let mut seen = vec![usize::MAX; 1 << HASH_BITS];
    let (mut at, mut literals) = (0, 0);
    while at + 2 < bytes.len() && out.len() < room {
        let word = u32::from_be_bytes([0, bytes[at], bytes[at + 1], bytes[at + 2]]);
        let place = (word.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize;
        let before = std::mem::replace(&mut seen[place], at);
        let is_match = before != usize::MAX
            && at - before <= DISTANCE_MAX
            && bytes[before..before + 3] == bytes[at..at + 3];
        if !is_match {
            at += 1;
            continue;
        }
        push_literals(&mut out, &bytes[literals..at]);
        let same = bytes[at..].iter().zip(&bytes[before..]).take(MATCH_MAX);
        let count = same.take_while(|(a, b)| a == b).count();
        push_match(&mut out, at - before - 1, count - 2);
        at += count;
        literals = at;
    }
    push_literals(&mut out, &bytes[literals..]);
    (out.len() <= room).then_some(out)
}

fn push_literals(out: &mut Vec<u8>, bytes: &[u8]) {
    for run in bytes.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

/// `distance` less one, `count` less two.
fn push_match(out: &mut Vec<u8>, distance: usize, count: usize) {
    let high = (distance >> 8) as u8;
    if count < 7 {
        out.push((count as u8) << 5 | high);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (count - 7) as u8]);
    }
    out.push(distance as u8);
}
