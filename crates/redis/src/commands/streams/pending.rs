//! Entries delivered and not acknowledged: XACK, XPENDING, XCLAIM, XAUTOCLAIM.

use crate::collection::stream::{Consumer, EntryId, Group, Pending, consumer_name};
use crate::key::tag;
use crate::number::parse_integer;
use crate::stop::{Outcome, SYNTAX, Stop};

use super::super::members::damaged;
use super::super::{Call, atomically, is_word};
use super::groups::{Reader, hand_out};
use super::{Gathered, Stream, ids, naming, no_key_or_group, write_entry, write_id};

/// `XACK key group id [id …]`
pub fn xack(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let name = call.args.get(2);
    let stream = Stream::find(call, key)?;
    let group = stream.as_ref().map(|stream| stream.group(call, name)).transpose()?.flatten();
    let (Some(stream), Some(mut group)) = (stream, group) else {
        call.reply.integer(0);
        return Ok(());
    };
    let entries =
        call.args.from(3).map(|text| ids::strict(text, 0)).collect::<Result<Vec<_>, _>>()?;
    let removed = atomically(call, |call| {
        let mut removed = 0;
        for entry in entries {
            removed += i64::from(forget(call, &stream, &mut group, entry)?.is_some());
        }
        if removed > 0 {
            stream.save_group(call, name, &group)?;
        }
        Ok(removed)
    })?;
    call.reply.integer(removed);
    Ok(())
}

/// Makes an entry no longer pending; what it was. The caller saves the group.
fn forget(
    call: &mut Call<'_>,
    stream: &Stream,
    group: &mut Group,
    entry: EntryId,
) -> Result<Option<Pending>, Stop> {
    let Some(pending) = stream.pending(call, group.number, entry)? else { return Ok(None) };
    stream.take_from(call, group.number, entry, &pending)?;
    stream.remove(call, &stream.id().pending(group.number, entry))?;
    group.pending = group.pending.saturating_sub(1);
    Ok(Some(pending))
}

/// The range of XPENDING.
struct Range<'a> {
    idle_ms: i64,
    start: EntryId,
    end: EntryId,
    count: u64,
    consumer: Option<&'a [u8]>,
}

/// `XPENDING key group [[IDLE min-idle-time] start end count [consumer]]`
pub fn xpending(call: &mut Call<'_>) -> Outcome {
    let range = pending_range(call)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let stream = Stream::look_up(call, key)?;
    let name = call.args.get(2);
    let group = stream.as_ref().map(|stream| stream.group(call, name)).transpose()?.flatten();
    let (Some(stream), Some(group)) = (stream, group) else {
        return Err(no_key_or_group(call));
    };
    match range {
        None => summary(call, &stream, &group),
        Some(range) => list(call, &stream, &group, &range),
    }
}

fn pending_range<'a>(call: &Call<'a>) -> Result<Option<Range<'a>>, Stop> {
    let args = call.args;
    if args.len() == 3 {
        return Ok(None);
    }
    if !(6..=9).contains(&args.len()) {
        return Err(SYNTAX);
    }
    let (mut at, mut idle_ms) = (3, 0);
    if is_word(args.get(3), "idle") {
        idle_ms = call.integer(4)?;
        if args.len() < 8 {
            return Err(SYNTAX);
        }
        at = 5;
    }
    let count = u64::try_from(call.integer(at + 2)?).unwrap_or(0);
    let start = ids::interval_start(args.get(at))?;
    let end = ids::interval_end(args.get(at + 1))?;
    let consumer = (at + 3 < args.len()).then(|| args.get(at + 3));
    Ok(Some(Range { idle_ms, start, end, count, consumer }))
}

