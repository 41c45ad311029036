//! An LZ4 block encoder for data blocks, and a decoder for their beginnings; `lz4_flex` decodes the
//! rest.
//!
//! Encoders skip faster and faster through bytes that do not repeat. A block begins with columns of
//! hashes and keys that never do, so such an encoder has its longest stride when it reaches the
//! values and overlooks their repetitions. This one never takes strides above two.
//!
//! A sequence is a token (high half: number of literals, low half: match length less 4; 15 = more
//! bytes follow), the literals, and the distance of the match as a little-endian `u16`. The last
//! sequence has literals only.

/// Slots of the hash table.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 12;
const MATCH_MIN: usize = 4;
/// Bytes at the end that are always literals.
const LITERALS_LAST: usize = 5;
/// A match starts at least this far from the end.
const MATCH_START_LAST: usize = 12;
/// Positions without a match before every second one is skipped.
const PATIENCE: usize = 64;
/// Positions are 16-bit numbers.
pub(super) const INPUT_MAX: usize = 1 << 16;

/// Encodes blocks of up to [`INPUT_MAX`] bytes.
pub(super) struct Encoder {
    /// Last position of a four-byte word, by its hash.
    table: Box<[u16; SLOTS]>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { table: Box::new([0; SLOTS]) }
    }

    /// Encodes `raw` into `out`; the bytes written, or `None` when `out` is too small.
    pub(super) fn encode(&mut self, raw: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut out = Output { bytes: out, len: 0 };
        let mut anchor = 0;
        if raw.len() > MATCH_START_LAST {
            self.table.fill(0);
            let mut at = 1;
            while let Some((from, candidate)) = self.find(raw, at) {
                let (start, source) = extend_back(raw, from, candidate, anchor);
                let end = from + MATCH_MIN;
                let end = end + common(raw, end, candidate + MATCH_MIN);
                out.sequence(&raw[anchor..start], (start - source) as u16, end - start)?;
                anchor = end;
                at = end;
                if let Some(word) = word_at(raw, end - 2) {
                    self.table[slot_of(word)] = (end - 2) as u16;
                }
            }
        }
        out.last(&raw[anchor..])?;
        Some(out.len)
    }

    /// The first match at or after `at`: where, and the earlier position of the same four bytes.
    #[inline]
    fn find(&mut self, raw: &[u8], mut at: usize) -> Option<(usize, usize)> {
        let limit = raw.len() - MATCH_START_LAST;
        let patient_until = at + PATIENCE;
        while at <= limit {
            let word = word_at(raw, at)?;
            let slot = &mut self.table[slot_of(word)];
            let candidate = usize::from(*slot);
            *slot = at as u16;
            if candidate < at && word_at(raw, candidate) == Some(word) {
                return Some((at, candidate));
            }
            at += 1 + usize::from(at >= patient_until);
        }
        None
    }
}

#[inline]
fn word_at(raw: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*raw.get(at..)?.first_chunk()?))
}

#[inline]
fn double_at(raw: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*raw.get(at..)?.first_chunk()?))
}

#[inline]
fn slot_of(word: u32) -> usize {
    (word.wrapping_mul(0x9E37_79B1) >> (32 - SLOT_BITS)) as usize
}

/// Moves the start of a match back over equal bytes that are not written yet.
#[inline]
fn extend_back(raw: &[u8], mut at: usize, mut from: usize, anchor: usize) -> (usize, usize) {
    while at > anchor && from > 0 && raw[at - 1] == raw[from - 1] {
        at -= 1;
        from -= 1;
    }
    (at, from)
}

/// Number of equal bytes from `at` and from `earlier` on, outside the last literals.
#[inline]
fn common(raw: &[u8], at: usize, earlier: usize) -> usize {
    let limit = raw.len() - LITERALS_LAST;
    let (left, right) = (&raw[at..limit.max(at)], &raw[earlier..]);
    let mut equal = 0;
    while let (Some(a), Some(b)) = (double_at(left, equal), double_at(right, equal)) {
        if a != b {
            return equal + (a ^ b).trailing_zeros() as usize / 8;
        }
        equal += 8;
    }
    equal + left[equal..].iter().zip(&right[equal..]).take_while(|(a, b)| a == b).count()
}

struct Output<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl Output<'_> {
    #[inline]
    fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    /// What of `count` does not fit into half a token.
    #[inline]
    fn rest_of_count(&mut self, count: usize) -> Option<()> {
        let Some(mut rest) = count.checked_sub(15) else { return Some(()) };
        while rest >= 255 {
            self.push(255)?;
            rest -= 255;
        }
        self.push(rest as u8)
    }

    #[inline]
    fn literals(&mut self, literals: &[u8], match_half: usize) -> Option<()> {
        self.push((literals.len().min(15) << 4 | match_half.min(15)) as u8)?;
        self.rest_of_count(literals.len())?;
        let end = self.len + literals.len();
        self.bytes.get_mut(self.len..end)?.copy_from_slice(literals);
        self.len = end;
        Some(())
    }

    #[inline]
    fn sequence(&mut self, literals: &[u8], distance: u16, match_len: usize) -> Option<()> {
        let match_half = match_len - MATCH_MIN;
        self.literals(literals, match_half)?;
        let [low, high] = distance.to_le_bytes();
        self.push(low)?;
        self.push(high)?;
        self.rest_of_count(match_half)
    }

    fn last(&mut self, literals: &[u8]) -> Option<()> {
        self.literals(literals, 0)
    }
}

/// Decodes sequences of `body`, which stands for `length` bytes, until `out` holds as many as
/// `needed` asks for. `None` when the bytes are damaged.
pub(super) fn decode_start(
    body: &[u8],
    length: usize,
    needed: impl Fn(&[u8]) -> usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    out.clear();
    let mut input = Input { rest: body };
    let mut enough = 0;
    loop {
        let token = input.byte()?;
        let literals = input.count(token >> 4)?;
        out.extend_from_slice(input.take(literals)?);
        if out.len() > length {
            return None;
        }
        if input.rest.is_empty() {
            return (out.len() == length).then_some(());
        }
        let distance = u16::from_le_bytes([input.byte()?, input.byte()?]);
        let copied = input.count(token & 15)? + MATCH_MIN;
        if out.len() + copied > length {
            return None;
        }
        copy_back(out, usize::from(distance), copied)?;
        if enough == 0 {
            enough = needed(out);
        }
        if enough > 0 && out.len() >= enough {
            return Some(());
        }
    }
}

/// Repeats `count` bytes from `distance` back; they may overlap with those they become.
fn copy_back(out: &mut Vec<u8>, distance: usize, count: usize) -> Option<()> {
    let from = out.len().checked_sub(distance).filter(|_| distance > 0)?;
    let mut left = count;
    while left > 0 {
        let step = left.min(out.len() - from);
        out.extend_from_within(from..from + step);
        left -= step;
    }
    Some(())
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    #[inline]
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// The count that half a token begins.
    #[inline]
    fn count(&mut self, half: u8) -> Option<usize> {
        let mut count = usize::from(half);
        if half == 15 {
            loop {
                let byte = self.byte()?;
                count += usize::from(byte);
                if byte < 255 {
                    break;
                }
            }
        }
        Some(count)
    }
}
