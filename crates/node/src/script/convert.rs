//! Values between Lua and the protocol, and the functions of `redis` that execute no command.

use aidb_redis::number::double_text;
use aidb_redis::resp::{Protocol, Reply};
use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::library::digest;
use super::numbers::number_of;
use super::thrown::reply;
use crate::commands::REDIS_VERSION;

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
        Value::Boolean(flag) if script == Protocol::Resp3 => boolean(out, *flag),
        Value::Boolean(true) => out.integer(1),
        Value::Table(table) => write_table(out, table, script, depth),
        _ => out.null(),
    }
}

fn boolean(out: &mut Reply<'_>, flag: bool) {
    match out.protocol() {
        Protocol::Resp2 => out.integer(i64::from(flag)),
        Protocol::Resp3 => out.raw(if flag { b"#t\r\n" } else { b"#f\r\n" }),
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

fn tagged(lua: &Lua, name: &str, value: Value) -> mlua::Result<Value> {
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

/// The functions and constants of `redis`, but for `call` and `pcall`.
pub(super) fn native(lua: &Lua, natives: &Table) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    for (level, name) in
        ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"].iter().enumerate()
    {
        redis.raw_set(*name, level)?;
    }
    for (bits, name) in [(0, "NONE"), (1, "AOF"), (2, "SLAVE"), (2, "REPLICA"), (3, "ALL")] {
        redis.raw_set(format!("REPL_{name}"), bits)?;
    }
    redis.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    redis.raw_set("REDIS_VERSION_NUM", 0x0007_000f)?;
    reply_makers(lua, &redis)?;
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("log", lua.create_function(log)?)?;
    redis.raw_set("breakpoint", lua.create_function(|_, ()| Ok(Value::Boolean(false)))?)?;
    redis.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(Value::Nil))?)?;
    redis.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(Value::Boolean(true)))?)?;
    redis.raw_set("set_repl", lua.create_function(set_repl)?)?;
    let natives = natives.clone();
    redis.raw_set(
        "setresp",
        lua.create_function(move |_, arguments: MultiValue| {
            match arguments.into_vec().as_slice() {
                [version] => {
                    let Some(version @ (2.0 | 3.0)) = number_of(version) else {
                        return refuse("ERR RESP version must be 2 or 3.");
                    };
                    let set: mlua::Function = natives.raw_get("set_protocol")?;
                    set.call::<()>(version as u8)?;
                    Ok(Value::Nil)
                }
                _ => refuse("ERR redis.setresp() requires one argument."),
            }
        })?,
    )?;
    Ok(redis)
}

fn refuse(line: &str) -> mlua::Result<Value> {
    Err(reply(line.as_bytes()))
}

fn reply_makers(lua: &Lua, redis: &Table) -> mlua::Result<()> {
    for (function, name) in [("error_reply", "err"), ("status_reply", "ok")] {
        let make = move |lua: &Lua, arguments: MultiValue| {
            let arguments = arguments.into_vec();
            let [Value::String(text)] = arguments.as_slice() else {
                let line = "ERR wrong number or type of arguments";
                return error_table(lua, line.as_bytes());
            };
            let text = text.as_bytes().to_vec();
            let shown = match (name, text.strip_prefix(b"-")) {
                ("err", Some(rest)) => rest.to_vec(),
                ("err", None) if !text.contains(&b' ') => [b"ERR ".as_slice(), &text].concat(),
                _ => text,
            };
            tagged(lua, name, Value::String(lua.create_string(shown)?))
        };
        redis.raw_set(function, lua.create_function(make)?)?;
    }
    Ok(())
}

fn sha1hex(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    if arguments.len() != 1 {
        return refuse("ERR wrong number of arguments");
    }
    let text: Option<LuaString> = lua.coerce_string(arguments[0].clone())?;
    let text = text.map_or_else(Vec::new, |text| text.as_bytes().to_vec());
    Ok(Value::String(lua.create_string(digest(&text))?))
}

fn log(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    let arguments = arguments.into_vec();
    let [level, words @ ..] = arguments.as_slice() else {
        return refuse("ERR redis.log() requires two arguments or more.");
    };
    if words.is_empty() {
        return refuse("ERR redis.log() requires two arguments or more.");
    }
    let Some(level) = number_of(level) else {
        return refuse("ERR First argument must be a number (log level).");
    };
    if !(0.0..=3.0).contains(&level) {
        return refuse("ERR Invalid log level.");
    }
    let mut line = Vec::new();
    for word in words {
        if let Some(text) = lua.coerce_string(word.clone())? {
            line.push(text.to_string_lossy());
        }
    }
    if level >= 2.0 {
        eprintln!("script: {}", line.join(" "));
    }
    Ok(Value::Nil)
}

fn set_repl(_: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    match arguments.into_vec().as_slice() {
        [flags] if number_of(flags).is_some_and(|flags| (0.0..=3.0).contains(&flags)) => {
            Ok(Value::Nil)
        }
        [_] => refuse(
            "ERR Invalid replication flags. Please use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        ),
        _ => refuse("ERR redis.set_repl() requires one argument."),
    }
}
