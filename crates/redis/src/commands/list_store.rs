//! One opened list, packed or spread, and its two ends.
//!
//! Opened under its slot's lock, changed, and committed: changes go to the call's batch. What was
//! staged is read back, so that a command may pop and push at will.

use std::collections::HashMap;

use crate::collection::list::{CHUNK_ITEMS, FIRST, Item, SHORT_BYTES_MAX, SpreadList, items};
use crate::collection::packed::{self, Items, push};
use crate::collection::{Id, PACKED_BYTES_MAX, PACKED_ITEMS_MAX, SPREAD, header};
use crate::key::MetaKey;
use crate::stop::{Outcome, Stop, WRONG_TYPE};
use crate::store::{Access, Mode, Pair};
use crate::value::{Type, Value};

use super::members::damaged;
use super::{Call, Scratch};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Left,
    Right,
}

impl End {
    /// The event of adding items there.
    pub(super) fn push_event(self) -> &'static str {
        if self == Self::Left { "lpush" } else { "rpush" }
    }

    /// The event of removing items there.
    pub(super) fn pop_event(self) -> &'static str {
        if self == Self::Left { "lpop" } else { "rpop" }
    }
}

/// What reading needs of a call, while its reply is being written.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) store: Access<'a>,
    pub(super) mode: Mode,
}

impl<'a> Call<'a> {
    pub(super) fn reader(&self) -> Reader<'a> {
        Reader { store: self.store, mode: self.mode }
    }
}

/// One opened list.
pub(super) struct List {
    key: MetaKey,
    pair: Pair,
    existed: bool,
    is_changed: bool,
    is_abandoned: bool,
    expire_at_ms: u64,
    body: Body,
    /// Chunks and long items that the command wrote or removed.
    staged: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

enum Body {
    Packed(Vec<u8>),
    Spread(Box<SpreadList>),
}

/// Where an item of a spread list is.
#[derive(Clone, Copy)]
enum Place {
    Front,
    Back,
    Chunk(u64),
}

impl List {
    /// Opens a list. The caller holds the key's lock.
    pub(super) fn open(call: &mut Call<'_>, key: MetaKey) -> Result<Self, Stop> {
        let mut items = std::mem::take(&mut call.scratch.items);
        items.clear();
        let read = |value: Value<'_>, expire_at_ms| -> Result<_, Stop> {
            if value.kind != Type::List {
                return Err(WRONG_TYPE);
            }
            if value.flags & SPREAD == 0 {
                items.extend_from_slice(value.bytes);
                return Ok((None, expire_at_ms));
            }
            let list = SpreadList::decode(value.bytes).ok_or_else(damaged)?;
            Ok((Some(Box::new(list)), expire_at_ms))
        };
        let found = call.read(&key, read)?.transpose()?;
        let existed = found.is_some();
        let (spread, expire_at_ms) = found.unwrap_or_default();
        Ok(Self {
            key,
            pair: call.store.keyspaces(call.session.database),
            existed,
            is_changed: false,
            is_abandoned: false,
            expire_at_ms,
            body: spread.map_or_else(|| Body::Packed(items), Body::Spread),
            staged: HashMap::new(),
        })
    }

    /// An empty list that will replace whatever the key holds.
    pub(super) fn replacing(call: &Call<'_>, key: MetaKey) -> Self {
        Self {
            key,
            pair: call.store.keyspaces(call.session.database),
            existed: true,
            is_changed: true,
            is_abandoned: false,
            expire_at_ms: 0,
            body: Body::Packed(Vec::new()),
            staged: HashMap::new(),
        }
    }

    /// What was staged is being committed: from now on it is read back from the store.
    pub(super) fn forget_staged(&mut self) {
        self.staged.clear();
    }

    /// The key will expire then; 0 = never.
    pub(super) fn set_expiry(&mut self, expire_at_ms: u64) {
        self.expire_at_ms = expire_at_ms;
    }

    pub(super) fn exists(&self) -> bool {
        self.existed
    }

    pub(super) fn len(&self) -> u64 {
        match &self.body {
            Body::Packed(bytes) => packed::count(bytes) as u64,
            Body::Spread(list) => list.count,
        }
    }

