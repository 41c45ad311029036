//! Errors that native code throws into a script.

use std::fmt;

use mlua::{Lua, Value};

/// An error's text.
#[derive(Debug)]
struct Thrown {
    text: Vec<u8>,
    /// It is a reply, its code in front.
    is_reply: bool,
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl std::error::Error for Thrown {}

/// An error reply.
pub(super) fn reply(line: &[u8]) -> mlua::Error {
    mlua::Error::external(Thrown { text: line.to_vec(), is_reply: true })
}

/// A text with the place of the script that called.
pub(super) fn at_caller(lua: &Lua, text: &str) -> mlua::Error {
    let place = lua.inspect_stack(1, |frame| {
        let source = frame.source();
        frame.current_line().map(|line| {
            let name = source.short_src.as_deref().unwrap_or_default().to_owned();
            format!("{name}:{line}: ")
        })
    });
    let place = place.flatten().unwrap_or_default();
    let text = format!("{place}{text}").into_bytes();
    mlua::Error::external(Thrown { text, is_reply: false })
}

fn find(error: &mlua::Error) -> Option<&Thrown> {
    match error {
        mlua::Error::CallbackError { cause, .. } => find(cause),
        other => other.downcast_ref(),
    }
}

/// The text of what native code threw.
pub(super) fn text(lua: &Lua, value: Value) -> mlua::Result<Value> {
    let Value::Error(error) = value else { return Ok(value) };
    let text = match find(&error) {
        Some(thrown) => thrown.text.clone(),
        None => error.to_string().into_bytes(),
    };
    Ok(Value::String(lua.create_string(text)?))
}

/// Whether what native code threw is a reply.
pub(super) fn is_reply(value: &Value) -> bool {
    let Value::Error(error) = value else { return false };
    find(error).is_some_and(|thrown| thrown.is_reply)
}
