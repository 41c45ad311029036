//! ACL: users, what they may do, what they were refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aidb_redis::number::parse_integer;
use aidb_redis::stop::NOT_AN_INTEGER;
use aidb_redis::table::{COMMANDS, Command, lookup};
use aidb_redis::{Outcome, Stop};

use crate::acl::{CATEGORIES, Context, DEFAULT, Denial, Denied, Entry, Name, RuleError, Selector};
use crate::clients::Client;
use crate::mailbox::Message;
use crate::shared::Shared;

use super::{NodeCall, client, text};

const HELP: &[&str] = &[
    "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "DELUSER <username> [<username> ...]",
    "    Delete a list of users.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Returns whether the user can execute the given command without executing the command.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "LOAD",
    "    Reload users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Show the ACL log entries.",
    "SAVE",
    "    Save the current config to the ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Create or modify a user with the specified attributes.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
    "HELP",
    "    Prints this help.",
];

const NO_FILE: &str = "ERR This Redis instance is not configured to use an ACL file. You may want \
    to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have \
    a Redis configuration file set) in order to store users in the Redis configuration.";

/// Entries that ACL LOG shows unless it is told how many.
const LOG_ENTRIES: i64 = 10;

/// `ACL subcommand …`
pub(super) fn acl(call: &mut NodeCall<'_>) -> Outcome {
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"cat" => categories(call),
        b"deluser" => delete_users(call),
        b"dryrun" => dry_run(call),
        b"genpass" => make_password(call),
        b"getuser" => get_user(call),
        b"list" => {
            let lines = call.shared().acl.all().into_iter().map(|user| user.describe());
            bulks(call, lines.collect());
            Ok(())
        }
        b"load" => load(call),
        b"log" => log(call),
        b"save" => save(call),
        b"setuser" => set_user(call),
        b"users" => {
            let names = call.shared().acl.all().into_iter().map(|user| user.name().text.to_vec());
            bulks(call, names.collect());
            Ok(())
        }
        b"whoami" => {
            let user = call.client.user();
            call.reply.bulk(&user.text);
            Ok(())
        }
        _ => call.help(HELP),
    }
}

fn bulks(call: &mut NodeCall<'_>, items: Vec<Vec<u8>>) {
    call.reply.array(items.len());
    items.iter().for_each(|item| call.reply.bulk(item));
}

/// `ACL CAT [category]`
fn categories(call: &mut NodeCall<'_>) -> Outcome {
    if call.args.len() > 3 {
        return Err(unknown(call));
    }
    if call.args.len() == 2 {
        bulks(call, CATEGORIES.iter().map(|name| name.as_bytes().to_vec()).collect());
        return Ok(());
    }
    let category = text(call.args.get(2)).to_ascii_lowercase();
    if !CATEGORIES.contains(&category.as_str()) {
        return Err(Stop::quoting(&[b"ERR Unknown category '", call.args.get(2), b"'"]));
    }
    let every =
        COMMANDS.iter().flat_map(|command| std::iter::once(command).chain(command.subcommands));
    let names = every
        .filter(|command| command.acl.contains(&category.as_str()))
        .map(|command| command.name.as_bytes().to_vec())
        .collect();
    bulks(call, names);
    Ok(())
}

fn unknown(call: &NodeCall<'_>) -> Stop {
    let word = call.args.get(1);
    Stop::quoting(&[
        b"ERR unknown subcommand or wrong number of arguments for '",
        word,
        b"'. Try ACL HELP.",
    ])
}

/// `ACL SETUSER username [rule …]`
fn set_user(call: &mut NodeCall<'_>) -> Outcome {
    let name = call.args.get(2);
    if name.iter().any(|byte| byte.is_ascii_whitespace() || *byte == 0) {
        return Err(Stop::fail("ERR Usernames can't contain spaces or null characters"));
    }
    let shared = Arc::clone(call.shared());
    match shared.acl.set_user(name, call.args.from(3)) {
        Ok(change) => {
            if change.takes_channels() {
                let reactors = shared.mailboxes.iter();
                reactors.for_each(|mailbox| mailbox.send(Message::CheckListeners));
            }
            call.reply.ok();
            Ok(())
        }
        Err((start, RuleError::Unmatched)) => Err(Stop::quoting(&[
            b"ERR Unmatched parenthesis in acl selector starting at '",
            &start,
            b"'.",
        ])),
        Err((rule, why)) => Err(Stop::quoting(&[
            b"ERR Error in ACL SETUSER modifier '",
            &rule,
            b"': ",
            why.text().as_bytes(),
        ])),
    }
}

