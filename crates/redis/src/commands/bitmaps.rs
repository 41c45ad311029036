//! Strings as bitmaps: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP.

use crate::bitmap::{self, Combination};
use crate::key::MetaKey;
use crate::number::parse_integer;
use crate::resp::Args;
use crate::stop::{NOT_AN_INTEGER, Outcome, SYNTAX, Stop};
use crate::store::Class;
use crate::value::Encoding;

use super::strings::STRING_BYTES_MAX;
use super::{Call, StoredString, is_word};

/// Parses the place of a bit.
pub(super) fn parse_offset(text: &[u8]) -> Result<u64, Stop> {
    check_offset(parse_integer(text))
}

/// Refuses a place that no string reaches.
pub(super) fn check_offset(offset: Option<i64>) -> Result<u64, Stop> {
    offset
        .and_then(|offset| u64::try_from(offset).ok())
        .filter(|offset| offset / 8 < STRING_BYTES_MAX as u64)
        .ok_or_else(|| Stop::fail("ERR bit offset is not an integer or out of range"))
}

/// A string to be changed up to one of its bits.
pub(super) struct Bitmap {
    string: StoredString,
    is_changed: bool,
    /// Whether somebody who reads it sees the change.
    is_visible: bool,
}

impl Bitmap {
    /// Reads a key and makes room for the bit `last`. The caller holds the key's lock.
    pub(super) fn open(call: &Call<'_>, key: &MetaKey, last: u64) -> Result<Self, Stop> {
        let found = call.string(key)?;
        let existed = found.is_some();
        let is_raw = found.as_ref().is_some_and(StoredString::is_raw);
        let mut string = found.unwrap_or_default();
        let needed = (last / 8) as usize + 1;
        let is_visible = !existed || string.bytes.len() < needed;
        if string.bytes.len() < needed {
            string.bytes.resize(needed, 0);
        }
        Ok(Self { string, is_changed: !is_raw || is_visible, is_visible })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.string.bytes
    }

    pub(super) fn change(&mut self) -> &mut [u8] {
        self.is_changed = true;
        self.is_visible = true;
        &mut self.string.bytes
    }

    /// Stores it, as the key of argument 1, when it is not as it was.
    pub(super) fn commit(self, call: &mut Call<'_>, key: &MetaKey) -> Outcome {
        if !self.is_changed {
            return Ok(());
        }
        call.put_string(key, Encoding::Pieces, &self.string.bytes, self.string.expire_at_ms)?;
        if self.is_visible {
            call.notify(Class::String, "setbit", call.args.get(1));
        }
        Ok(())
    }
}

/// `SETBIT key offset value`
pub fn setbit(call: &mut Call<'_>) -> Outcome {
    let offset = parse_offset(call.args.get(2))?;
    let on = match parse_integer(call.args.get(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Stop::fail("ERR bit is not an integer or out of range")),
    };
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut bitmap = Bitmap::open(call, &key, offset)?;
    let old = bitmap::bit(bitmap.bytes(), offset);
    if old != on {
        bitmap::set_bit(bitmap.change(), offset, on);
    }
    bitmap.commit(call, &key)?;
    call.reply.integer(i64::from(old));
    Ok(())
}

/// `GETBIT key offset`
pub fn getbit(call: &mut Call<'_>) -> Outcome {
    let offset = parse_offset(call.args.get(2))?;
    let key = call.key(1)?;
    let found = call.look_up_string(&key, |_, bytes, _| bitmap::bit(bytes, offset))?;
    call.reply.integer(i64::from(found.unwrap_or(false)));
    Ok(())
}

/// The bits from `first` to `last`; none when `first` is greater.
#[derive(Clone, Copy)]
struct Span {
    first: i64,
    last: i64,
}

impl Span {
    const EMPTY: Self = Self { first: 0, last: -1 };

    /// Of a string's bytes or bits, negative numbers counting from the end.
    fn of(bytes: usize, start: i64, end: i64, in_bits: bool) -> Self {
        let len = bytes as i64 * if in_bits { 8 } else { 1 };
        let from_end = |index: i64| if index < 0 { (len + index).max(0) } else { index };
        let (start, end) = (from_end(start), from_end(end).min(len - 1));
        match (start > end, in_bits) {
            (true, _) => Self::EMPTY,
            (false, true) => Self { first: start, last: end },
            (false, false) => Self { first: start * 8, last: end * 8 + 7 },
        }
    }

    fn whole(bytes: &[u8]) -> Self {
        Self { first: 0, last: bytes.len() as i64 * 8 - 1 }
    }

    fn is_empty(self) -> bool {
        self.first > self.last
    }
}

fn unit_is_bit(word: &[u8]) -> Result<bool, Stop> {
    if is_word(word, "bit") {
        return Ok(true);
    }
    if is_word(word, "byte") { Ok(false) } else { Err(SYNTAX) }
}

