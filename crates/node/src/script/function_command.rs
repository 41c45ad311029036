//! FCALL, FCALL_RO and FUNCTION.

use std::sync::Arc;

use aidb_rdb::libraries::{self, Refusal};
use aidb_redis::glob::matches;
use aidb_redis::resp::Reply;
use aidb_redis::store::Mode;
use aidb_redis::{Outcome, Stop};

use super::functions::{Catalog, Library};
use super::program::Program;
use super::{number_of_keys, shebang, start};
use crate::commands::NodeCall;

const HELP: &[&str] = &[
    "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DELETE <library-name>",
    "    Remove a library and its functions.",
    "DUMP",
    "    Answer all libraries as a payload for RESTORE.",
    "FLUSH [ASYNC|SYNC]",
    "    Remove every library.",
    "KILL",
    "    End the functions that run now; what they wrote is dropped.",
    "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
    "    Tell the libraries, their functions and, with WITHCODE, their texts.",
    "LOAD [REPLACE] <text>",
    "    Make a library of the text, whose first line is `#!lua name=NAME`.",
    "RESTORE <payload> [FLUSH|APPEND|REPLACE]",
    "    Add the libraries of a payload. FLUSH removes all others before, REPLACE those of",
    "    the same names; APPEND, the default, refuses them.",
    "STATS",
    "    Tell the function that runs longest, and how many there are.",
    "HELP",
    "    Prints this help.",
];

/// `FCALL function numkeys [key …] [arg …]`, `FCALL_RO`
pub(crate) fn fcall(call: &mut NodeCall<'_>, is_read_only: bool) -> Outcome {
    let found = call.shared().functions.catalog().find(call.args.get(1));
    let (library, at) = found.ok_or_else(|| Stop::fail("ERR Function not found"))?;
    let count = number_of_keys(call, "ERR Bad number of keys provided")?;
    start(call, &Program::Function(library, at), count, is_read_only)
}

/// `FUNCTION subcommand …`
pub(crate) fn function(call: &mut NodeCall<'_>) -> Outcome {
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"load" => load(call),
        b"delete" => delete(call),
        b"dump" => dump(call),
        b"restore" => restore(call),
        b"flush" => flush(call),
        b"list" => list(call),
        b"stats" => stats(call),
        b"kill" => {
            call.shared().scripts.running.kill(true)?;
            call.reply.ok();
            Ok(())
        }
        _ => call.help(HELP),
    }
}

/// The answer to arguments that no subcommand takes.
fn too_many(call: &NodeCall<'_>) -> Stop {
    Stop::quoting(&[
        b"ERR unknown subcommand or wrong number of arguments for '",
        call.args.get(1),
        b"'. Try FUNCTION HELP.",
    ])
}

/// `FUNCTION LOAD [REPLACE] text`
fn load(call: &mut NodeCall<'_>) -> Outcome {
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let last = call.args.len() - 1;
    for option in call.args.from(2).take(last - 2) {
        if !option.eq_ignore_ascii_case(b"replace") {
            return Err(Stop::quoting(&[b"ERR Unknown option given: ", option]));
        }
    }
    let replaces = last > 2;
    let text = call.args.get(last);
    let shared = Arc::clone(call.shared());
    let name = shebang::of_library(text)?.name;
    let taken = || Stop::fail(format!("ERR Library '{name}' already exists"));
    if !replaces && shared.functions.catalog().libraries.contains_key(&name) {
        return Err(taken());
    }
    let library = shared.functions.read(call.worker.interpreter()?, text)?;
    shared.functions.change(&shared.store, |catalog| {
        if !replaces && catalog.libraries.contains_key(&name) {
            return Err(taken());
        }
        catalog.add(&library, replaces)
    })?;
    call.worker.scratch.counters.commits += 1;
    call.reply.bulk(name.as_bytes());
    Ok(())
}

/// `FUNCTION DELETE name`
fn delete(call: &mut NodeCall<'_>) -> Outcome {
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let shared = Arc::clone(call.shared());
    let name = String::from_utf8_lossy(call.args.get(2));
    shared.functions.change(&shared.store, |catalog| match catalog.remove(&name) {
        true => Ok(()),
        false => Err(Stop::fail("ERR Library not found")),
    })?;
    call.worker.scratch.counters.commits += 1;
    call.reply.ok();
    Ok(())
}

/// `FUNCTION DUMP`
fn dump(call: &mut NodeCall<'_>) -> Outcome {
    let catalog = call.shared().functions.catalog();
    let texts = catalog.libraries.values().map(|library| library.text.as_slice());
    call.reply.bulk(&libraries::encode(texts));
    Ok(())
}

