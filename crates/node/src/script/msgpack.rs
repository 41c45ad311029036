//! The library `cmsgpack`: Lua values as MessagePack and back.
//!
//! Numbers that are whole are packed as integers, others as 32-bit floats where that loses nothing.
//! Tables whose keys are exactly 1..n are arrays. Nesting deeper than 16 levels is packed as nil.

use mlua::{Lua, MultiValue, Table, Value};

use super::thrown::at_caller;

const DEPTH_MAX: usize = 16;

/// The library's functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let msgpack = lua.create_table()?;
    msgpack.raw_set("_NAME", "cmsgpack")?;
    msgpack.raw_set("pack", lua.create_function(pack)?)?;
    msgpack.raw_set(
        "unpack",
        lua.create_function(|lua, arguments: MultiValue| {
            unpack(lua, arguments.front(), 0, usize::MAX, false)
        })?,
    )?;
    msgpack.raw_set(
        "unpack_one",
        lua.create_function(|lua, arguments: MultiValue| {
            let offset = whole(arguments.get(1)).unwrap_or(0);
            unpack(lua, arguments.front(), offset, 1, true)
        })?,
    )?;
    msgpack.raw_set(
        "unpack_limit",
        lua.create_function(|lua, arguments: MultiValue| {
            let limit = whole(arguments.get(1)).unwrap_or(0);
            let offset = whole(arguments.get(2)).unwrap_or(0);
            unpack(lua, arguments.front(), offset, limit, true)
        })?,
    )?;
    Ok(msgpack)
}

fn whole(value: Option<&Value>) -> Option<usize> {
    match value? {
        Value::Integer(number) => usize::try_from(*number).ok(),
        Value::Number(number) => (*number >= 0.0).then_some(*number as usize),
        _ => None,
    }
}

fn pack(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    if arguments.is_empty() {
        return Err(at_caller(lua, "bad argument #0 to 'pack' (MessagePack pack needs input.)"));
    }
    let mut out = Vec::new();
    for value in &arguments {
        write(value, &mut out, 0);
    }
    Ok(Value::String(lua.create_string(out)?))
}

fn write(value: &Value, out: &mut Vec<u8>, depth: usize) {
    match value {
        Value::Boolean(flag) => out.push(if *flag { 0xC3 } else { 0xC2 }),
        Value::Integer(number) => write_integer(*number, out),
        Value::Number(number) => write_number(*number, out),
        Value::String(text) => write_text(&text.as_bytes(), out),
        Value::Table(table) if depth < DEPTH_MAX => write_table(table, out, depth),
        _ => out.push(0xC0),
    }
}

