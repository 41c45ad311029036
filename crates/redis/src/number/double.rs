//! Doubles as Redis reads scores and writes them.

/// Significant digits that tell all doubles apart.
const DIGITS: i32 = 17;

/// Reads a whole text as `strtod` does, but without leading blanks and hexadecimal. `None`: no
/// number, NaN, or out of range.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    let says_infinity = text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let says_zero = !mantissa.contains(|c: char| c.is_ascii_digit() && c != '0');
    let fits = value.is_infinite() == says_infinity && (value != 0.0 || says_zero);
    (fits && !value.is_nan()).then_some(value)
}

/// Reads a text as `strtod` does when nobody asks whether it was in range: an empty one is 0.
pub fn parse_double_loosely(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() {
        return Some(0.0);
    }
    let value: f64 =
        text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']).parse().ok()?;
    (!value.is_nan()).then_some(value)
}

/// The text of a double: `%.17g`.
pub fn double_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1e15 && (value != 0.0 || value.is_sign_positive()) {
        return itoa::Buffer::new().format(value as i64).to_owned();
    }
    let scientific = format!("{value:.*e}", DIGITS as usize - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..DIGITS).contains(&exponent) {
        let fixed = format!("{value:.*}", (DIGITS - 1 - exponent) as usize);
        return without_zeroes(&fixed).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeroes(digits), exponent.abs())
}

fn without_zeroes(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}
