//! JSON documents without storage: their text, paths into them, changes and formats.
//!
//! A document is a [`serde_json::Value`] that keeps the order of an object's members and knows integers
//! from doubles. [`path`] finds places in it, [`edit`] changes them, [`format`] writes text.

pub mod edit;
pub mod format;
pub mod path;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::stop::Stop;

/// Deepest nesting of a document: what the parser accepts.
pub const DEPTH_MAX: usize = 127;

/// Reads a document.
///
/// # Errors
/// The parser's message.
pub fn parse(text: &[u8]) -> Result<Value, Stop> {
    let text =
        std::str::from_utf8(text).map_err(|_| Stop::fail("ERR Couldn't parse as UTF-8 string"))?;
    serde_json::from_str(text).map_err(|error| Stop::fail(format!("ERR {error}")))
}

/// What JSON.TYPE calls a value.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Levels of arrays and objects around the deepest value.
pub fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Bytes that a value would take in memory, about: what JSON.DEBUG MEMORY tells.
pub fn memory_bytes(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(memory_bytes).sum(),
            Value::Object(members) => {
                members.iter().map(|(key, value)| key.len() + memory_bytes(value)).sum()
            }
            _ => 0,
        }
}
