//! Values between Lua and the protocol.

use aidb_redis::number::double_text;
use aidb_redis::resp::{Protocol, Reply};
use mlua::{Lua, Table, Value};

use super::numbers::number_of;

/// Deepest nesting of an answer.
const DEPTH_MAX: usize = 128;

/// Writes what a script returned.
pub(super) fn answer(out: &mut Reply<'_>, value: &Value, script_protocol: Protocol) {
    write(out, value, script_protocol, 0);
}

fn write(out: &mut Reply<'_>, value: &Value, script: Protocol, depth: usize) {
    if depth > DEPTH_MAX {
        return out.error(b"ERR reached lua stack limit");
    }
    match value {
        Value::String(text) => out.bulk(&text.as_bytes()),
        Value::Integer(number) => out.integer(*number),
        Value::Number(number) => out.integer(*number as i64),
        Value::Boolean(flag) if script == Protocol::Resp3 => out.boolean(*flag),
        Value::Boolean(true) => out.integer(1),
        Value::Table(table) => write_table(out, table, script, depth),
        _ => out.null(),
    }
}

fn field<T: mlua::FromLua>(table: &Table, name: &str) -> Option<T> {
    table.raw_get::<Option<T>>(name).ok().flatten()
}

fn write_table(out: &mut Reply<'_>, table: &Table, script: Protocol, depth: usize) {
    if let Some(line) = text_field(table, "err") {
        return out.error(&one_line(&line));
    }
    if let Some(line) = text_field(table, "ok") {
        return out.simple(&String::from_utf8_lossy(&one_line(&line)));
    }
    if let Some(number) = field::<Value>(table, "double").as_ref().and_then(number_of) {
        return double(out, number);
    }
    if let Some(pairs) = field::<Table>(table, "map") {
        let pairs: Vec<(Value, Value)> = pairs.pairs().flatten().collect();
        out.map(pairs.len());
        for (key, value) in &pairs {
            write(out, key, script, depth + 1);
            write(out, value, script, depth + 1);
        }
        return;
    }
    if let Some(members) = field::<Table>(table, "set") {
        let members: Vec<(Value, Value)> = members.pairs().flatten().collect();
        out.set(members.len());
        members.iter().for_each(|(member, _)| write(out, member, script, depth + 1));
        return;
    }
    if let Some(number) = text_field(table, "big_number") {
        return big_number(out, &one_line(&number));
    }
    if let Some(verbatim) = field::<Table>(table, "verbatim_string") {
        if let (Some(format), Some(text)) =
            (text_field(&verbatim, "format"), text_field(&verbatim, "string"))
        {
            return out.verbatim(&String::from_utf8_lossy(&format), &text);
        }
    }
    let items: Vec<Value> = table.sequence_values().map_while(Result::ok).collect();
    out.array(items.len());
    items.iter().for_each(|item| write(out, item, script, depth + 1));
}

fn text_field(table: &Table, name: &str) -> Option<Vec<u8>> {
    match table.raw_get::<Value>(name) {
        Ok(Value::String(text)) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
}

fn double(out: &mut Reply<'_>, number: f64) {
    let text = double_text(number);
    match out.protocol() {
        Protocol::Resp2 => out.bulk(text.as_bytes()),
        Protocol::Resp3 => out.raw(format!(",{text}\r\n").as_bytes()),
    }
}

fn big_number(out: &mut Reply<'_>, digits: &[u8]) {
    match out.protocol() {
        Protocol::Resp2 => out.bulk(digits),
        Protocol::Resp3 => out.raw(&[b"(", digits, b"\r\n"].concat()),
    }
}

/// Reads one encoded reply into a Lua value; gives it and what follows.
pub(super) fn read<'a>(lua: &Lua, bytes: &'a [u8]) -> mlua::Result<(Value, &'a [u8])> {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let line = bytes.get(1..end.saturating_sub(1)).unwrap_or_default();
    let rest = bytes.get(end + 1..).unwrap_or_default();
    let number = || aidb_redis::number::parse_integer(line).unwrap_or(0);
    let len = || usize::try_from(number()).unwrap_or(0);
    Ok(match bytes.first() {
        Some(b'+') => (tagged(lua, "ok", Value::String(lua.create_string(line)?))?, rest),
        Some(b'-') => (tagged(lua, "err", Value::String(lua.create_string(line)?))?, rest),
        Some(b':') => (Value::Number(number() as f64), rest),
        Some(b'$') if number() >= 0 => {
            let (text, rest) = rest.split_at_checked(len()).unwrap_or((rest, &[]));
            (Value::String(lua.create_string(text)?), rest.get(2..).unwrap_or_default())
        }
        Some(b'*') if number() >= 0 => return read_list(lua, len(), rest),
        Some(b'%') => return read_map(lua, len(), rest),
        Some(b'~') => return read_set(lua, len(), rest),
        Some(b'#') => (Value::Boolean(line == b"t"), rest),
        Some(b'_') => (Value::Nil, rest),
        Some(b',') => {
            let number = String::from_utf8_lossy(line).parse().unwrap_or(f64::NAN);
            (tagged(lua, "double", Value::Number(number))?, rest)
        }
        Some(b'=') => {
            let (text, rest) = rest.split_at_checked(len()).unwrap_or((rest, &[]));
            let parts = lua.create_table()?;
            parts.raw_set("format", lua.create_string(text.get(..3).unwrap_or_default())?)?;
            parts.raw_set("string", lua.create_string(text.get(4..).unwrap_or_default())?)?;
            let value = tagged(lua, "verbatim_string", Value::Table(parts))?;
            (value, rest.get(2..).unwrap_or_default())
        }
        // Absence in RESP2.
        _ => (Value::Boolean(false), rest),
    })
}

pub(super) fn tagged(lua: &Lua, name: &str, value: Value) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, value)?;
    Ok(Value::Table(table))
}

fn read_list<'a>(lua: &Lua, len: usize, mut rest: &'a [u8]) -> mlua::Result<(Value, &'a [u8])> {
    let table = lua.create_table_with_capacity(len.min(1 << 16), 0)?;
    for index in 1..=len {
        let (value, after) = read(lua, rest)?;
        table.raw_set(index, value)?;
        rest = after;
    }
    Ok((Value::Table(table), rest))
}

fn read_map<'a>(lua: &Lua, len: usize, mut rest: &'a [u8]) -> mlua::Result<(Value, &'a [u8])> {
    let table = lua.create_table()?;
    for _ in 0..len {
        let (key, after) = read(lua, rest)?;
        let (value, after) = read(lua, after)?;
        table.raw_set(key, value)?;
        rest = after;
    }
    Ok((tagged(lua, "map", Value::Table(table))?, rest))
}

fn read_set<'a>(lua: &Lua, len: usize, mut rest: &'a [u8]) -> mlua::Result<(Value, &'a [u8])> {
    let table = lua.create_table()?;
    for _ in 0..len {
        let (member, after) = read(lua, rest)?;
        table.raw_set(member, true)?;
        rest = after;
    }
    Ok((tagged(lua, "set", Value::Table(table))?, rest))
}

/// A table that is an error reply.
pub(super) fn error_table(lua: &Lua, line: &[u8]) -> mlua::Result<Value> {
    tagged(lua, "err", Value::String(lua.create_string(line)?))
}
