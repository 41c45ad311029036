//! The library `cjson`: Lua values as JSON and back.
//!
//! Tables whose keys are 1..n, with few holes, are arrays; others, and empty ones, are objects.
//! `null` is a value of its own, `cjson.null`. Strings are bytes: what is not text passes as it is.

use mlua::{Lua, MultiValue, Table, Value};

use super::numbers::general;
use super::thrown::at_caller;

const DEPTH_MAX: usize = 1000;
/// Arrays longer than this must not have more holes than items.
const SPARSE_SAFE: i64 = 10;
const SPARSE_RATIO: i64 = 2;
const DIGITS: usize = 14;

/// The library's functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let json = lua.create_table()?;
    json.raw_set("_NAME", "cjson")?;
    json.raw_set("null", Value::NULL)?;
    json.raw_set(
        "encode",
        lua.create_function(|lua, arguments: MultiValue| {
            let arguments = arguments.into_vec();
            let [value] = arguments.as_slice() else {
                return Err(at_caller(lua, "bad argument #1 to 'encode' (expected 1 argument)"));
            };
            let mut out = Vec::new();
            match encode(value, &mut out, 1) {
                Ok(()) => Ok(lua.create_string(out)?),
                Err(text) => Err(at_caller(lua, &text)),
            }
        })?,
    )?;
    json.raw_set(
        "decode",
        lua.create_function(|lua, arguments: MultiValue| {
            let arguments = arguments.into_vec();
            let text = match arguments.as_slice() {
                [value] => lua.coerce_string(value.clone())?,
                _ => None,
            };
            let Some(text) = text else {
                return Err(at_caller(lua, "bad argument #1 to 'decode' (string expected)"));
            };
            let bytes = text.as_bytes();
            let mut parser = Parser { lua, text: &bytes, at: 0 };
            match parser.document() {
                Ok(value) => Ok(value),
                Err(Problem::Text(text)) => Err(at_caller(lua, &text)),
                Err(Problem::Lua(error)) => Err(error),
            }
        })?,
    )?;
    Ok(json)
}

fn encode(value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        value if *value == Value::NULL => out.extend_from_slice(b"null"),
        Value::Boolean(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Integer(number) => {
            out.extend_from_slice(general(*number as f64, DIGITS).as_bytes());
        }
        Value::Number(number) if number.is_finite() => {
            out.extend_from_slice(general(*number, DIGITS).as_bytes());
        }
        Value::Number(_) => return Err("Cannot serialise number: must not be NaN or Inf".into()),
        Value::String(text) => encode_text(&text.as_bytes(), out),
        Value::Table(table) => encode_table(table, out, depth)?,
        other => {
            return Err(format!("Cannot serialise {}: type not supported", other.type_name()));
        }
    }
    Ok(())
}

fn encode_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'/' => b"\\/",
            8 => b"\\b",
            12 => b"\\f",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=31 | 127 => {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(escape);
    }
    out.push(b'"');
}

