//! Hash index of a memtable: open addressing over tagged slots, one writer, readers without locks.
//!
//! A slot holds the newest record of one key and 16 bits of its hash. When a table is 5/8 full a
//! table of four times the size takes its place; the writer moves a few slots with every insert, so that
//! no insert waits for all of them. Until the move is done, what is not in the new table is looked
//! up in the old one. A record moves only when its key is not in the new table yet, so the new table
//! always has the newest version. Old tables stay until the memtable is dropped, for readers in them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use aidb_base::KeyspaceId;

use super::arena::{Arena, RecordRef, Slot, empty_slots};
use crate::iterator::same_key;

const SLOTS_MIN: usize = 64;
const TABLES_MAX: usize = 40;
const MOVED_PER_INSERT: usize = 4;
/// Every key moves 1 / (GROWTH - 1) times.
const GROWTH: usize = 4;

/// Hash of a key in a keyspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexHash(u64);

impl IndexHash {
    #[inline]
    pub(super) fn new(keyspace: KeyspaceId, key_hash: u64) -> Self {
        Self(key_hash ^ u64::from(keyspace).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The part that chooses the slot.
    #[inline]
    pub(super) fn low(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    fn tag(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

/// A key to look up.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) keyspace: KeyspaceId,
    pub(super) key: &'a [u8],
    pub(super) hash: IndexHash,
}

/// Where the newest record of a key is or will be.
pub(super) struct Place {
    pub(super) newest: Option<RecordRef>,
    slot: usize,
    taken: bool,
}

/// The index. Number of the current table and whether slots still move into it are one word.
pub(super) struct Index {
    tables: [OnceLock<Box<[Slot]>>; TABLES_MAX],
    state: AtomicUsize,
    taken: AtomicUsize,
    moved: AtomicUsize,
}

const MOVING: usize = 1;

impl Index {
    pub(super) fn new(expected_keys: usize) -> Self {
        let slots = (expected_keys.saturating_mul(8) / 5 + 1).next_power_of_two().max(SLOTS_MIN);
        let index = Self {
            tables: [const { OnceLock::new() }; TABLES_MAX],
            state: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            moved: AtomicUsize::new(0),
        };
        index.tables[0].get_or_init(|| empty_slots(slots));
        index
    }

    #[inline]
    fn table(&self, number: usize) -> &[Slot] {
        self.tables[number].get().map_or(&[], |table| table)
    }

    /// Tells the processor which slot will be read soon.
    #[inline]
    pub(super) fn prefetch(&self, hash: IndexHash) {
        let table = self.table(self.state.load(Ordering::Acquire) >> 1);
        if let Some(slot) = table.get(hash.low() as usize & (table.len() - 1)) {
            slot.prefetch();
        }
    }

    /// The newest record of a key.
    #[inline]
    pub(super) fn get(&self, arena: &Arena, wanted: &Wanted<'_>) -> Option<RecordRef> {
        let state = self.state.load(Ordering::Acquire);
        match find(self.table(state >> 1), arena, wanted) {
            Err(_) if state & MOVING != 0 => find(self.table((state >> 1) - 1), arena, wanted).ok(),
            found => found.ok(),
        }
        .map(|(record, _)| record)
    }

    /// Finds where a record of the key goes. Writer only; [`Index::publish`] must follow.
    #[inline]
    pub(super) fn locate(&self, arena: &Arena, wanted: &Wanted<'_>) -> Place {
        if self.taken.load(Ordering::Relaxed) * 8 >= self.current().len() * 5 {
            self.grow();
        }
        let state = self.state.load(Ordering::Relaxed);
        match find(self.table(state >> 1), arena, wanted) {
            Ok((record, slot)) => Place { newest: Some(record), slot, taken: true },
            Err(slot) => {
                let newest = if state & MOVING == 0 {
                    None
                } else {
                    find(self.table((state >> 1) - 1), arena, wanted).ok().map(|found| found.0)
                };
                Place { newest, slot, taken: false }
            }
        }
    }

    /// Makes `record` the newest one of its key.
    #[inline]
    pub(super) fn publish(&self, arena: &Arena, place: &Place, hash: IndexHash, record: RecordRef) {
        self.current()[place.slot].store(hash.tag(), record);
        if !place.taken {
            self.taken.store(self.taken.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        if self.state.load(Ordering::Relaxed) & MOVING != 0 {
            self.move_some(arena);
        }
    }

    #[inline]
    fn current(&self) -> &[Slot] {
        self.table(self.state.load(Ordering::Relaxed) >> 1)
    }

    #[cold]
    fn grow(&self) {
        let state = self.state.load(Ordering::Relaxed);
        // The old table's slots are moved long before the new one, four times as large, is full.
        debug_assert!(state & MOVING == 0);
        let slots = self.current().len() * GROWTH;
        let number = (state >> 1) + 1;
        self.tables[number].get_or_init(|| empty_slots(slots));
        self.taken.store(0, Ordering::Relaxed);
        self.moved.store(0, Ordering::Relaxed);
        self.state.store(number << 1 | MOVING, Ordering::Release);
    }

    fn move_some(&self, arena: &Arena) {
        let number = self.state.load(Ordering::Relaxed) >> 1;
        let (from, to) = (self.table(number - 1), self.table(number));
        let start = self.moved.load(Ordering::Relaxed);
        let end = (start + MOVED_PER_INSERT).min(from.len());
        for slot in from.iter().skip(end).take(MOVED_PER_INSERT) {
            if let Some(next) = slot.load().record() {
                next.prefetch();
            }
        }
        let mut added = 0;
        for slot in &from[start..end] {
            let tagged = slot.load();
            let Some(at) = tagged.record() else { continue };
            let record = arena.record(at);
            let (keyspace, key) = (record.keyspace(), record.key());
            let hash = IndexHash(u64::from(tagged.tag()) << 48 | u64::from(record.hash()));
            if let Err(free) = find(to, arena, &Wanted { keyspace, key, hash }) {
                to[free].store(tagged.tag(), at);
                added += 1;
            }
        }
        self.taken.store(self.taken.load(Ordering::Relaxed) + added, Ordering::Relaxed);
        self.moved.store(end, Ordering::Relaxed);
        if end == from.len() {
            self.state.store(number << 1, Ordering::Release);
        }
    }
}

/// The newest record of a key and its slot, or the free slot at which the search ended.
#[inline]
fn find(table: &[Slot], arena: &Arena, wanted: &Wanted<'_>) -> Result<(RecordRef, usize), usize> {
    let mask = table.len() - 1;
    let tag = wanted.hash.tag();
    let mut slot = wanted.hash.low() as usize & mask;
    loop {
        let tagged = table[slot & mask].load();
        let Some(at) = tagged.record() else { return Err(slot) };
        if tagged.tag() == tag {
            let record = arena.record(at);
            if same_key(record.key(), wanted.key) && record.keyspace() == wanted.keyspace {
                return Ok((at, slot));
            }
        }
        slot = (slot + 1) & mask;
    }
}
