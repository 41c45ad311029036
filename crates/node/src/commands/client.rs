//! CLIENT: what is known of connections.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use aidb_redis::number::parse_integer;
use aidb_redis::session::Place;
use aidb_redis::stop::SYNTAX;
use aidb_redis::table::COMMANDS;
use aidb_redis::{Outcome, Stop};

use crate::clients::Client;
use crate::mailbox::Message;
use crate::state::Silence;

use super::client_filter::{self, Filter};
use super::{NodeCall, text, tracking};

const HELP: &[&str] = &[
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Keep track of the keys of the next command, or do not.",
    "GETREDIR",
    "    Return the client that gets the messages about changed keys instead of this one.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id>",
    "      Kill connections by client id.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "    * ID <id> [<id> ...], and those of KILL",
    "      Return these clients.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Keep the connection when memory is short.",
    "NO-TOUCH (ON|OFF)",
    "    Let commands of the connection not count as use of keys.",
    "SETINFO <lib-name|lib-ver> <value>",
    "    Name the client library.",
    "SETNAME <name>",
    "    Name the connection.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Tell this connection of changes to keys that it has read.",
    "TRACKINGINFO",
    "    Return how this connection is told of changes.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Let a client wait no more for a key.",
    "HELP",
    "    Prints this help.",
];

/// `CLIENT subcommand …`
pub(super) fn client(call: &mut NodeCall<'_>) -> Outcome {
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"id" => call.reply.integer(call.client.id as i64),
        b"getname" => get_name(call),
        b"setname" => set_name(call)?,
        b"setinfo" => set_info(call)?,
        b"info" => {
            let line = describe(call.client, call.shared().store.now_ms());
            call.reply.verbatim("txt", line.as_bytes());
        }
        b"list" => list(call)?,
        b"kill" => client_filter::kill(call)?,
        b"pause" => pause(call)?,
        b"unpause" => {
            call.shared().pause.end();
            call.shared().mailboxes.iter().for_each(|mailbox| mailbox.send(Message::Resume));
            call.reply.ok();
        }
        b"reply" => set_replies(call)?,
        b"unblock" => unblock(call)?,
        b"tracking" => tracking::tracking(call)?,
        b"caching" => tracking::caching(call)?,
        b"getredir" => tracking::get_redirect(call),
        b"trackinginfo" => tracking::info(call),
        b"no-evict" => {
            let on = on_or_off(call)?;
            call.client.is_kept.store(on, Ordering::Relaxed);
            call.reply.ok();
        }
        b"no-touch" => {
            let on = on_or_off(call)?;
            call.client.touches.store(!on, Ordering::Relaxed);
            call.reply.ok();
        }
        _ => call.help(HELP)?,
    }
    Ok(())
}

/// `CLIENT PAUSE milliseconds [WRITE | ALL]`
fn pause(call: &mut NodeCall<'_>) -> Outcome {
    let is_of_all = match call.args.len() {
        3 => true,
        4 if call.is_word(3, "all") => true,
        4 if call.is_word(3, "write") => false,
        4 => return Err(Stop::fail("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(SYNTAX),
    };
    let timeout_ms = parse_integer(call.args.get(2))
        .ok_or_else(|| Stop::fail("ERR timeout is not an integer or out of range"))?;
    let timeout_ms =
        u64::try_from(timeout_ms).map_err(|_| Stop::fail("ERR timeout is negative"))?;
    let now_ms = call.shared().store.now_ms();
    call.shared().pause.begin(now_ms.saturating_add(timeout_ms), is_of_all, now_ms);
    call.reply.ok();
    Ok(())
}

/// `CLIENT REPLY ON | OFF | SKIP`
fn set_replies(call: &mut NodeCall<'_>) -> Outcome {
    let is_silent = call.state.silence == Silence::All;
    call.state.silence = match () {
        () if call.is_word(2, "on") => {
            call.reply.ok();
            Silence::No
        }
        () if call.is_word(2, "off") => Silence::All,
        () if call.is_word(2, "skip") && is_silent => Silence::All,
        () if call.is_word(2, "skip") => Silence::Begins,
        () => return Err(SYNTAX),
    };
    Ok(())
}

fn get_name(call: &mut NodeCall<'_>) {
    match call.client.names().name.as_str() {
        "" => call.reply.null(),
        name => call.reply.bulk(name.as_bytes()),
    }
}

/// A connection name: printable, without blanks.
pub(super) fn check_name(name: &[u8]) -> Result<String, Stop> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(text(name));
    }
    Err(Stop::fail("ERR Client names cannot contain spaces, newlines or special characters."))
}

fn set_name(call: &mut NodeCall<'_>) -> Outcome {
    let name = check_name(call.args.get(2))?;
    call.client.rename(|names| names.name = name);
    call.reply.ok();
    Ok(())
}

fn set_info(call: &mut NodeCall<'_>) -> Outcome {
    let attribute = text(call.args.get(2)).to_ascii_lowercase();
    let value = call.args.get(3);
    if !value.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Err(Stop::fail(format!(
            "ERR {attribute} cannot contain spaces, newlines or special characters."
        )));
    }
    match attribute.as_str() {
        "lib-name" => call.client.rename(|names| names.library = text(value)),
        "lib-ver" => call.client.rename(|names| names.library_version = text(value)),
        _ => {
            return Err(Stop::fail(format!(
                "ERR Unrecognized option '{}'",
                text(call.args.get(2))
            )));
        }
    }
    call.reply.ok();
    Ok(())
}

