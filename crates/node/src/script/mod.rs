//! Scripts: EVAL and its kin.
//!
//! A script runs like a transaction: it holds the slots of the keys it declares, its commands gather
//! their writes and read them, and one batch is committed at its end. When it touches a key that it did
//! not declare, the attempt is dropped and made again with every slot held. On a reactor it may take a
//! few milliseconds; a longer one is dropped as well and made again on a thread of its own. So an
//! attempt must have no effect before its commit: commands with other effects are not for scripts,
//! and messages are held until then.

mod api;
mod bits;
mod convert;
mod interpreter;
mod json;
mod library;
mod msgpack;
mod numbers;
mod pack;
mod running;
mod thrown;

use std::sync::Arc;

use aidb_redis::key::MetaKey;
use aidb_redis::number::parse_integer;
use aidb_redis::store::{Access, Mode, Transaction};
use aidb_redis::{Outcome, Stop};

use crate::commands::NodeCall;

pub(crate) use interpreter::Interpreter;
use library::Script;
pub(crate) use library::{Scripts, digest};
use running::{Attempt, attempt};

const HELP: &[&str] = &[
    "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "EXISTS <sha1> [<sha1> ...]",
    "    Tell which scripts are known.",
    "FLUSH [ASYNC|SYNC]",
    "    Forget every script.",
    "KILL",
    "    End the scripts that run now; what they wrote is dropped.",
    "LOAD <script>",
    "    Make a script known without running it.",
    "HELP",
    "    Prints this help.",
];

/// Where a script's text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command holds it.
    Text,
    /// The command names its digest.
    Digest,
}

/// `EVAL script numkeys [key …] [arg …]`, `EVALSHA`, `EVAL_RO`, `EVALSHA_RO`
pub(crate) fn eval(call: &mut NodeCall<'_>, source: Source, is_read_only: bool) -> Outcome {
    let count = number_of_keys(call)?;
    let script = find(call, source)?;
    let is_read_only = is_read_only || script.is_read_only;
    if call.store.is_transaction() {
        // EXEC holds the slots and commits.
        return match attempt(call, &script, count, call.store, is_read_only)? {
            Attempt::Done => Ok(()),
            Attempt::Roamed => Err(Stop::Beyond),
            Attempt::TookLong => Err(Stop::WouldBlock),
        };
    }
    let slots: Vec<u16> = call
        .args
        .from(3)
        .take(count)
        .map(|key| MetaKey::encode(key).map(|key| key.slot()))
        .collect::<Result<_, _>>()?;
    if !script.needs_every_slot() {
        match alone(call, &script, count, Some(slots), is_read_only)? {
            Attempt::Done => return Ok(()),
            Attempt::TookLong => return Err(Stop::WouldBlock),
            Attempt::Roamed => script.learn_that_it_roams(),
        }
    }
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    alone(call, &script, count, None, is_read_only).map(|_| ())
}

/// Runs a script as a transaction of its own; `None` = every slot.
fn alone(
    call: &mut NodeCall<'_>,
    script: &Arc<Script>,
    keys: usize,
    slots: Option<Vec<u16>>,
    is_read_only: bool,
) -> Result<Attempt, Stop> {
    let shared = Arc::clone(&call.worker.shared);
    let store = &shared.store;
    let (transaction, _locks) = match slots {
        Some(slots) => {
            let locks = store.lock_slots(call.mode, slots.iter().copied())?;
            (Transaction::of_slots(slots), locks)
        }
        None => (Transaction::default(), store.lock_every_slot()),
    };
    call.worker.outbox.hold();
    let mark = call.reply.mark();
    let commits = call.worker.scratch.counters.commits;
    let mut attempted =
        attempt(call, script, keys, Access::within(store, &transaction), is_read_only);
    if matches!(attempted, Ok(Attempt::Done)) {
        if let Err(stop) = store.commit_transaction(call.mode, transaction) {
            attempted = Err(stop);
        }
    }
    let is_done = matches!(attempted, Ok(Attempt::Done));
    if !is_done {
        call.worker.scratch.counters.commits = commits;
        call.reply.rewind(mark);
    }
    call.worker.outbox.release(&shared, is_done);
    attempted
}

fn number_of_keys(call: &NodeCall<'_>) -> Result<usize, Stop> {
    let count = parse_integer(call.args.get(2)).ok_or(aidb_redis::stop::NOT_AN_INTEGER)?;
    if count > call.args.len() as i64 - 3 {
        return Err(Stop::fail("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(count).map_err(|_| Stop::fail("ERR Number of keys can't be negative"))
}

fn find(call: &mut NodeCall<'_>, source: Source) -> Result<Arc<Script>, Stop> {
    let text = call.args.get(1);
    if source == Source::Digest {
        let digest = String::from_utf8_lossy(text).to_ascii_lowercase();
        let known = call.shared().scripts.find(&digest);
        return known.ok_or_else(|| Stop::fail("NOSCRIPT No matching script. Please use EVAL."));
    }
    load(call, text)
}

/// Makes a script known, compiled once to see whether it can be.
fn load(call: &mut NodeCall<'_>, text: &[u8]) -> Result<Arc<Script>, Stop> {
    let digest = digest(text);
    if let Some(script) = call.shared().scripts.find(&digest) {
        return Ok(script);
    }
    let script = Arc::new(Script::parse(text)?);
    call.worker.interpreter()?.compile(&script).map_err(|message| {
        Stop::fail(format!("ERR Error compiling script (new function): {message}"))
    })?;
    call.shared().scripts.add(&script);
    Ok(script)
}

/// `SCRIPT subcommand …`
pub(crate) fn script(call: &mut NodeCall<'_>) -> Outcome {
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"load" => {
            let script = load(call, call.args.get(2))?;
            call.reply.bulk(script.digest.as_bytes());
        }
        b"exists" => {
            let digests: Vec<_> = call.args.from(2).collect();
            call.reply.array(digests.len());
            for digest in digests {
                let digest = String::from_utf8_lossy(digest).to_ascii_lowercase();
                let is_known = call.shared().scripts.find(&digest).is_some();
                call.reply.integer(i64::from(is_known));
            }
        }
        b"flush" => {
            let option = call.args.get(2);
            let is_fine = ["", "sync", "async"]
                .iter()
                .any(|word| option.eq_ignore_ascii_case(word.as_bytes()) && call.args.len() <= 3);
            if !is_fine {
                return Err(Stop::fail("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
            }
            call.shared().scripts.clear();
            call.reply.ok();
        }
        b"kill" => {
            if !call.shared().scripts.kill() {
                return Err(Stop::fail("NOTBUSY No scripts in execution right now."));
            }
            call.reply.ok();
        }
        _ => call.help(HELP)?,
    }
    Ok(())
}
