//! The memtable: recent writes in memory, of all keyspaces, until they are flushed into tables.
//!
//! ```text
//! insert ──> index: where is the key? ──> arena: copy the record ──> index: publish ──> list: append
//! get    ──> index ──> newest record ──> its predecessors, until one is old enough to be visible
//! cursor ──> list: what came since? ──> sort into a run ──> merge the runs
//! ```
//!
//! **Concurrency**: one writer at a time (it holds the database's write lock), any number of readers
//! at any moment. A record becomes reachable by a Release store after its bytes are written. A reader
//! must take its `max_seq` before it takes the memtable: then everything up to `max_seq` is there.
//!
//! Within one batch, a later record of a key replaces the earlier one for every reader.
//!
//! Start with [`arena`] (the record), then [`index`] (point reads) and [`runs`] (order).

mod arena;
mod cursor;
mod index;
mod list;
mod runs;
mod sort;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aidb_base::{KeyspaceId, Seq};
use arc_swap::ArcSwap;

pub use cursor::MemCursor;

use self::arena::{Arena, ChunkPool, NewRecord};
use self::index::{Index, IndexHash, Wanted};
use self::list::RecordList;
use self::runs::Runs;
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::range_tombstone::RangeTombstones;
use crate::vfs::SharedMapping;

/// The newest version of a key in the memtable before an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Previous {
    /// The memtable did not hold the key.
    None,
    /// A value, whatever its expiry.
    Live,
    /// A deletion, or a value covered by a range tombstone of this memtable.
    Deleted,
}

/// Recent writes of all keyspaces.
pub struct Memtable {
    bytes_max: usize,
    arena: Arena,
    index: Index,
    list: RecordList,
    runs: Runs,
    range_tombstones: ArcSwap<BTreeMap<KeyspaceId, Arc<RangeTombstones>>>,
    has_range_tombstones: AtomicBool,
    range_tombstone_bytes: AtomicUsize,
    keys: AtomicUsize,
    expiring: AtomicUsize,
    frozen: AtomicBool,
    #[cfg(debug_assertions)]
    writing: AtomicBool,
}

impl Memtable {
    /// An empty memtable meant to hold about `bytes_max` bytes and `expected_keys` keys; both may be
    /// exceeded.
    pub fn new(bytes_max: usize, expected_keys: usize) -> Self {
        Self::with_pool(bytes_max, expected_keys, Arc::new(ChunkPool::new(bytes_max)))
    }

    /// An empty memtable to write to when this one is full. It expects as many keys, and takes over
    /// the memory of those before it when they are dropped.
    pub fn successor(&self) -> Self {
        let keys = self.keys.load(Ordering::Relaxed);
        Self::with_pool(self.bytes_max, keys + keys / 16, self.arena.pool().clone())
    }

    fn with_pool(bytes_max: usize, expected_keys: usize, pool: Arc<ChunkPool>) -> Self {
        // No key costs less than this, so more slots than that would be wasted.
        let keys_max = bytes_max / ENTRY_BYTES_MIN;
        Self {
            bytes_max,
            arena: Arena::new(pool),
            index: Index::new(expected_keys.min(keys_max)),
            list: RecordList::new(),
            runs: Runs::default(),
            range_tombstones: ArcSwap::default(),
            has_range_tombstones: AtomicBool::new(false),
            range_tombstone_bytes: AtomicUsize::new(0),
            keys: AtomicUsize::new(0),
            expiring: AtomicUsize::new(0),
            frozen: AtomicBool::new(false),
            #[cfg(debug_assertions)]
            writing: AtomicBool::new(false),
        }
    }

    /// Adds a version of a key, newer than (or of the same batch as) every other version of it.
    ///
    /// **Args**: `hash` is the key's hash as given to [`Memtable::get`].
    /// **Concurrency**: one thread at a time; the caller holds the database's write lock.
    pub fn insert(&self, keyspace: KeyspaceId, hash: u64, entry: &Entry<'_>) -> Previous {
        self.insert_from(keyspace, hash, entry, None)
    }

