//! Floating point numbers with 64 bits of mantissa, as x86 has them and INCRBYFLOAT shows them.
//!
//! Redis computes INCRBYFLOAT in `long double`, where `3.0 + 1.1` prints as `4.1`; 53 bits of
//! mantissa would print `4.0999999999999996`. Every operation is rounded to nearest, ties to even.

use std::fmt;

use super::big::Natural;

/// Longest text that is read as a number.
const TEXT_BYTES_MAX: usize = 5119;
/// Exponent above which a number is infinite (of the mantissa's lowest bit).
const EXPONENT_MAX: i32 = 16383 - 63;
/// Decimal exponents beyond this give zero or infinity.
const DECIMAL_EXPONENT_MAX: i64 = 5200;
/// Digits behind the point that are shown.
const FRACTION_DIGITS: usize = 17;

/// A finite or infinite number: `mantissa × 2^exponent`. The mantissa's top bit is set, or it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended {
    negative: bool,
    infinite: bool,
    mantissa: u64,
    exponent: i32,
}

impl Extended {
    /// 0.
    pub const ZERO: Self = Self { negative: false, infinite: false, mantissa: 0, exponent: 0 };

    /// Reads decimal text as `strtold` does, but without leading blanks, NaN and hexadecimal.
    /// `None`: not a number, or out of range.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (negative, digits) = match text.first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        if digits.eq_ignore_ascii_case(b"inf") || digits.eq_ignore_ascii_case(b"infinity") {
            return Some(Self { negative, infinite: true, ..Self::ZERO });
        }
        let (digits, exponent) = decimal(digits)?;
        let value = from_decimal(digits, exponent)?;
        Some(Self { negative, ..value })
    }

    /// Whether it is not infinite.
    pub fn is_finite(&self) -> bool {
        !self.infinite
    }

    /// The rounded sum; `None` when it is not finite.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.infinite || other.infinite {
            return None;
        }
        let (large, small) = if self.is_at_least(&other) { (self, other) } else { (other, self) };
        if small.mantissa == 0 {
            return Some(large);
        }
        // 63 bits below the mantissa keep what is shifted out; the lowest one is sticky.
        let distance = large.exponent.abs_diff(small.exponent);
        let wide = u128::from(large.mantissa) << 63;
        let full = u128::from(small.mantissa) << 63;
        let shifted = full.checked_shr(distance).unwrap_or(0);
        let lost = distance >= 128 || shifted << distance.min(127) != full;
        let sum = if large.negative == small.negative {
            (wide + shifted) | u128::from(lost)
        } else {
            // What was lost makes the difference smaller by less than its lowest bit.
            (wide - shifted - u128::from(lost)) | u128::from(lost)
        };
        let value = rounded(sum, large.exponent - 63)?;
        Some(Self { negative: large.negative && value.mantissa != 0, ..value })
    }

    fn is_at_least(&self, other: &Self) -> bool {
        match (self.mantissa, other.mantissa) {
            (0, _) => false,
            (_, 0) => true,
            _ => (self.exponent, self.mantissa) >= (other.exponent, other.mantissa),
        }
    }
}

/// Digits and decimal exponent of `12.5e-3`-like text.
fn decimal(text: &[u8]) -> Option<(Natural, i64)> {
    let mut digits = Natural::from_u64(0);
    let (mut seen, mut point, mut exponent) = (false, false, 0i64);
    for (index, &byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits.multiply_add(10, u32::from(byte - b'0'));
                seen = true;
                exponent -= i64::from(point);
            }
            b'.' if !point => point = true,
            b'e' | b'E' if seen => {
                exponent += written_exponent(&text[index + 1..])?;
                break;
            }
            _ => return None,
        }
    }
    seen.then_some((digits, exponent))
}

fn written_exponent(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text.first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0i64, |value, byte| (value * 10 + i64::from(byte - b'0')).min(1_000_000));
    Some(sign * value)
}

