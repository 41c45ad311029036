//! The library `struct`: values as bytes in a layout told by a format.
//!
//! ```text
//! > < =  byte order big, little, of the machine     !n  alignment, at most n (8)
//! x      a zero byte                                b B h H l L T  integers of 1, 2, 8, 8 bytes
//! i In   integers of n (4) bytes                    f d  floats
//! s      text ended by a zero byte                  cn  text of n bytes; 0 = as many as there are
//! ```

use mlua::{Lua, MultiValue, Table, Value};

use super::numbers::number_of as plain_number;
use super::thrown::at_caller;

const INTEGER_BYTES_MAX: usize = 32;

/// The library's functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let pack = lua.create_table()?;
    pack.raw_set("pack", lua.create_function(|lua, a: MultiValue| answer(lua, packed(lua, &a)))?)?;
    pack.raw_set(
        "unpack",
        lua.create_function(|lua, a: MultiValue| answer(lua, unpacked(lua, &a)))?,
    )?;
    pack.raw_set("size", lua.create_function(|lua, a: MultiValue| answer(lua, size(&a)))?)?;
    Ok(pack)
}

enum Problem {
    Text(String),
    Lua(mlua::Error),
}

impl From<mlua::Error> for Problem {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

fn problem<T>(text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Text(text.into()))
}

fn answer(lua: &Lua, result: Result<Vec<Value>, Problem>) -> mlua::Result<MultiValue> {
    match result {
        Ok(values) => Ok(MultiValue::from_iter(values)),
        Err(Problem::Text(text)) => Err(at_caller(lua, &text)),
        Err(Problem::Lua(error)) => Err(error),
    }
}

/// One element of a format.
#[derive(Clone, Copy, Debug)]
enum Item {
    Padding,
    Integer { bytes: usize, is_signed: bool },
    Float,
    Double,
    Text,
    Bytes(usize),
}

struct Format<'a> {
    rest: &'a [u8],
    is_big: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { rest: text, is_big: cfg!(target_endian = "big"), align: 1 }
    }

    fn number(&mut self) -> Option<usize> {
        let len = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    fn next(&mut self) -> Result<Option<Item>, Problem> {
        while let Some((&letter, rest)) = self.rest.split_first() {
            self.rest = rest;
            let integer = |bytes, is_signed| Ok(Some(Item::Integer { bytes, is_signed }));
            match letter {
                b' ' => {}
                b'>' => self.is_big = true,
                b'<' => self.is_big = false,
                b'=' => self.is_big = cfg!(target_endian = "big"),
                b'!' => {
                    let align = self.number().unwrap_or(8);
                    if !align.is_power_of_two() {
                        return problem("alignment is not a power of 2");
                    }
                    self.align = align;
                }
                b'x' => return Ok(Some(Item::Padding)),
                b'b' | b'B' => return integer(1, letter == b'b'),
                b'h' | b'H' => return integer(2, letter == b'h'),
                b'l' | b'L' | b'T' => return integer(8, letter == b'l'),
                b'i' | b'I' => {
                    let bytes = self.number().unwrap_or(4);
                    if !(1..=INTEGER_BYTES_MAX).contains(&bytes) {
                        return problem(format!(
                            "integral size {bytes} is larger than limit of {INTEGER_BYTES_MAX}"
                        ));
                    }
                    return integer(bytes, letter == b'i');
                }
                b'f' => return Ok(Some(Item::Float)),
                b'd' | b'n' => return Ok(Some(Item::Double)),
                b's' => return Ok(Some(Item::Text)),
                b'c' => return Ok(Some(Item::Bytes(self.number().unwrap_or(1)))),
                _ => {
                    return problem(format!(
                        "bad argument #1 to 'pack' (invalid format option '{}')",
                        letter as char
                    ));
                }
            }
        }
        Ok(None)
    }

    /// Zero bytes in front of an item at `offset`.
    fn padding(&self, item: Item, offset: usize) -> usize {
        let size = match item {
            Item::Integer { bytes, .. } => bytes,
            Item::Float => 4,
            Item::Double => 8,
            Item::Padding | Item::Text | Item::Bytes(_) => 1,
        };
        let align = size.min(self.align).max(1);
        if align.is_power_of_two() { offset.wrapping_neg() & (align - 1) } else { 0 }
    }
}

fn text_of(lua: &Lua, value: Option<&Value>) -> mlua::Result<Option<Vec<u8>>> {
    let Some(value) = value else { return Ok(None) };
    Ok(lua.coerce_string(value.clone())?.map(|text| text.as_bytes().to_vec()))
}

fn number_of(lua: &Lua, value: Option<&Value>, at: usize) -> Result<f64, Problem> {
    let number = value.map(|value| lua.coerce_number(value.clone())).transpose()?.flatten();
    match number {
        Some(number) => Ok(number),
        None => problem(format!("bad argument #{at} to 'pack' (number expected)")),
    }
}

fn ordered(mut bytes: Vec<u8>, is_big: bool) -> Vec<u8> {
    if is_big {
        bytes.reverse();
    }
    bytes
}

