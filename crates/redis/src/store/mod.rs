//! The sixteen logical databases over one engine: reads, writes, locks.
//!
//! A write holds the locks of all slots it touches from its first read to its commit, so every
//! command is atomic. A read of one record needs no lock; one of several takes their locks, or reads
//! them at one [`Moment`]. Locks are always taken in ascending slot order.

mod access;
mod changes;
mod databases;
mod fields;
mod libraries;
mod locks;
mod notifications;
mod owners;
mod ranks;
mod reclaim;
mod scan_hints;
#[cfg(test)]
mod tests;
mod transaction;
mod versions;
mod waiters;
mod walk;
mod watches;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use aidb_base::{Attempt, Clock, Effect, Error, ErrorKind, KeyspaceId, Result};
use aidb_engine::batch::{Operation, WriteBatch};
use aidb_engine::db::{Db, ScanRange, WriteOptions};
use aidb_engine::options::{Durability, KeyspaceOptions};

use crate::key::MetaKey;
use crate::stop::{Outcome, Stop};
use crate::value::Value;

pub use access::{Access, Moment};
pub use changes::{Change, Changes};
pub use databases::DATABASES;
use databases::Databases;
pub use databases::Pair;
pub use fields::{Settled, stage_due};
pub use libraries::LibraryChange;
pub use locks::{AllSlots, SlotLock, SlotLocks};
pub use notifications::{Class, Classes, Event, Notifications};
pub use ranks::{BLOCK_MEMBERS, BLOCK_MEMBERS_MAX, Block, Located, Ranks};
pub use scan_hints::ScanHints;
pub use transaction::Transaction;
pub use versions::VersionCounter;
pub use waiters::Waiters;
pub use walk::Walk;
use watches::Watches;
pub use watches::Watching;

/// Keyspace of the data model's own records.
const SYSTEM_KEYSPACE: &str = "redis:system";

/// Whether a command may wait for locks, the disk and back-pressure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Never wait: answer [`Stop::WouldBlock`] instead. Used on reactors.
    Try,
    /// Wait as long as it takes. Used on threads that have nothing else to do.
    Wait,
}

/// When an acknowledged write must be on the disk: the setting `appendfsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AppendFsync {
    /// When the kernel likes.
    No = 0,
    /// Within a second.
    EverySec = 1,
    /// Before it is acknowledged; the caller syncs once per turn.
    Always = 2,
}

impl AppendFsync {
    /// The setting's text.
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::EverySec => "everysec",
            Self::Always => "always",
        }
    }

    /// Parses the setting's text.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::No, Self::EverySec, Self::Always]
            .into_iter()
            .find(|level| text.eq_ignore_ascii_case(level.name()))
    }
}

/// The Redis data model of one database directory.
///
/// **Concurrency**: shared by all threads; see the module for its locks.
pub struct Store {
    db: Db,
    system: KeyspaceId,
    clock: Arc<dyn Clock>,
    locks: SlotLocks,
    databases: Arc<Databases>,
    notifications: Arc<Notifications>,
    changes: Arc<Changes>,
    versions: VersionCounter,
    scan_hints: ScanHints,
    watches: Arc<Watches>,
    waiters: Waiters,
    ranks: Ranks,
    /// When a hash's field ends, at the earliest; 0 until the first sweep.
    next_due_ms: AtomicU64,
    appendfsync: AtomicU8,
}

impl Store {
    /// The data model over `db`; creates its keyspaces when they are missing.
    ///
    /// # Errors
    /// Those of the engine, and `Corruption` when the model's own records are damaged.
    pub fn open(db: Db, appendfsync: AppendFsync) -> Result<Self> {
        let system = match db.keyspace(SYSTEM_KEYSPACE) {
            Some(id) => id,
            None => db.create_keyspace(SYSTEM_KEYSPACE, &KeyspaceOptions::default())?,
        };
        let databases = Arc::new(Databases::open(&db, system)?);
        let notifications = Arc::new(Notifications::default());
        let changes = Arc::new(Changes::default());
        listen_for_expiry(&db, &databases, &notifications, &changes);
        let versions = VersionCounter::open(&db, system)?;
        let clock = Arc::clone(&db.options().env.clock);
        Ok(Self {
            db,
            system,
            clock,
            locks: SlotLocks::new(),
            databases,
            notifications,
            changes,
            versions,
            scan_hints: ScanHints::new(),
            watches: Arc::default(),
            waiters: Waiters::default(),
            ranks: Ranks::default(),
            next_due_ms: AtomicU64::new(0),
            appendfsync: AtomicU8::new(appendfsync as u8),
        })
    }