/// `FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]`
fn restore(call: &mut NodeCall<'_>) -> Outcome {
    if call.args.len() > 4 {
        return Err(too_many(call));
    }
    let policy = call.args.get(3).to_ascii_lowercase();
    if !matches!(policy.as_slice(), b"" | b"append" | b"flush" | b"replace") {
        return Err(Stop::fail(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
        ));
    }
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let texts = libraries::decode(call.args.get(2)).map_err(refused)?;
    let shared = Arc::clone(call.shared());
    let mut restored = Catalog::default();
    for text in texts {
        let library = shared.functions.read(call.worker.interpreter()?, &text)?;
        restored.add(&library, false)?;
    }
    shared.functions.change(&shared.store, |catalog| {
        if policy == b"flush" {
            *catalog = Catalog::default();
        } else if policy == b"replace" {
            for name in restored.libraries.keys() {
                catalog.remove(name);
            }
        }
        restored.libraries.values().try_for_each(|library| catalog.add(library, false))
    })?;
    call.worker.scratch.counters.commits += 1;
    call.reply.ok();
    Ok(())
}

fn refused(refusal: Refusal) -> Stop {
    Stop::fail(match refusal {
        Refusal::Footer => "ERR DUMP payload version or checksum are wrong",
        Refusal::Candidate => "ERR Pre-GA function format not supported",
        Refusal::NoFunction => "ERR given type is not a function",
        Refusal::Damaged => "ERR failed loading the given functions payload",
    })
}

/// `FUNCTION FLUSH [ASYNC | SYNC]`
fn flush(call: &mut NodeCall<'_>) -> Outcome {
    if call.args.len() > 3 {
        return Err(too_many(call));
    }
    let option = call.args.get(2);
    if !["", "sync", "async"].iter().any(|word| option.eq_ignore_ascii_case(word.as_bytes())) {
        return Err(Stop::fail("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let shared = Arc::clone(call.shared());
    shared.functions.change(&shared.store, |catalog| {
        *catalog = Catalog::default();
        Ok(())
    })?;
    call.worker.scratch.counters.commits += 1;
    call.reply.ok();
    Ok(())
}

/// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]`
fn list(call: &mut NodeCall<'_>) -> Outcome {
    let (mut pattern, mut with_code) = (None, false);
    let mut options = call.args.from(2);
    while let Some(option) = options.next() {
        if !with_code && option.eq_ignore_ascii_case(b"withcode") {
            with_code = true;
        } else if pattern.is_none() && option.eq_ignore_ascii_case(b"libraryname") {
            let next = options.next();
            pattern =
                Some(next.ok_or_else(|| Stop::fail("ERR library name argument was not given"))?);
        } else {
            return Err(Stop::quoting(&[b"ERR Unknown argument ", option]));
        }
    }
    let catalog = call.shared().functions.catalog();
    let wanted: Vec<_> = catalog
        .libraries
        .values()
        .filter(|library| pattern.is_none_or(|p| matches(p, library.name.as_bytes(), true)))
        .collect();
    call.reply.array(wanted.len());
    wanted.into_iter().for_each(|library| show(&mut call.reply, library, with_code));
    Ok(())
}

fn show(reply: &mut Reply<'_>, library: &Library, with_code: bool) {
    reply.map(if with_code { 4 } else { 3 });
    reply.bulk(b"library_name");
    reply.bulk(library.name.as_bytes());
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    for function in &library.functions {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(function.name.as_bytes());
        reply.bulk(b"description");
        match &function.description {
            Some(description) => reply.bulk(description),
            None => reply.null(),
        }
        reply.bulk(b"flags");
        reply.set(function.flags.names().count());
        function.flags.names().for_each(|name| reply.simple(name));
    }
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.text);
    }
}

/// `FUNCTION STATS`
fn stats(call: &mut NodeCall<'_>) -> Outcome {
    let shared = Arc::clone(call.shared());
    call.reply.map(2);
    call.reply.bulk(b"running_script");
    match shared.scripts.running.longest_function() {
        None => call.reply.null(),
        Some(running) => {
            call.reply.map(3);
            call.reply.bulk(b"name");
            call.reply.bulk(running.name.as_bytes());
            call.reply.bulk(b"command");
            call.reply.array(running.command.len());
            running.command.iter().for_each(|argument| call.reply.bulk(argument));
            call.reply.bulk(b"duration_ms");
            call.reply.integer(shared.store.now_ms().saturating_sub(running.since_ms) as i64);
        }
    }
    let (libraries, functions) = shared.functions.count();
    call.reply.bulk(b"engines");
    call.reply.map(1);
    call.reply.bulk(b"LUA");
    call.reply.map(2);
    call.reply.bulk(b"libraries_count");
    call.reply.integer(libraries as i64);
    call.reply.bulk(b"functions_count");
    call.reply.integer(functions as i64);
    Ok(())
}
