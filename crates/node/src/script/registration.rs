//! `redis.register_function`: how the text of a library names its functions.

use mlua::{Function, Lua, MultiValue, Table, Value};

use super::flags::Flags;
use super::shebang::{BAD_NAME, identifier};
use super::thrown::reply;

/// A function that a library registered.
pub(super) struct Registered {
    pub(super) name: String,
    pub(super) description: Option<Vec<u8>>,
    pub(super) flags: Flags,
    pub(super) callback: Function,
}

/// Field of the natives with the functions registered so far.
const REGISTERED: &str = "registered";

/// The part of `redis` that a library sees while it is loaded: taken from `api`, the whole one.
pub(super) fn native(lua: &Lua, natives: &Table, api: &Table) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    for name in [
        "log",
        "LOG_DEBUG",
        "LOG_VERBOSE",
        "LOG_NOTICE",
        "LOG_WARNING",
        "REDIS_VERSION",
        "REDIS_VERSION_NUM",
    ] {
        redis.raw_set(name, api.raw_get::<Value>(name)?)?;
    }
    let natives = natives.clone();
    let register = lua.create_function(move |lua, arguments: MultiValue| {
        let wanted = match arguments.len() {
            1 => named(lua, &arguments[0])?,
            2 => pair(lua, &arguments[0], &arguments[1])?,
            _ => return refuse("ERR wrong number of arguments to redis.register_function"),
        };
        add(lua, &natives.raw_get(REGISTERED)?, wanted)
    })?;
    redis.raw_set("register_function", register)?;
    Ok(redis)
}

/// Forgets what earlier libraries registered.
pub(super) fn begin(lua: &Lua, natives: &Table) -> mlua::Result<()> {
    natives.raw_set(REGISTERED, lua.create_table()?)
}

/// What was registered since [`begin`].
pub(super) fn end(natives: &Table) -> mlua::Result<Vec<Registered>> {
    let registered: Table = natives.raw_get(REGISTERED)?;
    registered.sequence_values::<Table>().map(|entry| decode(&entry?)).collect()
}

fn decode(entry: &Table) -> mlua::Result<Registered> {
    let mut flags = Flags::default();
    for name in entry.raw_get::<Table>("flags")?.sequence_values::<mlua::LuaString>() {
        flags.add(&name?.as_bytes());
    }
    let description: Option<mlua::LuaString> = entry.raw_get("description")?;
    Ok(Registered {
        name: entry.raw_get("name")?,
        description: description.map(|text| text.as_bytes().to_vec()),
        flags,
        callback: entry.raw_get("callback")?,
    })
}

/// What a call asks for.
#[derive(Default)]
struct Wanted {
    name: Option<Vec<u8>>,
    callback: Option<Function>,
    description: Option<Vec<u8>>,
    flags: Flags,
}

fn refuse<T>(line: &str) -> mlua::Result<T> {
    Err(reply(line.as_bytes()))
}

/// The text of a string or number.
fn text(lua: &Lua, value: &Value) -> mlua::Result<Option<Vec<u8>>> {
    let text = match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            lua.coerce_string(value.clone())?
        }
        _ => None,
    };
    Ok(text.map(|text| text.as_bytes().to_vec()))
}

/// `redis.register_function('name', callback)`
fn pair(lua: &Lua, name: &Value, callback: &Value) -> mlua::Result<Wanted> {
    let Some(name) = text(lua, name)? else {
        return refuse("ERR first argument to redis.register_function must be a string");
    };
    let Value::Function(callback) = callback else {
        return refuse("ERR second argument to redis.register_function must be a function");
    };
    Ok(Wanted { name: Some(name), callback: Some(callback.clone()), ..Wanted::default() })
}

/// `redis.register_function{function_name=…, callback=…, flags={…}, description=…}`
fn named(lua: &Lua, arguments: &Value) -> mlua::Result<Wanted> {
    let Value::Table(arguments) = arguments else {
        return refuse(
            "ERR calling redis.register_function with a single argument is only applicable to Lua \
             table (representing named arguments).",
        );
    };
    let mut wanted = Wanted::default();
    for pair in arguments.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Some(key) = text(lua, &key)? else {
            return refuse(
                "ERR named argument key given to redis.register_function is not a string",
            );
        };
        take(lua, &mut wanted, &key, &value)?;
    }
    Ok(wanted)
}

fn take(lua: &Lua, wanted: &mut Wanted, key: &[u8], value: &Value) -> mlua::Result<()> {
    if key.eq_ignore_ascii_case(b"function_name") {
        wanted.name = text(lua, value)?;
        if wanted.name.is_none() {
            return refuse(
                "ERR function_name argument given to redis.register_function must be a string",
            );
        }
    } else if key.eq_ignore_ascii_case(b"description") {
        wanted.description = text(lua, value)?;
        if wanted.description.is_none() {
            return refuse(
                "ERR description argument given to redis.register_function must be a string",
            );
        }
    } else if key.eq_ignore_ascii_case(b"callback") {
        let Value::Function(callback) = value else {
            return refuse(
                "ERR callback argument given to redis.register_function must be a function",
            );
        };
        wanted.callback = Some(callback.clone());
    } else if key.eq_ignore_ascii_case(b"flags") {
        let Value::Table(flags) = value else {
            return refuse(
                "ERR flags argument to redis.register_function must be a table representing \
                 function flags",
            );
        };
        wanted.flags = read_flags(lua, flags)?;
    } else {
        return refuse("ERR unknown argument given to redis.register_function");
    }
    Ok(())
}

fn read_flags(lua: &Lua, names: &Table) -> mlua::Result<Flags> {
    let mut flags = Flags::default();
    for name in names.sequence_values::<Value>() {
        let name = text(lua, &name?)?.unwrap_or_default().to_ascii_lowercase();
        if !flags.add(&name) {
            return refuse("ERR unknown flag given");
        }
    }
    Ok(flags)
}

fn add(lua: &Lua, registered: &Table, wanted: Wanted) -> mlua::Result<()> {
    let Some(name) = wanted.name else {
        return refuse("ERR redis.register_function must get a function name argument");
    };
    let Some(callback) = wanted.callback else {
        return refuse("ERR redis.register_function must get a callback argument");
    };
    let Some(name) = identifier(&name) else { return refuse(BAD_NAME) };
    for entry in registered.sequence_values::<Table>() {
        if entry?.raw_get::<String>("name")? == name {
            return refuse("ERR Function already exists in the library");
        }
    }
    let entry = lua.create_table()?;
    entry.raw_set("name", name)?;
    entry.raw_set("callback", callback)?;
    if let Some(description) = wanted.description {
        entry.raw_set("description", lua.create_string(description)?)?;
    }
    entry.raw_set("flags", lua.create_sequence_from(wanted.flags.names())?)?;
    registered.raw_push(entry)
}
