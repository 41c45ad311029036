//! Consumer groups: XGROUP, and a consumer that is reading.

use crate::collection::stream::{Consumer, EntryId, Group, Pending, READ_UNKNOWN};
use crate::stop::{Outcome, Stop};
use crate::store::Class;

use super::super::members::{MEMBER_BYTES_MAX, damaged};
use super::super::{Call, atomically, is_word};
use super::{Stream, ids, naming};

const HELP: &[&str] = &[
    "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
    "HELP",
    "    Prints this help.",
];

impl Stream {
    pub(super) fn consumer(
        &self,
        call: &Call<'_>,
        group: u64,
        name: &[u8],
    ) -> Result<Option<Consumer>, Stop> {
        let found = self.read(call, &self.id().consumer(group, name), Consumer::decode)?;
        found.map(|consumer| consumer.ok_or_else(damaged)).transpose()
    }

    pub(super) fn save_consumer(
        &self,
        call: &mut Call<'_>,
        group: u64,
        name: &[u8],
        consumer: &Consumer,
    ) -> Outcome {
        self.put(call, &self.id().consumer(group, name), &consumer.encode())
    }

    pub(super) fn pending(
        &self,
        call: &Call<'_>,
        group: u64,
        entry: EntryId,
    ) -> Result<Option<Pending>, Stop> {
        let found = self.read(call, &self.id().pending(group, entry), Pending::decode)?;
        found.map(|pending| pending.ok_or_else(damaged)).transpose()
    }

    /// A number that no group or consumer has had; commits the metadata.
    fn next_number(&mut self, call: &mut Call<'_>) -> Result<u64, Stop> {
        self.meta.numbers += 1;
        self.save(call)?;
        Ok(self.meta.numbers)
    }

    /// Takes an entry away from the consumer that `pending` names. The group's count stays.
    pub(super) fn take_from(
        &self,
        call: &mut Call<'_>,
        group: u64,
        entry: EntryId,
        pending: &Pending,
    ) -> Outcome {
        let place = self.id().pending_of(group, pending.consumer, entry);
        self.remove(call, &place)?;
        let owner = self.consumer(call, group, &pending.name)?;
        if let Some(mut owner) = owner.filter(|owner| owner.number == pending.consumer) {
            owner.pending = owner.pending.saturating_sub(1);
            self.save_consumer(call, group, &pending.name, &owner)?;
        }
        Ok(())
    }
}

/// A consumer that a command acts for, and its group. [`Reader::save`] writes both back.
pub(super) struct Reader<'a> {
    pub(super) name: &'a [u8],
    pub(super) group: Group,
    pub(super) consumer_name: &'a [u8],
    pub(super) consumer: Consumer,
    /// Whether the command has something for the consumer: only then it is made, and seen.
    is_served: bool,
}

impl<'a> Reader<'a> {
    /// Finds the group, which must be there, for a consumer that may get something.
    pub(super) fn open(
        call: &Call<'_>,
        stream: &Stream,
        name: &'a [u8],
        consumer_name: &'a [u8],
    ) -> Result<Self, Stop> {
        let group = stream.group(call, name)?.ok_or_else(damaged)?;
        // No consumer has the number 0.
        let consumer = Consumer { number: 0, seen_ms: 0, pending: 0 };
        Ok(Self { name, group, consumer_name, consumer, is_served: false })
    }

    /// Finds the consumer, which is made if it is not there.
    pub(super) fn serve(&mut self, call: &mut Call<'_>, stream: &mut Stream) -> Outcome {
        if self.is_served {
            return Ok(());
        }
        let seen_ms = call.moment_ms();
        self.consumer = match stream.consumer(call, self.group.number, self.consumer_name)? {
            Some(consumer) => Consumer { seen_ms, ..consumer },
            None => {
                check_name(self.consumer_name)?;
                self.group.consumers += 1;
                let number = stream.next_number(call)?;
                call.notify(Class::Stream, "xgroup-createconsumer", &stream.key.user_key());
                Consumer { number, seen_ms, pending: 0 }
            }
        };
        self.is_served = true;
        Ok(())
    }

    pub(super) fn save(&self, call: &mut Call<'_>, stream: &Stream) -> Outcome {
        if self.is_served {
            stream.save_consumer(call, self.group.number, self.consumer_name, &self.consumer)?;
        }
        stream.save_group(call, self.name, &self.group)
    }
}

