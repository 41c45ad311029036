//! XINFO: what is known of a stream and its groups.

use crate::collection::stream::{
    Consumer, EntryId, Group, Pending, READ_UNKNOWN, consumer_name, group_name,
};
use crate::stop::{NO_SUCH_KEY, Outcome, Stop};

use super::super::members::damaged;
use super::super::{Call, is_word};
use super::groups::wrong_subcommand;
use super::{Gathered, Stream, naming, write_entry, write_id};

const HELP: &[&str] = &[
    "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
    "HELP",
    "    Prints this help.",
];

/// Entries of FULL without COUNT.
const COUNT_DEFAULT: u64 = 10;
/// Entries that Redis keeps in one node of its tree.
const NODE_ENTRIES: u64 = 100;

/// `XINFO STREAM key [FULL [COUNT count]]`, `XINFO GROUPS key`, `XINFO CONSUMERS key group`, `XINFO HELP`
pub fn xinfo(call: &mut Call<'_>) -> Outcome {
    let word = call.args.get(1);
    if is_word(word, "help") {
        call.reply.array(HELP.len());
        HELP.iter().for_each(|line| call.reply.simple(line));
        return Ok(());
    }
    let key = call.key(2)?;
    let _lock = call.lock(&key)?;
    let stream = Stream::look_up(call, key)?.ok_or(NO_SUCH_KEY)?;
    if is_word(word, "consumers") {
        return consumers(call, &stream);
    }
    let first = stream.first(call)?;
    if is_word(word, "groups") {
        return groups(call, &stream, first);
    }
    match full_count(call, word)? {
        None => summary(call, &stream, first),
        Some(count) => full(call, &stream, first, count),
    }
}

/// How many entries and pending entries FULL shows; `None`: no FULL.
fn full_count(call: &Call<'_>, word: &[u8]) -> Result<Option<u64>, Stop> {
    let args = call.args;
    match args.len() {
        3 => Ok(None),
        4 if is_word(args.get(3), "full") => Ok(Some(COUNT_DEFAULT)),
        6 if is_word(args.get(3), "full") && is_word(args.get(4), "count") => {
            let count = u64::try_from(call.integer(5)?).unwrap_or(COUNT_DEFAULT);
            Ok(Some(if count == 0 { u64::MAX } else { count }))
        }
        _ => Err(wrong_subcommand(word, "XINFO")),
    }
}

/// Consumers of a group with their names, in the order of these.
fn consumers_of(
    call: &Call<'_>,
    stream: &Stream,
    group: &Group,
) -> Result<Vec<(Vec<u8>, Consumer)>, Stop> {
    let mut walk = stream.walk_under(call, stream.id().consumer(group.number, b""))?;
    let mut found = Vec::new();
    while let Some((key, value)) = walk.next()? {
        found.push((consumer_name(key).to_vec(), Consumer::decode(value).ok_or_else(damaged)?));
    }
    Ok(found)
}

fn groups_of(call: &Call<'_>, stream: &Stream) -> Result<Vec<(Vec<u8>, Group)>, Stop> {
    let mut walk = stream.walk_under(call, stream.id().group(b""))?;
    let mut found = Vec::new();
    while let Some((key, value)) = walk.next()? {
        found.push((group_name(key).to_vec(), Group::decode(value).ok_or_else(damaged)?));
    }
    Ok(found)
}

fn consumers(call: &mut Call<'_>, stream: &Stream) -> Outcome {
    let name = call.args.get(3);
    let Some(group) = stream.group(call, name)? else {
        let key = call.args.get(2);
        return Err(naming(&[
            b"NOGROUP No such consumer group '",
            name,
            b"' for key name '",
            key,
            b"'",
        ]));
    };
    let found = consumers_of(call, stream, &group)?;
    let now_ms = call.store.now_ms();
    let reply = &mut call.reply;
    reply.array(found.len());
    for (name, consumer) in found {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(&name);
        reply.bulk(b"pending");
        reply.integer(consumer.pending as i64);
        reply.bulk(b"idle");
        reply.integer(now_ms.saturating_sub(consumer.seen_ms) as i64);
    }
    Ok(())
}

fn optional(call: &mut Call<'_>, number: Option<i64>) {
    match number {
        Some(number) => call.reply.integer(number),
        None => call.reply.null(),
    }
}

/// `entries-read` and `lag`.
fn progress(call: &mut Call<'_>, stream: &Stream, group: &Group, first: EntryId) {
    call.reply.bulk(b"entries-read");
    optional(call, Some(group.read).filter(|read| *read != READ_UNKNOWN));
    call.reply.bulk(b"lag");
    optional(call, stream.lag(group, first));
}

fn groups(call: &mut Call<'_>, stream: &Stream, first: EntryId) -> Outcome {
    let found = groups_of(call, stream)?;
    call.reply.array(found.len());
    for (name, group) in found {
        let reply = &mut call.reply;
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(&name);
        reply.bulk(b"consumers");
        reply.integer(group.consumers as i64);
        reply.bulk(b"pending");
        reply.integer(group.pending as i64);
        reply.bulk(b"last-delivered-id");
        write_id(reply, group.last);
        progress(call, stream, &group, first);
    }
    Ok(())
}