    /// The engine below.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Milliseconds since the Unix epoch.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Keyspace of a logical database. Under a slot's lock the answer holds until its release.
    #[inline]
    pub fn keyspace(&self, database: usize) -> KeyspaceId {
        self.databases.pair(database).keys
    }

    /// Both keyspaces of a logical database; holds as [`Store::keyspace`] does.
    #[inline]
    pub fn keyspaces(&self, database: usize) -> Pair {
        self.databases.pair(database)
    }

    /// Keyspace of the data model's own records.
    pub(crate) fn system_keyspace(&self) -> KeyspaceId {
        self.system
    }

    /// Versions for collections.
    pub fn versions(&self) -> &VersionCounter {
        &self.versions
    }

    /// Where recent scans stopped.
    pub fn scan_hints(&self) -> &ScanHints {
        &self.scan_hints
    }

    /// The current `appendfsync` setting.
    pub fn appendfsync(&self) -> AppendFsync {
        match self.appendfsync.load(Ordering::Relaxed) {
            0 => AppendFsync::No,
            1 => AppendFsync::EverySec,
            _ => AppendFsync::Always,
        }
    }

    /// Changes `appendfsync` for writes from now on.
    pub fn set_appendfsync(&self, level: AppendFsync) {
        self.appendfsync.store(level as u8, Ordering::Relaxed);
    }

    /// Reads a key: `f` sees its value, borrowed from the engine, and its expiry (0 = never).
    ///
    /// # Errors
    /// [`Stop::WouldBlock`] in [`Mode::Try`], engine errors, values of another version.
    #[inline]
    pub fn read<R>(
        &self,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &MetaKey,
        f: impl FnOnce(Value<'_>, u64) -> R,
    ) -> std::result::Result<Option<R>, Stop> {
        Access::direct(self).read(mode, keyspace, key, f)
    }

    /// Reads any record: `f` sees its value and expiry.
    #[inline]
    fn read_record<R>(
        &self,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> std::result::Result<Option<R>, Stop> {
        match mode {
            Mode::Try => match self.db.try_get_with(keyspace, key, f)? {
                Attempt::Done(found) => Ok(found),
                Attempt::WouldBlock => Err(Stop::WouldBlock),
            },
            Mode::Wait => Ok(self.db.get_with(keyspace, key, f)?),
        }
    }

    /// Stores an encoded record. The caller holds the slot's lock.
    ///
    /// # Errors
    /// [`Stop::WouldBlock`] in [`Mode::Try`] without effect; engine errors.
    #[inline]
    pub fn put(
        &self,
        mode: Mode,
        keyspace: KeyspaceId,
        key: &MetaKey,
        record: &[u8],
        expire_at_ms: u64,
    ) -> Outcome {
        let options = self.write_options();
        let key = key.bytes();
        match mode {
            Mode::Try => attempt(|| self.db.try_put(keyspace, key, record, expire_at_ms, options)),
            Mode::Wait => finish(self.db.put(keyspace, key, record, expire_at_ms, options)),
        }?;
        if self.is_observed() {
            self.touched(keyspace, key);
        }
        Ok(())
    }

    /// Removes a record. The caller holds the slot's lock.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn delete(&self, mode: Mode, keyspace: KeyspaceId, key: &MetaKey) -> Outcome {
        let options = self.write_options();
        match mode {
            Mode::Try => attempt(|| self.db.try_delete(keyspace, key.bytes(), options)),
            Mode::Wait => finish(self.db.delete(keyspace, key.bytes(), options)),
        }?;
        if self.is_observed() {
            self.touched(keyspace, key.bytes());
        }
        Ok(())
    }

    /// Commits a batch. The caller holds the locks of its slots. An empty batch is nothing.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn commit(&self, mode: Mode, batch: &WriteBatch) -> Outcome {
        if batch.is_empty() {
            return Ok(());
        }
        let outcome = match mode {
            Mode::Try => attempt(|| self.db.try_write(batch, self.write_options())),
            Mode::Wait => finish(self.db.write(batch, self.write_options())),
        };
        if self.ranks.any() {
            self.count_ranks(batch, &outcome);
        }
        outcome?;
        if self.is_observed() {
            self.touched_by(batch);
        }
        Ok(())
    }

    /// Keeps the places in sorted sets right.
    #[cold]
    fn count_ranks(&self, batch: &WriteBatch, outcome: &Outcome) {
        match outcome {
            Ok(()) => self.ranks.count(batch),
            Err(Stop::WouldBlock) => {}
            // It may have happened.
            Err(_) => self.ranks.forget(),
        }
    }

