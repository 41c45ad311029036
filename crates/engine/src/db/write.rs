//! The write path: one lock held for about a hundred nanoseconds, no I/O under it.
//!
//! ```text
//! admit     wait outside every lock while memtables or level 0 are full
//! lock      rotate if the memtable is full; append to the log; insert; publish the sequence number
//! unlock    sync if asked for, shared with everybody who waits
//! ```

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aidb_base::{Attempt, Error, KeyspaceId, Result, Seq, hash};
use parking_lot::MutexGuard;

use super::latency::SAMPLE;
use super::view::Generation;
use super::{Db, Inner};
use crate::batch::{Operation, Operations, WriteBatch};
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::memtable::{Previous, VALUE_BYTES_ELSEWHERE};
use crate::options::Durability;
use crate::vfs::SharedMapping;
use crate::wal::log::Log;

/// How one write is committed.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions {
    /// Stronger than the database's level; a weaker one has no effect. `None` = the database's.
    pub durability: Option<Durability>,
}

/// A condition of [`Db::write_if`]: the key was last written by batch `seen`.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'a> {
    /// Keyspace of the key.
    pub keyspace: KeyspaceId,
    /// User key.
    pub key: &'a [u8],
    /// What [`Db::get_versioned`] gave; 0 = the key was absent.
    pub seen: Seq,
}

/// Batch, kind and expiry of a key's newest record.
pub(super) type Newest = Option<(Seq, Kind, u64)>;

/// What the write lock protects.
pub(super) struct Writer {
    pub(super) log: Log,
    pub(super) next_seq: Seq,
    pub(super) active: Arc<Generation>,
    pub(super) user_bytes: u64,
}

thread_local! {
    static SINGLE: RefCell<WriteBatch> = RefCell::new(WriteBatch::new());
}

impl Inner {
    /// Commits an encoded batch. `wait` = false: gives `WouldBlock` instead of waiting.
    #[inline]
    fn commit(
        &self,
        batch: &WriteBatch,
        options: WriteOptions,
        wait: bool,
    ) -> Result<Attempt<Seq>> {
        self.state.check_writable()?;
        let durability = options.durability.unwrap_or_default().max(self.options.durability);
        if durability == Durability::Sync && !wait {
            return Ok(Attempt::WouldBlock);
        }
        let clock = &*self.options.env.clock;
        if !wait && !self.pressure.try_pass(batch.bytes(), clock) {
            return Ok(Attempt::WouldBlock);
        }
        if wait && !self.pressure.is_free() {
            self.pressure.wait(batch.bytes(), clock)?;
            self.state.check_writable()?;
        }
        let digest = hash::digest(batch.payload());
        let started = if digest % SAMPLE == 0 { self.now_ns() } else { 0 };
        let writer = if wait {
            self.writer.lock()
        } else {
            match self.writer.try_lock() {
                Some(writer) if writer.log.is_ready(batch.bytes()) => writer,
                _ => return Ok(Attempt::WouldBlock),
            }
        };
        let seq = self.commit_locked(writer, batch, digest)?;
        if durability == Durability::Sync {
            self.sync_to(seq)?;
        }
        if started != 0 {
            self.counters.write_latency.record(self.now_ns() - started);
        }
        Ok(Attempt::Done(seq))
    }

    #[inline]
    fn commit_locked(
        &self,
        mut guard: MutexGuard<'_, Writer>,
        batch: &WriteBatch,
        digest: u64,
    ) -> Result<Seq> {
        let writer = &mut *guard;
        let seq = self.begin(writer, batch.bytes())?;
        // The index slots are on their way from memory while the log is written.
        let coming = prefetched(&writer.active, self.hash_seed, batch.payload());
        let result = writer.log.append_batch(seq, batch.payload(), digest);
        result.map_err(|error| self.explain_refusal(error))?;
        writer.next_seq = seq + 1;
        writer.user_bytes += batch.bytes() as u64;
        let logged = match batch.bytes() >= VALUE_BYTES_ELSEWHERE {
            true => writer.log.last_payload(batch.bytes()),
            false => None,
        };
        let (payload, home) = match logged {
            Some((payload, home)) => (payload, Some(home)),
            None => (batch.payload(), None),
        };
        insert(&writer.active, self.hash_seed, seq, (payload, home), coming)?;
        self.publish(guard, seq, batch.bytes());
        Ok(seq)
    }