fn summary(call: &mut Call<'_>, stream: &Stream, group: &Group) -> Outcome {
    if group.pending == 0 {
        call.reply.array(4);
        call.reply.integer(0);
        call.reply.null();
        call.reply.null();
        call.reply.null_array();
        return Ok(());
    }
    let start = stream.id().pending(group.number, EntryId::ZERO).to_vec();
    let mut end = stream.id().pending(group.number, EntryId::MAX).to_vec();
    end.push(0);
    let mut edges = [EntryId::ZERO; 2];
    for (edge, reverse) in edges.iter_mut().zip([false, true]) {
        let mut walk = stream.walk(call, start.clone(), end.clone(), reverse)?;
        *edge = walk.next()?.and_then(|(key, _)| EntryId::at_end(key)).ok_or_else(damaged)?;
    }
    let mut found = Gathered::new(call);
    let prefix = stream.id().consumer(group.number, b"");
    let mut walk = stream.walk_under(call, prefix)?;
    while let Some((key, value)) = walk.next()? {
        let consumer = Consumer::decode(value).ok_or_else(damaged)?;
        if consumer.pending > 0 {
            let mut reply = found.reply();
            reply.array(2);
            reply.bulk(consumer_name(key));
            reply.bulk_integer(consumer.pending as i64);
        }
    }
    call.reply.array(4);
    call.reply.integer(group.pending as i64);
    edges.into_iter().for_each(|edge| write_id(&mut call.reply, edge));
    found.write(&mut call.reply);
    Ok(())
}

fn list(call: &mut Call<'_>, stream: &Stream, group: &Group, range: &Range<'_>) -> Outcome {
    let mut found = Gathered::new(call);
    let consumer = match range.consumer {
        None => None,
        Some(name) => match stream.consumer(call, group.number, name)? {
            Some(consumer) => Some(consumer.number),
            None => {
                found.write(&mut call.reply);
                return Ok(());
            }
        },
    };
    let place = |entry| match consumer {
        None => stream.id().pending(group.number, entry),
        Some(number) => stream.id().pending_of(group.number, number, entry),
    };
    let mut end = place(range.end).to_vec();
    end.push(0);
    let start = place(range.start).to_vec();
    let mut walk = stream.walk(call, start.clone(), end.max(start), false)?;
    let now_ms = call.moment_ms();
    while (found.count as u64) < range.count {
        let Some((key, _)) = walk.next()? else { break };
        let entry = EntryId::at_end(key).ok_or_else(damaged)?;
        let pending = stream.pending(call, group.number, entry)?.ok_or_else(damaged)?;
        let idle_ms = now_ms as i64 - pending.delivered_ms as i64;
        if range.idle_ms != 0 && idle_ms < range.idle_ms {
            continue;
        }
        let mut reply = found.reply();
        reply.array(4);
        write_id(&mut reply, entry);
        reply.bulk(&pending.name);
        reply.integer(idle_ms.max(0));
        reply.integer(pending.deliveries as i64);
    }
    found.write(&mut call.reply);
    Ok(())
}

/// What XCLAIM was told behind the ids.
struct Claim {
    idle_ms: i64,
    entries: Vec<EntryId>,
    delivered_ms: Option<i64>,
    deliveries: Option<u64>,
    last: EntryId,
    forces: bool,
    only_ids: bool,
}

/// `XCLAIM key group consumer min-idle-time id [id …] [IDLE ms] [TIME unix-time-ms] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]`
pub fn xclaim(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let stream = open_group(call, key)?;
    let claim = claim_options(call)?;
    let mut found = Gathered::new(call);
    atomically(call, |call| {
        let mut stream = stream;
        let args = call.args;
        let mut reader = Reader::open(call, &stream, args.get(2), args.get(3))?;
        reader.group.last = reader.group.last.max(claim.last);
        let now_ms = call.moment_ms() as i64;
        // The source of an import has looked at it already, by a clock of its own.
        let latest_ms = if call.session.import_ms == 0 { now_ms } else { i64::MAX };
        let delivered = claim.delivered_ms.filter(|ms| (0..=latest_ms).contains(ms));
        let delivered_ms = delivered.unwrap_or(now_ms) as u64;
        for &entry in &claim.entries {
            claim_one(call, &mut stream, &mut reader, (entry, delivered_ms), &claim, &mut found)?;
        }
        reader.save(call, &stream)
    })?;
    found.write(&mut call.reply);
    Ok(())
}