fn packed(lua: &Lua, arguments: &MultiValue) -> Result<Vec<Value>, Problem> {
    let Some(text) = text_of(lua, arguments.front())? else {
        return problem("bad argument #1 to 'pack' (string expected)");
    };
    let mut format = Format::new(&text);
    let mut out = Vec::new();
    let mut at = 1;
    while let Some(item) = format.next()? {
        out.resize(out.len() + format.padding(item, out.len()), 0);
        if matches!(item, Item::Padding) {
            out.push(0);
            continue;
        }
        let value = arguments.get(at);
        at += 1;
        match item {
            Item::Integer { bytes, .. } => {
                let number = number_of(lua, value, at)?;
                let number = if number < 0.0 { number as i64 } else { number as u64 as i64 };
                let fill = if number < 0 && number_is_negative(value, lua)? { 0xFF } else { 0 };
                let mut little = number.to_le_bytes().to_vec();
                little.resize(bytes, fill);
                out.extend(ordered(little, format.is_big));
            }
            Item::Float => {
                let number = number_of(lua, value, at)? as f32;
                out.extend(ordered(number.to_le_bytes().to_vec(), format.is_big));
            }
            Item::Double => {
                let number = number_of(lua, value, at)?;
                out.extend(ordered(number.to_le_bytes().to_vec(), format.is_big));
            }
            Item::Text | Item::Bytes(_) => pack_text(lua, item, value, at, &mut out)?,
            Item::Padding => {}
        }
    }
    Ok(vec![Value::String(lua.create_string(out)?)])
}

fn number_is_negative(value: Option<&Value>, lua: &Lua) -> Result<bool, Problem> {
    Ok(number_of(lua, value, 0)? < 0.0)
}

fn pack_text(
    lua: &Lua,
    item: Item,
    value: Option<&Value>,
    at: usize,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    let Some(text) = text_of(lua, value)? else {
        return problem(format!("bad argument #{at} to 'pack' (string expected)"));
    };
    let len = match item {
        Item::Bytes(0) | Item::Text => text.len(),
        Item::Bytes(len) => len,
        _ => 0,
    };
    if text.len() < len {
        return problem(format!("bad argument #{at} to 'pack' (string too short)"));
    }
    out.extend_from_slice(&text[..len]);
    if matches!(item, Item::Text) {
        out.push(0);
    }
    Ok(())
}

fn unpacked(lua: &Lua, arguments: &MultiValue) -> Result<Vec<Value>, Problem> {
    let (format, data) = (text_of(lua, arguments.front())?, text_of(lua, arguments.get(1))?);
    let (Some(format), Some(data)) = (format, data) else {
        return problem("bad argument #1 to 'unpack' (string expected)");
    };
    let mut at = match arguments.get(2) {
        None => 0,
        start => number_of(lua, start, 3)? as i64 - 1,
    };
    if at < 0 {
        return problem("bad argument #3 to 'unpack' (offset must be 1 or greater)");
    }
    let mut format = Format::new(&format);
    let mut values: Vec<Value> = Vec::new();
    while let Some(item) = format.next()? {
        at += format.padding(item, at as usize) as i64;
        let rest = data.get(at as usize..).unwrap_or_default();
        let (value, taken) = take(lua, &format, item, rest, &mut values)?;
        at += taken as i64;
        values.extend(value);
    }
    values.push(Value::Number((at + 1) as f64));
    Ok(values)
}

fn take(
    lua: &Lua,
    format: &Format<'_>,
    item: Item,
    rest: &[u8],
    values: &mut Vec<Value>,
) -> Result<(Option<Value>, usize), Problem> {
    let needed = match item {
        Item::Padding => 1,
        Item::Integer { bytes, .. } => bytes,
        Item::Float => 4,
        Item::Double => 8,
        Item::Bytes(0) => match values.pop() {
            Some(len) if plain_number(&len).is_some_and(|len| len >= 0.0) => {
                plain_number(&len).unwrap_or(0.0) as usize
            }
            _ => return problem("format 'c0' needs a previous size"),
        },
        Item::Bytes(len) => len,
        Item::Text => match memchr::memchr(0, rest) {
            Some(end) => end + 1,
            None => return problem("unfinished string in data"),
        },
    };
    let Some(bytes) = rest.get(..needed) else {
        return problem("bad argument #2 to 'unpack' (data string too short)");
    };
    let little = ordered(bytes.to_vec(), format.is_big);
    let array = |little: &[u8]| {
        let mut array = [0; 8];
        let len = little.len().min(8);
        array[..len].copy_from_slice(&little[..len]);
        array
    };
    let value = match item {
        Item::Padding => None,
        Item::Integer { bytes, is_signed } => {
            let mut number = i64::from_le_bytes(array(&little));
            if is_signed && bytes < 8 {
                let shift = 64 - 8 * bytes as u32;
                number = number << shift >> shift;
            }
            let number = if is_signed { number as f64 } else { number as u64 as f64 };
            Some(Value::Number(number))
        }
        Item::Float => {
            let bits = u32::from_le_bytes([little[0], little[1], little[2], little[3]]);
            Some(Value::Number(f64::from(f32::from_bits(bits))))
        }
        Item::Double => Some(Value::Number(f64::from_le_bytes(array(&little)))),
        Item::Text => Some(Value::String(lua.create_string(&bytes[..needed - 1])?)),
        Item::Bytes(_) => Some(Value::String(lua.create_string(bytes)?)),
    };
    Ok((value, needed))
}

fn size(arguments: &MultiValue) -> Result<Vec<Value>, Problem> {
    let Some(Value::String(text)) = arguments.front() else {
        return problem("bad argument #1 to 'size' (string expected)");
    };
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut total = 0;
    while let Some(item) = format.next()? {
        total += format.padding(item, total);
        total += match item {
            Item::Padding => 1,
            Item::Integer { bytes, .. } => bytes,
            Item::Float => 4,
            Item::Double => 8,
            Item::Text | Item::Bytes(0) => {
                return problem("variable-length format in 'size'");
            }
            Item::Bytes(len) => len,
        };
    }
    Ok(vec![Value::Number(total as f64)])
}
