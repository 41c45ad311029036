//! Integers of any width at any bit of a string, highest bit first.

use crate::number::parse_integer;

/// Widest signed integer; unsigned ones have a bit less, so that every value fits an `i64`.
const BITS_MAX: u32 = 64;

/// Type of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    is_signed: bool,
    bits: u32,
}

/// What happens to a value that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Keep the low bits.
    #[default]
    Wrap,
    /// Take the nearest value that fits.
    Saturate,
    /// Write nothing.
    Fail,
}

impl Field {
    /// Parses `i5`, `u63`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (kind, bits) = text.split_first()?;
        let is_signed = match kind {
            b'i' => true,
            b'u' => false,
            _ => return None,
        };
        let bits = u32::try_from(parse_integer(bits)?).ok()?;
        let most = if is_signed { BITS_MAX } else { BITS_MAX - 1 };
        (1..=most).contains(&bits).then_some(Self { is_signed, bits })
    }

    /// Width.
    pub fn bits(self) -> u32 {
        self.bits
    }

    /// Reads the integer at a bit; missing bits are 0.
    pub fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let window = window(bytes, offset) << (offset % 8);
        let raw = (window >> (u128::BITS - self.bits)) as u64;
        self.interpret(raw)
    }

    /// Writes the low bits of a value at a bit inside the string.
    pub fn write(self, bytes: &mut [u8], offset: u64, value: i64) {
        let shift = u128::BITS - self.bits - (offset % 8) as u32;
        let mask = (u128::MAX >> (u128::BITS - self.bits)) << shift;
        let merged = window(bytes, offset) & !mask | (value as u128) << shift & mask;
        let from = offset as usize / 8;
        let room = bytes.get_mut(from..).unwrap_or_default();
        room.iter_mut().zip(merged.to_be_bytes()).for_each(|(byte, new)| *byte = new);
    }

    /// The value to write for `old + increment`; `None`: it does not fit, and must not be written.
    pub fn add(self, old: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fit(i128::from(old) + i128::from(increment), overflow)
    }

    /// The value to write for `new`, which an unsigned type reads as unsigned.
    pub fn replace(self, new: i64, overflow: Overflow) -> Option<i64> {
        if !self.is_signed {
            return self.fit(i128::from(new as u64), overflow);
        }
        // The difference to the greatest value overflows in Redis, which then takes that one.
        let most = (1i64 << (self.bits - 1)).wrapping_sub(1);
        if overflow == Overflow::Saturate && new < 0 && most.checked_sub(new).is_none() {
            return self.fit(i128::from(if self.bits < BITS_MAX { most } else { new }), overflow);
        }
        self.fit(i128::from(new), overflow)
    }

    fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        let all = 1i128 << self.bits;
        let (least, most) = match self.is_signed {
            true => (-(all / 2), all / 2 - 1),
            false => (0, all - 1),
        };
        if (least..=most).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.interpret(value as u64)),
            Overflow::Saturate => Some(value.clamp(least, most) as i64),
            Overflow::Fail => None,
        }
    }

    /// The low bits as a number of this type.
    fn interpret(self, raw: u64) -> i64 {
        let unused = u64::BITS - self.bits;
        let high = raw << unused;
        if self.is_signed { high as i64 >> unused } else { (high >> unused) as i64 }
    }
}

/// The 16 bytes from the byte of a bit on; missing ones are 0.
fn window(bytes: &[u8], offset: u64) -> u128 {
    let mut window = [0; 16];
    let found = usize::try_from(offset / 8).ok().and_then(|from| bytes.get(from..));
    window.iter_mut().zip(found.unwrap_or_default()).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(window)
}
