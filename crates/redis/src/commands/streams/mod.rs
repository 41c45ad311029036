//! Streams: entries in the order of their ids, and groups of consumers that share them.
//!
//! XADD writes blindly behind the last entry that the metadata names. What changes groups runs
//! inside a transaction of its own (`atomically`): every step reads what the ones before it wrote,
//! and all of them are one commit.

mod add;
mod build;
mod dump;
mod groups;
mod ids;
mod info;
mod pending;
mod range;
mod read;
mod trim;

pub use add::{xadd, xdel, xlen, xsetid};
pub(super) use build::StreamBuilder;
pub(super) use dump::write_stream;
pub use groups::xgroup;
pub use info::xinfo;
pub use pending::{xack, xautoclaim, xclaim, xpending};
pub use range::{xrange, xrevrange};
pub use read::{xread, xreadgroup};
pub use trim::xtrim;

use crate::collection::stream::{EntryId, Group, READ_UNKNOWN, StreamMeta};
use crate::collection::{Id, MemberKey, SPREAD, header, packed};
use crate::key::{MetaKey, tag};
use crate::resp::Reply;
use crate::stop::{Outcome, Stop, WRONG_TYPE};
use crate::store::{Mode, Pair, Walk};
use crate::value::{Type, Value};

use super::Call;
use super::members::{damaged, scan_members};

/// An opened stream.
pub(super) struct Stream {
    key: MetaKey,
    pair: Pair,
    expire_at_ms: u64,
    meta: StreamMeta,
}

impl Stream {
    /// The stream at `key`, if there is one.
    fn find(call: &Call<'_>, key: MetaKey) -> Result<Option<Self>, Stop> {
        let read = |value: Value<'_>, expire_at_ms| -> Result<_, Stop> {
            if value.kind != Type::Stream {
                return Err(WRONG_TYPE);
            }
            Ok((StreamMeta::decode(value.bytes).ok_or_else(damaged)?, expire_at_ms))
        };
        let found = call.read(&key, read)?.transpose()?;
        let pair = call.store.keyspaces(call.session.database);
        Ok(found.map(|(meta, expire_at_ms)| Self { key, pair, expire_at_ms, meta }))
    }

    /// As [`Stream::find`], for commands that count lookups.
    fn look_up(call: &mut Call<'_>, key: MetaKey) -> Result<Option<Self>, Stop> {
        let found = Self::find(call, key)?;
        call.count_lookup(found.is_some());
        Ok(found)
    }

    /// A new, empty stream; adds its owner record to the batch.
    fn create(call: &mut Call<'_>, key: MetaKey) -> Result<Self, Stop> {
        let id = Id::new(key.slot(), call.store.versions().next(call.store.db())?);
        let pair = call.store.keyspaces(call.session.database);
        call.scratch.batch.put(pair.members, &id.owner(), key.bytes(), 0)?;
        Ok(Self { key, pair, expire_at_ms: 0, meta: StreamMeta::new(id) })
    }

    fn id(&self) -> Id {
        self.meta.spread.id
    }

    fn len(&self) -> u64 {
        self.meta.spread.count
    }

    /// Adds the metadata to the batch.
    fn stage(&self, call: &mut Call<'_>) -> Outcome {
        let mut record = vec![header(Type::Stream, SPREAD)];
        self.meta.encode(&mut record);
        let (keys, key) = (self.pair.keys, self.key.bytes());
        Ok(call.scratch.batch.put(keys, key, &record, self.expire_at_ms)?)
    }

    /// Commits the metadata.
    fn save(&self, call: &mut Call<'_>) -> Outcome {
        call.begin();
        self.stage(call)?;
        call.commit_batch()
    }

    /// Commits one of the stream's records.
    fn put(&self, call: &mut Call<'_>, key: &MemberKey, value: &[u8]) -> Outcome {
        call.begin();
        call.scratch.batch.put(self.pair.members, key, value, 0)?;
        call.commit_batch()
    }

    /// Removes one of the stream's records.
    fn remove(&self, call: &mut Call<'_>, key: &MemberKey) -> Outcome {
        call.begin();
        call.scratch.batch.delete(self.pair.members, key)?;
        call.commit_batch()
    }

    fn read<R>(
        &self,
        call: &Call<'_>,
        key: &MemberKey,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, Stop> {
        call.store.read_record(call.mode, self.pair.members, key, |value, _| f(value))
    }

    /// The fields and values of an entry, packed.
    fn entry(&self, call: &Call<'_>, entry: EntryId) -> Result<Option<Vec<u8>>, Stop> {
        self.read(call, &self.id().entry(entry), <[u8]>::to_vec)
    }

    fn has_entry(&self, call: &Call<'_>, entry: EntryId) -> Result<bool, Stop> {
        Ok(self.read(call, &self.id().entry(entry), |_| ())?.is_some())
    }

    /// Entries from `start` to `end`, both inclusive.
    fn entries(
        &self,
        call: &Call<'_>,
        start: EntryId,
        end: EntryId,
        reverse: bool,
    ) -> Result<Walk, Stop> {
        let start = self.id().entry(start.max(self.meta.first)).to_vec();
        let end = match end.next() {
            Some(end) => self.id().entry(end).to_vec(),
            None => self.id().behind(tag::STREAM_ENTRY),
        };
        // An empty interval still has to be one.
        let end = end.max(start.clone());
        self.walk(call, start, end, reverse)
    }

    fn walk(
        &self,
        call: &Call<'_>,
        start: Vec<u8>,
        end: Vec<u8>,
        reverse: bool,
    ) -> Result<Walk, Stop> {
        match (reverse, call.mode) {
            (false, _) => scan_members(call, self.pair, start, Some(end)),
            (true, Mode::Wait) => call.store.scan_backward(self.pair.members, start, Some(end)),
            (true, Mode::Try) => Err(Stop::WouldBlock),
        }
    }

    /// All keys with a prefix.
    fn keys_under(&self, call: &Call<'_>, prefix: MemberKey) -> Result<Vec<MemberKey>, Stop> {
        let mut walk = self.walk_under(call, prefix)?;
        let mut keys = Vec::new();
        while let Some((key, _)) = walk.next()? {
            keys.push(MemberKey::from_slice(key));
        }
        Ok(keys)
    }

    /// All records whose key begins with `prefix`, which has a byte below `FF`.
    fn walk_under(&self, call: &Call<'_>, prefix: MemberKey) -> Result<Walk, Stop> {
        let mut end = prefix.to_vec();
        while end.last() == Some(&0xFF) {
            end.pop();
        }
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        self.walk(call, prefix.to_vec(), end, false)
    }

    /// The lowest or greatest entry.
    fn edge(&self, call: &Call<'_>, greatest: bool) -> Result<Option<EntryId>, Stop> {
        if self.len() == 0 {
            return Ok(None);
        }
        let mut walk = self.entries(call, EntryId::ZERO, EntryId::MAX, greatest)?;
        Ok(walk.next()?.and_then(|(key, _)| EntryId::at_end(key)))
    }

    /// The lowest entry, `0-0` without any.
    fn first(&self, call: &Call<'_>) -> Result<EntryId, Stop> {
        Ok(self.edge(call, false)?.unwrap_or_default())
    }

    fn group(&self, call: &Call<'_>, name: &[u8]) -> Result<Option<Group>, Stop> {
        let found = self.read(call, &self.id().group(name), Group::decode)?;
        found.map(|group| group.ok_or_else(damaged)).transpose()
    }

    fn save_group(&self, call: &mut Call<'_>, name: &[u8], group: &Group) -> Outcome {
        self.put(call, &self.id().group(name), &group.encode())
    }

    /// Whether XDEL removed entries from `start` on that are not below the `first` there is.
    fn has_gaps_from(&self, start: EntryId, first: EntryId) -> bool {
        let deleted = self.meta.max_deleted;
        self.len() != 0 && deleted != EntryId::ZERO && first <= deleted && start <= deleted
    }

    /// How many entries were ever added up to `id`, when that can be said.
    fn count_up_to(&self, id: EntryId, first: EntryId) -> Option<i64> {
        let (added, meta) = (self.meta.added as i64, &self.meta);
        if added == 0 {
            return Some(0);
        }
        if (self.len() == 0 && id <= meta.last) || id == meta.last {
            return Some(added);
        }
        let is_gapless = meta.max_deleted == EntryId::ZERO || meta.max_deleted < first;
        if id > meta.last || !is_gapless || id > first {
            return None;
        }
        Some(added - self.len() as i64 + i64::from(id == first))
    }

    /// How many entries a group has not read yet, when that can be said.
    fn lag(&self, group: &Group, first: EntryId) -> Option<i64> {
        let added = self.meta.added as i64;
        if added == 0 {
            return Some(0);
        }
        if group.read != READ_UNKNOWN && !self.has_gaps_from(group.last, first) {
            return Some(added - group.read);
        }
        self.count_up_to(group.last, first).map(|read| added - read)
    }
}

