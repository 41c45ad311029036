//! XREAD, XREADGROUP.

use crate::collection::stream::{EntryId, Pending, READ_UNKNOWN};
use crate::key::MetaKey;
use crate::resp::Protocol;
use crate::stop::{Outcome, SYNTAX, Stop, WRONG_TYPE, Wait};
use crate::store::Walk;

use super::super::blocking::wait_for;
use super::super::members::damaged;
use super::super::{Call, atomically, is_word};
use super::groups::{Reader, hand_out};
use super::{Gathered, Stream, ids, naming, write_entry, write_id};

/// What XREAD and XREADGROUP were told.
struct Wish<'a> {
    /// Most entries of each stream.
    count: u64,
    /// How long to wait for an entry.
    block: Option<Wait>,
    /// Delivered entries need no acknowledgement.
    is_acknowledged: bool,
    /// Group and consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    /// First argument behind STREAMS.
    streams: usize,
}

impl Wish<'_> {
    fn streams_of(&self, call: &Call<'_>) -> usize {
        (call.args.len() - self.streams) / 2
    }
}

/// From where to read a stream.
#[derive(Clone, Copy)]
enum From {
    /// Entries greater than this.
    After(EntryId),
    /// Entries that the group has not delivered to anybody.
    New,
    /// Pending entries of the consumer greater than this.
    History(EntryId),
}

/// `XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key …] id [id …]`
pub fn xread(call: &mut Call<'_>) -> Outcome {
    read(call, false)
}

/// `XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key …] id [id …]`
pub fn xreadgroup(call: &mut Call<'_>) -> Outcome {
    read(call, true)
}

fn read(call: &mut Call<'_>, in_group: bool) -> Outcome {
    let wish = options(call, in_group)?;
    let streams = wish.streams_of(call);
    let keys = call.counted_keys(wish.streams, streams)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let from = starts(call, &wish, &keys)?;
    let mut found = Gathered::new(call);
    if in_group {
        atomically(call, |call| {
            for (index, (key, from)) in keys.iter().zip(&from).enumerate() {
                if let Some(stream) = Stream::find(call, key.clone())? {
                    read_group(call, &wish, index, stream, *from, &mut found)?;
                }
            }
            Ok(())
        })?;
    } else {
        for (index, (key, from)) in keys.iter().zip(&from).enumerate() {
            if let (Some(stream), From::After(id)) = (find(call, key)?, *from) {
                let Some(mut walk) = newer(call, &stream, id)? else { continue };
                let mut entries = Gathered::new(call);
                entries.add_entries(&mut walk, wish.count)?;
                if entries.count > 0 {
                    add_stream(call, &wish, index, &entries, &mut found);
                }
            }
        }
    }
    match (found.count, wish.block) {
        (0, Some(wait)) => wait_for_entries(call, &keys, &from, wait),
        _ => reply(call, &found),
    }
}

/// From where to read each stream: the first attempt's answer holds for those that follow, so that
/// `$` is the end that the client met.
fn starts(call: &mut Call<'_>, wish: &Wish<'_>, keys: &[MetaKey]) -> Result<Vec<From>, Stop> {
    let client = call.session.place.client;
    let met = call.store.waiters().starts(client).filter(|_| call.session.is_waiting);
    if let (Some(met), None) = (met, wish.group) {
        return Ok(met.into_iter().map(From::After).collect());
    }
    let mut from = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let stream = match Stream::look_up(call, key.clone()) {
            Ok(None) | Err(Stop::Fail(_)) if call.session.is_waiting => {
                return Err(Stop::fail("UNBLOCKED the stream key no longer exists"));
            }
            stream => stream?,
        };
        from.push(from_where(call, wish, index, stream.as_ref())?);
    }
    Ok(from)
}

/// The stream at a key; for a client that waits a key of another type is one that has nothing.
fn find(call: &Call<'_>, key: &MetaKey) -> Result<Option<Stream>, Stop> {
    match Stream::find(call, key.clone()) {
        Err(stop) if call.session.is_waiting && stop.is_line_of(&WRONG_TYPE) => Ok(None),
        found => found,
    }
}

/// Waits for an entry in one of the streams, whose slots are held.
fn wait_for_entries(call: &mut Call<'_>, keys: &[MetaKey], from: &[From], wait: Wait) -> Outcome {
    if !call.session.is_waiting && !call.store.is_transaction() {
        let starts = from.iter().map(|from| match from {
            From::After(id) | From::History(id) => *id,
            From::New => EntryId::ZERO,
        });
        call.store.waiters().set_starts(call.session.place.client, starts.collect());
    }
    wait_for(call, keys, wait)
}

