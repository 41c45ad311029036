//! A stream as RDB bytes.

use aidb_rdb::element::StreamFacts;
use aidb_rdb::{StreamWriter, Writer};

use crate::collection::packed::Items;
use crate::collection::stream::{
    Consumer, EntryId, Group, Pending, READ_UNKNOWN, consumer_name, group_name,
};
use crate::key::{MetaKey, tag};
use crate::stop::{Outcome, Stop};

use super::super::Call;
use super::super::members::damaged;
use super::Stream;

/// Writes the stream at `key`, which is there.
pub(in super::super) fn write_stream(
    call: &Call<'_>,
    key: MetaKey,
    out: &mut Writer<'_>,
) -> Outcome {
    let stream = Stream::find(call, key)?.ok_or_else(damaged)?;
    let mut entries = stream.entries(call, EntryId::ZERO, EntryId::MAX, false)?;
    let (mut writer, mut first, mut count) = (StreamWriter::default(), None, 0);
    while let Some((key, fields)) = entries.next()? {
        let id = EntryId::at_end(key).ok_or_else(damaged)?;
        first.get_or_insert(id);
        count += 1;
        writer.entry(theirs(id), Items::new(fields));
    }
    let meta = &stream.meta;
    let facts = StreamFacts {
        entries: count,
        last: theirs(meta.last),
        first: Some(theirs(first.unwrap_or_default())),
        max_deleted: theirs(meta.max_deleted),
        added: meta.added,
    };
    writer.finish(out, &facts);
    let groups = groups(call, &stream)?;
    out.length(groups.len() as u64);
    groups.iter().try_for_each(|(name, group)| write_group(call, &stream, name, group, out))
}

fn groups(call: &Call<'_>, stream: &Stream) -> Result<Vec<(Vec<u8>, Group)>, Stop> {
    let mut walk = stream.walk_under(call, stream.id().key(tag::STREAM_GROUP, &[]))?;
    let mut groups = Vec::new();
    while let Some((key, value)) = walk.next()? {
        groups.push((group_name(key).to_vec(), Group::decode(value).ok_or_else(damaged)?));
    }
    Ok(groups)
}

fn write_group(
    call: &Call<'_>,
    stream: &Stream,
    name: &[u8],
    group: &Group,
    out: &mut Writer<'_>,
) -> Outcome {
    let read = (group.read != READ_UNKNOWN).then_some(group.read as u64);
    out.group(name, theirs(group.last), read);
    let number = group.number.to_be_bytes();
    out.length(group.pending);
    let mut walk = stream.walk_under(call, stream.id().key(tag::STREAM_PENDING, &[&number]))?;
    while let Some((key, value)) = walk.next()? {
        let id = EntryId::at_end(key).ok_or_else(damaged)?;
        let pending = Pending::decode(value).ok_or_else(damaged)?;
        out.pending(theirs(id), pending.delivered_ms, pending.deliveries);
    }
    out.length(group.consumers);
    let mut walk = stream.walk_under(call, stream.id().key(tag::STREAM_CONSUMER, &[&number]))?;
    while let Some((key, value)) = walk.next()? {
        let consumer = Consumer::decode(value).ok_or_else(damaged)?;
        out.consumer(consumer_name(key), consumer.seen_ms);
        out.length(consumer.pending);
        let parts: [&[u8]; 2] = [&number, &consumer.number.to_be_bytes()];
        let owned = stream.id().key(tag::STREAM_PENDING_OF, &parts);
        let mut owned = stream.walk_under(call, owned)?;
        while let Some((key, _)) = owned.next()? {
            out.owned(theirs(EntryId::at_end(key).ok_or_else(damaged)?));
        }
    }
    Ok(())
}

fn theirs(id: EntryId) -> aidb_rdb::EntryId {
    aidb_rdb::EntryId { ms: id.ms, seq: id.seq }
}