/// `ACL DELUSER username [username …]`
fn delete_users(call: &mut NodeCall<'_>) -> Outcome {
    if call.args.from(2).any(|name| name == DEFAULT) {
        return Err(Stop::fail("ERR The 'default' user cannot be removed"));
    }
    let shared = Arc::clone(call.shared());
    let gone: Vec<Arc<Name>> =
        call.args.from(2).filter_map(|name| shared.acl.delete(name)).collect();
    call.reply.integer(gone.len() as i64);
    close_connections(call, &gone);
    Ok(())
}

/// Closes the connections of users that are no more.
fn close_connections(call: &mut NodeCall<'_>, gone: &[Arc<Name>]) {
    let shared = Arc::clone(call.shared());
    for client in shared.clients.all() {
        if !gone.contains(&client.user()) {
            continue;
        }
        match client.id == call.client.id {
            true => call.closes = true,
            false => shared.mailboxes[client.reactor].send(Message::Kill(client.id)),
        }
    }
}

/// `ACL GETUSER username`
fn get_user(call: &mut NodeCall<'_>) -> Outcome {
    let Some(user) = call.shared().acl.find(call.args.get(2)) else {
        call.reply.null();
        return Ok(());
    };
    let reply = &mut call.reply;
    reply.map(6);
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    let digests = user.digests();
    reply.array(digests.len());
    digests.iter().for_each(|digest| reply.bulk(digest.as_bytes()));
    let (root, others) = user.selectors();
    describe(call, root);
    call.reply.bulk(b"selectors");
    call.reply.array(others.len());
    for selector in others {
        call.reply.map(3);
        describe(call, selector);
    }
    Ok(())
}

fn describe(call: &mut NodeCall<'_>, selector: &Selector) {
    let rules = [
        ("commands", selector.commands.describe().into_bytes()),
        ("keys", selector.keys.describe(b'~')),
        ("channels", selector.channels.describe(b'&')),
    ];
    for (name, rules) in rules {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(&rules);
    }
}

/// `ACL DRYRUN username command [arg …]`
fn dry_run(call: &mut NodeCall<'_>) -> Outcome {
    let (name, args) = (call.args.get(2), call.args.skip(3));
    let user = call.shared().acl.find(name);
    let user = user.ok_or_else(|| Stop::quoting(&[b"ERR User '", name, b"' not found"]))?;
    let command = find(args.get(0), args.get(1))
        .ok_or_else(|| Stop::quoting(&[b"ERR Command '", args.get(0), b"' not found"]))?;
    if !command.accepts(args.len()) {
        let name = command.name;
        return Err(Stop::fail(format!("ERR wrong number of arguments for '{name}' command")));
    }
    let Err(Denial { what, place }) = user.check(command, &args) else {
        call.reply.ok();
        return Ok(());
    };
    let object = args.get(place);
    let reason = match what {
        Denied::Command => [b"run the '", command.name.as_bytes(), b"' command"].concat(),
        Denied::Key => [b"access the '", object, b"' key"].concat(),
        Denied::Channel => [b"access the '", object, b"' channel"].concat(),
    };
    call.reply.bulk(&[b"This user has no permissions to ".as_slice(), &reason].concat());
    Ok(())
}

fn find(name: &[u8], sub: &[u8]) -> Option<&'static Command> {
    let command = lookup(name)?;
    match command.subcommands.is_empty() || sub.is_empty() {
        true => Some(command),
        false => command.subcommand(sub),
    }
}

/// `ACL GENPASS [bits]`
fn make_password(call: &mut NodeCall<'_>) -> Outcome {
    let mut bits = 256;
    match call.args.len() {
        2 => {}
        3 => bits = parse_integer(call.args.get(2)).ok_or(NOT_AN_INTEGER)?,
        _ => return Err(unknown(call)),
    }
    if !(1..=4096).contains(&bits) {
        return Err(Stop::fail(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a \
             positive number up to 4096",
        ));
    }
    let digits = (bits as usize).div_ceil(4);
    let mut random = vec![0; digits.div_ceil(2)];
    getrandom::fill(&mut random)
        .map_err(|error| Stop::fail(format!("ERR the system gives no randomness: {error}")))?;
    let mut password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    password.truncate(digits);
    call.reply.bulk(password.as_bytes());
    Ok(())
}