fn on_or_off(call: &NodeCall<'_>) -> Result<bool, Stop> {
    match () {
        () if call.is_word(2, "on") => Ok(true),
        () if call.is_word(2, "off") => Ok(false),
        () => Err(SYNTAX),
    }
}

/// One line of CLIENT LIST, ended by a newline.
pub(super) fn describe(client: &Client, now_ms: u64) -> String {
    let names = client.names();
    let seconds_since = |at: u64| now_ms.saturating_sub(at) / 1000;
    let place = usize::from(client.last_command.load(Ordering::Relaxed));
    let command = place.checked_sub(1).and_then(|index| COMMANDS.get(index));
    let flags = if client.is_kept.load(Ordering::Relaxed) { "e" } else { "N" };
    let flags = if client.touches.load(Ordering::Relaxed) { flags } else { "T" };
    let listening = client.subscriptions.each_ref().map(|count| count.load(Ordering::Relaxed));
    let flags = if client.is_listening() { "P" } else { flags };
    let is_tracking = client.redirect.load(Ordering::Relaxed) >= 0;
    let broadcasts = client.broadcasts.load(Ordering::Relaxed);
    let is_broken = client.is_redirect_broken.load(Ordering::Relaxed);
    let monitors = client.monitors.load(Ordering::Relaxed);
    let tracking = [(monitors, "O"), (is_tracking, "t"), (is_broken, "R"), (broadcasts, "B")];
    let tracking: String = tracking.iter().filter(|(has, _)| *has).map(|(_, flag)| *flag).collect();
    let flags = if flags == "N" && (is_tracking || monitors) { "" } else { flags };
    let flags = if client.address.is_unix() && flags == "N" { "U" } else { flags };
    let flags = if client.is_blocked.load(Ordering::Relaxed) { "b" } else { flags };
    let mut line = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        line,
        "id={} addr={} laddr={} fd=-1 name={} age={} idle={} flags={flags}{tracking} db={} sub={} psub={} \
         ssub={} multi={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 \
         omem={} tot-mem={} events=r cmd={} user={} redir={} resp={} lib-name={} lib-ver={}",
        client.id,
        client.address,
        client.local_address,
        names.name,
        seconds_since(client.connected_ms),
        seconds_since(client.last_active_ms.load(Ordering::Relaxed)),
        client.database.load(Ordering::Relaxed),
        listening[0],
        listening[1],
        listening[2],
        i64::from(client.queued.load(Ordering::Relaxed)) - 1,
        client.input_bytes.load(Ordering::Relaxed),
        client.output_bytes.load(Ordering::Relaxed),
        client.input_bytes.load(Ordering::Relaxed) + client.output_bytes.load(Ordering::Relaxed),
        command.map_or("NULL", |command| command.name),
        text(&client.user().text),
        client.redirect.load(Ordering::Relaxed),
        client.protocol.load(Ordering::Relaxed),
        names.library,
        names.library_version,
    );
    line
}

/// `CLIENT LIST [TYPE type] [ID id [id …]] [filter value …]`
fn list(call: &mut NodeCall<'_>) -> Outcome {
    let mut filter = Filter::default();
    let mut at = 2;
    while at < call.args.len() {
        // The identifiers are all words up to one that is no number.
        if call.is_word(at, "id") && at + 1 < call.args.len() {
            let ids = call.args.from(at + 1).take_while(|word| parse_integer(word).is_some());
            let ids = ids.map(client_id).collect::<Result<Vec<_>, _>>()?;
            at += 1 + ids.len();
            if ids.is_empty() {
                return Err(Stop::fail("ERR Invalid client ID"));
            }
            filter.ids.get_or_insert_default().extend(ids);
            continue;
        }
        if at + 1 == call.args.len() {
            return Err(SYNTAX);
        }
        filter.add(call, call.args.get(at), call.args.get(at + 1))?;
        at += 2;
    }
    let now_ms = call.shared().store.now_ms();
    let mut lines = String::new();
    for client in call.shared().clients.all() {
        if filter.means(&client, now_ms) && !(filter.skips_caller && client.id == call.client.id) {
            lines.push_str(&describe(&client, now_ms));
        }
    }
    call.reply.verbatim("txt", lines.as_bytes());
    Ok(())
}

pub(super) fn client_id(argument: &[u8]) -> Result<u64, Stop> {
    parse_integer(argument)
        .filter(|id| *id > 0)
        .map(|id| id as u64)
        .ok_or_else(|| Stop::fail("ERR Invalid client ID"))
}

/// `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`
fn unblock(call: &mut NodeCall<'_>) -> Outcome {
    let fails = match call.args.len() {
        3 => false,
        _ if call.is_word(3, "timeout") => false,
        _ if call.is_word(3, "error") => true,
        _ => {
            let line = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
            return Err(Stop::fail(line));
        }
    };
    let id = parse_integer(call.args.get(2)).ok_or(aidb_redis::stop::NOT_AN_INTEGER)?;
    let clients = call.shared().clients.all();
    let found = clients.iter().find(|client| client.id as i64 == id);
    let blocked = found.filter(|client| client.is_blocked.swap(false, Ordering::Relaxed));
    if let Some(client) = blocked {
        let (client, reactor, token) = (client.id, client.reactor, client.token);
        let place = Place { client, reactor, token };
        call.shared().mailboxes[reactor].send(Message::Unblock(place, fails));
    }
    call.reply.integer(i64::from(blocked.is_some()));
    Ok(())
}
