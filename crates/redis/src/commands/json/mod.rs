//! JSON documents: the commands of RedisJSON 2.
//!
//! A command reads the document, finds the places of its path, changes them and stores the document
//! again. What it answers depends on the path: a path that begins with `$` gets one answer per place,
//! a legacy path gets one answer in all: of the first place when reading, of the last one that could
//! be changed when writing.

mod arrays;
mod assign;
mod change;
mod read;
mod search;
mod stored;

pub use arrays::{arrappend, arrinsert, arrpop, arrtrim};
pub use assign::{merge, mset, set};
pub use change::{clear, del, numincrby, nummultby, strappend, toggle};
pub use read::{arrlen, debug, get, kind_of, mget, objkeys, objlen, resp, strlen};
pub use search::arrindex;
pub(super) use stored::{stage_new, text};

use serde_json::Value;

use crate::json::edit::at_mut;
use crate::json::path::Path;
use crate::key::MetaKey;
use crate::resp::Reply;
use crate::stop::{Outcome, Stop};
use crate::store::{Class, Mode};

use super::Call;
use stored::{Stored, load, stage};

/// The key is absent.
const NO_KEY: &str = "ERR could not perform this operation on a key that doesn't exist";

/// The path argument at a place; the root when it is missing.
fn path_at(call: &Call<'_>, index: usize) -> Result<Path, Stop> {
    if index < call.args.len() { parse_path(call, index) } else { Ok(Path::root()) }
}

/// The path in an argument.
fn parse_path(call: &Call<'_>, index: usize) -> Result<Path, Stop> {
    quick(call, Path::parse(call.args.get(index))?)
}

/// The path, unless it may take longer than a reactor allows.
fn quick(call: &Call<'_>, path: Path) -> Result<Path, Stop> {
    if path.is_greedy() && call.mode == Mode::Try { Err(Stop::WouldBlock) } else { Ok(path) }
}

/// The answer to a legacy path without a place.
fn no_path(path: &Path) -> Stop {
    Stop::fail(format!("ERR Path '{}' does not exist", path.shown()))
}

/// The answer to a legacy path without a place of the right type; `what` names the type.
fn no_path_or(path: &Path, what: &str) -> Stop {
    Stop::fail(format!("ERR Path '{}' does not exist or {what}", path.shown()))
}

/// The answer to a value of another type than the command is for.
fn unexpected(expected: &str, found: &Value) -> Stop {
    Stop::fail(format!(
        "WRONGTYPE wrong type of path value - expected {expected} but found {}",
        crate::json::kind(found)
    ))
}

fn integer(call: &Call<'_>, index: usize) -> Result<i64, Stop> {
    crate::number::parse_integer(call.args.get(index))
        .ok_or_else(|| Stop::fail("ERR Couldn't parse as integer"))
}

/// Reads a document that must be there.
fn load_present(call: &Call<'_>, key: &MetaKey) -> Result<Stored, Stop> {
    load(call, key)?.ok_or_else(|| Stop::fail(NO_KEY))
}

/// Changes the values at a path and stores the document. `change` gives `None` for a value that it
/// leaves alone.
fn update<R>(
    call: &mut Call<'_>,
    key: &MetaKey,
    path: &Path,
    event: &'static str,
    mut change: impl FnMut(&mut Value) -> Result<Option<R>, Stop>,
) -> Result<Vec<Option<R>>, Stop> {
    let _lock = call.lock(key)?;
    let stored = load_present(call, key)?;
    let mut document = stored.document()?;
    let mut results = Vec::new();
    for place in path.locations(&document)? {
        results.push(match at_mut(&mut document, &place) {
            Some(value) => change(value)?,
            None => None,
        });
    }
    if results.iter().any(Option::is_some) {
        commit(call, key, &document, Some(&stored))?;
        told(call, event);
    }
    Ok(results)
}

/// Tells who listens what happened to the command's key.
fn told(call: &Call<'_>, event: &'static str) {
    call.notify(Class::Module, event, call.args.get(1));
}

/// Stores a document.
fn commit(
    call: &mut Call<'_>,
    key: &MetaKey,
    document: &Value,
    before: Option<&Stored>,
) -> Outcome {
    call.begin();
    stage(call, key, document, before)?;
    call.commit_batch()
}

/// Answers what [`update`] did; `what` names what a legacy path must lead to.
fn answer<R>(
    call: &mut Call<'_>,
    path: &Path,
    results: Vec<Option<R>>,
    what: &str,
    write: impl Fn(&mut Reply<'_>, R),
) -> Outcome {
    if path.is_legacy() {
        let last = results.into_iter().flatten().next_back();
        write(&mut call.reply, last.ok_or_else(|| no_path_or(path, what))?);
        return Ok(());
    }
    call.reply.array(results.len());
    for result in results {
        match result {
            Some(result) => write(&mut call.reply, result),
            None => call.reply.null(),
        }
    }
    Ok(())
}

fn write_len(reply: &mut Reply<'_>, len: usize) {
    reply.integer(len as i64);
}
