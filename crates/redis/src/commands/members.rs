//! Hashes, sets and sorted sets as what they share: members with a value each, packed or spread.
//!
//! A command opens a collection under its slot's lock, changes it, and stages it: changes go to the
//! call's batch, which commits them together with the metadata. Reading sees what was staged.

use std::collections::HashMap;

use crate::collection::expiring::{NEVER, due_key, due_of};
use crate::collection::packed::{self, Items, find, push};
use crate::collection::score::SCORE_BYTES;
use crate::collection::{
    EXPIRING, Id, LARGE, PACKED_BYTES_MAX, PACKED_ITEMS_MAX, SPREAD, Spread, header, member_of,
    member_tag,
};
use crate::key::{MetaKey, tag};
use crate::stop::{Outcome, Stop, WRONG_TYPE};
use crate::store::{self, Class, Mode, Pair, stage_due};
use crate::value::{Type, Value};
use aidb_base::Error;

use super::{Call, Scratch};

/// Longest field or member: it is part of an engine's key.
pub const MEMBER_BYTES_MAX: usize = 65_000;

/// Value of a sorted set's member, and of nothing for other types.
pub(super) type Score = [u8; SCORE_BYTES];

/// One opened collection.
pub(super) struct Members {
    key: MetaKey,
    pair: Pair,
    kind: Type,
    flags: u8,
    existed: bool,
    expire_at_ms: u64,
    count: u64,
    body: Body,
    is_changed: bool,
    /// Of a hash whose fields end: the instant in its metadata, as it was and as it will be.
    due: [u64; 2],
    /// The members were not removed one by one: the owner record must stay for the sweeper.
    is_abandoned: bool,
    /// What the command has written; kept only by commands that may meet a member twice.
    staged: Option<HashMap<Vec<u8>, Option<(Vec<u8>, u64)>>>,
}

enum Body {
    Packed(Vec<u8>),
    Spread { id: Id, is_fresh: bool },
}

/// A collection as it is found by commands that only read.
pub(super) enum View<'v> {
    Packed(&'v [u8]),
    Spread(Spread),
}

/// Reads a metadata value that must be of `kind`.
#[inline]
pub(super) fn view<'v>(value: &Value<'v>, kind: Type) -> Result<View<'v>, Stop> {
    if value.kind != kind {
        return Err(WRONG_TYPE);
    }
    if value.flags & SPREAD == 0 {
        return Ok(View::Packed(value.bytes));
    }
    Spread::decode(value.bytes).map(View::Spread).ok_or_else(damaged)
}

#[cold]
pub(super) fn damaged() -> Stop {
    Error::internal("the metadata of a collection is too short; run `aidb check`").into()
}