/// The stream of a claim; its group must be there.
fn open_group(call: &Call<'_>, key: crate::key::MetaKey) -> Result<Stream, Stop> {
    let stream = Stream::find(call, key)?;
    let name = call.args.get(2);
    let group = stream.as_ref().map(|stream| stream.group(call, name)).transpose()?.flatten();
    match (stream, group) {
        (Some(stream), Some(_)) => Ok(stream),
        _ => Err(no_key_or_group(call)),
    }
}

fn claim_one(
    call: &mut Call<'_>,
    stream: &mut Stream,
    reader: &mut Reader<'_>,
    (entry, delivered_ms): (EntryId, u64),
    claim: &Claim,
    found: &mut Gathered,
) -> Outcome {
    let Some(fields) = stream.entry(call, entry)? else {
        return drop_pending(call, stream, reader, entry);
    };
    let pending = stream.pending(call, reader.group.number, entry)?;
    let before = match &pending {
        Some(pending) => {
            let idle_ms = call.moment_ms() as i64 - pending.delivered_ms as i64;
            if claim.idle_ms > 0 && idle_ms < claim.idle_ms {
                return Ok(());
            }
            pending.deliveries
        }
        None if claim.forces => 1,
        None => return Ok(()),
    };
    let deliveries = match claim.deliveries {
        Some(deliveries) => deliveries,
        None => before + u64::from(!claim.only_ids),
    };
    reader.serve(call, stream)?;
    hand_out(call, stream, reader, entry, (delivered_ms, deliveries))?;
    let mut reply = found.reply();
    match claim.only_ids {
        true => write_id(&mut reply, entry),
        false => write_entry(&mut reply, entry, &fields),
    }
    Ok(())
}

/// An entry that is gone is no longer pending.
fn drop_pending(
    call: &mut Call<'_>,
    stream: &Stream,
    reader: &mut Reader<'_>,
    entry: EntryId,
) -> Outcome {
    let gone = forget(call, stream, &mut reader.group, entry)?;
    if gone.is_some_and(|gone| gone.consumer == reader.consumer.number) {
        reader.consumer.pending = reader.consumer.pending.saturating_sub(1);
    }
    Ok(())
}

fn number(call: &Call<'_>, at: usize, what: &str, command: &str) -> Result<i64, Stop> {
    parse_integer(call.args.get(at))
        .ok_or_else(|| Stop::fail(format!("ERR Invalid {what} argument for {command}")))
}

fn claim_options(call: &Call<'_>) -> Result<Claim, Stop> {
    let args = call.args;
    let idle_ms = number(call, 4, "min-idle-time", "XCLAIM")?;
    let entries: Vec<_> = args.from(5).map_while(|text| ids::strict(text, 0).ok()).collect();
    let mut at = 5 + entries.len();
    let mut claim = Claim {
        idle_ms,
        entries,
        delivered_ms: None,
        deliveries: None,
        last: EntryId::ZERO,
        forces: false,
        only_ids: false,
    };
    while at < args.len() {
        let (word, has_value) = (args.get(at), at + 1 < args.len());
        at += 1;
        if is_word(word, "force") {
            claim.forces = true;
            continue;
        } else if is_word(word, "justid") {
            claim.only_ids = true;
            continue;
        } else if is_word(word, "idle") && has_value {
            let idle_ms = number(call, at, "IDLE option", "XCLAIM")?;
            claim.delivered_ms = Some((call.moment_ms() as i64).wrapping_sub(idle_ms));
        } else if is_word(word, "time") && has_value {
            claim.delivered_ms = Some(number(call, at, "TIME option", "XCLAIM")?);
        } else if is_word(word, "retrycount") && has_value {
            let count = number(call, at, "RETRYCOUNT option", "XCLAIM")?;
            claim.deliveries = u64::try_from(count).ok();
        } else if is_word(word, "lastid") && has_value {
            claim.last = ids::strict(args.get(at), 0)?;
        } else {
            return Err(naming(&[b"ERR Unrecognized XCLAIM option '", word, b"'"]));
        }
        at += 1;
    }
    Ok(claim)
}

