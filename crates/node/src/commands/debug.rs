//! DEBUG: the parts that tests of clients and servers use.

use std::time::Duration;

use aidb_redis::key::MetaKey;
use aidb_redis::stop::{NO_SUCH_KEY, SYNTAX};
use aidb_redis::{Outcome, Stop};

use super::{NodeCall, text};

const HELP: &[&str] = &[
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ERROR <string>",
    "    Return an error with the string as its text.",
    "LOADAOF",
    "    Do nothing: the data is on the disk.",
    "OBJECT <key>",
    "    Show what is known of a key's value.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Do nothing: there are no quicklists.",
    "RELOAD [option ...]",
    "    Do nothing: the data is on the disk.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Let expired keys be removed without being asked for, or not.",
    "SLEEP <seconds>",
    "    Keep the connection waiting.",
    "HELP",
    "    Prints this help.",
];

/// Longest sleep.
const SLEEP_S_MAX: f64 = 3600.0;

/// `DEBUG subcommand …`
pub(super) fn debug(call: &mut NodeCall<'_>) -> Outcome {
    match (call.args.get(1).to_ascii_lowercase().as_slice(), call.args.len()) {
        (b"sleep", 3) => sleep(call),
        (b"set-active-expire", 3) => {
            let is_on = match call.args.get(2) {
                b"0" => false,
                b"1" => true,
                _ => return Err(SYNTAX),
            };
            call.shared().store.db().set_sweeping(is_on);
            call.reply.ok();
        }
        (b"object", 3) => object(call)?,
        (b"error", 3) => {
            let line = text(call.args.get(2)).replace(['\r', '\n'], " ");
            return Err(Stop::fail(line));
        }
        (b"reload" | b"loadaof", _) | (b"quicklist-packed-threshold", 3) => call.reply.ok(),
        (b"help", 2) => call.help(HELP)?,
        _ => {
            return Err(Stop::quoting(&[
                b"ERR unknown subcommand or wrong number of arguments for '",
                call.args.get(1),
                b"'. Try DEBUG HELP.",
            ]));
        }
    }
    Ok(())
}

/// Sleeps the connection, not the server; ends early when the node stops.
fn sleep(call: &mut NodeCall<'_>) {
    // Like Redis: whatever is not a number is 0.
    let seconds: f64 = text(call.args.get(2)).parse().unwrap_or(0.0);
    let seconds = if seconds.is_finite() { seconds.clamp(0.0, SLEEP_S_MAX) } else { 0.0 };
    let clock = call.shared().store.clock();
    let until_ms = clock.now_ms() + (seconds * 1000.0) as u64;
    while clock.now_ms() < until_ms && !call.shared().stop.is_requested() {
        let left = Duration::from_millis(until_ms - clock.now_ms());
        call.shared().stop.wait(left);
    }
    call.reply.ok();
}

fn object(call: &mut NodeCall<'_>) -> Outcome {
    let key = MetaKey::encode(call.args.get(2))?;
    let keyspace = call.store.keyspace(call.session.database);
    let found = call.store.read(call.mode, keyspace, &key, |value, _| {
        (value.encoding_name(), value.bytes.len() + 1)
    })?;
    let (encoding, bytes) = found.ok_or(NO_SUCH_KEY)?;
    call.reply.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{bytes} lru:0 \
         lru_seconds_idle:0"
    ));
    Ok(())
}