fn integer(text: &[u8]) -> Result<i64, Stop> {
    parse_integer(text).ok_or(NOT_AN_INTEGER)
}

/// `BITCOUNT key [start end [BYTE | BIT]]`
pub fn bitcount(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let args = call.args;
    // Redis looks at the range once there is something to count.
    let counted = call.look_up_string(&key, |_, bytes, _| -> Result<u64, Stop> {
        let span = counted_span(&args, bytes)?;
        Ok(match span.is_empty() {
            true => 0,
            false => bitmap::count(bytes, span.first as u64, span.last as u64),
        })
    })?;
    call.reply.integer(counted.transpose()?.unwrap_or(0) as i64);
    Ok(())
}

fn counted_span(args: &Args<'_>, bytes: &[u8]) -> Result<Span, Stop> {
    match args.len() {
        2 => return Ok(Span::whole(bytes)),
        4 | 5 => {}
        _ => return Err(SYNTAX),
    }
    let (start, end) = (integer(args.get(2))?, integer(args.get(3))?);
    if start < 0 && end < 0 && start > end {
        return Ok(Span::EMPTY);
    }
    let in_bits = args.len() == 5 && unit_is_bit(args.get(4))?;
    Ok(Span::of(bytes.len(), start, end, in_bits))
}

/// `BITPOS key bit [start [end [BYTE | BIT]]]`
pub fn bitpos(call: &mut Call<'_>) -> Outcome {
    let wanted = match call.integer(2)? {
        0 => false,
        1 => true,
        _ => return Err(Stop::fail("ERR The bit argument must be 1 or 0.")),
    };
    let key = call.key(1)?;
    let args = call.args;
    let found = call.look_up_string(&key, |_, bytes, _| find(&args, bytes, wanted))?;
    // An absent key is an endless row of zeros.
    let place = found.transpose()?.unwrap_or(if wanted { -1 } else { 0 });
    call.reply.integer(place);
    Ok(())
}

fn find(args: &Args<'_>, bytes: &[u8], wanted: bool) -> Result<i64, Stop> {
    let span = searched_span(args, bytes)?;
    if span.is_empty() {
        return Ok(-1);
    }
    let found = bitmap::position(bytes, wanted, span.first as u64, span.last as u64);
    Ok(match found {
        Some(place) => place as i64,
        // Behind a string that nobody cut there are zeros.
        None if !wanted && args.len() < 5 => span.last + 1,
        None => -1,
    })
}

fn searched_span(args: &Args<'_>, bytes: &[u8]) -> Result<Span, Stop> {
    if args.len() == 3 {
        return Ok(Span::whole(bytes));
    }
    if args.len() > 6 {
        return Err(SYNTAX);
    }
    let start = integer(args.get(3))?;
    let in_bits = args.len() == 6 && unit_is_bit(args.get(5))?;
    let end = if args.len() > 4 { integer(args.get(4))? } else { -1 };
    Ok(Span::of(bytes.len(), start, end, in_bits))
}

fn parse_combination(word: &[u8]) -> Result<Combination, Stop> {
    const NAMES: [(&str, Combination); 8] = [
        ("and", Combination::And),
        ("or", Combination::Or),
        ("xor", Combination::Xor),
        ("not", Combination::Not),
        ("diff", Combination::Diff),
        ("diff1", Combination::Diff1),
        ("andor", Combination::AndOr),
        ("one", Combination::One),
    ];
    let named = NAMES.iter().find(|(name, _)| is_word(word, name));
    named.map(|(_, combination)| *combination).ok_or(SYNTAX)
}

/// `BITOP AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE destkey key [key …]`
pub fn bitop(call: &mut Call<'_>) -> Outcome {
    let word = call.args.get(1);
    let combination = parse_combination(word)?;
    let sources = call.args.len() - 3;
    match combination {
        Combination::Not if sources != 1 => {
            return Err(Stop::fail("ERR BITOP NOT must be called with a single source key."));
        }
        Combination::Diff | Combination::Diff1 | Combination::AndOr if sources < 2 => {
            let name = word.to_ascii_uppercase();
            let rest = b" must be called with at least two source keys.";
            return Err(Stop::quoting(&[b"ERR BITOP ", &name, rest]));
        }
        _ => {}
    }
    let keys = call.keys(2, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let mut strings = Vec::with_capacity(sources);
    for key in &keys[1..] {
        let string = call.string(key)?;
        call.count_lookup(string.is_some());
        strings.push(string.unwrap_or_default().bytes);
    }
    let result = bitmap::combine(combination, &strings);
    let target = &keys[0];
    if !result.is_empty() {
        call.put_string(target, Encoding::Pieces, &result, 0)?;
        call.notify(Class::String, "set", call.args.get(2));
    } else if call.exists(target)? {
        call.delete(target)?;
        call.notify(Class::Generic, "del", call.args.get(2));
    }
    call.reply.integer(result.len() as i64);
    Ok(())
}
