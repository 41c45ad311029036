//! Listpacks: read item by item, and built.

use aidb_base::Result;

use crate::format::damaged;

const HEADER_BYTES: usize = 6;
const END: u8 = 0xFF;

/// An item of a listpack, ziplist or intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Text(&'a [u8]),
    Number(i64),
}

/// Room for the texts of numbers.
#[derive(Default)]
pub(crate) struct Text(itoa::Buffer);

impl Text {
    pub(crate) fn of<'t>(&'t mut self, item: &Item<'t>) -> &'t [u8] {
        match item {
            Item::Text(text) => text,
            Item::Number(number) => self.0.format(*number).as_bytes(),
        }
    }
}

/// The items of a listpack.
#[derive(Clone, Debug)]
pub(crate) struct Listpack<'a> {
    rest: &'a [u8],
}

impl<'a> Listpack<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self> {
        let size = bytes.first_chunk().map(|size| u32::from_le_bytes(*size) as usize);
        let rest = bytes.get(HEADER_BYTES..).filter(|_| size == Some(bytes.len()));
        Ok(Self { rest: rest.ok_or_else(broken)? })
    }

    /// The next item; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Item<'a>>> {
        if self.rest == [END] {
            return Ok(None);
        }
        let (item, size) = item(self.rest).ok_or_else(broken)?;
        self.rest = self.rest.get(size + size_bytes(size)..).ok_or_else(broken)?;
        Ok(Some(item))
    }

    /// The next item, which must be there.
    pub(crate) fn item(&mut self) -> Result<Item<'a>> {
        self.next()?.ok_or_else(broken)
    }

    /// The next item, which must be there and a number.
    pub(crate) fn number(&mut self) -> Result<i64> {
        match self.item()? {
            Item::Number(number) => Ok(number),
            Item::Text(text) => {
                let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                number.ok_or_else(broken)
            }
        }
    }
}

#[cold]
fn broken() -> aidb_base::Error {
    damaged("a listpack", 0)
}

/// The first item, and its bytes without those that repeat the size.
fn item(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let first = *bytes.first()?;
    let at = |place: usize| bytes.get(place).map(|byte| usize::from(*byte));
    let text = |start: usize, len: usize| {
        let text = bytes.get(start..start.checked_add(len)?)?;
        Some((Item::Text(text), start + len))
    };
    match first {
        0x00..=0x7F => Some((Item::Number(i64::from(first)), 1)),
        0x80..=0xBF => text(1, usize::from(first & 0x3F)),
        0xC0..=0xDF => {
            let number = i64::from(first & 0x1F) << 8 | at(1)? as i64;
            Some((Item::Number(if number >= 1 << 12 { number - (1 << 13) } else { number }), 2))
        }
        0xE0..=0xEF => text(2, usize::from(first & 0x0F) << 8 | at(1)?),
        0xF0 => text(5, u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize),
        0xF1..=0xF4 => {
            let width = [2, 3, 4, 8][usize::from(first - 0xF1)];
            Some((Item::Number(signed(bytes.get(1..1 + width)?)), 1 + width))
        }
        _ => None,
    }
}

/// A little-endian number of up to eight bytes.
pub(crate) fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len() as u32;
    let number = bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    ((number << unused) as i64) >> unused
}

/// Bytes that repeat a size.
fn size_bytes(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// A listpack being built.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    bytes: Vec<u8>,
    items: usize,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; HEADER_BYTES], items: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn push(&mut self, item: Item<'_>) {
        let start = self.bytes.len();
        match item {
            Item::Text(text) => self.text(text),
            Item::Number(number) => self.number(number),
        }
        self.items += 1;
        let size = self.bytes.len() - start;
        let count = size_bytes(size);
        for place in (0..count).rev() {
            let high = if place == count - 1 { 0 } else { 0x80 };
            self.bytes.push((size >> (7 * place)) as u8 & 0x7F | high);
        }
    }

    fn text(&mut self, text: &[u8]) {
        match text.len() {
            len @ 0..=63 => self.bytes.push(0x80 | len as u8),
            len @ 64..=4095 => {
                self.bytes.extend_from_slice(&[0xE0 | (len >> 8) as u8, len as u8]);
            }
            len => {
                self.bytes.push(0xF0);
                self.bytes.extend_from_slice(&(len as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(text);
    }

    fn number(&mut self, number: i64) {
        let bytes = number.to_le_bytes();
        let (mark, width) = match number {
            0..=127 => return self.bytes.push(number as u8),
            -4096..=4095 => {
                let number = number as u16 & 0x1FFF;
                return self.bytes.extend_from_slice(&(0xC000 | number).to_be_bytes());
            }
            -32_768..=32_767 => (0xF1, 2),
            -8_388_608..=8_388_607 => (0xF2, 3),
            -2_147_483_648..=2_147_483_647 => (0xF3, 4),
            _ => (0xF4, 8),
        };
        self.bytes.push(mark);
        self.bytes.extend_from_slice(&bytes[..width]);
    }

    /// Adds all items of another one.
    pub(crate) fn append(&mut self, other: Self) {
        self.bytes.extend_from_slice(&other.bytes[HEADER_BYTES..]);
        self.items += other.items;
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let size = self.bytes.len() as u32;
        let items = u16::try_from(self.items).unwrap_or(u16::MAX);
        self.bytes[..4].copy_from_slice(&size.to_le_bytes());
        self.bytes[4..HEADER_BYTES].copy_from_slice(&items.to_le_bytes());
        self.bytes
    }
}
