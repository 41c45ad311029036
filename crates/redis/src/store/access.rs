//! The store as one command sees it: directly, or through the transaction it is part of.

use std::ops::Deref;

use aidb_base::{Attempt, KeyspaceId};
use aidb_engine::batch::{Operation, WriteBatch};
use aidb_engine::db::Snapshot;

use super::{AllSlots, Mode, SlotLock, Store, Transaction, Walk};
use crate::key::MetaKey;
use crate::session::Place;
use crate::stop::{Outcome, Stop};
use crate::value::Value;

/// The store for one command. Inside a transaction writes are gathered, reads see them, and locks
/// are those that the transaction holds.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    pub(super) store: &'a Store,
    pub(super) transaction: Option<&'a Transaction>,
}

impl Deref for Access<'_> {
    type Target = Store;

    fn deref(&self) -> &Store {
        self.store
    }
}

impl<'a> Access<'a> {
    /// The store itself.
    pub fn direct(store: &'a Store) -> Self {
        Self { store, transaction: None }
    }

    /// The store as commands of `transaction` see it. The caller holds the locks of all their slots.
    pub fn within(store: &'a Store, transaction: &'a Transaction) -> Self {
        Self { store, transaction: Some(transaction) }
    }

    /// Whether the command is part of a transaction.
    pub fn is_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// As [`Store::read`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn read<R>(
        self,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &MetaKey,
        f: impl FnOnce(Value<'_>, u64) -> R,
    ) -> Result<Option<R>, Stop> {
        let found = self.read_record(mode, keyspace, key.bytes(), |record, expire_at_ms| {
            Ok(f(Value::decode(record)?, expire_at_ms))
        })?;
        if found.is_none() {
            self.missed(keyspace, key)?;
        }
        found.transpose()
    }

    /// Reads any record: `f` sees its value and expiry.
    ///
    /// # Errors
    /// [`Stop::WouldBlock`] in [`Mode::Try`], engine errors.
    #[inline]
    pub fn read_record<R>(
        self,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>, Stop> {
        if let Some(transaction) = self.transaction {
            return self.read_within(transaction, mode, keyspace, key, f);
        }
        self.store.read_record(mode, keyspace, key, f)
    }

    #[cold]
    fn read_within<R>(
        self,
        transaction: &Transaction,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>, Stop> {
        transaction.check(key)?;
        let now_ms = self.store.now_ms();
        let mut f = Some(f);
        let changed = transaction.change(keyspace, key, |record| {
            let record = record.filter(|record| !record.is_expired(now_ms))?;
            f.take().map(|f| f(&record.value, record.expire_at_ms))
        });
        match (changed, f) {
            (Some(found), _) => Ok(found),
            (None, Some(f)) => self.store.read_record(mode, keyspace, key, f),
            (None, None) => Ok(None),
        }
    }

    /// All data as it is now, for reading several keys.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn moment(self) -> Result<Moment<'a>, Stop> {
        Ok(match self.transaction {
            Some(_) => Moment::Within(self),
            None => Moment::Snapshot(self.store.db.snapshot()?),
        })
    }

    /// As [`Store::put`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn put(
        self,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &MetaKey,
        record: &[u8],
        expire_at_ms: u64,
    ) -> Outcome {
        if self.looks_before_writes() {
            return self.put_observed(mode, (keyspace, key.bytes()), || {
                self.put_plainly(mode, keyspace, key, record, expire_at_ms)
            });
        }
        self.put_plainly(mode, keyspace, key, record, expire_at_ms)
    }

    #[inline]
    fn put_plainly(
        self,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &MetaKey,
        record: &[u8],
        expire_at_ms: u64,
    ) -> Outcome {
        let Some(transaction) = self.transaction else {
            return self.store.put(mode, keyspace, key, record, expire_at_ms);
        };
        let key = key.bytes();
        transaction.push(&Operation::Put { keyspace, key, value: record, expire_at_ms })
    }