/// `ACL LOAD`
fn load(call: &mut NodeCall<'_>) -> Outcome {
    let shared = Arc::clone(call.shared());
    let Some(path) = shared.acl.file() else { return Err(Stop::fail(NO_FILE)) };
    let vfs = &shared.store.db().options().env.vfs;
    let gone =
        shared.acl.load(vfs.as_ref(), path).map_err(|why| Stop::fail(format!("ERR {why}")))?;
    close_connections(call, &gone);
    shared.mailboxes.iter().for_each(|mailbox| mailbox.send(Message::CheckListeners));
    call.reply.ok();
    Ok(())
}

/// `ACL SAVE`
fn save(call: &mut NodeCall<'_>) -> Outcome {
    let shared = call.shared();
    let Some(path) = shared.acl.file() else { return Err(Stop::fail(NO_FILE)) };
    shared.acl.save(shared.store.db().options().env.vfs.as_ref(), path).map_err(|error| {
        Stop::fail(format!("ERR There was an error trying to save the ACLs: {error}"))
    })?;
    call.reply.ok();
    Ok(())
}

/// `ACL LOG [count | RESET]`
fn log(call: &mut NodeCall<'_>) -> Outcome {
    let mut count = LOG_ENTRIES;
    match call.args.len() {
        2 => {}
        3 if call.is_word(2, "reset") => {
            call.shared().acl.log.clear();
            call.reply.ok();
            return Ok(());
        }
        3 => count = parse_integer(call.args.get(2)).ok_or(NOT_AN_INTEGER)?.max(0),
        _ => return Err(unknown(call)),
    }
    let now_ms = call.shared().store.now_ms();
    let entries = call.shared().acl.log.newest(count as usize);
    call.reply.array(entries.len());
    for entry in entries {
        let seconds = now_ms.saturating_sub(entry.updated_ms) as f64 / 1000.0;
        let reply = &mut call.reply;
        reply.map(10);
        reply.bulk(b"count");
        reply.integer(entry.count as i64);
        let texts = [
            ("reason", entry.reason().as_bytes()),
            ("context", entry.context.name().as_bytes()),
            ("object", &entry.object),
            ("username", &entry.user),
        ];
        for (name, value) in texts {
            reply.bulk(name.as_bytes());
            reply.bulk(value);
        }
        reply.bulk(b"age-seconds");
        reply.double(seconds);
        reply.bulk(b"client-info");
        reply.bulk(entry.client.as_bytes());
        let numbers = [
            ("entry-id", entry.id),
            ("timestamp-created", entry.created_ms),
            ("timestamp-last-updated", entry.updated_ms),
        ];
        for (name, value) in numbers {
            reply.bulk(name.as_bytes());
            reply.integer(value as i64);
        }
    }
    Ok(())
}

/// Notes a refusal for ACL LOG.
pub(crate) fn note(
    shared: &Shared,
    client: &Client,
    denied: Option<Denied>,
    context: Context,
    object: &[u8],
    user: &[u8],
) {
    let now_ms = shared.store.now_ms();
    let description = client::describe(client, now_ms);
    shared.acl.log.add(Entry {
        id: 0,
        count: 0,
        denied,
        context,
        object: object.to_vec(),
        user: user.to_vec(),
        client: description.trim_end().to_owned(),
        created_ms: now_ms,
        updated_ms: now_ms,
    });
}

/// Notes that a call was denied.
pub(crate) fn note_denial(
    shared: &Shared,
    client: &Client,
    denial: Denial,
    context: Context,
    (command, args): (&Command, &aidb_redis::resp::Args<'_>),
) {
    let object = match denial.what {
        Denied::Command => command.name.as_bytes(),
        Denied::Key | Denied::Channel => args.get(denial.place),
    };
    note(shared, client, Some(denial.what), context, object, &client.user().text);
}

/// CONFIG GET acllog-max-len
pub(super) fn log_entries_max(shared: &Shared) -> u64 {
    shared.acl.log.entries_max.load(Ordering::Relaxed)
}

/// CONFIG SET acllog-max-len
pub(super) fn set_log_entries_max(shared: &Shared, entries: u64) {
    shared.acl.log.entries_max.store(entries, Ordering::Relaxed);
}