fn reply(call: &mut Call<'_>, found: &Gathered) -> Outcome {
    if found.count == 0 {
        call.reply.null_array();
        return Ok(());
    }
    match call.reply.protocol() {
        Protocol::Resp2 => call.reply.array(found.count),
        Protocol::Resp3 => call.reply.map(found.count),
    }
    call.reply.raw(&found.bytes);
    Ok(())
}

fn options<'a>(call: &Call<'a>, in_group: bool) -> Result<Wish<'a>, Stop> {
    let (args, mut at) = (call.args, 1);
    let mut wish =
        Wish { count: u64::MAX, block: None, is_acknowledged: false, group: None, streams: 0 };
    while at < args.len() && wish.streams == 0 {
        let (word, more) = (args.get(at), args.len() - at - 1);
        if is_word(word, "block") && more > 0 {
            wish.block = Some(timeout(call, at + 1)?);
            at += 1;
        } else if is_word(word, "count") && more > 0 {
            let count = u64::try_from(call.integer(at + 1)?).unwrap_or(0);
            wish.count = if count == 0 { u64::MAX } else { count };
            at += 1;
        } else if is_word(word, "streams") && more > 0 {
            wish.streams = at + 1;
        } else if is_word(word, "group") && more > 1 {
            only_in_groups(in_group, "GROUP")?;
            wish.group = Some((args.get(at + 1), args.get(at + 2)));
            at += 2;
        } else if is_word(word, "noack") {
            only_in_groups(in_group, "NOACK")?;
            wish.is_acknowledged = true;
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    if wish.streams == 0 {
        return Err(SYNTAX);
    }
    if (args.len() - wish.streams) % 2 != 0 {
        return Err(Stop::fail(
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be \
             specified.",
        ));
    }
    if in_group && wish.group.is_none() {
        return Err(Stop::fail("ERR Missing GROUP option for XREADGROUP"));
    }
    Ok(wish)
}

fn only_in_groups(in_group: bool, option: &str) -> Outcome {
    if in_group {
        return Ok(());
    }
    Err(Stop::fail(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    )))
}

fn timeout(call: &Call<'_>, at: usize) -> Result<Wait, Stop> {
    let text = call.args.get(at);
    let ms = crate::number::parse_integer(text)
        .ok_or_else(|| Stop::fail("ERR timeout is not an integer or out of range"))?;
    match ms {
        ..0 => Err(Stop::fail("ERR timeout is negative")),
        0 => Ok(Wait { until_ms: 0 }),
        ms => Ok(Wait { until_ms: call.store.now_ms().saturating_add(ms as u64) }),
    }
}

/// Reads the id of a stream, and checks that the group is there.
fn from_where(
    call: &Call<'_>,
    wish: &Wish<'_>,
    index: usize,
    stream: Option<&Stream>,
) -> Result<From, Stop> {
    if let Some((group, _)) = wish.group {
        let found = stream.map(|stream| stream.group(call, group)).transpose()?.flatten();
        if found.is_none() {
            if call.session.is_waiting {
                return Err(Stop::fail(
                    "NOGROUP the consumer group this client was blocked on no longer exists",
                ));
            }
            let key = call.args.get(wish.streams + index);
            return Err(naming(&[
                b"NOGROUP No such key '",
                key,
                b"' or consumer group '",
                group,
                b"' in XREADGROUP with GROUP option",
            ]));
        }
    }
    match (call.args.get(wish.streams + wish.streams_of(call) + index), wish.group) {
        (b"$", None) => Ok(From::After(stream.map_or(EntryId::ZERO, |stream| stream.meta.last))),
        (b"$", Some(_)) => Err(Stop::fail(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the \
             history of this consumer by specifying a proper ID, or use the > ID to get new \
             messages. The $ ID would just return an empty result set.",
        )),
        (b">", None) => Err(Stop::fail(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
             <consumer> option.",
        )),
        (b">", Some(_)) => Ok(From::New),
        (text, None) => Ok(From::After(ids::strict(text, 0)?)),
        (text, Some(_)) => match ids::strict(text, 0)? {
            EntryId::MAX => Ok(From::New),
            id => Ok(From::History(id)),
        },
    }
}

/// A walk over the entries greater than `id`; `None` when the metadata says that there are none.
fn newer(call: &Call<'_>, stream: &Stream, id: EntryId) -> Result<Option<Walk>, Stop> {
    match id.next() {
        Some(start) if stream.len() > 0 && id < stream.meta.last => {
            stream.entries(call, start, EntryId::MAX, false).map(Some)
        }
        _ => Ok(None),
    }
}

fn is_empty(mut walk: Walk) -> Result<bool, Stop> {
    Ok(walk.next()?.is_none())
}