    /// As [`Store::delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete(self, mode: Mode, keyspace: KeyspaceId, key: &MetaKey) -> Outcome {
        let Some(transaction) = self.transaction else {
            return self.store.delete(mode, keyspace, key);
        };
        transaction.push(&Operation::Delete { keyspace, key: key.bytes() })
    }

    /// As [`Store::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(self, mode: Mode, batch: &WriteBatch) -> Outcome {
        if self.looks_before_writes() {
            return self.commit_observed(mode, batch, || self.commit_plainly(mode, batch));
        }
        self.commit_plainly(mode, batch)
    }

    fn commit_plainly(self, mode: Mode, batch: &WriteBatch) -> Outcome {
        let Some(transaction) = self.transaction else { return self.store.commit(mode, batch) };
        for operation in batch.operations() {
            transaction.push(&operation?)?;
        }
        Ok(())
    }

    /// Walks records in ascending order: `lower` is the first, `upper` the first not visited.
    ///
    /// # Errors
    /// Those of the engine. May wait for the disk: only in [`Mode::Wait`].
    pub fn scan(
        self,
        keyspace: KeyspaceId,
        lower: Vec<u8>,
        upper: Option<Vec<u8>>,
    ) -> Result<Walk, Stop> {
        self.walk(keyspace, lower, upper, false)
    }

    /// As [`Access::scan`], in descending order.
    ///
    /// # Errors
    /// As there.
    pub fn scan_backward(
        self,
        keyspace: KeyspaceId,
        lower: Vec<u8>,
        upper: Option<Vec<u8>>,
    ) -> Result<Walk, Stop> {
        self.walk(keyspace, lower, upper, true)
    }

    fn walk(
        self,
        keyspace: KeyspaceId,
        lower: Vec<u8>,
        upper: Option<Vec<u8>>,
        reverse: bool,
    ) -> Result<Walk, Stop> {
        if let Some(transaction) = self.transaction {
            transaction.check_range(&lower, upper.as_deref())?;
        }
        let changes = self
            .transaction
            .map(|transaction| transaction.changes(keyspace, &lower, upper.as_deref()))
            .filter(|changes| !changes.is_empty());
        let walk = self.store.walk(keyspace, lower, upper, reverse)?;
        Ok(match changes {
            None => walk,
            Some(changes) => walk.with_changes(changes, reverse, self.store.now_ms()),
        })
    }

    /// As [`Store::len`]: keys of a logical database, which a transaction holds whole or not at all.
    ///
    /// # Errors
    /// As there; [`Stop::Beyond`] when a transaction does not hold every slot.
    pub fn len(self, database: usize) -> Result<u64, Stop> {
        let Some(transaction) = self.transaction else { return self.store.len(database) };
        transaction.check_range(b"", None)?;
        let keyspace = self.store.keyspace(database);
        let changes = transaction.changes(keyspace, b"", None);
        if changes.is_empty() {
            return self.store.len(database);
        }
        let now_ms = self.store.now_ms();
        let mut keys = if changes.is_cleared() { 0 } else { self.store.len(database)? };
        for (key, change) in &changes.records {
            let was_there = !changes.is_cleared()
                && self.store.read_record(Mode::Wait, keyspace, key, |_, _| ())?.is_some();
            let is_there = change.as_ref().is_some_and(|record| !record.is_expired(now_ms));
            keys = keys + u64::from(is_there) - u64::from(was_there);
        }
        Ok(keys)
    }

    /// Puts a client into the lines of keys, whose slots the caller holds, to be called when one of
    /// them is touched.
    pub fn join_lines(self, keyspace: KeyspaceId, keys: &[MetaKey], place: Place) {
        keys.iter().for_each(|key| self.store.waiters.join(keyspace, key.bytes(), place));
    }

    /// Whether a client has to leave a key to one that waited longer.
    pub fn is_somebodys_turn(self, keyspace: KeyspaceId, key: &MetaKey, place: Place) -> bool {
        self.transaction.is_none()
            && self.store.waiters.is_somebodys_turn(keyspace, key.bytes(), place)
    }

    /// As [`Store::lock`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn lock(self, mode: Mode, key: &MetaKey) -> Result<SlotLock<'a>, Stop> {
        if let Some(transaction) = self.transaction {
            transaction.check(key.bytes())?;
            return Ok(SlotLock::HELD);
        }
        self.store.lock(mode, key)
    }

    /// As [`Store::lock_all_of`].
    ///
    /// # Errors
    /// As there.
    pub fn lock_all_of(self, mode: Mode, keys: &[MetaKey]) -> Result<AllSlots<'a>, Stop> {
        if let Some(transaction) = self.transaction {
            keys.iter().try_for_each(|key| transaction.check(key.bytes()))?;
            return Ok(AllSlots::held());
        }
        self.store.lock_all_of(mode, keys)
    }

    /// As [`Store::clear`].
    ///
    /// # Errors
    /// As there.
    pub fn clear(self, databases: impl Iterator<Item = usize>) -> Result<bool, Stop> {
        let Some(transaction) = self.transaction else { return self.store.clear(databases) };
        transaction.check_range(b"", None)?;
        let mut wrote = false;
        for database in databases {
            if self.len(database)? > 0 {
                let pair = self.store.keyspaces(database);
                for keyspace in [pair.keys, pair.members] {
                    transaction.push(&Operation::DeleteRange {
                        keyspace,
                        start: b"",
                        end: None,
                    })?;
                }
                wrote = true;
            }
        }
        Ok(wrote)
    }

    /// As [`Store::swap`]. Inside a transaction it happens at once: the transaction's own writes go to
    /// the keyspaces that they were meant for.
    ///
    /// # Errors
    /// As there.
    pub fn swap(self, first: usize, second: usize) -> Outcome {
        match self.transaction {
            None => self.store.swap(first, second),
            Some(transaction) => {
                transaction.check_range(b"", None)?;
                self.store.exchange(first, second)
            }
        }
    }
}