/// Makes an entry pending for the reader, which is being served, whoever had it. `state`: delivered when, and how often.
pub(super) fn hand_out(
    call: &mut Call<'_>,
    stream: &Stream,
    reader: &mut Reader<'_>,
    entry: EntryId,
    state: (u64, u64),
) -> Outcome {
    let (group, consumer) = (reader.group.number, reader.consumer.number);
    let old = stream.pending(call, group, entry)?;
    let is_owner = old.as_ref().is_some_and(|old| old.consumer == consumer);
    match &old {
        None => reader.group.pending += 1,
        Some(old) if !is_owner => stream.take_from(call, group, entry, old)?,
        Some(_) => {}
    }
    if !is_owner {
        reader.consumer.pending += 1;
        stream.put(call, &stream.id().pending_of(group, consumer, entry), b"")?;
    }
    let (delivered_ms, deliveries) = state;
    let pending = Pending { delivered_ms, deliveries, consumer, name: reader.consumer_name.into() };
    stream.put(call, &stream.id().pending(group, entry), &pending.encode())
}

fn check_name(name: &[u8]) -> Outcome {
    if name.len() <= MEMBER_BYTES_MAX {
        return Ok(());
    }
    Err(Stop::fail(format!(
        "ERR name of {} bytes exceeds the limit of {MEMBER_BYTES_MAX} bytes",
        name.len()
    )))
}

/// `XGROUP CREATE | SETID | DESTROY | CREATECONSUMER | DELCONSUMER key group …`, `XGROUP HELP`
pub fn xgroup(call: &mut Call<'_>) -> Outcome {
    let word = call.args.get(1);
    if is_word(word, "help") {
        call.reply.array(HELP.len());
        HELP.iter().for_each(|line| call.reply.simple(line));
        return Ok(());
    }
    let options = options(call, word)?;
    let key = call.key(2)?;
    let _lock = call.lock(&key)?;
    let stream = Stream::find(call, key.clone())?;
    if stream.is_none() && !options.creates {
        return Err(Stop::fail(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may \
             want to use the MKSTREAM option to create an empty stream automatically.",
        ));
    }
    if is_word(word, "create") {
        return atomically(call, |call| {
            let start = start(call, stream.as_ref())?;
            call.begin();
            let stream = match stream {
                Some(stream) => stream,
                None => Stream::create(call, key)?,
            };
            call.commit_batch()?;
            create(call, stream, start, options.read)
        });
    }
    let Some(stream) = stream else { return Ok(()) };
    let group = stream.group(call, call.args.get(3))?;
    if is_word(word, "destroy") {
        return atomically(call, |call| destroy(call, stream, group));
    }
    let group = group.ok_or_else(|| unknown_group(call))?;
    atomically(call, |call| {
        if is_word(word, "setid") {
            set_id(call, &stream, group, options.read)
        } else if is_word(word, "createconsumer") {
            create_consumer(call, stream, group)
        } else {
            delete_consumer(call, &stream, group)
        }
    })
}

/// What follows the id of CREATE and SETID.
struct Options {
    creates: bool,
    read: i64,
}

fn options(call: &Call<'_>, word: &[u8]) -> Result<Options, Stop> {
    let mut options = Options { creates: false, read: READ_UNKNOWN };
    let (create, set_id) = (is_word(word, "create"), is_word(word, "setid"));
    let mut at = 5;
    while at < call.args.len() {
        let option = call.args.get(at);
        if create && is_word(option, "mkstream") {
            options.creates = true;
        } else if (create || set_id) && is_word(option, "entriesread") && at + 1 < call.args.len() {
            at += 1;
            options.read = call.integer(at)?;
            if options.read < READ_UNKNOWN {
                return Err(Stop::fail("ERR value for ENTRIESREAD must be positive or -1"));
            }
        } else {
            return Err(wrong_subcommand(word, "XGROUP"));
        }
        at += 1;
    }
    Ok(options)
}

#[cold]
pub(super) fn wrong_subcommand(word: &[u8], command: &str) -> Stop {
    Stop::quoting(&[
        b"ERR unknown subcommand or wrong number of arguments for '",
        word,
        b"'. Try ",
        command.as_bytes(),
        b" HELP.",
    ])
}