    /// As [`Memtable::insert`] of an entry that lies in `home`: its value, unless it is small, is
    /// not copied, and `home` stays mapped as long as the memtable lives.
    #[inline]
    pub fn insert_from(
        &self,
        keyspace: KeyspaceId,
        hash: u64,
        entry: &Entry<'_>,
        home: Option<&Arc<SharedMapping>>,
    ) -> Previous {
        let home = home.filter(|_| entry.value.len() >= VALUE_BYTES_ELSEWHERE);
        let _writing = self.enter();
        let hash = IndexHash::new(keyspace, hash);
        let place = self.index.locate(&self.arena, &Wanted { keyspace, key: entry.key, hash });
        let newest = place.newest.map(|at| self.arena.record(at));
        let replaces = newest.is_some_and(|newest| {
            debug_assert!(newest.seq() <= entry.seq, "versions of a key must come in order");
            newest.seq() == entry.seq
        });
        let prev = if replaces { newest.and_then(|record| record.prev()) } else { place.newest };
        let first = place.newest.is_none();
        let hash_low = hash.low();
        let new = NewRecord { keyspace, hash: hash_low, prev, first, entry, home };
        let record = self.arena.push(&new);
        self.index.publish(&self.arena, &place, hash, record);
        self.list.push(keyspace, record);
        if entry.expire_at_ms != 0 {
            add_one(&self.expiring);
        }
        let Some(newest) = newest else {
            add_one(&self.keys);
            return Previous::None;
        };
        if replaces {
            newest.mark_replaced();
        }
        if newest.kind() == Kind::Delete || self.covers(keyspace, entry.key, newest.seq()) {
            Previous::Deleted
        } else {
            Previous::Live
        }
    }

    /// Starts loading what [`Memtable::insert`] and [`Memtable::get`] of the key will look at first.
    /// Worth it when something else is done in between.
    #[inline]
    pub fn prefetch(&self, keyspace: KeyspaceId, hash: u64) {
        self.index.prefetch(IndexHash::new(keyspace, hash));
    }

    /// Adds a range tombstone.
    ///
    /// **Concurrency**: as [`Memtable::insert`].
    pub fn delete_range(&self, keyspace: KeyspaceId, tombstone: RangeTombstone) {
        let _writing = self.enter();
        let bytes = tombstone.start.len() + tombstone.end.as_ref().map_or(0, Vec::len);
        self.range_tombstone_bytes.fetch_add(bytes + RANGE_TOMBSTONE_BYTES, Ordering::Relaxed);
        let mut sets = BTreeMap::clone(&self.range_tombstones.load());
        let set = sets.entry(keyspace).or_default();
        *set = Arc::new(set.with(tombstone));
        self.range_tombstones.store(Arc::new(sets));
        self.has_range_tombstones.store(true, Ordering::Release);
    }

