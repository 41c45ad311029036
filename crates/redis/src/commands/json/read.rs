//! JSON.GET, MGET, TYPE, STRLEN, ARRLEN, OBJLEN, OBJKEYS, RESP, DEBUG.

use serde_json::Value;

use crate::commands::{Call, is_word};
use crate::json::format::{Layout, Writer, compact, text_of as number_text};
use crate::json::path::Path;
use crate::json::{kind, memory_bytes};
use crate::key::MetaKey;
use crate::resp::{Protocol, Reply};
use crate::stop::{Outcome, SYNTAX, Stop};

use super::stored::{NO_DOCUMENT, Stored, load};
use super::{NO_KEY, no_path, no_path_or, parse_path, path_at, quick, unexpected, write_len};

/// Reads a document for a command that only reads.
fn look_up(call: &mut Call<'_>, key: &MetaKey) -> Result<Option<Stored>, Stop> {
    let _lock = call.lock(key)?;
    let stored = load(call, key)?;
    call.count_lookup(stored.is_some());
    Ok(stored)
}

/// How JSON.GET answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// One text.
    String,
    /// A text per value.
    Json,
    /// Values of the protocol.
    Expand,
}

/// `JSON.GET key [INDENT text] [NEWLINE text] [SPACE text] [FORMAT format] [path …]`
pub fn get(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let mut layout = Layout::default();
    let mut format = Format::String;
    let mut paths = Vec::new();
    let args = call.args;
    let mut rest = args.from(2);
    while let Some(word) = rest.next() {
        if is_word(word, "indent") {
            layout.indent = rest.next().ok_or(SYNTAX)?;
        } else if is_word(word, "newline") {
            layout.newline = rest.next().ok_or(SYNTAX)?;
        } else if is_word(word, "space") {
            layout.space = rest.next().ok_or(SYNTAX)?;
        } else if is_word(word, "format") {
            format = format_of(rest.next().ok_or(SYNTAX)?, call.reply.protocol())?;
        } else if !is_word(word, "noescape") {
            paths.push(quick(call, Path::parse(word)?)?);
        }
    }
    if paths.is_empty() {
        paths.push(Path::root());
    }
    let Some(stored) = look_up(call, &key)? else {
        call.reply.null();
        return Ok(());
    };
    if let ([path], Format::String, true) = (paths.as_slice(), format, layout.is_compact()) {
        if path.is_root() {
            // The text is there already.
            let text = if path.is_legacy() { stored.text } else { wrapped(&stored.text) };
            call.reply.bulk(&text);
            return Ok(());
        }
    }
    let document = stored.document()?;
    if format != Format::String {
        return get_each(&mut call.reply, &document, &paths, format);
    }
    let text = text_of(&document, &paths, layout)?;
    call.reply.bulk(&text);
    Ok(())
}

fn wrapped(text: &[u8]) -> Vec<u8> {
    [b"[", text, b"]"].concat()
}

fn format_of(word: &[u8], protocol: Protocol) -> Result<Format, Stop> {
    let format = match word.to_ascii_uppercase().as_slice() {
        b"STRING" => Format::String,
        b"JSON" => Format::Json,
        b"EXPAND" => Format::Expand,
        _ => return Err(Stop::fail("ERR wrong format")),
    };
    if format != Format::String && protocol == Protocol::Resp2 {
        return Err(Stop::fail("ERR FORMAT argument is not supported on RESP2"));
    }
    Ok(format)
}

/// The values of all paths as one text.
fn text_of(document: &Value, paths: &[Path], layout: Layout<'_>) -> Result<Vec<u8>, Stop> {
    let mut writer = Writer::new(layout);
    if let [path] = paths {
        let values = path.values(document)?;
        if path.is_legacy() {
            writer.value(values.first().ok_or_else(|| no_path(path))?);
        } else {
            writer.array(values.into_iter());
        }
        return Ok(writer.finish());
    }
    let is_legacy = paths.iter().all(Path::is_legacy);
    let mut members: Vec<(&str, Vec<&Value>)> = Vec::new();
    for path in paths {
        let values = path.values(document)?;
        if is_legacy && values.is_empty() {
            return Err(no_path(path));
        }
        if members.iter().all(|(name, _)| *name != path.original()) {
            members.push((path.original(), values));
        }
    }
    writer.object(members.into_iter(), |writer, values| match values.first() {
        Some(first) if is_legacy => writer.value(first),
        _ => writer.array(values.into_iter()),
    });
    Ok(writer.finish())
}