#[cold]
fn unknown_group(call: &Call<'_>) -> Stop {
    let (key, group) = (call.args.get(2), call.args.get(3));
    naming(&[b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"])
}

/// The id of CREATE.
fn start(call: &Call<'_>, stream: Option<&Stream>) -> Result<EntryId, Stop> {
    match call.args.get(4) {
        b"$" => Ok(stream.map_or(EntryId::ZERO, |stream| stream.meta.last)),
        text => ids::strict(text, 0),
    }
}

fn create(call: &mut Call<'_>, mut stream: Stream, last: EntryId, read: i64) -> Outcome {
    let name = call.args.get(3);
    check_name(name)?;
    if stream.group(call, name)?.is_some() {
        return Err(Stop::fail("BUSYGROUP Consumer Group name already exists"));
    }
    stream.meta.groups += 1;
    let number = stream.next_number(call)?;
    stream.save_group(call, name, &Group { number, last, read, pending: 0, consumers: 0 })?;
    call.notify(Class::Stream, "xgroup-create", call.args.get(2));
    call.reply.ok();
    Ok(())
}

fn set_id(call: &mut Call<'_>, stream: &Stream, group: Group, read: i64) -> Outcome {
    let last = match call.args.get(4) {
        b"$" => stream.meta.last,
        text => ids::loose(text, 0)?,
    };
    stream.save_group(call, call.args.get(3), &Group { last, read, ..group })?;
    call.notify(Class::Stream, "xgroup-setid", call.args.get(2));
    call.reply.ok();
    Ok(())
}

fn destroy(call: &mut Call<'_>, mut stream: Stream, group: Option<Group>) -> Outcome {
    if let Some(group) = group {
        let number = group.number.to_be_bytes();
        let id = stream.id();
        let mut keys = vec![id.group(call.args.get(3))];
        use crate::key::tag::{STREAM_CONSUMER, STREAM_PENDING, STREAM_PENDING_OF};
        for tag in [STREAM_CONSUMER, STREAM_PENDING, STREAM_PENDING_OF] {
            keys.append(&mut stream.keys_under(call, id.key(tag, &[&number]))?);
        }
        call.begin();
        for key in keys {
            call.scratch.batch.delete(stream.pair.members, &key)?;
        }
        stream.meta.groups -= 1;
        stream.stage(call)?;
        call.commit_batch()?;
        call.notify(Class::Stream, "xgroup-destroy", call.args.get(2));
    }
    call.reply.integer(i64::from(group.is_some()));
    Ok(())
}

fn create_consumer(call: &mut Call<'_>, mut stream: Stream, mut group: Group) -> Outcome {
    let name = call.args.get(4);
    check_name(name)?;
    let is_new = stream.consumer(call, group.number, name)?.is_none();
    if is_new {
        let number = stream.next_number(call)?;
        let consumer = Consumer { number, seen_ms: call.moment_ms(), pending: 0 };
        stream.save_consumer(call, group.number, name, &consumer)?;
        group.consumers += 1;
        stream.save_group(call, call.args.get(3), &group)?;
        call.notify(Class::Stream, "xgroup-createconsumer", call.args.get(2));
    }
    call.reply.integer(i64::from(is_new));
    Ok(())
}

fn delete_consumer(call: &mut Call<'_>, stream: &Stream, mut group: Group) -> Outcome {
    let name = call.args.get(4);
    let Some(consumer) = stream.consumer(call, group.number, name)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let id = stream.id();
    let parts: [&[u8]; 2] = [&group.number.to_be_bytes(), &consumer.number.to_be_bytes()];
    let keys = stream.keys_under(call, id.key(crate::key::tag::STREAM_PENDING_OF, &parts))?;
    call.begin();
    for key in &keys {
        let entry = EntryId::at_end(key).ok_or_else(damaged)?;
        call.scratch.batch.delete(stream.pair.members, key)?;
        call.scratch.batch.delete(stream.pair.members, &id.pending(group.number, entry))?;
    }
    call.scratch.batch.delete(stream.pair.members, &id.consumer(group.number, name))?;
    call.commit_batch()?;
    group.pending = group.pending.saturating_sub(consumer.pending);
    group.consumers = group.consumers.saturating_sub(1);
    stream.save_group(call, call.args.get(3), &group)?;
    call.notify(Class::Stream, "xgroup-delconsumer", call.args.get(2));
    call.reply.integer(consumer.pending as i64);
    Ok(())
}