    /// The newest version of a key with a sequence number up to `max_seq`. Takes no lock; does not
    /// look at range tombstones.
    #[inline]
    pub fn get(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        hash: u64,
        max_seq: Seq,
    ) -> Option<Entry<'_>> {
        if self.entries() == 0 {
            // Spares the index, which is cold memory while nothing was written to it.
            return None;
        }
        let wanted = Wanted { keyspace, key, hash: IndexHash::new(keyspace, hash) };
        let mut at = self.index.get(&self.arena, &wanted)?;
        loop {
            let record = self.arena.record(at);
            if record.seq() <= max_seq {
                return Some(record.entry());
            }
            at = record.prev()?;
        }
    }

    /// Whether any keyspace has a range tombstone.
    #[inline]
    pub fn has_range_tombstones(&self) -> bool {
        self.has_range_tombstones.load(Ordering::Acquire)
    }

    /// The range tombstones of a keyspace.
    pub fn range_tombstones(&self, keyspace: KeyspaceId) -> Arc<RangeTombstones> {
        if !self.has_range_tombstones() {
            return Arc::default();
        }
        self.range_tombstones.load().get(&keyspace).cloned().unwrap_or_default()
    }

    /// As [`RangeTombstones::seq_covering`] of the keyspace's set, without sharing it.
    #[inline]
    pub fn seq_covering(&self, keyspace: KeyspaceId, key: &[u8], max_seq: Seq) -> Seq {
        if !self.has_range_tombstones() {
            return 0;
        }
        let sets = self.range_tombstones.load();
        sets.get(&keyspace).map_or(0, |set| set.seq_covering(key, max_seq))
    }

    /// A cursor over the versions in a keyspace with a sequence number up to `max_seq`; range
    /// tombstones are not applied. Sorts what was inserted since the last call.
    pub fn cursor(self: &Arc<Self>, keyspace: KeyspaceId, max_seq: Seq) -> MemCursor {
        let runs = self.runs.current(&self.arena, &self.list, keyspace);
        MemCursor::new(self, runs, max_seq)
    }

    /// Ends inserts: from now on [`Memtable::sorted_cursor`] may be used.
    pub fn freeze(&self) {
        let _writing = self.enter();
        self.frozen.store(true, Ordering::Release);
    }

    /// Whether inserts have ended.
    pub fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }

    /// As [`Memtable::cursor`], over all versions and through one run, which is sorted by the first
    /// call and then serves every cursor. Only for frozen memtables; for others it is `cursor`.
    pub fn sorted_cursor(self: &Arc<Self>, keyspace: KeyspaceId) -> MemCursor {
        if !self.frozen.load(Ordering::Acquire) {
            return self.cursor(keyspace, Seq::MAX);
        }
        let run = self.runs.whole(&self.arena, &self.list, keyspace);
        MemCursor::new(self, vec![run], Seq::MAX)
    }

    /// Keyspaces with entries or range tombstones, ascending.
    pub fn keyspaces(&self) -> Vec<KeyspaceId> {
        let mut keyspaces = self.runs.keyspaces(&self.arena, &self.list);
        keyspaces.extend(self.range_tombstones.load().keys());
        keyspaces.sort_unstable();
        keyspaces.dedup();
        keyspaces
    }

    /// Bytes of memory that the contents take.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.arena.used()
            + self.list.len() * ENTRY_INDEX_BYTES
            + self.range_tombstone_bytes.load(Ordering::Relaxed)
    }

    /// Number of records, all versions counted.
    #[inline]
    pub fn entries(&self) -> usize {
        self.list.len()
    }

    /// Records that were the first of their key, in insertion order, with their index among all
    /// records, from index `from` on.
    pub fn first_versions(
        &self,
        from: usize,
    ) -> impl Iterator<Item = (usize, KeyspaceId, Entry<'_>)> {
        self.records(from).filter(|(_, record)| record.is_first()).map(describe)
    }

    /// Records with an expiry, in insertion order, with their index among all records, from index
    /// `from` on. Older versions are among them.
    pub fn expiring(&self, from: usize) -> impl Iterator<Item = (usize, KeyspaceId, Entry<'_>)> {
        let none = self.expiring.load(Ordering::Relaxed) == 0;
        let from = if none { usize::MAX } else { from };
        self.records(from).filter(|(_, record)| record.has_expiry()).map(describe)
    }

    fn records(&self, from: usize) -> impl Iterator<Item = (usize, arena::Record<'_>)> {
        (from..self.list.len())
            .map_while(|index| self.list.get(index).map(|at| (index, self.arena.record(at))))
    }

    fn covers(&self, keyspace: KeyspaceId, key: &[u8], seq: Seq) -> bool {
        self.seq_covering(keyspace, key, Seq::MAX) > seq
    }

    #[cfg(debug_assertions)]
    fn enter(&self) -> impl Drop + '_ {
        struct Writing<'a>(&'a AtomicBool);
        impl Drop for Writing<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        assert!(!self.writing.swap(true, Ordering::Acquire), "two writers in one memtable");
        assert!(!self.frozen.load(Ordering::Relaxed), "write to a frozen memtable");
        Writing(&self.writing)
    }

    #[cfg(not(debug_assertions))]
    #[inline]
    fn enter(&self) {}
}

/// Values of at least this many bytes stay in the mapped log: below, the copy costs less than the
/// address and the look at another page.
pub const VALUE_BYTES_ELSEWHERE: usize = 256;
/// Estimated memory of a record outside the arena: its place in the list and in the index.
const ENTRY_INDEX_BYTES: usize = 24;
/// Least memory of a record.
const ENTRY_BYTES_MIN: usize = 32 + ENTRY_INDEX_BYTES;
/// Estimated memory of a range tombstone besides its bounds.
const RANGE_TOMBSTONE_BYTES: usize = 160;

/// Adds to a counter that only the writer changes.
#[inline]
fn add_one(counter: &AtomicUsize) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn describe<'a>((index, record): (usize, arena::Record<'a>)) -> (usize, KeyspaceId, Entry<'a>) {
    (index, record.keyspace(), record.entry())
}

#[cfg(test)]
mod tests;
