//! Entry ids as clients write them.

use crate::collection::stream::EntryId;
use crate::stop::Stop;

/// Longest text of an entry id.
const TEXT_BYTES_MAX: usize = 127;

/// An id as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) id: EntryId,
    /// `ms-*`: the sequence is ours to choose.
    pub(super) chooses_seq: bool,
}

#[cold]
fn invalid() -> Stop {
    Stop::fail("ERR Invalid stream ID specified as stream command argument")
}

/// Reads `ms` or `ms-seq`.
pub(super) fn strict(text: &[u8], missing_seq: u64) -> Result<EntryId, Stop> {
    match parse(text, missing_seq) {
        Some(given) if !given.chooses_seq => Ok(given.id),
        _ => Err(invalid()),
    }
}

/// Reads `ms`, `ms-seq` or `ms-*`.
pub(super) fn given(text: &[u8]) -> Result<Given, Stop> {
    parse(text, 0).ok_or_else(invalid)
}

/// Reads what [`strict`] does, `-` and `+`.
pub(super) fn loose(text: &[u8], missing_seq: u64) -> Result<EntryId, Stop> {
    match text {
        b"-" => Ok(EntryId::ZERO),
        b"+" => Ok(EntryId::MAX),
        _ => strict(text, missing_seq),
    }
}

/// The lower end of an interval: `(` in front excludes the id.
pub(super) fn interval_start(text: &[u8]) -> Result<EntryId, Stop> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => strict(rest, 0)?
            .next()
            .ok_or_else(|| Stop::fail("ERR invalid start ID for the interval")),
        _ => loose(text, 0),
    }
}

/// The upper end of an interval: `(` in front excludes the id.
pub(super) fn interval_end(text: &[u8]) -> Result<EntryId, Stop> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => strict(rest, u64::MAX)?
            .previous()
            .ok_or_else(|| Stop::fail("ERR invalid end ID for the interval")),
        _ => loose(text, u64::MAX),
    }
}

fn parse(text: &[u8], missing_seq: u64) -> Option<Given> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let Some(dash) = memchr::memchr(b'-', text) else {
        let id = EntryId { ms: number(text)?, seq: missing_seq };
        return Some(Given { id, chooses_seq: false });
    };
    let (ms, seq) = (number(&text[..dash])?, &text[dash + 1..]);
    if seq == b"*" {
        return Some(Given { id: EntryId { ms, seq: 0 }, chooses_seq: true });
    }
    Some(Given { id: EntryId { ms, seq: number(seq)? }, chooses_seq: false })
}

/// Reads as `strtoull` does: blanks and a plus sign in front are fine.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii_start();
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}