/// What both forms of XINFO STREAM begin with: seven pairs.
fn head(call: &mut Call<'_>, stream: &Stream, first: EntryId) {
    let (reply, meta) = (&mut call.reply, &stream.meta);
    let nodes = stream.len().div_ceil(NODE_ENTRIES) as i64;
    for (name, number) in [
        ("length", stream.len() as i64),
        ("radix-tree-keys", nodes),
        ("radix-tree-nodes", nodes + 1),
    ] {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    }
    reply.bulk(b"last-generated-id");
    write_id(reply, meta.last);
    reply.bulk(b"max-deleted-entry-id");
    write_id(reply, meta.max_deleted);
    reply.bulk(b"entries-added");
    reply.integer(meta.added as i64);
    reply.bulk(b"recorded-first-entry-id");
    write_id(reply, first);
}

fn summary(call: &mut Call<'_>, stream: &Stream, first: EntryId) -> Outcome {
    call.reply.map(10);
    head(call, stream, first);
    call.reply.bulk(b"groups");
    call.reply.integer(stream.meta.groups as i64);
    for (name, reverse) in [("first-entry", false), ("last-entry", true)] {
        call.reply.bulk(name.as_bytes());
        let mut walk = stream.entries(call, EntryId::ZERO, EntryId::MAX, reverse)?;
        match walk.next()? {
            None => call.reply.null(),
            Some((key, fields)) => {
                let id = EntryId::at_end(key).ok_or_else(damaged)?;
                write_entry(&mut call.reply, id, fields);
            }
        }
    }
    Ok(())
}

fn full(call: &mut Call<'_>, stream: &Stream, first: EntryId, count: u64) -> Outcome {
    call.reply.map(9);
    head(call, stream, first);
    call.reply.bulk(b"entries");
    let mut entries = Gathered::new(call);
    let mut walk = stream.entries(call, EntryId::ZERO, EntryId::MAX, false)?;
    entries.add_entries(&mut walk, count)?;
    entries.write(&mut call.reply);
    call.reply.bulk(b"groups");
    let found = groups_of(call, stream)?;
    call.reply.array(found.len());
    for (name, group) in found {
        call.reply.map(7);
        call.reply.bulk(b"name");
        call.reply.bulk(&name);
        call.reply.bulk(b"last-delivered-id");
        write_id(&mut call.reply, group.last);
        progress(call, stream, &group, first);
        full_group(call, stream, &group, count)?;
    }
    Ok(())
}

fn full_group(call: &mut Call<'_>, stream: &Stream, group: &Group, count: u64) -> Outcome {
    let id = stream.id();
    call.reply.bulk(b"pel-count");
    call.reply.integer(group.pending as i64);
    call.reply.bulk(b"pending");
    let prefix = id.key(crate::key::tag::STREAM_PENDING, &[&group.number.to_be_bytes()]);
    let mut pending = Gathered::new(call);
    let mut walk = stream.walk_under(call, prefix)?;
    while (pending.count as u64) < count {
        let Some((key, value)) = walk.next()? else { break };
        let one = Pending::decode(value).ok_or_else(damaged)?;
        let mut reply = pending.reply();
        reply.array(4);
        write_id(&mut reply, EntryId::at_end(key).ok_or_else(damaged)?);
        reply.bulk(&one.name);
        reply.integer(one.delivered_ms as i64);
        reply.integer(one.deliveries as i64);
    }
    pending.write(&mut call.reply);
    call.reply.bulk(b"consumers");
    let found = consumers_of(call, stream, group)?;
    call.reply.array(found.len());
    for (name, consumer) in found {
        full_consumer(call, stream, group, (&name, &consumer), count)?;
    }
    Ok(())
}

fn full_consumer(
    call: &mut Call<'_>,
    stream: &Stream,
    group: &Group,
    (name, consumer): (&[u8], &Consumer),
    count: u64,
) -> Outcome {
    call.reply.map(4);
    call.reply.bulk(b"name");
    call.reply.bulk(name);
    call.reply.bulk(b"seen-time");
    call.reply.integer(consumer.seen_ms as i64);
    call.reply.bulk(b"pel-count");
    call.reply.integer(consumer.pending as i64);
    call.reply.bulk(b"pending");
    let parts: [&[u8]; 2] = [&group.number.to_be_bytes(), &consumer.number.to_be_bytes()];
    let prefix = stream.id().key(crate::key::tag::STREAM_PENDING_OF, &parts);
    let mut pending = Gathered::new(call);
    let mut walk = stream.walk_under(call, prefix)?;
    while (pending.count as u64) < count {
        let Some((key, _)) = walk.next()? else { break };
        let entry = EntryId::at_end(key).ok_or_else(damaged)?;
        let one = stream.pending(call, group.number, entry)?.ok_or_else(damaged)?;
        let mut reply = pending.reply();
        reply.array(3);
        write_id(&mut reply, entry);
        reply.integer(one.delivered_ms as i64);
        reply.integer(one.deliveries as i64);
    }
    pending.write(&mut call.reply);
    Ok(())
}
