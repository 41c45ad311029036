//! SLOWLOG, and COMMANDLOG, which has logs of large requests and replies beside it.

use aidb_redis::number::parse_integer;
use aidb_redis::{Outcome, Stop};

use crate::observe::{CommandLog, Entry, Observers};

use super::{NodeCall, is_word};

const SLOWLOG_HELP: &[&str] = &[
    "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
    "HELP",
    "    Prints this help.",
];
const COMMANDLOG_HELP: &[&str] = &[
    "COMMANDLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <count> <type>",
    "    Return top <count> entries of a log (-1 mean all). Types are slow,",
    "    large-request, large-reply. Entries are made of:",
    "    id, timestamp, time in microseconds or size in bytes, arguments array,",
    "    client IP and port, client name",
    "LEN <type>",
    "    Return the length of a log.",
    "RESET <type>",
    "    Reset a log.",
    "HELP",
    "    Prints this help.",
];
/// Entries of SLOWLOG GET without a count.
const DEFAULT_COUNT: usize = 10;

/// `SLOWLOG GET [count] | LEN | RESET | HELP`
pub(super) fn slowlog(call: &mut NodeCall<'_>) -> Outcome {
    let shared = std::sync::Arc::clone(call.shared());
    let log = &shared.observers.slow;
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"get" => {
            let count = if call.args.len() > 2 { count(call.args.get(2))? } else { DEFAULT_COUNT };
            show(call, &log.newest(count));
        }
        b"len" => call.reply.integer(log.len() as i64),
        b"reset" => {
            log.clear();
            call.reply.ok();
        }
        _ => call.help(SLOWLOG_HELP)?,
    }
    Ok(())
}

/// `COMMANDLOG GET count type | LEN type | RESET type | HELP`
pub(super) fn command_log(call: &mut NodeCall<'_>) -> Outcome {
    let shared = std::sync::Arc::clone(call.shared());
    let log = |name: &[u8]| log_of(&shared.observers, name);
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"get" => {
            let count = count(call.args.get(2))?;
            show(call, &log(call.args.get(3))?.newest(count));
        }
        b"len" => {
            let len = log(call.args.get(2))?.len();
            call.reply.integer(len as i64);
        }
        b"reset" => {
            log(call.args.get(2))?.clear();
            call.reply.ok();
        }
        _ => call.help(COMMANDLOG_HELP)?,
    }
    Ok(())
}

fn log_of<'o>(observers: &'o Observers, name: &[u8]) -> Result<&'o CommandLog, Stop> {
    match () {
        () if is_word(name, "slow") => Ok(&observers.slow),
        () if is_word(name, "large-request") => Ok(&observers.large_requests),
        () if is_word(name, "large-reply") => Ok(&observers.large_replies),
        () => Err(Stop::fail(
            "ERR type should be one of the following: slow, large-request, large-reply",
        )),
    }
}

fn count(text: &[u8]) -> Result<usize, Stop> {
    match parse_integer(text) {
        Some(-1) => Ok(usize::MAX),
        Some(count @ 0..) => Ok(count as usize),
        _ => Err(Stop::fail("ERR count should be greater than or equal to -1")),
    }
}

fn show(call: &mut NodeCall<'_>, entries: &[Entry]) {
    let reply = &mut call.reply;
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.integer(entry.id as i64);
        reply.integer(entry.at_s as i64);
        reply.integer(entry.amount as i64);
        reply.array(entry.arguments.len());
        entry.arguments.iter().for_each(|argument| reply.bulk(argument));
        reply.bulk(entry.address.as_bytes());
        reply.bulk(entry.name.as_bytes());
    }
}
