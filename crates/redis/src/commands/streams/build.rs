//! A stream being built from the elements of RDB bytes.

use std::collections::{HashMap, HashSet};

use aidb_rdb::Element;
use aidb_rdb::element::StreamFacts;

use crate::collection::packed;
use crate::collection::stream::{Consumer, EntryId, Group, Pending, READ_UNKNOWN};
use crate::key::MetaKey;
use crate::stop::{Outcome, Stop};

use super::super::Call;
use super::super::restore::Refusal;
use super::Stream;

/// A new stream that will replace whatever its key holds. Entries come first, then the facts, then
/// group by group what is pending, and consumer by consumer whose that is.
pub(in super::super) struct StreamBuilder {
    stream: Stream,
    /// The lowest entry.
    first: Option<EntryId>,
    /// Facts behind the entries were given; whether they lack what later forms have.
    is_old_form: bool,
    names: HashSet<Vec<u8>>,
    group: Option<OpenGroup>,
}

/// A group whose parts are coming.
struct OpenGroup {
    name: Vec<u8>,
    group: Group,
    /// Entries that no consumer has claimed yet: delivered when, and how often.
    unclaimed: HashMap<EntryId, (u64, u64)>,
    names: HashSet<Vec<u8>>,
    consumer: Option<(Vec<u8>, Consumer)>,
}

impl StreamBuilder {
    pub(in super::super) fn begin(call: &mut Call<'_>, key: MetaKey) -> Result<Self, Stop> {
        let stream = Stream::create(call, key)?;
        let (names, group) = (HashSet::new(), None);
        Ok(Self { stream, first: None, is_old_form: false, names, group })
    }

    pub(in super::super) fn add(
        &mut self,
        call: &mut Call<'_>,
        element: &Element<'_>,
    ) -> Result<(), Refusal> {
        match element {
            Element::Entry(id, fields) => {
                let (id, mut items) = (ours(*id), Vec::new());
                fields.each(|text| packed::push(&mut items, text));
                self.first.get_or_insert(id);
                self.stream.meta.spread.count += 1;
                self.put(call, &self.stream.id().entry(id), &items)?;
            }
            Element::Stream(facts) => self.state(facts),
            Element::Group { name, last, read } => {
                self.end_group(call)?;
                self.open_group(name, ours(*last), *read)?;
            }
            Element::Pending { id, delivered_ms, deliveries } => {
                let state = (*delivered_ms, *deliveries);
                if self.open()?.unclaimed.insert(ours(*id), state).is_some() {
                    return Err(Refusal::damaged("an entry twice in a group"));
                }
            }
            Element::Consumer { name, seen_ms } => {
                self.end_consumer(call)?;
                self.open_consumer(name, *seen_ms)?;
            }
            Element::Owned(id) => self.claim(call, ours(*id))?,
            _ => return Err(Refusal::damaged("parts of another type")),
        }
        Ok(())
    }

    fn put(&self, call: &mut Call<'_>, key: &[u8], value: &[u8]) -> Outcome {
        Ok(call.scratch.batch.put(self.stream.pair.members, key, value, 0)?)
    }

    fn state(&mut self, facts: &StreamFacts) {
        let meta = &mut self.stream.meta;
        meta.last = ours(facts.last);
        meta.first = self.first.unwrap_or_default();
        meta.max_deleted = ours(facts.max_deleted);
        meta.added = facts.added;
        self.is_old_form = facts.first.is_none();
    }

    fn open(&mut self) -> Result<&mut OpenGroup, Refusal> {
        self.group.as_mut().ok_or_else(|| Refusal::damaged("parts of no group"))
    }

    fn open_group(&mut self, name: &[u8], last: EntryId, read: Option<u64>) -> Result<(), Refusal> {
        if !self.names.insert(name.to_vec()) {
            return Err(Refusal::damaged("a group twice"));
        }
        let meta = &mut self.stream.meta;
        meta.groups += 1;
        meta.numbers += 1;
        let number = meta.numbers;
        let read = match read {
            Some(read) => read as i64,
            None if self.is_old_form => {
                let first = self.first.unwrap_or_default();
                self.stream.count_up_to(last, first).unwrap_or(READ_UNKNOWN)
            }
            None => READ_UNKNOWN,
        };
        let group = Group { number, last, read, pending: 0, consumers: 0 };
        let (unclaimed, names) = (HashMap::new(), HashSet::new());
        self.group =
            Some(OpenGroup { name: name.to_vec(), group, unclaimed, names, consumer: None });
        Ok(())
    }

    fn open_consumer(&mut self, name: &[u8], seen_ms: u64) -> Result<(), Refusal> {
        self.stream.meta.numbers += 1;
        let number = self.stream.meta.numbers;
        let open = self.open()?;
        if !open.names.insert(name.to_vec()) {
            return Err(Refusal::damaged("a consumer twice"));
        }
        open.group.consumers += 1;
        open.consumer = Some((name.to_vec(), Consumer { number, seen_ms, pending: 0 }));
        Ok(())
    }

    fn claim(&mut self, call: &mut Call<'_>, id: EntryId) -> Result<(), Refusal> {
        let open = self.open()?;
        let state = open.unclaimed.remove(&id);
        let (Some((delivered_ms, deliveries)), Some((name, consumer))) =
            (state, open.consumer.as_mut())
        else {
            return Err(Refusal::damaged("a consumer with what its group has not"));
        };
        consumer.pending += 1;
        open.group.pending += 1;
        let (group, consumer) = (open.group.number, consumer.number);
        let pending = Pending { delivered_ms, deliveries, consumer, name: name.clone() };
        let stream = self.stream.id();
        self.put(call, &stream.pending(group, id), &pending.encode())?;
        self.put(call, &stream.pending_of(group, consumer, id), b"")?;
        Ok(())
    }

    fn end_consumer(&mut self, call: &mut Call<'_>) -> Outcome {
        let Some(open) = &mut self.group else { return Ok(()) };
        let Some((name, consumer)) = open.consumer.take() else { return Ok(()) };
        let key = self.stream.id().consumer(open.group.number, &name);
        self.put(call, &key, &consumer.encode())
    }

    fn end_group(&mut self, call: &mut Call<'_>) -> Result<(), Refusal> {
        self.end_consumer(call)?;
        let Some(open) = self.group.take() else { return Ok(()) };
        if !open.unclaimed.is_empty() {
            return Err(Refusal::damaged("pending entries of no consumer"));
        }
        let key = self.stream.id().group(&open.name);
        Ok(self.put(call, &key, &open.group.encode())?)
    }

    pub(in super::super) fn finish(
        mut self: Box<Self>,
        call: &mut Call<'_>,
        expire_at_ms: u64,
    ) -> Result<(), Refusal> {
        self.end_group(call)?;
        self.stream.expire_at_ms = expire_at_ms;
        Ok(self.stream.stage(call)?)
    }
}

fn ours(id: aidb_rdb::EntryId) -> EntryId {
    EntryId { ms: id.ms, seq: id.seq }
}