    /// Adds an item at an end.
    pub(super) fn push(&mut self, call: &mut Call<'_>, end: End, item: &[u8]) -> Outcome {
        self.is_changed = true;
        if let Body::Packed(bytes) = &mut self.body {
            if bytes.len() + item.len() < PACKED_BYTES_MAX {
                match end {
                    End::Right => push(bytes, item),
                    End::Left => {
                        let mut first = Vec::with_capacity(item.len() + 2);
                        push(&mut first, item);
                        bytes.splice(..0, first);
                    }
                }
                let is_many =
                    bytes.len() > PACKED_ITEMS_MAX && self.len() > PACKED_ITEMS_MAX as u64;
                return if is_many { self.spread(call, end) } else { Ok(()) };
            }
            self.spread(call, end)?;
        }
        self.push_spread(call, end, item)
    }

    /// Gives up the packed form. The items go to the end that grows: every push writes what is at both
    /// ends, and from the other one nothing would become a chunk.
    fn spread(&mut self, call: &mut Call<'_>, end: End) -> Outcome {
        let Body::Packed(bytes) = &mut self.body else { return Ok(()) };
        let bytes = std::mem::take(bytes);
        let id = Id::new(self.key.slot(), call.store.versions().next(call.store.db())?);
        let batch = &mut call.scratch.batch;
        batch.put(self.pair.members, &id.owner(), self.key.bytes(), 0)?;
        self.body = Body::Spread(Box::new(SpreadList::new(id)));
        let mut items: Vec<&[u8]> = Items::new(&bytes).collect();
        if end == End::Left {
            items.reverse();
        }
        items.into_iter().try_for_each(|item| self.push_spread(call, end, item))
    }

    fn push_spread(&mut self, call: &mut Call<'_>, end: End, item: &[u8]) -> Outcome {
        let packed = self.pack(call, item)?;
        let Body::Spread(list) = &mut self.body else { return Ok(()) };
        let (full, chunk) = match end {
            End::Left => (&mut list.front, list.head / CHUNK_ITEMS),
            End::Right => (&mut list.back, (list.head + list.count) / CHUNK_ITEMS),
        };
        if packed::count(full) as u64 == CHUNK_ITEMS {
            let full = std::mem::take(full);
            // A full back ends where the next chunk would begin.
            let chunk = if end == End::Left { chunk } else { chunk - 1 };
            self.put_chunk(call, chunk, full)?;
        }
        let Body::Spread(list) = &mut self.body else { return Ok(()) };
        match end {
            End::Left => {
                packed.prepend(&mut list.front);
                list.head -= 1;
            }
            End::Right => packed.append(&mut list.back),
        }
        list.count += 1;
        Ok(())
    }

    /// Gives a long item a record of its own.
    fn pack<'i>(&mut self, call: &mut Call<'_>, item: &'i [u8]) -> Result<Item<'i>, Stop> {
        let Body::Spread(list) = &mut self.body else { return Ok(Item::Short(item)) };
        if item.len() <= SHORT_BYTES_MAX {
            return Ok(Item::Short(item));
        }
        let number = list.next_long;
        list.next_long += 1;
        let key = list.long_key(number);
        call.scratch.batch.put(self.pair.members, &key, item, 0)?;
        self.staged.insert(key.to_vec(), Some(item.to_vec()));
        Ok(Item::Long(number))
    }

    fn put_chunk(&mut self, call: &mut Call<'_>, chunk: u64, items: Vec<u8>) -> Outcome {
        let Body::Spread(list) = &self.body else { return Ok(()) };
        let key = list.chunk_key(chunk);
        call.scratch.batch.put(self.pair.members, &key, &items, 0)?;
        self.staged.insert(key.to_vec(), Some(items));
        Ok(())
    }

    fn remove_record(&mut self, call: &mut Call<'_>, key: &[u8]) -> Outcome {
        call.scratch.batch.delete(self.pair.members, key)?;
        self.staged.insert(key.to_vec(), None);
        Ok(())
    }