/// Pending entries that XAUTOCLAIM looks at for each that it may claim.
const LOOKS_PER_ENTRY: u64 = 10;
/// Most entries that XAUTOCLAIM claims when it is not told.
const CLAIMS_DEFAULT: i64 = 100;

/// What XAUTOCLAIM was told.
struct Sweep {
    start: EntryId,
    count: u64,
    claim: Claim,
}

/// `XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]`
pub fn xautoclaim(call: &mut Call<'_>) -> Outcome {
    let sweep = sweep_options(call)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut stream = open_group(call, key)?;
    let (mut found, mut deleted) = (Gathered::new(call), Gathered::new(call));
    let next = atomically(call, |call| {
        let args = call.args;
        let mut reader = Reader::open(call, &stream, args.get(2), args.get(3))?;
        let next = claim_idle(call, &mut stream, &mut reader, &sweep, (&mut found, &mut deleted))?;
        reader.save(call, &stream)?;
        Ok(next)
    })?;
    call.reply.array(3);
    write_id(&mut call.reply, next);
    found.write(&mut call.reply);
    deleted.write(&mut call.reply);
    Ok(())
}

/// Claims from the start of the sweep on; where the next one begins.
fn claim_idle(
    call: &mut Call<'_>,
    stream: &mut Stream,
    reader: &mut Reader<'_>,
    sweep: &Sweep,
    (found, deleted): (&mut Gathered, &mut Gathered),
) -> Result<EntryId, Stop> {
    let start = stream
        .id()
        .key(tag::STREAM_PENDING, &[&reader.group.number.to_be_bytes(), &sweep.start.bytes()]);
    let mut end = stream.id().pending(reader.group.number, EntryId::MAX).to_vec();
    end.push(0);
    let mut walk = stream.walk(call, start.to_vec(), end, false)?;
    let now_ms = call.moment_ms();
    let mut looks = sweep.count * LOOKS_PER_ENTRY;
    let mut left = sweep.count;
    while let Some((key, _)) = walk.next()? {
        let entry = EntryId::at_end(key).ok_or_else(damaged)?;
        if looks == 0 || left == 0 {
            return Ok(entry);
        }
        looks -= 1;
        if !stream.has_entry(call, entry)? {
            drop_pending(call, stream, reader, entry)?;
            write_id(&mut deleted.reply(), entry);
            left -= 1;
            continue;
        }
        let before = found.count;
        claim_one(call, stream, reader, (entry, now_ms), &sweep.claim, found)?;
        left -= (found.count - before) as u64;
    }
    Ok(EntryId::ZERO)
}

fn sweep_options(call: &Call<'_>) -> Result<Sweep, Stop> {
    let idle_ms = number(call, 4, "min-idle-time", "XAUTOCLAIM")?;
    let start = ids::interval_start(call.args.get(5))?;
    let (mut count, mut only_ids) = (CLAIMS_DEFAULT, false);
    let mut at = 6;
    while at < call.args.len() {
        let word = call.args.get(at);
        if is_word(word, "count") && at + 1 < call.args.len() {
            at += 1;
            count = parse_integer(call.args.get(at))
                .filter(|count| (1..=i64::MAX / 16).contains(count))
                .ok_or_else(|| Stop::fail("ERR COUNT must be > 0"))?;
        } else if is_word(word, "justid") {
            only_ids = true;
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    let claim = Claim {
        idle_ms,
        entries: Vec::new(),
        delivered_ms: None,
        deliveries: None,
        last: EntryId::ZERO,
        forces: false,
        only_ids,
    };
    Ok(Sweep { start, count: count as u64, claim })
}