/// The values of each path as an array.
fn get_each(reply: &mut Reply<'_>, document: &Value, paths: &[Path], format: Format) -> Outcome {
    reply.array(paths.len());
    for path in paths {
        let values = path.values(document)?;
        reply.array(values.len());
        for value in values {
            match format {
                Format::Expand => expand(reply, value),
                _ => reply.bulk(&compact(value)),
            }
        }
    }
    Ok(())
}

/// A value in the types of RESP3.
fn expand(reply: &mut Reply<'_>, value: &Value) {
    match value {
        Value::Null => reply.null(),
        Value::Bool(flag) => reply.boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => reply.integer(integer),
            None => reply.double(number.as_f64().unwrap_or(0.0)),
        },
        Value::String(text) => reply.bulk(text.as_bytes()),
        Value::Array(items) => {
            reply.array(items.len());
            items.iter().for_each(|item| expand(reply, item));
        }
        Value::Object(members) => {
            reply.map(members.len());
            for (key, value) in members {
                reply.bulk(key.as_bytes());
                expand(reply, value);
            }
        }
    }
}

/// `JSON.MGET key [key …] path`
pub fn mget(call: &mut Call<'_>) -> Outcome {
    let keys = call.counted_keys(1, call.args.len() - 2)?;
    let path = parse_path(call, call.args.len() - 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    call.reply.array(keys.len());
    for key in &keys {
        let stored = match load(call, key) {
            Err(stop) if stop.is_line_of(&Stop::fail(NO_DOCUMENT)) => None,
            stored => stored?,
        };
        call.count_lookup(stored.is_some());
        let Some(stored) = stored else {
            call.reply.null();
            continue;
        };
        let document = stored.document()?;
        match text_of(&document, std::slice::from_ref(&path), Layout::default()) {
            Ok(text) => call.reply.bulk(&text),
            Err(stop) if stop.is_line_of(&no_path(&path)) => call.reply.null(),
            Err(stop) => return Err(stop),
        }
    }
    Ok(())
}

/// `JSON.TYPE key [path]`
pub fn kind_of(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = path_at(call, 2)?;
    let stored = look_up(call, &key)?;
    if call.reply.protocol() == Protocol::Resp3 {
        call.reply.array(1);
    }
    let Some(stored) = stored else {
        call.reply.null();
        return Ok(());
    };
    let document = stored.document()?;
    let values = path.values(&document)?;
    if path.is_legacy() {
        match values.first() {
            Some(value) => call.reply.bulk(kind(value).as_bytes()),
            None => call.reply.null(),
        }
        return Ok(());
    }
    call.reply.array(values.len());
    values.into_iter().for_each(|value| call.reply.bulk(kind(value).as_bytes()));
    Ok(())
}

/// What a command that measures values answers where there is nothing to measure.
struct Missing {
    /// A path with `$` into an absent key.
    key: fn(&Path) -> Stop,
    /// A legacy path that leads nowhere: an error, or null.
    place: Option<fn(&Path) -> Stop>,
    /// A legacy path that leads to another type.
    kind: fn(&Path, &Value) -> Stop,
}

/// Answers `measure` of the values at a path.
fn measure<R>(
    call: &mut Call<'_>,
    missing: &Missing,
    of: impl Fn(&Value) -> Option<R>,
    write: impl Fn(&mut Reply<'_>, R),
) -> Outcome {
    let key = call.key(1)?;
    let path = path_at(call, 2)?;
    let Some(stored) = look_up(call, &key)? else {
        if !path.is_legacy() {
            return Err((missing.key)(&path));
        }
        call.reply.null();
        return Ok(());
    };
    let document = stored.document()?;
    let values = path.values(&document)?;
    if !path.is_legacy() {
        call.reply.array(values.len());
        for value in values {
            match of(value) {
                Some(result) => write(&mut call.reply, result),
                None => call.reply.null(),
            }
        }
        return Ok(());
    }
    match (values.first(), missing.place) {
        (Some(value), _) => {
            let result = of(value).ok_or_else(|| (missing.kind)(&path, value))?;
            write(&mut call.reply, result);
            Ok(())
        }
        (None, Some(stop)) => Err(stop(&path)),
        (None, None) => {
            call.reply.null();
            Ok(())
        }
    }
}

fn no_key(_: &Path) -> Stop {
    Stop::fail(NO_KEY)
}

/// `JSON.STRLEN key [path]`
pub fn strlen(call: &mut Call<'_>) -> Outcome {
    let missing =
        Missing { key: no_key, place: Some(no_path), kind: |_, found| unexpected("string", found) };
    measure(call, &missing, |value| value.as_str().map(str::len), write_len)
}

/// `JSON.ARRLEN key [path]`
pub fn arrlen(call: &mut Call<'_>) -> Outcome {
    let missing = Missing {
        key: no_key,
        place: Some(|path| no_path_or(path, "not an array")),
        kind: |path, _| no_path_or(path, "not an array"),
    };
    measure(call, &missing, |value| value.as_array().map(Vec::len), write_len)
}

/// `JSON.OBJLEN key [path]`
pub fn objlen(call: &mut Call<'_>) -> Outcome {
    let missing = Missing {
        key: |path| no_path_or(path, "not an object"),
        place: None,
        kind: |_, found| unexpected("object", found),
    };
    measure(call, &missing, |value| value.as_object().map(serde_json::Map::len), write_len)
}

/// `JSON.OBJKEYS key [path]`
pub fn objkeys(call: &mut Call<'_>) -> Outcome {
    let missing =
        Missing { key: no_key, place: None, kind: |path, _| no_path_or(path, "not an object") };
    let keys = |value: &Value| {
        let keys: Vec<String> = value.as_object()?.keys().cloned().collect();
        Some(keys)
    };
    measure(call, &missing, keys, |reply, keys| {
        reply.array(keys.len());
        keys.iter().for_each(|key| reply.bulk(key.as_bytes()));
    })
}

/// `JSON.RESP key [path]`
pub fn resp(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = path_at(call, 2)?;
    let Some(stored) = look_up(call, &key)? else {
        call.reply.null();
        return Ok(());
    };
    let document = stored.document()?;
    let values = path.values(&document)?;
    if path.is_legacy() {
        show(&mut call.reply, values.first().ok_or_else(|| no_path(&path))?);
        return Ok(());
    }
    call.reply.array(values.len());
    values.into_iter().for_each(|value| show(&mut call.reply, value));
    Ok(())
}

/// A value as JSON.RESP shows it: containers are arrays whose first item is their bracket.
fn show(reply: &mut Reply<'_>, value: &Value) {
    match value {
        Value::Null => reply.null(),
        Value::Bool(flag) => reply.simple(if *flag { "true" } else { "false" }),
        Value::Number(number) => match (number.as_i64(), reply.protocol()) {
            (Some(integer), _) => reply.integer(integer),
            (None, Protocol::Resp2) => reply.bulk(number_text(number).as_bytes()),
            (None, Protocol::Resp3) => reply.double(number.as_f64().unwrap_or(0.0)),
        },
        Value::String(text) => reply.bulk(text.as_bytes()),
        Value::Array(items) => {
            reply.array(1 + items.len());
            reply.simple("[");
            items.iter().for_each(|item| show(reply, item));
        }
        Value::Object(members) => {
            reply.array(1 + 2 * members.len());
            reply.simple("{");
            for (key, value) in members {
                reply.bulk(key.as_bytes());
                show(reply, value);
            }
        }
    }
}

const DEBUG_HELP: [&str; 2] =
    ["MEMORY <key> [path] - tells the bytes that a value takes", "HELP - this message"];

/// `JSON.DEBUG MEMORY key [path]`, `JSON.DEBUG HELP`
pub fn debug(call: &mut Call<'_>) -> Outcome {
    if is_word(call.args.get(1), "help") {
        call.reply.array(DEBUG_HELP.len());
        DEBUG_HELP.iter().for_each(|line| call.reply.bulk(line.as_bytes()));
        return Ok(());
    }
    if !is_word(call.args.get(1), "memory") || call.args.len() < 3 {
        return Err(Stop::fail("ERR unknown subcommand - try `JSON.DEBUG HELP`"));
    }
    let key = call.key(2)?;
    let path = path_at(call, 3)?;
    let document = look_up(call, &key)?.map(|stored| stored.document()).transpose()?;
    let values = document.as_ref().map(|document| path.values(document)).transpose()?;
    match (values, path.is_legacy()) {
        (None, true) => call.reply.integer(0),
        (Some(values), true) => {
            let first = values.first().ok_or_else(|| no_path(&path))?;
            write_len(&mut call.reply, memory_bytes(first));
        }
        (values, false) => {
            let values = values.unwrap_or_default();
            call.reply.array(values.len());
            values.into_iter().for_each(|value| write_len(&mut call.reply, memory_bytes(value)));
        }
    }
    Ok(())
}