fn write_number(number: f64, out: &mut Vec<u8>) {
    let is_whole = number.fract() == 0.0 && number.abs() < 9.2e18;
    if is_whole {
        return write_integer(number as i64, out);
    }
    let short = number as f32;
    if f64::from(short) == number {
        out.push(0xCA);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xCB);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_integer(number: i64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    match number {
        -32..=0x7F => out.push(number as u8),
        0x80..=0xFF => out.extend_from_slice(&[0xCC, bytes[7]]),
        0x100..=0xFFFF => tagged(out, 0xCD, &bytes[6..]),
        0x1_0000..=0xFFFF_FFFF => tagged(out, 0xCE, &bytes[4..]),
        0x1_0000_0000.. => tagged(out, 0xCF, &bytes),
        -0x80..=-33 => tagged(out, 0xD0, &bytes[7..]),
        -0x8000..=-0x81 => tagged(out, 0xD1, &bytes[6..]),
        -0x8000_0000..=-0x8001 => tagged(out, 0xD2, &bytes[4..]),
        _ => tagged(out, 0xD3, &bytes),
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let len = (text.len() as u32).to_be_bytes();
    match text.len() {
        0..=31 => out.push(0xA0 | text.len() as u8),
        32..=0xFF => tagged(out, 0xD9, &len[3..]),
        0x100..=0xFFFF => tagged(out, 0xDA, &len[2..]),
        _ => tagged(out, 0xDB, &len),
    }
    out.extend_from_slice(text);
}

fn write_table(table: &Table, out: &mut Vec<u8>, depth: usize) {
    let pairs: Vec<(Value, Value)> = table.pairs().flatten().collect();
    let len = (pairs.len() as u32).to_be_bytes();
    let is_array = table.raw_len() == pairs.len() && !pairs.is_empty() || pairs.is_empty();
    match (is_array, pairs.len()) {
        (true, 0..=15) => out.push(0x90 | pairs.len() as u8),
        (true, 16..=0xFFFF) => tagged(out, 0xDC, &len[2..]),
        (true, _) => tagged(out, 0xDD, &len),
        (false, 0..=15) => out.push(0x80 | pairs.len() as u8),
        (false, 16..=0xFFFF) => tagged(out, 0xDE, &len[2..]),
        (false, _) => tagged(out, 0xDF, &len),
    }
    if is_array {
        for index in 1..=pairs.len() {
            let item = table.raw_get(index).unwrap_or(Value::Nil);
            write(&item, out, depth + 1);
        }
        return;
    }
    for (key, value) in &pairs {
        write(key, out, depth + 1);
        write(value, out, depth + 1);
    }
}

fn unpack(
    lua: &Lua,
    packed: Option<&Value>,
    offset: usize,
    limit: usize,
    shows_offset: bool,
) -> mlua::Result<MultiValue> {
    let Some(Value::String(packed)) = packed else {
        return Err(at_caller(lua, "bad argument #1 to 'unpack' (string expected)"));
    };
    let bytes = packed.as_bytes();
    if offset > bytes.len() {
        let text = format!("Start offset {offset} greater than input length {}.", bytes.len());
        return Err(at_caller(lua, &text));
    }
    let mut reader = Reader { lua, bytes: &bytes, at: offset };
    let mut values = Vec::new();
    if shows_offset {
        values.push(Value::Nil);
    }
    let mut count = 0;
    while reader.at < bytes.len() && count < limit {
        match reader.value(0)? {
            Some(value) => values.push(value),
            None => return Err(at_caller(lua, reader.problem())),
        }
        count += 1;
    }
    if shows_offset {
        let end = if reader.at == bytes.len() { -1.0 } else { reader.at as f64 };
        values[0] = Value::Number(end);
    }
    Ok(MultiValue::from_iter(values))
}

struct Reader<'a> {
    lua: &'a Lua,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn problem(&self) -> &'static str {
        if self.at > self.bytes.len() {
            "Missing bytes in input."
        } else {
            "Bad data format in input."
        }
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let taken = self.bytes.get(self.at..end);
        self.at = if taken.is_some() { end } else { self.bytes.len() + 1 };
        taken
    }

    fn unsigned(&mut self, len: usize) -> Option<u64> {
        Some(self.take(len)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, len: usize) -> Option<f64> {
        let shift = 64 - 8 * len as u32;
        Some(((self.unsigned(len)? << shift) as i64 >> shift) as f64)
    }

    /// The next value; `None` when the bytes are not one.
    fn value(&mut self, depth: usize) -> mlua::Result<Option<Value>> {
        let Some(&[tag]) = self.take(1) else { return Ok(None) };
        let number = |number: Option<f64>| Ok(number.map(Value::Number));
        let wide = |number: Option<u64>| Ok(number.map(|number| Value::Number(number as f64)));
        match tag {
            0..=0x7F => number(Some(f64::from(tag))),
            0xE0..=0xFF => number(Some(f64::from(tag as i8))),
            0x80..=0x8F => self.map(Some(u64::from(tag & 15)), depth),
            0x90..=0x9F => self.array(Some(u64::from(tag & 15)), depth),
            0xA0..=0xBF => self.text(Some(u64::from(tag & 31))),
            0xC0 => Ok(Some(Value::Nil)),
            0xC2 | 0xC3 => Ok(Some(Value::Boolean(tag == 0xC3))),
            0xCA => {
                let bits = self.unsigned(4);
                number(bits.map(|bits| f64::from(f32::from_bits(bits as u32))))
            }
            0xCB => {
                let bits = self.unsigned(8);
                number(bits.map(f64::from_bits))
            }
            0xCC..=0xCF => {
                let value = self.unsigned(1 << (tag - 0xCC));
                wide(value)
            }
            0xD0..=0xD3 => {
                let value = self.signed(1 << (tag - 0xD0));
                number(value)
            }
            0xC4 | 0xD9 => {
                let len = self.unsigned(1);
                self.text(len)
            }
            0xC5 | 0xDA => {
                let len = self.unsigned(2);
                self.text(len)
            }
            0xC6 | 0xDB => {
                let len = self.unsigned(4);
                self.text(len)
            }
            0xDC | 0xDD => {
                let len = self.unsigned(if tag == 0xDC { 2 } else { 4 });
                self.array(len, depth)
            }
            0xDE | 0xDF => {
                let len = self.unsigned(if tag == 0xDE { 2 } else { 4 });
                self.map(len, depth)
            }
            _ => Ok(None),
        }
    }

    fn text(&mut self, len: Option<u64>) -> mlua::Result<Option<Value>> {
        let Some(text) = len.and_then(|len| self.take(len as usize)) else { return Ok(None) };
        Ok(Some(Value::String(self.lua.create_string(text)?)))
    }

    fn array(&mut self, len: Option<u64>, depth: usize) -> mlua::Result<Option<Value>> {
        let Some(len) = len.filter(|_| depth < 1000) else { return Ok(None) };
        let table = self.lua.create_table()?;
        for index in 1..=len {
            let Some(item) = self.value(depth + 1)? else { return Ok(None) };
            table.raw_set(index, item)?;
        }
        Ok(Some(Value::Table(table)))
    }

    fn map(&mut self, len: Option<u64>, depth: usize) -> mlua::Result<Option<Value>> {
        let Some(len) = len.filter(|_| depth < 1000) else { return Ok(None) };
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let Some(key) = self.value(depth + 1)? else { return Ok(None) };
            let Some(value) = self.value(depth + 1)? else { return Ok(None) };
            if key.is_nil() {
                return Ok(None);
            }
            table.raw_set(key, value)?;
        }
        Ok(Some(Value::Table(table)))
    }
}