    /// The sequence number of the next batch, with a memtable that has room for its `bytes`.
    #[inline]
    pub(super) fn begin(&self, writer: &mut Writer, bytes: usize) -> Result<Seq> {
        self.state.check_writable()?;
        if writer.active.is_full_for(bytes, &self.options) {
            self.rotate(writer);
        }
        Ok(writer.next_seq)
    }

    /// Makes a batch visible that is in log and memtable; a large one keeps the memtable for itself.
    #[inline]
    pub(super) fn publish(&self, mut guard: MutexGuard<'_, Writer>, seq: Seq, bytes: usize) {
        self.visible_seq.store(seq, Ordering::Release);
        if self.options.is_large_batch(bytes) {
            self.rotate(&mut guard);
        }
        if self.log_spares.is_wanted() {
            drop(guard);
            self.housekeeper.wake();
        }
    }

    #[cold]
    pub(super) fn explain_refusal(&self, error: Error) -> Error {
        error.context("the write was not accepted, reads go on")
    }

    /// Makes the active memtable immutable and starts another one.
    pub(super) fn rotate(&self, writer: &mut Writer) {
        let full = &writer.active.memtable;
        let fresh = full.successor();
        full.freeze();
        let generation = Arc::new(Generation::new(fresh, writer.next_seq));
        writer.active = generation.clone();
        self.change_view(|view| view.rotated(generation));
        self.flusher.wake();
    }

    pub(super) fn commit_wait(&self, batch: &WriteBatch, options: WriteOptions) -> Result<Seq> {
        match self.commit(batch, options, true)? {
            Attempt::Done(seq) => Ok(seq),
            Attempt::WouldBlock => Err(Error::internal("a waiting commit did not wait")),
        }
    }
}

/// How many operations ahead the memtable's index is asked to load its slots.
const PREFETCHED: usize = 4;

/// Starts loading what the first operations of a batch will look at; the operations after them.
#[inline]
pub(super) fn prefetched<'a>(
    generation: &Generation,
    seed: u64,
    payload: &'a [u8],
) -> Operations<'a> {
    let mut coming = Operations::new(payload);
    for _ in 0..PREFETCHED {
        prefetch_next(generation, seed, &mut coming);
    }
    coming
}

#[inline]
fn prefetch_next(generation: &Generation, seed: u64, coming: &mut Operations<'_>) {
    if let Some(Ok(Operation::Put { keyspace, key, .. } | Operation::Delete { keyspace, key })) =
        coming.next()
    {
        generation.memtable.prefetch(keyspace, hash::key_hash_seeded(key, seed));
    }
}

/// Puts the operations of a batch into a generation, under the writer's lock or during recovery.
/// `coming` is what [`prefetched`] gave for it. A payload that lies in the mapped log comes with its
/// home, so that large values need not be copied.
#[inline]
pub(super) fn insert(
    generation: &Generation,
    seed: u64,
    seq: Seq,
    (payload, home): (&[u8], Option<&Arc<SharedMapping>>),
    mut coming: Operations<'_>,
) -> Result<()> {
    for operation in Operations::new(payload) {
        prefetch_next(generation, seed, &mut coming);
        match operation? {
            Operation::Put { keyspace, key, value, expire_at_ms } => {
                let entry = Entry { key, seq, kind: Kind::Put, expire_at_ms, value };
                insert_entry(generation, seed, keyspace, &entry, home);
            }
            Operation::Delete { keyspace, key } => {
                let entry = Entry { key, seq, kind: Kind::Delete, expire_at_ms: 0, value: b"" };
                insert_entry(generation, seed, keyspace, &entry, None);
            }
            Operation::DeleteRange { keyspace, start, end } => {
                let (start, end) = (start.to_vec(), end.map(<[u8]>::to_vec));
                generation.memtable.delete_range(keyspace, RangeTombstone { start, end, seq });
            }
            Operation::Annotation(_) => {}
        }
    }
    generation.note_seq(seq);
    Ok(())
}