impl Members {
    /// Opens for writing. The caller holds the key's lock. `many`: a member may be met twice.
    pub(super) fn open(
        call: &mut Call<'_>,
        key: MetaKey,
        kind: Type,
        many: bool,
    ) -> Result<Self, Stop> {
        let mut items = std::mem::take(&mut call.scratch.items);
        items.clear();
        let mut due = NEVER;
        let read = |value: Value<'_>, expire_at_ms| -> Result<_, Stop> {
            let spread = match view(&value, kind)? {
                View::Spread(spread) => {
                    if value.flags & EXPIRING != 0 {
                        due = due_of(value.bytes);
                    }
                    Some(spread)
                }
                View::Packed(bytes) => {
                    items.extend_from_slice(bytes);
                    None
                }
            };
            Ok((spread, value.flags, expire_at_ms))
        };
        let found = call.read(&key, read)?.transpose()?;
        let (spread, flags, expire_at_ms) = found.unwrap_or_default();
        let per_item = 1 + usize::from(kind != Type::Set);
        let (count, body) = match spread {
            Some(Spread { id, count }) => (count, Body::Spread { id, is_fresh: false }),
            None => ((packed::count(&items) / per_item) as u64, Body::Packed(items)),
        };
        let mut opened = Self {
            key,
            pair: call.store.keyspaces(call.session.database),
            kind,
            flags,
            existed: found.is_some(),
            expire_at_ms,
            count,
            body,
            is_changed: false,
            due: [due; 2],
            is_abandoned: false,
            staged: many.then(HashMap::new),
        };
        if due != NEVER && due <= call.store.now_ms() {
            opened.settle(call)?;
        }
        Ok(opened)
    }

    /// Takes the fields out whose time has come. Who only reads does not commit that.
    #[cold]
    fn settle(&mut self, call: &mut Call<'_>) -> Outcome {
        let Body::Spread { id, .. } = &self.body else { return Ok(()) };
        if call.mode == Mode::Try {
            return Err(Stop::WouldBlock);
        }
        let batch = &mut call.scratch.batch;
        let settled = call.store.settle_fields(self.pair.members, id, u64::MAX, batch)?;
        self.count = self.count.saturating_sub(settled.fields);
        self.due[1] = settled.due;
        self.is_changed = true;
        Ok(())
    }

    /// An empty collection that will replace whatever the key holds.
    pub(super) fn replacing(call: &Call<'_>, key: MetaKey, kind: Type) -> Self {
        Self {
            key,
            pair: call.store.keyspaces(call.session.database),
            kind,
            flags: 0,
            existed: true,
            expire_at_ms: 0,
            count: 0,
            body: Body::Packed(Vec::new()),
            is_changed: true,
            due: [NEVER; 2],
            is_abandoned: false,
            staged: Some(HashMap::new()),
        }
    }

    /// What was staged is being committed: from now on it is read back from the store.
    pub(super) fn forget_staged(&mut self) {
        if let Body::Spread { is_fresh, .. } = &mut self.body {
            *is_fresh = false;
            self.staged.as_mut().map(HashMap::clear);
        }
    }

    /// The key will expire then; 0 = never.
    pub(super) fn set_expiry(&mut self, expire_at_ms: u64) {
        self.expire_at_ms = expire_at_ms;
    }

    /// Whether there was such a collection when it was opened, or there is one now.
    pub(super) fn exists(&self) -> bool {
        self.existed && self.count > 0
    }

    /// Whether fields end at times of their own.
    pub(super) fn is_expiring(&self) -> bool {
        self.flags & EXPIRING != 0
    }

    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// Whether OBJECT ENCODING names the large encoding.
    pub(super) fn is_large(&self) -> bool {
        self.flags & LARGE != 0
    }

    /// From now on OBJECT ENCODING names the large encoding.
    pub(super) fn set_large(&mut self, large: bool) {
        if large && !self.is_large() {
            self.flags |= LARGE;
            self.is_changed = true;
        }
    }

    /// The items, when they are packed.
    pub(super) fn packed(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Packed(items) => Some(items),
            Body::Spread { .. } => None,
        }
    }

    /// The members' name, when they are records of their own.
    pub(super) fn id(&self) -> Option<Id> {
        match &self.body {
            Body::Packed(_) => None,
            Body::Spread { id, .. } => Some(*id),
        }
    }

    fn has_values(&self) -> bool {
        self.kind != Type::Set
    }

    /// Reads a member's value.
    #[inline]
    pub(super) fn get<R>(
        &self,
        call: &Call<'_>,
        member: &[u8],
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, Stop> {
        self.get_ending(call, member, |value, _| f(value))
    }

    /// Reads a member's value, and the instant at which it ends: 0 when it does not.
    #[inline]
    pub(super) fn get_ending<R>(
        &self,
        call: &Call<'_>,
        member: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>, Stop> {
        match &self.body {
            Body::Packed(items) => {
                Ok(find(items, self.has_values(), member).map(|found| f(&items[found.value], 0)))
            }
            Body::Spread { id, is_fresh } => {
                if let Some(staged) = self.staged.as_ref().and_then(|staged| staged.get(member)) {
                    return Ok(staged.as_ref().map(|(value, ends_at)| f(value, *ends_at)));
                }
                if *is_fresh {
                    return Ok(None);
                }
                let key = id.member(self.kind, member);
                call.store.read_record(call.mode, self.pair.members, &key, f)
            }
        }
    }

    /// Whether there is a member; the score it has, or the instant at which a field ends.
    #[inline]
    pub(super) fn presence(&self, call: &Call<'_>, member: &[u8]) -> Result<Option<Score>, Stop> {
        let kind = self.kind;
        self.get_ending(call, member, |value, ends_at| match (kind, value.first_chunk()) {
            (Type::SortedSet, Some(score)) => *score,
            _ => ends_at.to_be_bytes(),
        })
    }

    /// Writes a member; whether it is new.
    #[inline]
    pub(super) fn put(
        &mut self,
        call: &mut Call<'_>,
        member: &[u8],
        value: &[u8],
    ) -> Result<bool, Stop> {
        let old = self.presence(call, member)?;
        self.write(call, member, value, old)?;
        Ok(old.is_none())
    }

    /// Writes a member of which [`Members::presence`] has said `old`; a field does not end.
    pub(super) fn write(
        &mut self,
        call: &mut Call<'_>,
        member: &[u8],
        value: &[u8],
        old: Option<Score>,
    ) -> Outcome {
        self.write_until(call, member, value, old, 0)
    }

    /// As [`Members::write`], for a field that ends at an instant; 0: it does not.
    pub(super) fn write_until(
        &mut self,
        call: &mut Call<'_>,
        member: &[u8],
        value: &[u8],
        old: Option<Score>,
        ends_at: u64,
    ) -> Outcome {
        if member.len() > MEMBER_BYTES_MAX {
            return Err(too_long(member.len()));
        }
        if ends_at != 0 {
            self.spread(call)?;
        }
        self.count += u64::from(old.is_none());
        match &mut self.body {
            Body::Packed(items) => {
                self.is_changed = true;
                write_packed(items, self.kind, member, value);
                if items.len() > PACKED_BYTES_MAX || self.count > PACKED_ITEMS_MAX as u64 {
                    self.spread(call)?;
                }
            }
            Body::Spread { id, .. } => {
                self.is_changed |= old.is_none();
                let batch = &mut call.scratch.batch;
                batch.put(self.pair.members, &id.member(self.kind, member), value, ends_at)?;
                if self.kind == Type::SortedSet {
                    if let Some(old) = old {
                        let key = id.key(tag::ZSET_SCORE, &[&old, member]);
                        batch.delete(self.pair.members, &key)?;
                    }
                    let key = id.key(tag::ZSET_SCORE, &[value, member]);
                    batch.put(self.pair.members, &key, b"", 0)?;
                }
                if let Some(staged) = &mut self.staged {
                    staged.insert(member.to_vec(), Some((value.to_vec(), ends_at)));
                }
                if self.kind == Type::Hash {
                    self.move_ending(call, member, old.map_or(0, u64::from_be_bytes), ends_at)?;
                }
            }
        }
        Ok(())
    }

    /// Gives a field of a spread hash another end.
    #[inline]
    fn move_ending(&mut self, call: &mut Call<'_>, field: &[u8], from: u64, to: u64) -> Outcome {
        let Body::Spread { id, .. } = &self.body else { return Ok(()) };
        if from == to {
            return Ok(());
        }
        let batch = &mut call.scratch.batch;
        if from != 0 {
            batch.delete(self.pair.members, &id.ending(from, field))?;
        }
        if to != 0 {
            batch.put(self.pair.members, &id.ending(to, field), b"", 0)?;
            self.is_changed |= to < self.due[1] || !self.is_expiring();
            self.due[1] = self.due[1].min(to);
            self.flags |= EXPIRING;
        }
        Ok(())
    }

    /// Removes a member; whether it was there.
    pub(super) fn remove(&mut self, call: &mut Call<'_>, member: &[u8]) -> Result<bool, Stop> {
        let Some(score) = self.presence(call, member)? else { return Ok(false) };
        self.take(call, member, score)?;
        Ok(true)
    }

    /// Removes a member that is there and has `score`.
    pub(super) fn take(&mut self, call: &mut Call<'_>, member: &[u8], score: Score) -> Outcome {
        let has_values = self.has_values();
        self.is_changed = true;
        self.count -= 1;
        match &mut self.body {
            Body::Packed(items) => {
                if let Some(found) = find(items, has_values, member) {
                    items.drain(found.entry);
                }
            }
            Body::Spread { id, .. } => {
                let batch = &mut call.scratch.batch;
                batch.delete(self.pair.members, &id.member(self.kind, member))?;
                if self.kind == Type::SortedSet {
                    let key = id.key(tag::ZSET_SCORE, &[&score, member]);
                    batch.delete(self.pair.members, &key)?;
                }
                if let Some(staged) = &mut self.staged {
                    staged.insert(member.to_vec(), None);
                }
                if self.kind == Type::Hash {
                    self.move_ending(call, member, u64::from_be_bytes(score), 0)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the collection, whatever its size.
    pub(super) fn abandon(&mut self) {
        self.is_changed |= self.count != 0;
        self.is_abandoned = true;
        self.count = 0;
    }

    /// Gives every packed item a record of its own.
    fn spread(&mut self, call: &mut Call<'_>) -> Outcome {
        let Body::Packed(bytes) = &self.body else { return Ok(()) };
        let id = Id::new(self.key.slot(), call.store.versions().next(call.store.db())?);
        let (batch, members) = (&mut call.scratch.batch, self.pair.members);
        batch.put(members, &id.owner(), self.key.bytes(), 0)?;
        let mut items = Items::new(bytes);
        while let Some(member) = items.next() {
            let value = if self.has_values() { items.next().unwrap_or_default() } else { b"" };
            batch.put(members, &id.member(self.kind, member), value, 0)?;
            if self.kind == Type::SortedSet {
                batch.put(members, &id.key(tag::ZSET_SCORE, &[value, member]), b"", 0)?;
            }
            if let Some(staged) = &mut self.staged {
                staged.insert(member.to_vec(), Some((value.to_vec(), 0)));
            }
        }
        self.flags |= SPREAD;
        self.is_changed = true;
        self.body = Body::Spread { id, is_fresh: true };
        Ok(())
    }

    /// Adds the metadata to the call's batch; an empty collection is no key.
    pub(super) fn stage(self, call: &mut Call<'_>) -> Outcome {
        if !self.is_changed {
            return Ok(());
        }
        self.stage_due(call)?;
        let Scratch { record, batch, .. } = &mut *call.scratch;
        if self.count == 0 {
            if let (Body::Spread { id, .. }, false) = (&self.body, self.is_abandoned) {
                batch.delete(self.pair.members, &id.owner())?;
            }
            if self.existed {
                batch.delete(self.pair.keys, self.key.bytes())?;
            }
            return Ok(());
        }
        record.clear();
        record.push(header(self.kind, self.flags));
        match &self.body {
            Body::Packed(items) => record.extend_from_slice(items),
            Body::Spread { id, .. } => Spread { id: *id, count: self.count }.encode(record),
        }
        if self.flags & EXPIRING != 0 {
            record.extend_from_slice(&self.due[1].to_le_bytes());
        }
        batch.put(self.pair.keys, self.key.bytes(), record, self.expire_at_ms)?;
        if let Body::Packed(items) = self.body {
            call.scratch.items = items;
        }
        Ok(())
    }

    /// Adds to the batch what the sweeper finds the hash by.
    #[inline]
    fn stage_due(&self, call: &mut Call<'_>) -> Outcome {
        let [old, mut new] = self.due;
        if self.count == 0 {
            new = NEVER;
        }
        if old == new {
            return Ok(());
        }
        let (batch, key) = (&mut call.scratch.batch, self.key.bytes());
        if old != NEVER {
            batch.delete(self.pair.members, &due_key(old, key))?;
        }
        call.store.note_due(new);
        Ok(stage_due(batch, self.pair.members, new, key)?)
    }

    /// [`Members::stage`], and commits the batch.
    pub(super) fn commit(self, call: &mut Call<'_>) -> Outcome {
        self.stage(call)?;
        call.commit_batch()
    }

    /// Everything as of now, in any order; goes on after the lock is released.
    ///
    /// Nothing may be staged.
    pub(super) fn walk(self, call: &Call<'_>) -> Result<Walk, Stop> {
        let source = match self.body {
            Body::Packed(items) => {
                Source::Packed { items, at: 0, has_values: self.kind != Type::Set }
            }
            Body::Spread { id, .. } => {
                check_effort(call, self.count)?;
                let lower = id.members_from(self.kind, 0);
                let upper = Some(id.behind(member_tag(self.kind)));
                Source::Spread(Box::new(scan_members(call, self.pair, lower, upper)?))
            }
        };
        Ok(Walk { source })
    }
}

/// Asks for another thread when a walk over so many records would not end on a reactor.
pub(super) fn check_effort(call: &Call<'_>, records: u64) -> Outcome {
    if call.mode == Mode::Try && records > u64::from(store::Walk::QUICK_RECORDS_MAX) {
        return Err(Stop::WouldBlock);
    }
    Ok(())
}

/// A walk over records in the keyspace of members. Where waiting is not allowed it stops early.
pub(super) fn scan_members(
    call: &Call<'_>,
    pair: Pair,
    lower: Vec<u8>,
    upper: Option<Vec<u8>>,
) -> Result<store::Walk, Stop> {
    let walk = call.store.scan(pair.members, lower, upper)?;
    Ok(if call.mode == Mode::Try { walk.without_waiting() } else { walk })
}

/// The members of a collection at one moment.
pub(super) struct Walk {
    source: Source,
}

enum Source {
    Packed { items: Vec<u8>, at: usize, has_values: bool },
    Spread(Box<store::Walk>),
}

impl Walk {
    /// The next member and its value.
    pub(super) fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, Stop> {
        match &mut self.source {
            Source::Packed { items, at, has_values } => {
                let mut rest = Items::new(&items[*at..]);
                let Some(member) = rest.next() else { return Ok(None) };
                let value = if *has_values { rest.next().unwrap_or_default() } else { b"" };
                *at += rest.position();
                Ok(Some((member, value)))
            }
            Source::Spread(scan) => Ok(scan.next()?.map(|(key, value)| (member_of(key), value))),
        }
    }
}

#[cold]
fn too_long(bytes: usize) -> Stop {
    Stop::fail(format!(
        "ERR field or member of {bytes} bytes exceeds the limit of {MEMBER_BYTES_MAX} bytes"
    ))
}

/// Writes a member into packed items, sorted sets in their order.
fn write_packed(items: &mut Vec<u8>, kind: Type, member: &[u8], value: &[u8]) {
    let found = find(items, kind != Type::Set, member);
    match (kind, found) {
        (Type::Set, Some(_)) => {}
        (Type::Set, None) => push(items, member),
        (Type::SortedSet, found) => {
            if let Some(found) = found {
                items.drain(found.entry);
            }
            insert_sorted(items, member, value);
        }
        (_, Some(found)) if found.value.len() == value.len() => {
            items[found.value].copy_from_slice(value);
        }
        (_, Some(found)) => {
            let mut entry = Vec::with_capacity(found.entry.len() + value.len());
            push(&mut entry, member);
            push(&mut entry, value);
            items.splice(found.entry, entry);
        }
        (_, None) => {
            push(items, member);
            push(items, value);
        }
    }
}

fn insert_sorted(items: &mut Vec<u8>, member: &[u8], score: &[u8]) {
    let mut rest = Items::new(items);
    let place = loop {
        let place = rest.position();
        match (rest.next(), rest.next()) {
            (Some(other), Some(value)) if (value, other) < (score, member) => {}
            _ => break place,
        }
    };
    let mut entry = Vec::with_capacity(member.len() + score.len() + 2);
    push(&mut entry, member);
    push(&mut entry, score);
    items.splice(place..place, entry);
}

/// HDEL, SREM, ZREM: removes the fields or members from argument 2 on.
pub(super) fn remove_members(
    call: &mut Call<'_>,
    kind: Type,
    (class, event): (Class, &'static str),
) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let args = call.args;
    let mut members = Members::open(call, key, kind, args.len() > 3)?;
    let mut removed = 0;
    for member in args.from(2) {
        removed += i64::from(members.remove(call, member)?);
    }
    let is_gone = members.len() == 0;
    members.commit(call)?;
    if removed > 0 {
        call.notify_shrunk(class, event, args.get(1), is_gone);
    }
    call.reply.integer(removed);
    Ok(())
}
