//! The table `redis`: functions and constants that execute no command.

use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::convert::{error_table, tagged};
use super::numbers::number_of;
use super::scripts::digest;
use super::thrown::reply;
use crate::commands::REDIS_VERSION;

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
    redis.raw_set("REDIS_VERSION_NUM", 0x0007_0400)?;
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
