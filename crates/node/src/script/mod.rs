//! Scripts and functions: EVAL, FCALL and their kin.
//!
//! A script runs like a transaction: it holds the slots of the keys it declares, its commands gather
//! their writes and read them, and one batch is committed at its end. When it touches a key that it did
//! not declare, the attempt is dropped and made again with every slot held. On a reactor it may take a
//! few milliseconds; a longer one is dropped as well and made again on a thread of its own. So an
//! attempt must have no effect before its commit: commands with other effects are not for scripts,
//! and messages are held until then.

mod api;
mod bits;
mod busy;
mod convert;
mod flags;
mod function_command;
mod functions;
mod interpreter;
mod json;
mod msgpack;
mod numbers;
mod pack;
mod program;
mod registration;
mod running;
mod scripts;
mod shebang;
mod thrown;

use std::sync::Arc;

use aidb_redis::key::MetaKey;
use aidb_redis::number::parse_integer;
use aidb_redis::store::{Access, Mode, Transaction};
use aidb_redis::{Outcome, Stop};

use crate::commands::NodeCall;

pub(crate) use function_command::{fcall, function};
pub(crate) use functions::Functions;
pub(crate) use interpreter::Interpreter;
use program::Program;
use running::{Attempt, attempt};
use scripts::Script;
pub(crate) use scripts::{Scripts, digest};

const HELP: &[&str] = &[
    "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DEBUG NO",
    "    The debugger is never on; YES and SYNC are refused.",
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
    let count = number_of_keys(call, "ERR value is not an integer or out of range")?;
    let program = Program::Script(find(call, source)?);
    start(call, &program, count, is_read_only)
}

/// Runs a program with `count` keys for a command that may be `_ro`.
fn start(call: &mut NodeCall<'_>, program: &Program, count: usize, is_read_only: bool) -> Outcome {
    let forbids_writes = program.flags().map(|flags| flags.forbid_writes());
    if is_read_only && forbids_writes == Some(false) {
        return Err(Stop::fail("ERR Can not execute a script with write flag using *_ro command."));
    }
    let is_read_only = is_read_only || forbids_writes == Some(true);
    if call.store.is_transaction() {
        // EXEC holds the slots and commits.
        return match attempt(call, program, count, call.store, is_read_only)? {
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
    if !program.needs_every_slot() {
        match alone(call, program, count, Some(slots), is_read_only)? {
            Attempt::Done => return Ok(()),
            Attempt::TookLong => return Err(Stop::WouldBlock),
            Attempt::Roamed => program.learn_that_it_roams(),
        }
    }
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    alone(call, program, count, None, is_read_only).map(|_| ())
}

/// Runs a program as a transaction of its own; `None` = every slot.
fn alone(
    call: &mut NodeCall<'_>,
    program: &Program,
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
        attempt(call, program, keys, Access::within(store, &transaction), is_read_only);
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

/// The number of keys that a command declares; `no_number` is the answer to something else.
fn number_of_keys(call: &NodeCall<'_>, no_number: &'static str) -> Result<usize, Stop> {
    let count = parse_integer(call.args.get(2)).ok_or_else(|| Stop::fail(no_number))?;
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
    call.worker.interpreter()?.function_of(&Program::Script(Arc::clone(&script)))?;
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
            call.shared().scripts.running.kill(false)?;
            call.reply.ok();
        }
        b"debug" => {
            debug(call.args.get(2))?;
            call.reply.ok();
        }
        _ => call.help(HELP)?,
    }
    Ok(())
}

/// There is no debugger: it can only be switched off.
fn debug(mode: &[u8]) -> Outcome {
    if mode.eq_ignore_ascii_case(b"no") {
        return Ok(());
    }
    if mode.eq_ignore_ascii_case(b"yes") || mode.eq_ignore_ascii_case(b"sync") {
        return Err(Stop::fail(
            "ERR SCRIPT DEBUG is not supported: scripts of several clients run at the same time; \
             use redis.log() instead",
        ));
    }
    Err(Stop::fail("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}