/// The data of one moment. Every command commits one batch, so no command is seen half done.
pub enum Moment<'a> {
    /// Of all commits so far.
    Snapshot(Snapshot),
    /// Of a transaction, which holds what it reads.
    Within(Access<'a>),
}

impl Moment<'_> {
    /// Starts loading what a read of `key` will look at first.
    #[inline]
    pub fn prefetch(&self, keyspace: KeyspaceId, key: &MetaKey) {
        if let Self::Snapshot(snapshot) = self {
            snapshot.prefetch(keyspace, key.bytes());
        }
    }

    /// As [`Access::read`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn read<R>(
        &self,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &MetaKey,
        f: impl FnOnce(Value<'_>, u64) -> R,
    ) -> Result<Option<R>, Stop> {
        self.read_record(mode, keyspace, key.bytes(), |record, expire_at_ms| {
            Ok(f(Value::decode(record)?, expire_at_ms))
        })?
        .transpose()
    }

    /// As [`Access::read_record`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn read_record<R>(
        &self,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>, Stop> {
        let snapshot = match self {
            Self::Within(access) => return access.read_record(mode, keyspace, key, f),
            Self::Snapshot(snapshot) => snapshot,
        };
        match mode {
            Mode::Try => match snapshot.try_get_with(keyspace, key, f)? {
                Attempt::Done(found) => Ok(found),
                Attempt::WouldBlock => Err(Stop::WouldBlock),
            },
            Mode::Wait => Ok(snapshot.get_with(keyspace, key, f)?),
        }
    }
}

impl Store {
    /// Commits what a transaction gathered. The caller holds the locks of its slots.
    ///
    /// # Errors
    /// As [`Store::commit`]; then nothing of it happened.
    pub fn commit_transaction(&self, mode: Mode, transaction: Transaction) -> Outcome {
        let (batch, events) = transaction.into_parts();
        self.commit_gathered(mode, &batch)?;
        events.iter().for_each(|event| self.notifications.tell(event));
        Ok(())
    }

    fn commit_gathered(&self, mode: Mode, batch: &WriteBatch) -> Outcome {
        if !batch.has_range() {
            return self.commit(mode, batch);
        }
        let cleared: Vec<_> = batch
            .operations()
            .filter_map(|operation| match operation {
                Ok(Operation::DeleteRange { keyspace, start: b"", end: None }) => Some(keyspace),
                _ => None,
            })
            .collect();
        let touched = self.watched_in_each(&cleared)?;
        self.commit(mode, batch)?;
        self.touch_each(&touched);
        self.flushed();
        self.waiters.call_everybody(&cleared);
        Ok(())
    }
}