fn encode_table(table: &Table, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("Cannot serialise, excessive depth ({depth})"));
    }
    let pairs: Vec<(Value, Value)> = table.pairs().flatten().collect();
    if let Some(len) = array_len(&pairs)? {
        out.push(b'[');
        for index in 1..=len {
            if index > 1 {
                out.push(b',');
            }
            let item = table.raw_get(index).unwrap_or(Value::Nil);
            encode(&item, out, depth + 1)?;
        }
        out.push(b']');
        return Ok(());
    }
    out.push(b'{');
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match key {
            Value::String(text) => encode_text(&text.as_bytes(), out),
            Value::Integer(number) => encode_text(number.to_string().as_bytes(), out),
            Value::Number(number) => encode_text(general(*number, DIGITS).as_bytes(), out),
            _ => return Err("Cannot serialise table: table key must be a number or string".into()),
        }
        out.push(b':');
        encode(value, out, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

/// The length of the array that a table is; `None` = an object.
fn array_len(pairs: &[(Value, Value)]) -> Result<Option<i64>, String> {
    let mut len = 0;
    for (key, _) in pairs {
        let index = match key {
            Value::Integer(index) => *index,
            Value::Number(number) if number.fract() == 0.0 => *number as i64,
            _ => return Ok(None),
        };
        if index < 1 {
            return Ok(None);
        }
        len = len.max(index);
    }
    if len == 0 {
        return Ok(None);
    }
    if len > pairs.len() as i64 * SPARSE_RATIO && len > SPARSE_SAFE {
        return Err("Cannot serialise table: excessively sparse array".into());
    }
    Ok(Some(len))
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

struct Parser<'a> {
    lua: &'a Lua,
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Value, Problem> {
        let value = self.value(1)?;
        self.blanks();
        if self.at < self.text.len() {
            return Err(self.unexpected("the end"));
        }
        Ok(value)
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        let found = match self.peek() {
            None => "T_END",
            Some(b'{') => "T_OBJ_BEGIN",
            Some(b'}') => "T_OBJ_END",
            Some(b'[') => "T_ARR_BEGIN",
            Some(b']') => "T_ARR_END",
            Some(b',') => "T_COMMA",
            Some(b':') => "T_COLON",
            Some(b'"') => "T_STRING",
            Some(b'0'..=b'9' | b'-') => "T_NUMBER",
            Some(_) => "invalid token",
        };
        Problem::Text(format!("Expected {wanted} but found {found} at character {}", self.at + 1))
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, Problem> {
        if depth > DEPTH_MAX {
            let text = format!("Found too many nested data structures ({depth})");
            return Err(Problem::Text(text));
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                let text = self.string()?;
                Ok(Value::String(self.lua.create_string(text)?))
            }
            Some(b'0'..=b'9' | b'-') => self.number(),
            _ => {
                let words = [
                    ("null", Value::NULL),
                    ("true", Value::Boolean(true)),
                    ("false", Value::Boolean(false)),
                ];
                for (word, value) in words {
                    if self.text[self.at..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.unexpected("value"))
            }
        }
    }

    fn number(&mut self) -> Result<Value, Problem> {
        let rest = &self.text[self.at..];
        let len = rest
            .iter()
            .position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let number = std::str::from_utf8(&rest[..len]).ok().and_then(|text| text.parse().ok());
        let Some(number) = number else {
            return Err(Problem::Text(format!(
                "Expected value but found invalid number at character {}",
                self.at + 1
            )));
        };
        self.at += len;
        Ok(Value::Number(number))
    }

    fn array(&mut self, depth: usize) -> Result<Value, Problem> {
        self.at += 1;
        let table = self.lua.create_table()?;
        if self.takes(b']') {
            return Ok(Value::Table(table));
        }
        loop {
            let value = self.value(depth + 1)?;
            table.raw_push(value)?;
            if self.takes(b']') {
                return Ok(Value::Table(table));
            }
            if !self.takes(b',') {
                return Err(self.unexpected("comma or array end"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Problem> {
        self.at += 1;
        let table = self.lua.create_table()?;
        if self.takes(b'}') {
            return Ok(Value::Table(table));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("object key string"));
            }
            let key = self.string()?;
            if !self.takes(b':') {
                return Err(self.unexpected("colon"));
            }
            let value = self.value(depth + 1)?;
            table.raw_set(self.lua.create_string(key)?, value)?;
            if self.takes(b'}') {
                return Ok(Value::Table(table));
            }
            if !self.takes(b',') {
                return Err(self.unexpected("comma or object end"));
            }
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, Problem> {
        let start = self.at;
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                None | Some(0..=31) => {
                    self.at = self.at.min(self.text.len());
                    let text = format!(
                        "Expected value but found unexpected end of string at character {}",
                        start + 1
                    );
                    return Err(Problem::Text(text));
                }
                Some(byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let byte = self.peek();
        self.at += 1;
        out.push(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.code_point(out),
            _ => return Err(self.bad_escape("escape code")),
        });
        Ok(())
    }

    fn bad_escape(&self, what: &str) -> Problem {
        let at = self.at.saturating_sub(1);
        Problem::Text(format!("Expected value but found invalid {what} at character {at}"))
    }

    fn code_point(&mut self, out: &mut Vec<u8>) -> Result<(), Problem> {
        let mut code = self.hexadecimal()?;
        if (0xD800..0xDC00).contains(&code) {
            if self.text.get(self.at..self.at + 2) != Some(b"\\u".as_slice()) {
                return Err(self.bad_escape("unicode escape code"));
            }
            self.at += 2;
            let low = self.hexadecimal()?;
            code = 0x10000 + ((code - 0xD800) << 10) + (low.wrapping_sub(0xDC00) & 0x3FF);
        }
        let Some(character) = char::from_u32(code) else {
            return Err(self.bad_escape("unicode escape code"));
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hexadecimal(&mut self) -> Result<u32, Problem> {
        let digits = self.text.get(self.at..self.at + 4).and_then(|d| std::str::from_utf8(d).ok());
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        code.ok_or_else(|| self.bad_escape("unicode escape code"))
    }
}
