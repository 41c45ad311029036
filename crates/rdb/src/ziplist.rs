//! Ziplists, intsets and zipmaps: the packed forms of Redis before 7.

use aidb_base::Result;

use crate::format::damaged;
use crate::listpack::{Item, signed};

const END: u8 = 0xFF;
const ZIPLIST_HEADER_BYTES: usize = 10;

/// Calls `f` with the items of a ziplist.
pub(crate) fn ziplist<'a, E: From<aidb_base::Error>>(
    bytes: &'a [u8],
    mut f: impl FnMut(Item<'a>) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let broken = || damaged("a ziplist", 0);
    let size = bytes.first_chunk().map(|size| u32::from_le_bytes(*size) as usize);
    let rest = bytes.get(ZIPLIST_HEADER_BYTES..).filter(|_| size == Some(bytes.len()));
    let mut rest = rest.ok_or_else(broken)?;
    while rest != [END] {
        let (item, behind) = ziplist_item(rest).ok_or_else(broken)?;
        rest = behind;
        f(item)?;
    }
    Ok(())
}

fn ziplist_item(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let bytes = match *bytes.first()? {
        0xFE => bytes.get(5..)?,
        END => return None,
        _ => &bytes[1..],
    };
    let (&first, rest) = bytes.split_first()?;
    let number = |width: usize| {
        let (number, rest) = rest.split_at_checked(width)?;
        Some((Item::Number(signed(number)), rest))
    };
    let text = |skip: usize, len: usize| {
        let (text, rest) = rest.get(skip..)?.split_at_checked(len)?;
        Some((Item::Text(text), rest))
    };
    match first {
        0x00..=0x3F => text(0, usize::from(first)),
        0x40..=0x7F => text(1, usize::from(first & 0x3F) << 8 | usize::from(*rest.first()?)),
        0x80..=0xBF => text(4, u32::from_be_bytes(*rest.first_chunk()?) as usize),
        0xC0 => number(2),
        0xD0 => number(4),
        0xE0 => number(8),
        0xF0 => number(3),
        0xFE => number(1),
        0xF1..=0xFD => Some((Item::Number(i64::from(first & 0x0F) - 1), rest)),
        _ => None,
    }
}

/// The numbers of an intset.
pub(crate) fn intset(bytes: &[u8]) -> Result<impl Iterator<Item = i64> + '_> {
    let word = |at: usize| {
        let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
        word.map(|word| u32::from_le_bytes(*word) as usize)
    };
    let numbers = match (word(0), word(4)) {
        (Some(width @ (2 | 4 | 8)), Some(count)) => {
            let numbers = &bytes[8..];
            (count.checked_mul(width) == Some(numbers.len())).then_some((numbers, width))
        }
        _ => None,
    };
    let (numbers, width) = numbers.ok_or_else(|| damaged("an intset", 0))?;
    Ok(numbers.chunks_exact(width).map(signed))
}

/// Calls `f` with the fields and values of a zipmap.
pub(crate) fn zipmap<E: From<aidb_base::Error>>(
    bytes: &[u8],
    mut f: impl FnMut(&[u8], &[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let broken = || damaged("a zipmap", 0);
    let mut rest = bytes.get(1..).ok_or_else(broken)?;
    while rest != [END] {
        let (field, value, behind) = zipmap_entry(rest).ok_or_else(broken)?;
        rest = behind;
        f(field, value)?;
    }
    Ok(())
}

fn zipmap_entry(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (len, rest) = zipmap_size(bytes)?;
    let (field, rest) = rest.split_at_checked(len)?;
    let (len, rest) = zipmap_size(rest)?;
    let (&free, rest) = rest.split_first()?;
    let (value, rest) = rest.split_at_checked(len)?;
    Some((field, value, rest.get(usize::from(free)..)?))
}

fn zipmap_size(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        END => None,
        0xFE => {
            let (size, rest) = rest.split_first_chunk()?;
            Some((u32::from_le_bytes(*size) as usize, rest))
        }
        size => Some((usize::from(size), rest)),
    }
}