fn from_decimal(mut digits: Natural, exponent: i64) -> Option<Extended> {
    if digits.is_zero() {
        return Some(Extended::ZERO);
    }
    if exponent >= 0 {
        if exponent > DECIMAL_EXPONENT_MAX {
            return None;
        }
        digits.multiply_power_of_ten(exponent as u32);
        return from_natural(&digits);
    }
    if exponent < -2 * DECIMAL_EXPONENT_MAX {
        return None;
    }
    let mut divisor = Natural::from_u64(1);
    divisor.multiply_power_of_ten(exponent.unsigned_abs() as u32);
    // At least 66 bits of quotient: 64, one to round by, and the remainder as the sticky rest.
    let shift = 66 + divisor.bits() as i32 - digits.bits() as i32;
    if shift < 0 {
        divisor = divisor.shift_left(shift.unsigned_abs());
    }
    let (quotient, inexact) = digits.shift_left(shift.max(0) as u32).divide(&divisor);
    rounded(quotient << 1 | u128::from(inexact), -shift - 1)
}

fn from_natural(value: &Natural) -> Option<Extended> {
    let value = if value.bits() < 64 { (value.shift_left(64), -64) } else { (value.clone(), 0) };
    let (top, cut, half, rest) = value.0.top_64();
    let wide = u128::from(top) << 2 | u128::from(half) << 1 | u128::from(rest);
    rounded(wide, cut as i32 + value.1 - 2)
}

/// `value × 2^exponent` with 64 bits of mantissa; the lowest bit of `value` may be sticky.
fn rounded(value: u128, exponent: i32) -> Option<Extended> {
    if value == 0 {
        return Some(Extended::ZERO);
    }
    let bits = 128 - value.leading_zeros() as i32;
    if bits <= 64 {
        let mantissa = (value as u64) << (64 - bits);
        return finite(mantissa, exponent - (64 - bits));
    }
    let cut = (bits - 64) as u32;
    let (top, rest, half) = ((value >> cut) as u64, value & ((1 << cut) - 1), 1u128 << (cut - 1));
    let up = rest > half || (rest == half && top & 1 == 1);
    match top.checked_add(u64::from(up)) {
        Some(mantissa) => finite(mantissa, exponent + cut as i32),
        None => finite(1 << 63, exponent + cut as i32 + 1),
    }
}

fn finite(mantissa: u64, exponent: i32) -> Option<Extended> {
    (exponent <= EXPONENT_MAX).then_some(Extended {
        negative: false,
        infinite: false,
        mantissa,
        exponent,
    })
}

impl fmt::Display for Extended {
    /// At most 17 digits behind the point, without trailing zeroes or exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.infinite {
            return f.write_str(if self.negative { "-inf" } else { "inf" });
        }
        let (whole, fraction) = if self.exponent >= 0 {
            let whole = Natural::from_u64(self.mantissa).shift_left(self.exponent as u32);
            (whole.into_decimal(), 0)
        } else {
            let scaled = self.scaled_fraction();
            let unit = 10u128.pow(FRACTION_DIGITS as u32);
            ((scaled / unit).to_string(), scaled % unit)
        };
        let digits = format!("{fraction:017}");
        let digits = digits.trim_end_matches('0');
        let is_zero = whole == "0" && digits.is_empty();
        f.write_str(if self.negative && !is_zero { "-" } else { "" })?;
        f.write_str(&whole)?;
        if digits.is_empty() { Ok(()) } else { write!(f, ".{digits}") }
    }
}

impl Extended {
    /// The number times 10^17, rounded to nearest, ties to even. Only for negative exponents.
    fn scaled_fraction(&self) -> u128 {
        let scaled = u128::from(self.mantissa) * 10u128.pow(FRACTION_DIGITS as u32);
        let shift = self.exponent.unsigned_abs();
        if shift > 127 {
            return 0;
        }
        let (quotient, rest) = (scaled >> shift, scaled & ((1 << shift) - 1));
        let half = 1u128 << (shift - 1);
        quotient + u128::from(rest > half || (rest == half && quotient & 1 == 1))
    }
}
