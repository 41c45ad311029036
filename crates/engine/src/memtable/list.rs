//! Records in insertion order: an append-only list in segments that never move.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use aidb_base::KeyspaceId;

use super::arena::{RecordRef, Slot, empty_slots};

const FIRST_SEGMENT: usize = 1 << FIRST_SEGMENT_BITS;
const FIRST_SEGMENT_BITS: u32 = 10;
const SEGMENTS: usize = 40;
const NO_KEYSPACE: u64 = u64::MAX;
const SEVERAL_KEYSPACES: u64 = u64::MAX - 1;

/// The list. Segment `i` holds 1024 << i records.
///
/// **Concurrency**: one thread at a time pushes; any number reads what [`RecordList::len`] covers.
pub(super) struct RecordList {
    segments: [OnceLock<Box<[Slot]>>; SEGMENTS],
    len: AtomicUsize,
    /// The keyspace of all records, or one of the constants above.
    keyspace: AtomicU64,
}

impl RecordList {
    pub(super) fn new() -> Self {
        Self {
            segments: [const { OnceLock::new() }; SEGMENTS],
            len: AtomicUsize::new(0),
            keyspace: AtomicU64::new(NO_KEYSPACE),
        }
    }

    /// Number of records; all of them can be read.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The keyspace of the first `len` records, if all of them have the same. Spares readers a look
    /// at every record. `len` must come from [`RecordList::len`] before this call.
    pub(super) fn only_keyspace(&self) -> Option<KeyspaceId> {
        // The Acquire load of `len` came after the store for each record that it covers.
        u32::try_from(self.keyspace.load(Ordering::Relaxed)).ok()
    }

    #[inline]
    pub(super) fn push(&self, keyspace: KeyspaceId, record: RecordRef) {
        let known = self.keyspace.load(Ordering::Relaxed);
        if known != u64::from(keyspace) {
            let first = known == NO_KEYSPACE;
            let keyspace = if first { u64::from(keyspace) } else { SEVERAL_KEYSPACES };
            self.keyspace.store(keyspace, Ordering::Relaxed);
        }
        let index = self.len.load(Ordering::Relaxed);
        let (segment, offset) = place(index);
        let slots = self.segments[segment].get_or_init(|| empty_slots(FIRST_SEGMENT << segment));
        slots[offset].store(0, record);
        self.len.store(index + 1, Ordering::Release);
    }

    /// The record at `index`, if there is one.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<RecordRef> {
        let (segment, offset) = place(index);
        self.segments.get(segment)?.get()?.get(offset)?.load().record()
    }
}

#[inline]
fn place(index: usize) -> (usize, usize) {
    let number = index + FIRST_SEGMENT;
    let bits = usize::BITS - 1 - number.leading_zeros();
    ((bits - FIRST_SEGMENT_BITS) as usize, number - (1 << bits))
}