/// Adds what was read from a stream.
fn add_stream(
    call: &Call<'_>,
    wish: &Wish<'_>,
    index: usize,
    entries: &Gathered,
    found: &mut Gathered,
) {
    let mut reply = found.reply();
    if reply.protocol() == Protocol::Resp2 {
        reply.array(2);
    }
    reply.bulk(call.args.get(wish.streams + index));
    entries.write(&mut reply);
}

fn read_group(
    call: &mut Call<'_>,
    wish: &Wish<'_>,
    index: usize,
    mut stream: Stream,
    from: From,
    found: &mut Gathered,
) -> Outcome {
    let Some((group, consumer)) = wish.group else { return Ok(()) };
    let mut entries = Gathered::new(call);
    let (reader, is_served) = match from {
        From::History(id) => {
            let mut reader = Reader::open(call, &stream, group, consumer)?;
            reader.serve(call, &mut stream)?;
            history(call, &stream, &reader, (id, wish.count), &mut entries)?;
            (reader, true)
        }
        _ => {
            // Entries that are new go to who waited longest.
            let place = call.session.place;
            if wish.block.is_some()
                && call.store.is_somebodys_turn(call.keyspace(), &stream.key, place)
            {
                return Ok(());
            }
            // A consumer that gets nothing is not made either.
            let mut reader = Reader::open(call, &stream, group, consumer)?;
            let after = reader.group.last;
            let Some(mut walk) = newer(call, &stream, after)? else { return Ok(()) };
            // The metadata knows the last entry that ever was; it may be deleted.
            let is_sure = stream.meta.max_deleted <= after;
            if !is_sure && newer(call, &stream, after)?.map_or(Ok(true), is_empty)? {
                return Ok(());
            }
            reader.serve(call, &mut stream)?;
            deliver(call, &stream, &mut reader, (wish, &mut walk), &mut entries)?;
            (reader, entries.count > 0)
        }
    };
    if is_served {
        reader.save(call, &stream)?;
        add_stream(call, wish, index, &entries, found);
    }
    Ok(())
}

/// Delivers entries that nobody of the group has got.
fn deliver(
    call: &mut Call<'_>,
    stream: &Stream,
    reader: &mut Reader<'_>,
    (wish, walk): (&Wish<'_>, &mut Walk),
    entries: &mut Gathered,
) -> Outcome {
    let needs_first = reader.group.read == READ_UNKNOWN || stream.meta.max_deleted != EntryId::ZERO;
    let first = if needs_first { stream.first(call)? } else { stream.meta.first };
    let mut left = wish.count;
    while left > 0 {
        let Some((key, fields)) = walk.next()? else { break };
        let id = EntryId::at_end(key).ok_or_else(damaged)?;
        write_entry(&mut entries.reply(), id, fields);
        let group = &mut reader.group;
        if group.read != READ_UNKNOWN && !stream.has_gaps_from(id, first) {
            group.read += 1;
        } else if stream.meta.added > 0 {
            group.read = stream.count_up_to(id, first).unwrap_or(READ_UNKNOWN);
        }
        group.last = id;
        if !wish.is_acknowledged {
            let delivered_ms = call.moment_ms();
            hand_out(call, stream, reader, id, (delivered_ms, 1))?;
        }
        left -= 1;
    }
    Ok(())
}

/// Shows pending entries of the consumer once more.
fn history(
    call: &mut Call<'_>,
    stream: &Stream,
    reader: &Reader<'_>,
    (after, count): (EntryId, u64),
    entries: &mut Gathered,
) -> Outcome {
    let Some(start) = after.next() else { return Ok(()) };
    let (group, consumer) = (reader.group.number, reader.consumer.number);
    let start = stream.id().pending_of(group, consumer, start).to_vec();
    let mut end = stream.id().pending_of(group, consumer, EntryId::MAX).to_vec();
    end.push(0);
    let mut walk = stream.walk(call, start, end, false)?;
    let now_ms = call.moment_ms();
    let mut left = count;
    while left > 0 {
        let Some((key, _)) = walk.next()? else { break };
        let id = EntryId::at_end(key).ok_or_else(damaged)?;
        left -= 1;
        let Some(fields) = stream.entry(call, id)? else {
            let mut reply = entries.reply();
            reply.array(2);
            write_id(&mut reply, id);
            reply.null_array();
            continue;
        };
        write_entry(&mut entries.reply(), id, &fields);
        let place = stream.id().pending(group, id);
        let pending = stream.read(call, &place, Pending::decode)?.flatten().ok_or_else(damaged)?;
        let deliveries = pending.deliveries.saturating_add(1);
        let pending = Pending { delivered_ms: now_ms, deliveries, ..pending };
        stream.put(call, &place, &pending.encode())?;
    }
    Ok(())
}