#[inline]
fn insert_entry(
    generation: &Generation,
    seed: u64,
    keyspace: KeyspaceId,
    entry: &Entry<'_>,
    home: Option<&Arc<SharedMapping>>,
) {
    let hash = hash::key_hash_seeded(entry.key, seed);
    let previous: Previous = generation.memtable.insert_from(keyspace, hash, entry, home);
    generation.counts.note(keyspace, previous, entry.kind != Kind::Delete);
}

impl Db {
    /// Commits a batch: all of it or nothing, after any crash. Returns its sequence number.
    ///
    /// **Durability**: as the stronger of the database's level and `options.durability`.
    /// **Concurrency**: any thread. Waits for the write lock (about 100 ns), for back-pressure, and
    /// for the disk when durability is `Sync`.
    ///
    /// # Errors
    /// `Invalid` for an unknown keyspace or a read-only database, `Exhausted` when the disk is full,
    /// `Closed` after close or after a failed sync; effect unknown only when the sync failed.
    pub fn write(&self, batch: &WriteBatch, options: WriteOptions) -> Result<Seq> {
        self.check_keyspaces(batch)?;
        self.inner.commit_wait(batch, options)
    }

    /// As [`Db::write`], but gives `WouldBlock`, without effect, instead of waiting.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub fn try_write(&self, batch: &WriteBatch, options: WriteOptions) -> Result<Attempt<Seq>> {
        self.check_keyspaces(batch)?;
        self.inner.commit(batch, options, false)
    }

    /// Stores a value; `expire_at_ms` = 0: it never expires.
    ///
    /// # Errors
    /// As [`Db::write`], and `Invalid` for a key or value over its limit.
    pub fn put(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        value: &[u8],
        expire_at_ms: u64,
        options: WriteOptions,
    ) -> Result<Seq> {
        self.single(keyspace, |batch| batch.put(keyspace, key, value, expire_at_ms), options, true)
            .and_then(done)
    }

    /// As [`Db::put`], but gives `WouldBlock` instead of waiting.
    ///
    /// # Errors
    /// As [`Db::put`].
    pub fn try_put(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        value: &[u8],
        expire_at_ms: u64,
        options: WriteOptions,
    ) -> Result<Attempt<Seq>> {
        self.single(keyspace, |batch| batch.put(keyspace, key, value, expire_at_ms), options, false)
    }

    /// Removes a key; its absence is fine.
    ///
    /// # Errors
    /// As [`Db::put`].
    pub fn delete(&self, keyspace: KeyspaceId, key: &[u8], options: WriteOptions) -> Result<Seq> {
        self.single(keyspace, |batch| batch.delete(keyspace, key), options, true).and_then(done)
    }

    /// As [`Db::delete`], but gives `WouldBlock` instead of waiting.
    ///
    /// # Errors
    /// As [`Db::put`].
    pub fn try_delete(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        options: WriteOptions,
    ) -> Result<Attempt<Seq>> {
        self.single(keyspace, |batch| batch.delete(keyspace, key), options, false)
    }

    #[inline]
    fn single(
        &self,
        keyspace: KeyspaceId,
        fill: impl FnOnce(&mut WriteBatch) -> Result<()>,
        options: WriteOptions,
        wait: bool,
    ) -> Result<Attempt<Seq>> {
        const KEPT_BYTES_MAX: usize = 1 << 20;
        self.check_keyspace(keyspace)?;
        SINGLE.with_borrow_mut(|batch| {
            batch.clear();
            fill(batch)?;
            let result = self.inner.commit(batch, options, wait);
            if batch.bytes() > KEPT_BYTES_MAX {
                *batch = WriteBatch::new();
            }
            result
        })
    }

    /// Commits `batch` only if every key was last written by the batch that the caller saw.
    ///
    /// # Errors
    /// `Conflict`, without effect, when a key was written since; otherwise as [`Db::write`].
    pub fn write_if(
        &self,
        conditions: &[Condition<'_>],
        batch: &WriteBatch,
        options: WriteOptions,
    ) -> Result<Seq> {
        self.check_keyspaces(batch)?;
        self.inner.commit_if(conditions, batch, options, Inner::seen_by_readers)
    }

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// The failure of the sync, with unknown effect.
    pub fn sync(&self) -> Result<()> {
        self.inner.state.check_writable()?;
        self.inner.sync_to(self.visible_seq())
    }

    /// Sequence number of the newest batch that readers see.
    pub fn visible_seq(&self) -> Seq {
        self.inner.visible_seq()
    }

    /// Every batch up to here survives the loss of the machine.
    pub fn durable_seq(&self) -> Seq {
        self.inner.durable_seq()
    }

    fn check_keyspaces(&self, batch: &WriteBatch) -> Result<()> {
        let mut last = super::DEFAULT_KEYSPACE;
        for operation in batch.operations() {
            let keyspace = match operation? {
                Operation::Put { keyspace, .. }
                | Operation::Delete { keyspace, .. }
                | Operation::DeleteRange { keyspace, .. } => keyspace,
                Operation::Annotation(_) => continue,
            };
            if keyspace != last {
                self.check_keyspace(keyspace)?;
                last = keyspace;
            }
        }
        Ok(())
    }
}