fn write_id(reply: &mut Reply<'_>, id: EntryId) {
    reply.bulk(id.to_string().as_bytes());
}

/// An entry as its id and its fields.
fn write_entry(reply: &mut Reply<'_>, id: EntryId, fields: &[u8]) {
    reply.array(2);
    write_id(reply, id);
    reply.array(packed::count(fields));
    packed::Items::new(fields).for_each(|text| reply.bulk(text));
}

/// Replies of which nobody knows yet how many they are.
struct Gathered {
    bytes: Vec<u8>,
    protocol: crate::resp::Protocol,
    count: usize,
}

impl Gathered {
    fn new(call: &Call<'_>) -> Self {
        Self { bytes: Vec::new(), protocol: call.reply.protocol(), count: 0 }
    }

    /// Where the next one goes.
    fn reply(&mut self) -> Reply<'_> {
        self.count += 1;
        Reply::new(&mut self.bytes, self.protocol)
    }

    /// Writes them as an array.
    fn write(&self, reply: &mut Reply<'_>) {
        reply.array(self.count);
        reply.raw(&self.bytes);
    }

    /// Adds up to `count` entries of a walk.
    fn add_entries(&mut self, walk: &mut Walk, count: u64) -> Outcome {
        let mut left = count;
        while left > 0 {
            let Some((key, fields)) = walk.next()? else { break };
            let id = EntryId::at_end(key).ok_or_else(damaged)?;
            write_entry(&mut self.reply(), id, fields);
            left -= 1;
        }
        Ok(())
    }
}

/// An error line of texts and names; a name ends at its first zero byte, as in Redis.
#[cold]
fn naming(parts: &[&[u8]]) -> Stop {
    let shown = |part: &&[u8]| memchr::memchr(0, part).unwrap_or(part.len());
    let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..shown(part)]).collect();
    Stop::quoting(&parts)
}

#[cold]
fn no_key_or_group(call: &Call<'_>) -> Stop {
    let (key, group) = (call.args.get(1), call.args.get(2));
    naming(&[b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'"])
}