    fn record<R>(
        &self,
        reader: Reader<'_>,
        key: &[u8],
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, Stop> {
        if let Some(Some(record)) = self.staged.get(key) {
            return Ok(f(record));
        }
        reader
            .store
            .read_record(reader.mode, self.pair.members, key, |record, _| f(record))?
            .ok_or_else(damaged)
    }

    /// Removes the item at an end; `None`: there is none.
    pub(super) fn pop(&mut self, call: &mut Call<'_>, end: End) -> Result<Option<Vec<u8>>, Stop> {
        self.fetch(call, end)?;
        let source = match (&mut self.body, end) {
            (Body::Packed(bytes), _) => {
                let popped = pop_packed(bytes, end).map(|item| item.to_vec());
                self.is_changed |= popped.is_some();
                return Ok(popped);
            }
            (Body::Spread(list), End::Left) if !list.front.is_empty() => &mut list.front,
            (Body::Spread(list), End::Left) => &mut list.back,
            (Body::Spread(list), End::Right) if !list.back.is_empty() => &mut list.back,
            (Body::Spread(list), End::Right) => &mut list.front,
        };
        let Some(popped) = pop_packed(source, end) else { return Ok(None) };
        self.is_changed = true;
        if let Body::Spread(list) = &mut self.body {
            list.count -= 1;
            list.head += u64::from(end == End::Left);
        }
        self.number_again();
        match Item::decode(&popped) {
            Item::Short(item) => Ok(Some(item.to_vec())),
            Item::Long(number) => self.take_long(call, number).map(Some),
        }
    }

    fn take_long(&mut self, call: &mut Call<'_>, number: u64) -> Result<Vec<u8>, Stop> {
        let Body::Spread(list) = &self.body else { return Ok(Vec::new()) };
        let key = list.long_key(number);
        let item = self.record(call.reader(), &key, <[u8]>::to_vec)?;
        self.remove_record(call, &key)?;
        Ok(item)
    }

    /// Numbers of the first and behind the last item in chunks.
    fn chunked(list: &SpreadList) -> std::ops::Range<u64> {
        let front = packed::count(&list.front) as u64;
        let back = packed::count(&list.back) as u64;
        list.head + front..list.head + list.count - back
    }

    /// Without chunks numbers mean nothing: begins where chunks can be added on both sides.
    fn number_again(&mut self) {
        let Body::Spread(list) = &mut self.body else { return };
        if Self::chunked(list).is_empty() {
            list.head = FIRST - packed::count(&list.front) as u64;
        }
    }

    /// Brings the chunk at an end into the metadata when there is nothing else at this end.
    fn fetch(&mut self, call: &mut Call<'_>, end: End) -> Outcome {
        let Body::Spread(list) = &self.body else { return Ok(()) };
        let chunked = Self::chunked(list);
        let is_there = match end {
            End::Left => !list.front.is_empty(),
            End::Right => !list.back.is_empty(),
        };
        if is_there || chunked.is_empty() {
            return Ok(());
        }
        let number = if end == End::Left { chunked.start } else { chunked.end - 1 };
        let key = list.chunk_key(number / CHUNK_ITEMS);
        let chunk = self.record(call.reader(), &key, <[u8]>::to_vec)?;
        self.remove_record(call, &key)?;
        let Body::Spread(list) = &mut self.body else { return Ok(()) };
        *(if end == End::Left { &mut list.front } else { &mut list.back }) = chunk;
        Ok(())
    }

    /// Calls `f` with the items `from..to` in order; it says whether to go on.
    pub(super) fn visit(
        &self,
        reader: Reader<'_>,
        from: u64,
        to: u64,
        mut f: impl FnMut(&[u8]) -> bool,
    ) -> Outcome {
        let list = match &self.body {
            Body::Packed(bytes) => {
                let wanted = Items::new(bytes).skip(from as usize).take((to - from) as usize);
                let _ = wanted.into_iter().all(&mut f);
                return Ok(());
            }
            Body::Spread(list) => list,
        };
        let chunked = Self::chunked(list);
        let mut at = list.head + from;
        let end = list.head + to;
        while at < end {
            let mut goes_on = Ok(true);
            let mut show = |bytes: &[u8], first: u64| -> u64 {
                let wanted = items(bytes).skip((at - first) as usize).take((end - at) as usize);
                let mut shown = 0;
                for item in wanted {
                    goes_on = self.show(reader, list, item, &mut f);
                    shown += 1;
                    if !matches!(goes_on, Ok(true)) {
                        break;
                    }
                }
                shown
            };
            let shown = match at {
                _ if at < chunked.start => show(&list.front, list.head),
                _ if at >= chunked.end => show(&list.back, chunked.end),
                _ => {
                    let chunk = at / CHUNK_ITEMS;
                    let key = list.chunk_key(chunk);
                    self.record(reader, &key, |bytes| show(bytes, chunk * CHUNK_ITEMS))?
                }
            };
            if !goes_on? {
                break;
            }
            if shown == 0 {
                return Err(damaged());
            }
            at += shown;
        }
        Ok(())
    }

    fn show(
        &self,
        reader: Reader<'_>,
        list: &SpreadList,
        item: Item<'_>,
        f: &mut impl FnMut(&[u8]) -> bool,
    ) -> Result<bool, Stop> {
        match item {
            Item::Short(item) => Ok(f(item)),
            Item::Long(number) => self.record(reader, &list.long_key(number), |item| f(item)),
        }
    }

    /// Replaces the item at `index`, which is there.
    pub(super) fn set(&mut self, call: &mut Call<'_>, index: u64, item: &[u8]) -> Outcome {
        self.is_changed = true;
        if let Body::Packed(bytes) = &self.body {
            let mut all: Vec<Vec<u8>> = Items::new(bytes).map(<[u8]>::to_vec).collect();
            all[index as usize] = item.to_vec();
            self.body = Body::Packed(Vec::new());
            return all.iter().try_for_each(|item| self.push(call, End::Right, item));
        }
        let Body::Spread(list) = &self.body else { return Ok(()) };
        let (chunked, at) = (Self::chunked(list), list.head + index);
        let place = match at {
            _ if at < chunked.start => Place::Front,
            _ if at >= chunked.end => Place::Back,
            _ => Place::Chunk(at / CHUNK_ITEMS),
        };
        let (bytes, first) = match place {
            Place::Front => (list.front.clone(), list.head),
            Place::Back => (list.back.clone(), chunked.end),
            Place::Chunk(chunk) => {
                let bytes = self.record(call.reader(), &list.chunk_key(chunk), <[u8]>::to_vec)?;
                (bytes, chunk * CHUNK_ITEMS)
            }
        };
        let mut changed = Vec::with_capacity(bytes.len() + item.len());
        for (place, old) in items(&bytes).enumerate() {
            if first + place as u64 != at {
                old.append(&mut changed);
                continue;
            }
            if let Item::Long(number) = old {
                self.take_long(call, number)?;
            }
            self.pack(call, item)?.append(&mut changed);
        }
        match (place, &mut self.body) {
            (Place::Front, Body::Spread(list)) => list.front = changed,
            (Place::Back, Body::Spread(list)) => list.back = changed,
            (Place::Chunk(chunk), _) => self.put_chunk(call, chunk, changed)?,
            _ => {}
        }
        Ok(())
    }

    /// Removes `count` items from an end; `count` is at most the length.
    pub(super) fn trim(&mut self, call: &mut Call<'_>, end: End, count: u64) -> Outcome {
        if count == self.len() {
            self.is_changed |= count > 0;
            self.is_abandoned = true;
            return Ok(());
        }
        for _ in 0..count {
            self.pop(call, end)?;
        }
        Ok(())
    }

    /// Adds the metadata to the call's batch and commits it; an empty list is no key.
    pub(super) fn commit(self, call: &mut Call<'_>) -> Outcome {
        self.stage(call)?;
        call.commit_batch()
    }

    /// Adds the metadata to the call's batch.
    pub(super) fn stage(self, call: &mut Call<'_>) -> Outcome {
        if !self.is_changed {
            return Ok(());
        }
        let Scratch { record, batch, .. } = &mut *call.scratch;
        if self.is_abandoned || self.len() == 0 {
            if let (Body::Spread(list), false) = (&self.body, self.is_abandoned) {
                batch.delete(self.pair.members, &list.id.owner())?;
            }
            if self.existed {
                batch.delete(self.pair.keys, self.key.bytes())?;
            }
            return Ok(());
        }
        record.clear();
        match &self.body {
            Body::Packed(items) => {
                record.push(header(Type::List, 0));
                record.extend_from_slice(items);
            }
            Body::Spread(list) => {
                record.push(header(Type::List, SPREAD));
                list.encode(record);
            }
        }
        batch.put(self.pair.keys, self.key.bytes(), record, self.expire_at_ms)?;
        if let Body::Packed(items) = self.body {
            call.scratch.items = items;
        }
        Ok(())
    }
}

/// Takes the packed item at an end.
fn pop_packed(bytes: &mut Vec<u8>, end: End) -> Option<Vec<u8>> {
    let mut items = Items::new(bytes);
    if end == End::Left {
        let item = items.next()?.to_vec();
        let used = items.position();
        bytes.drain(..used);
        return Some(item);
    }
    let mut last = None;
    let mut start = 0;
    loop {
        let position = items.position();
        let Some(item) = items.next() else { break };
        (start, last) = (position, Some(item));
    }
    let item = last?.to_vec();
    bytes.truncate(start);
    Some(item)
}