impl Inner {
    /// Commits `batch` if `seen` gives for every key what its condition says.
    pub(super) fn commit_if(
        &self,
        conditions: &[Condition<'_>],
        batch: &WriteBatch,
        options: WriteOptions,
        seen: fn(&Self, Newest) -> Seq,
    ) -> Result<Seq> {
        self.state.check_writable()?;
        let durability = options.durability.unwrap_or_default().max(self.options.durability);
        let digest = hash::digest(batch.payload());
        if !self.pressure.is_free() {
            self.pressure.wait(batch.bytes(), &*self.options.env.clock)?;
        }
        let seq = loop {
            let (view, checked) = self.consistent_view();
            for condition in conditions {
                let newest = self.newest(&view, condition.keyspace, condition.key)?;
                if seen(self, newest) != condition.seen {
                    return Err(Error::conflict(
                        "a key was changed since it was read; read it again and retry",
                    ));
                }
            }
            let writer = self.writer.lock();
            if self.is_unwritten_since(&writer.active, conditions, checked) {
                break self.commit_locked(writer, batch, digest)?;
            }
        };
        if durability == Durability::Sync {
            self.sync_to(seq)?;
        }
        Ok(seq)
    }

    /// The batch that wrote the value a reader would get; 0 when it would get none.
    fn seen_by_readers(&self, newest: Newest) -> Seq {
        match newest {
            Some((seq, kind, expire_at_ms)) => {
                let is_over = expire_at_ms != 0 && expire_at_ms <= self.now_ms();
                if kind == Kind::Delete || is_over { 0 } else { seq }
            }
            None => 0,
        }
    }

    /// Whether `active` alone shows that no key of `conditions` was written after `checked`.
    fn is_unwritten_since(
        &self,
        active: &Generation,
        conditions: &[Condition<'_>],
        checked: Seq,
    ) -> bool {
        if self.visible_seq() == checked {
            return true;
        }
        let newest = |condition: &Condition<'_>| {
            let hash = self.key_hash(condition.key);
            let entry = active.memtable.get(condition.keyspace, condition.key, hash, Seq::MAX);
            entry.map_or(0, |entry| entry.seq)
        };
        // What was written between the check and a rotation is not in the active memtable.
        active.first_seq() <= checked
            && !active.memtable.has_range_tombstones()
            && conditions.iter().all(|condition| newest(condition) <= checked)
    }
}

fn done(attempt: Attempt<Seq>) -> Result<Seq> {
    match attempt {
        Attempt::Done(seq) => Ok(seq),
        Attempt::WouldBlock => Err(Error::internal("a waiting commit did not wait")),
    }
}
