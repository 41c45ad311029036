//! Records in insertion order: an append-only list in segments that never move.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::arena::{RecordRef, Slot, empty_slots};

const FIRST_SEGMENT: usize = 1 << FIRST_SEGMENT_BITS;
const FIRST_SEGMENT_BITS: u32 = 10;
const SEGMENTS: usize = 40;

/// The list. Segment `i` holds 1024 << i records.
///
/// **Concurrency**: one thread at a time pushes; any number reads what [`RecordList::len`] covers.
pub(super) struct RecordList {
    segments: [OnceLock<Box<[Slot]>>; SEGMENTS],
    len: AtomicUsize,
}

impl RecordList {
    pub(super) fn new() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS], len: AtomicUsize::new(0) }
    }

    /// Number of records; all of them can be read.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn push(&self, record: RecordRef) {
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
