//! Writes that wait for their transaction to end, and what later commands of it read.

use std::cell::RefCell;
use std::collections::BTreeMap;

use aidb_base::KeyspaceId;
use aidb_engine::batch::{Operation, WriteBatch};

use crate::stop::Stop;

use super::notifications::Event;

/// A record as the transaction left it; `None` = removed.
type Change = Option<Record>;

/// A record written by the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) value: Vec<u8>,
    /// Milliseconds since the Unix epoch; 0 = never.
    pub(super) expire_at_ms: u64,
}

impl Record {
    pub(super) fn is_expired(&self, now_ms: u64) -> bool {
        self.expire_at_ms != 0 && self.expire_at_ms <= now_ms
    }
}

/// The writes of EXEC or of a script: gathered, readable by its own commands, committed as one batch.
///
/// **Concurrency**: belongs to the thread that executes it, which holds the locks of its slots.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The slots held, sorted; `None` = all.
    slots: Option<Vec<u16>>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    batch: WriteBatch,
    spaces: Vec<(KeyspaceId, Space)>,
    events: Vec<Event>,
}

/// Changes of one keyspace.
#[derive(Debug, Default)]
struct Space {
    records: BTreeMap<Vec<u8>, Change>,
    /// Ranges removed; records in `records` are newer.
    cleared: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Space {
    fn is_cleared(&self, key: &[u8]) -> bool {
        self.cleared.iter().any(|(start, end)| {
            start.as_slice() <= key && end.as_deref().is_none_or(|end| key < end)
        })
    }

    fn clear(&mut self, start: &[u8], end: Option<&[u8]>) {
        self.records.retain(|key, _| {
            key.as_slice() < start || end.is_some_and(|end| key.as_slice() >= end)
        });
        self.cleared.push((start.to_vec(), end.map(<[u8]>::to_vec)));
    }
}

impl State {
    fn space(&self, keyspace: KeyspaceId) -> Option<&Space> {
        self.spaces.iter().find(|(id, _)| *id == keyspace).map(|(_, space)| space)
    }

    fn space_mut(&mut self, keyspace: KeyspaceId) -> &mut Space {
        let at = self.spaces.iter().position(|(id, _)| *id == keyspace).unwrap_or_else(|| {
            self.spaces.push((keyspace, Space::default()));
            self.spaces.len() - 1
        });
        &mut self.spaces[at].1
    }
}

impl Transaction {
    /// A transaction that holds some slots; [`Transaction::default`] is for all.
    pub fn of_slots(mut slots: Vec<u16>) -> Self {
        slots.sort_unstable();
        Self { slots: Some(slots), state: RefCell::default() }
    }

    /// Whether the slot of a key is held.
    ///
    /// # Errors
    /// [`Stop::Beyond`] when it is not.
    pub(super) fn check(&self, engine_key: &[u8]) -> Result<(), Stop> {
        let Some(slots) = &self.slots else { return Ok(()) };
        let slot = engine_key.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
        match slot.is_some_and(|slot| slots.binary_search(&slot).is_ok()) {
            true => Ok(()),
            false => Err(Stop::Beyond),
        }
    }

    /// Whether a walk within bounds stays in one slot that is held.
    ///
    /// # Errors
    /// [`Stop::Beyond`] when it does not.
    pub(super) fn check_range(&self, lower: &[u8], upper: Option<&[u8]>) -> Result<(), Stop> {
        if self.slots.is_none() {
            return Ok(());
        }
        let slot = |key: &[u8]| key.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
        let (first, last) = (slot(lower), upper.and_then(slot));
        let ends_at_next = upper.is_some_and(|upper| upper.len() == 2)
            && first.is_some_and(|first| last == first.checked_add(1));
        if first != last && !ends_at_next {
            return Err(Stop::Beyond);
        }
        self.check(lower)
    }

    /// Adds an operation.
    pub(super) fn push(&self, operation: &Operation<'_>) -> Result<(), Stop> {
        let state = &mut *self.state.borrow_mut();
        state.batch.push(operation)?;
        match *operation {
            Operation::Put { keyspace, key, value, expire_at_ms } => {
                let record = Record { value: value.to_vec(), expire_at_ms };
                state.space_mut(keyspace).records.insert(key.to_vec(), Some(record));
            }
            Operation::Delete { keyspace, key } => {
                state.space_mut(keyspace).records.insert(key.to_vec(), None);
            }
            Operation::DeleteRange { keyspace, start, end } => {
                state.space_mut(keyspace).clear(start, end);
            }
            Operation::Annotation(_) => {}
        }
        Ok(())
    }

    /// What the transaction did to a record: `None` = nothing.
    pub(super) fn change<R>(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(Option<&Record>) -> R,
    ) -> Option<R> {
        let state = self.state.borrow();
        let space = state.space(keyspace)?;
        match space.records.get(key) {
            Some(change) => Some(f(change.as_ref())),
            None => space.is_cleared(key).then(|| f(None)),
        }
    }

    /// The changes within bounds, by key, and the ranges removed.
    pub(super) fn changes(
        &self,
        keyspace: KeyspaceId,
        lower: &[u8],
        upper: Option<&[u8]>,
    ) -> Changes {
        let state = self.state.borrow();
        let Some(space) = state.space(keyspace) else { return Changes::default() };
        let within = |key: &Vec<u8>| {
            key.as_slice() >= lower && upper.is_none_or(|upper| key.as_slice() < upper)
        };
        Changes {
            records: space
                .records
                .iter()
                .filter(|(key, _)| within(key))
                .map(|(key, change)| (key.clone(), change.clone()))
                .collect(),
            cleared: space.cleared.clone(),
        }
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.state.borrow().batch.is_empty()
    }

    /// Keeps an event until the commit.
    pub(super) fn note(&self, event: Event) {
        self.state.borrow_mut().events.push(event);
    }

    /// The gathered operations and events.
    pub(super) fn into_parts(self) -> (WriteBatch, Vec<Event>) {
        let state = self.state.into_inner();
        (state.batch, state.events)
    }
}

/// A copy of a transaction's changes to a range.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// By key.
    pub(super) records: Vec<(Vec<u8>, Change)>,
    cleared: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Changes {
    /// Whether nothing of the engine's records is left: keys are only removed one by one or all.
    pub(super) fn is_cleared(&self) -> bool {
        !self.cleared.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.cleared.is_empty()
    }

    /// Whether the engine's record of `key` is no longer there, or no longer as it is.
    pub(super) fn hides(&self, key: &[u8]) -> bool {
        let changed = self.records.binary_search_by(|(other, _)| other.as_slice().cmp(key)).is_ok();
        changed
            || self.cleared.iter().any(|(start, end)| {
                start.as_slice() <= key && end.as_deref().is_none_or(|end| key < end)
            })
    }
}
