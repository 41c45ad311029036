//! Lengths, strings and numbers.

use aidb_base::Result;

use crate::format::{STRING_BYTES_MAX, damaged};
use crate::input::Input;
use crate::lzf;

/// A length, or the mark of a special string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Plain(u64),
    Special(u8),
}

const INT_8: u8 = 0;
const INT_16: u8 = 1;
const INT_32: u8 = 2;
const LZF: u8 = 3;

/// Reads an array of bytes.
#[inline]
pub(crate) fn bytes<const N: usize>(input: &mut impl Input) -> Result<[u8; N]> {
    let mut array = [0; N];
    array.copy_from_slice(input.take(N as u64)?);
    Ok(array)
}

#[inline]
pub(crate) fn byte(input: &mut impl Input) -> Result<u8> {
    Ok(bytes::<1>(input)?[0])
}

#[inline]
fn any_length(input: &mut impl Input) -> Result<Length> {
    let first = byte(input)?;
    Ok(match first >> 6 {
        0 => Length::Plain(u64::from(first)),
        1 => Length::Plain(u64::from(first & 0x3F) << 8 | u64::from(byte(input)?)),
        3 => Length::Special(first & 0x3F),
        _ if first == 0x80 => Length::Plain(u64::from(u32::from_be_bytes(bytes(input)?))),
        _ if first == 0x81 => Length::Plain(u64::from_be_bytes(bytes(input)?)),
        _ => return Err(damaged("a length of no known form", input.position())),
    })
}

/// Reads a length.
#[inline]
pub(crate) fn length(input: &mut impl Input) -> Result<u64> {
    match any_length(input)? {
        Length::Plain(length) => Ok(length),
        Length::Special(_) => Err(damaged("a string where a length belongs", input.position())),
    }
}

/// Reads a string into `out`, replacing what it holds.
#[inline]
pub(crate) fn string(input: &mut impl Input, out: &mut Vec<u8>) -> Result<()> {
    out.clear();
    match any_length(input)? {
        Length::Plain(len) => out.extend_from_slice(take_string(input, len)?),
        Length::Special(LZF) => return compressed(input, out),
        Length::Special(mark) => {
            let number = match mark {
                INT_8 => i64::from(i8::from_le_bytes(bytes(input)?)),
                INT_16 => i64::from(i16::from_le_bytes(bytes(input)?)),
                INT_32 => i64::from(i32::from_le_bytes(bytes(input)?)),
                _ => return Err(damaged("a string of no known form", input.position())),
            };
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
    }
    Ok(())
}

fn take_string(input: &mut impl Input, len: u64) -> Result<&[u8]> {
    if len > STRING_BYTES_MAX {
        return Err(damaged("a string of more than 512 MB", input.position()));
    }
    input.take(len)
}

#[cold]
fn compressed(input: &mut impl Input, out: &mut Vec<u8>) -> Result<()> {
    let packed_len = length(input)?;
    let len = length(input)?;
    if len > STRING_BYTES_MAX {
        return Err(damaged("a string of more than 512 MB", input.position()));
    }
    let is_whole = lzf::decompress(take_string(input, packed_len)?, len as usize, out);
    if is_whole { Ok(()) } else { Err(damaged("a compressed string", input.position())) }
}

/// Reads a score as text: the form of sorted sets before version 8.
pub(crate) fn score_text(input: &mut impl Input) -> Result<f64> {
    let len = byte(input)?;
    let score = match len {
        0xFD => None,
        0xFE => Some(f64::INFINITY),
        0xFF => Some(f64::NEG_INFINITY),
        len => parse_score(input.take(u64::from(len))?),
    };
    score.ok_or_else(|| damaged("a score that is no number", input.position()))
}

/// The number that a text says.
pub(crate) fn parse_score(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim_start();
    text.parse().ok().filter(|score: &f64| !score.is_nan())
}