    /// Whether anybody wants to know what commits touch.
    #[inline]
    fn is_observed(&self) -> bool {
        self.watches.any() || self.waiters.any() || self.changes.any()
    }

    /// Tells who watches or waits for a key that it was touched.
    #[cold]
    fn touched(&self, keyspace: KeyspaceId, key: &[u8]) {
        self.watches.touch(keyspace, key);
        self.waiters.call(keyspace, key);
        if self.changes.any() {
            self.changes.tell_of(&self.databases, keyspace, key);
        }
    }

    /// Tells who watches or waits for the keys that a committed batch writes.
    #[cold]
    fn touched_by(&self, batch: &WriteBatch) {
        for operation in batch.operations().flatten() {
            if let Operation::Put { keyspace, key, .. } | Operation::Delete { keyspace, key } =
                operation
            {
                // Nobody watches a record of the keyspace of members.
                self.watches.touch(keyspace, key);
                self.waiters.call(keyspace, key);
            }
        }
        if !self.watches.any() && !self.changes.any() {
            return;
        }
        let owners = self.owners_of(batch);
        self.touch_each(&owners);
        if self.changes.any() {
            self.tell_batch(batch, &owners);
        }
    }

    /// Places in large sorted sets.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// Clients that wait for keys.
    pub fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    fn walk(
        &self,
        keyspace: KeyspaceId,
        lower: Vec<u8>,
        upper: Option<Vec<u8>>,
        reverse: bool,
    ) -> std::result::Result<Walk, Stop> {
        let range = ScanRange { lower: Some(lower), upper, reverse };
        Ok(Walk::new(self.db.scan(keyspace, range)?))
    }

    /// Keys of a logical database, exactly. May wait.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn len(&self, database: usize) -> std::result::Result<u64, Stop> {
        Ok(self.db.len(self.keyspace(database))?)
    }

    /// Locks one slot.
    ///
    /// # Errors
    /// [`Stop::WouldBlock`] in [`Mode::Try`] when somebody keeps it.
    #[inline]
    pub fn lock(&self, mode: Mode, key: &MetaKey) -> std::result::Result<SlotLock<'_>, Stop> {
        self.locks.lock(mode, key.slot())
    }

    /// Locks the slots of all keys.
    ///
    /// # Errors
    /// As [`Store::lock`].
    pub fn lock_all_of(
        &self,
        mode: Mode,
        keys: &[MetaKey],
    ) -> std::result::Result<AllSlots<'_>, Stop> {
        self.locks.lock_many(mode, keys.iter().map(MetaKey::slot))
    }

    /// Locks some slots, given in any order.
    ///
    /// # Errors
    /// As [`Store::lock`].
    pub fn lock_slots(
        &self,
        mode: Mode,
        slots: impl Iterator<Item = u16>,
    ) -> std::result::Result<AllSlots<'_>, Stop> {
        self.locks.lock_many(mode, slots)
    }

    /// Waits for every slot.
    pub fn lock_every_slot(&self) -> AllSlots<'_> {
        self.locks.lock_every_slot()
    }

    /// A watch of no key yet.
    pub fn watching(&self) -> Watching {
        Watching::new(&self.watches)
    }

    /// Watches a key of a logical database from now on. May wait.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn watch(&self, watching: &mut Watching, database: usize, key: &MetaKey) -> Outcome {
        let _lock = self.lock(Mode::Wait, key)?;
        let keyspace = self.keyspace(database);
        watching.add(keyspace, key.bytes());
        let expiry = self.read(Mode::Wait, keyspace, key, |_, expire_at_ms| expire_at_ms)?;
        watching.expires(expiry.unwrap_or(0));
        Ok(())
    }

    /// Watched keys of some keyspaces that are in one of them.
    fn watched_present(
        &self,
        keyspaces: &[KeyspaceId],
    ) -> std::result::Result<Vec<(KeyspaceId, Vec<u8>)>, Stop> {
        if !self.watches.any() {
            return Ok(Vec::new());
        }
        let mut present = Vec::new();
        for (keyspace, key) in self.watches.in_keyspaces(keyspaces) {
            for place in keyspaces {
                if self.db.get_with(*place, &key, |_, _| ())?.is_some() {
                    present.push((keyspace, key));
                    break;
                }
            }
        }
        Ok(present)
    }

    /// Watched keys that are in their own keyspaces, of those given.
    fn watched_in_each(
        &self,
        keyspaces: &[KeyspaceId],
    ) -> std::result::Result<Vec<(KeyspaceId, Vec<u8>)>, Stop> {
        let mut present = Vec::new();
        for keyspace in keyspaces {
            present.append(&mut self.watched_present(&[*keyspace])?);
        }
        Ok(present)
    }

    fn touch_each(&self, keys: &[(KeyspaceId, Vec<u8>)]) {
        keys.iter().for_each(|(keyspace, key)| self.watches.touch(*keyspace, key));
    }

    /// Removes every key of the given logical databases; whether there was one.
    ///
    /// # Errors
    /// Those of the engine. Waits for every slot.
    pub fn clear(&self, databases: impl Iterator<Item = usize>) -> std::result::Result<bool, Stop> {
        let _locks = self.locks.lock_every_slot();
        let pairs: Vec<_> = databases.map(|database| self.keyspaces(database)).collect();
        let keyspaces: Vec<_> = pairs.iter().map(|pair| pair.keys).collect();
        let mut batch = WriteBatch::new();
        for pair in &pairs {
            if self.db.len(pair.keys)? > 0 {
                batch.delete_range(pair.keys, b"", None)?;
                batch.delete_range(pair.members, b"", None)?;
            }
        }
        if batch.is_empty() {
            self.flushed();
            return Ok(false);
        }
        let touched = self.watched_in_each(&keyspaces)?;
        self.commit(Mode::Wait, &batch)?;
        self.touch_each(&touched);
        self.flushed();
        // Who waits for entries of a stream learns that it is gone.
        self.waiters.call_everybody(&keyspaces);
        Ok(true)
    }

    fn flushed(&self) {
        if self.changes.any() {
            self.changes.tell(Change::Everything);
        }
    }

    /// Exchanges two logical databases for all clients, durably as any write. Waits for every slot.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn swap(&self, first: usize, second: usize) -> Outcome {
        let _locks = self.locks.lock_every_slot();
        self.exchange(first, second)
    }

    /// The caller keeps every other writer out.
    fn exchange(&self, first: usize, second: usize) -> Outcome {
        let pair = [self.keyspace(first), self.keyspace(second)];
        // Whoever watched a key in one of them finds the other's there now.
        let touched = self.watched_present(&pair)?;
        self.databases.swap(&self.db, first, second, self.write_options())?;
        self.touch_each(&touched);
        self.waiters.call_everybody(&pair);
        self.flushed();
        Ok(())
    }

    fn write_options(&self) -> WriteOptions {
        let durability = match self.appendfsync() {
            AppendFsync::No => Durability::None,
            AppendFsync::EverySec | AppendFsync::Always => Durability::EverySec,
        };
        WriteOptions { durability: Some(durability) }
    }
}

/// Lets the engine's sweeper tell of the keys that it removes.
fn listen_for_expiry(
    db: &Db,
    databases: &Arc<Databases>,
    notifications: &Arc<Notifications>,
    changes: &Arc<Changes>,
) {
    let (databases, notifications) = (Arc::clone(databases), Arc::clone(notifications));
    let changes = Arc::clone(changes);
    db.set_expiry_listener(move |keyspace, key| {
        if databases.index_of(keyspace).is_some() {
            notifications.count_expired();
        }
        notifications.tell_expired(&databases, keyspace, key);
        if changes.any() {
            changes.tell_of(&databases, keyspace, key);
        }
    });
}

/// Attempts before a reactor gives up on a write: the engine's lock is held for about 100 ns.
const ATTEMPTS_MAX: u32 = 32;

/// Tries a write again while another thread is in the engine's critical section.
#[inline]
fn attempt(mut write: impl FnMut() -> Result<Attempt<u64>>) -> Outcome {
    for spins in 0..ATTEMPTS_MAX {
        match write() {
            Ok(Attempt::Done(_)) => return Ok(()),
            Ok(Attempt::WouldBlock) => (0..spins).for_each(|_| std::hint::spin_loop()),
            Err(error) => return Err(write_error(error)),
        }
    }
    Err(Stop::WouldBlock)
}

#[inline]
fn finish(result: Result<u64>) -> Outcome {
    result.map(|_| ()).map_err(write_error)
}

/// A refused write reads as Redis's own refusal while its disk fails.
#[cold]
fn write_error(error: Error) -> Stop {
    if error.kind() != ErrorKind::Exhausted && error.kind() != ErrorKind::Unavailable {
        return error.into();
    }
    let effect = match error.effect() {
        Effect::None => "nothing was written",
        Effect::Unknown => "the write may have happened",
    };
    Stop::fail(format!("MISCONF Errors writing to the log: {error}; {effect}, reads go on"))
}
