//! Memory of a memtable: immutable records in chunks that never move, and tagged pointers to them.
//!
//! ```text
//! record, aligned to 8:   0 prev          pointer to the version before, or null
//!                         8 seq           u64
//!                        16 keyspace      u32
//!                        20 value length  u32
//!                        24 hash          u32, low half of the index hash
//!                        28 key length    u16
//!                        30 flags         u8: bits 0-1 kind, 2 has expiry, 3 first of its key,
//!                                             4 value elsewhere
//!                        31 replaced      u8: 1 = a later record of the same batch took its place
//!                        32 [expiry u64] key value, padded to 8
//! ```
//!
//! A value elsewhere is in the mapped log, which the arena then keeps mapped; the record has its address.
//!
//! Invariants that the `unsafe` code here stands on:
//!
//! 1. A [`RecordRef`] is made only by [`Arena::push`], after the record's bytes are written.
//! 2. Bytes of a record are never written again, but for `replaced`, which is atomic.
//! 3. Chunks are freed or reused only when the arena is dropped, and a `RecordRef` is only given back to the
//!    arena that made it, which the memtable keeps alive (`RecordRef` never leaves the memtable).
//! 4. One thread at a time calls [`Arena::push`] (the caller holds the database's write lock). Other
//!    threads learn of a record only through a Release store ([`Slot::store`] or the record list).
//! 5. The address of a value elsewhere points into a [`SharedMapping`] that is among the arena's `homes`,
//!    at bytes that were written before and never change.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};

use aidb_base::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use aidb_base::{KeyspaceId, Seq};
use memmap2::{MmapOptions, MmapRaw};
use parking_lot::Mutex;

use crate::entry::{Entry, Kind};
use crate::vfs::SharedMapping;

const FLAG_KIND: u8 = 0b0011;
const FLAG_EXPIRY: u8 = 0b0100;
const FLAG_FIRST: u8 = 0b1000;
const FLAG_ELSEWHERE: u8 = 0b1_0000;
const HEADER_BYTES: usize = size_of::<Header>();
const ALIGN: usize = align_of::<Header>();
const FIRST_CHUNK_BYTES: usize = 64 << 10;
const CHUNK_BYTES_MAX: usize = 1 << 20;
const ADDRESS_BYTES: usize = size_of::<*const u8>();
const TAG_SHIFT: u32 = 48;
const ADDRESS_MASK: usize = (1 << TAG_SHIFT) - 1;

const _: () = assert!(usize::BITS == 64, "tagged slots need 64-bit pointers");
const _: () = assert!(HEADER_BYTES == 32 && ALIGN == 8);

#[repr(C)]
struct Header {
    prev: Option<RecordRef>,
    seq: Seq,
    keyspace: KeyspaceId,
    value_len: u32,
    hash: u32,
    key_len: u16,
    flags: u8,
    replaced: AtomicU8,
}

/// Address of a record. Meaningful only together with the arena that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordRef(NonNull<Header>);

// SAFETY: it points at bytes that are immutable but for an atomic (invariant 2).
unsafe impl Send for RecordRef {}
// SAFETY: as above.
unsafe impl Sync for RecordRef {}

impl RecordRef {
    /// Tells the processor that header and key will be read soon.
    #[inline]
    pub(super) fn prefetch(self) {
        prefetch(self.0.as_ptr());
        prefetch(self.0.as_ptr().wrapping_byte_add(64));
    }
}

#[inline]
fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch has no effect on memory, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// A record to be written.
pub(super) struct NewRecord<'a> {
    pub(super) keyspace: KeyspaceId,
    pub(super) hash: u32,
    pub(super) prev: Option<RecordRef>,
    pub(super) first: bool,
    pub(super) entry: &'a Entry<'a>,
    /// Memory that holds the value already.
    pub(super) home: Option<&'a Arc<SharedMapping>>,
}

/// A record, readable while the arena is borrowed.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    at: NonNull<Header>,
    arena: PhantomData<&'a Arena>,
}

impl<'a> Record<'a> {
    #[inline]
    fn header(&self) -> &'a Header {
        // SAFETY: invariants 1 to 3; the arena outlives 'a.
        unsafe { self.at.as_ref() }
    }

    #[inline]
    fn slice(&self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: the record was allocated with all its parts (invariant 1), and the pointer keeps
        // the provenance of the whole chunk.
        unsafe {
            let start = self.at.as_ptr().cast::<u8>().add(HEADER_BYTES + offset);
            std::slice::from_raw_parts(start, len)
        }
    }

    #[inline]
    pub(super) fn seq(&self) -> Seq {
        self.header().seq
    }

    #[inline]
    pub(super) fn keyspace(&self) -> KeyspaceId {
        self.header().keyspace
    }

    #[inline]
    pub(super) fn hash(&self) -> u32 {
        self.header().hash
    }

    /// The version of the same key before this one.
    #[inline]
    pub(super) fn prev(&self) -> Option<RecordRef> {
        self.header().prev
    }

    #[inline]
    pub(super) fn kind(&self) -> Kind {
        match self.header().flags & FLAG_KIND {
            0 => Kind::Delete,
            1 => Kind::Put,
            _ => Kind::Blob,
        }
    }

    #[inline]
    pub(super) fn has_expiry(&self) -> bool {
        self.header().flags & FLAG_EXPIRY != 0
    }

    /// Whether it was the first of its key in the memtable.
    #[inline]
    pub(super) fn is_first(&self) -> bool {
        self.header().flags & FLAG_FIRST != 0
    }

    /// Whether a later record of the same batch took its place.
    #[inline]
    pub(super) fn is_replaced(&self) -> bool {
        self.header().replaced.load(Ordering::Relaxed) != 0
    }

    /// Hides the record from cursors. Readers that may see the batch see this too, because the
    /// batch becomes visible by a Release store after it.
    pub(super) fn mark_replaced(&self) {
        self.header().replaced.store(1, Ordering::Relaxed);
    }

    #[inline]
    fn key_offset(&self) -> usize {
        if self.has_expiry() { 8 } else { 0 }
    }

    #[inline]
    pub(super) fn key(&self) -> &'a [u8] {
        self.slice(self.key_offset(), usize::from(self.header().key_len))
    }

    #[inline]
    pub(super) fn expire_at_ms(&self) -> u64 {
        if !self.has_expiry() {
            return 0;
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.slice(0, 8));
        u64::from_le_bytes(bytes)
    }

    #[inline(always)]
    pub(super) fn entry(&self) -> Entry<'a> {
        let header = self.header();
        let (key_offset, key_len) = (self.key_offset(), usize::from(header.key_len));
        Entry {
            key: self.slice(key_offset, key_len),
            seq: header.seq,
            kind: self.kind(),
            expire_at_ms: self.expire_at_ms(),
            value: self.value(key_offset + key_len, header.value_len as usize),
        }
    }

    #[inline(always)]
    fn value(&self, offset: usize, len: usize) -> &'a [u8] {
        if self.header().flags & FLAG_ELSEWHERE == 0 {
            return self.slice(offset, len);
        }
        let place = self.slice(offset, ADDRESS_BYTES).as_ptr().cast::<*const u8>();
        // SAFETY: the record holds an address there, and invariant 5 for what it points to.
        unsafe { std::slice::from_raw_parts(place.read_unaligned(), len) }
    }
}

/// Chunks of records.
///
/// **Concurrency**: one thread at a time pushes; any number reads records it was given.
pub(super) struct Arena {
    next: AtomicPtr<u8>,
    end: AtomicPtr<u8>,
    chunks: Mutex<Vec<Chunk>>,
    chunk_bytes: AtomicUsize,
    used: AtomicUsize,
    /// Where values are that were not copied.
    homes: Mutex<Vec<Arc<SharedMapping>>>,
    /// The last of `homes`, for comparison only.
    home: AtomicPtr<SharedMapping>,
    pool: Arc<ChunkPool>,
}

impl Arena {
    pub(super) fn new(pool: Arc<ChunkPool>) -> Self {
        Self {
            next: AtomicPtr::new(ptr::null_mut()),
            end: AtomicPtr::new(ptr::null_mut()),
            chunks: Mutex::new(Vec::new()),
            chunk_bytes: AtomicUsize::new(FIRST_CHUNK_BYTES),
            used: AtomicUsize::new(0),
            homes: Mutex::new(Vec::new()),
            home: AtomicPtr::new(ptr::null_mut()),
            pool,
        }
    }

    /// Where its memory comes from and goes to.
    pub(super) fn pool(&self) -> &Arc<ChunkPool> {
        &self.pool
    }

    /// Bytes of all records, values elsewhere included.
    #[inline]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The record that `at` points to.
    #[inline]
    pub(super) fn record(&self, at: RecordRef) -> Record<'_> {
        Record { at: at.0, arena: PhantomData }
    }

    /// Copies a record into the arena. Lengths are within the limits of `aidb_base::limits`.
    #[inline]
    pub(super) fn push(&self, new: &NewRecord<'_>) -> RecordRef {
        let entry = new.entry;
        debug_assert!(entry.key.len() <= KEY_BYTES_MAX && entry.value.len() <= VALUE_BYTES_MAX);
        let expiry_bytes = if entry.expire_at_ms == 0 { 0 } else { 8 };
        let mut address = ptr::null();
        let mut value = entry.value;
        if let Some(home) = new.home {
            self.keep(home);
            assert!(home.holds(value), "the value is not where the caller says");
            self.used.store(self.used() + value.len(), Ordering::Relaxed);
            address = value.as_ptr();
            value = &[];
        }
        let value_bytes = if address.is_null() { value.len() } else { ADDRESS_BYTES };
        let body = expiry_bytes + entry.key.len() + value_bytes;
        let size = (HEADER_BYTES + body + ALIGN - 1) & !(ALIGN - 1);
        let start = self.reserve(size);
        let mut flags = entry.kind as u8;
        if expiry_bytes != 0 {
            flags |= FLAG_EXPIRY;
        }
        if new.first {
            flags |= FLAG_FIRST;
        }
        if !address.is_null() {
            flags |= FLAG_ELSEWHERE;
        }
        let header = Header {
            prev: new.prev,
            seq: entry.seq,
            keyspace: new.keyspace,
            value_len: entry.value.len() as u32,
            hash: new.hash,
            key_len: entry.key.len() as u16,
            flags,
            replaced: AtomicU8::new(0),
        };
        // SAFETY: `start` is aligned and has `size` bytes that no other thread knows of.
        unsafe {
            let at = start.cast::<Header>();
            at.write(header);
            let mut to = start.as_ptr().add(HEADER_BYTES);
            if expiry_bytes != 0 {
                ptr::copy_nonoverlapping(entry.expire_at_ms.to_le_bytes().as_ptr(), to, 8);
                to = to.add(8);
            }
            ptr::copy_nonoverlapping(entry.key.as_ptr(), to, entry.key.len());
            let to = to.add(entry.key.len());
            if address.is_null() {
                ptr::copy_nonoverlapping(value.as_ptr(), to, value.len());
            } else {
                to.cast::<*const u8>().write_unaligned(address);
            }
            RecordRef(at)
        }
    }

    /// Keeps `home` mapped as long as the arena lives.
    #[inline]
    fn keep(&self, home: &Arc<SharedMapping>) {
        let known = self.home.load(Ordering::Relaxed);
        if !ptr::eq(known, Arc::as_ptr(home)) {
            self.homes.lock().push(home.clone());
            self.home.store(Arc::as_ptr(home).cast_mut(), Ordering::Relaxed);
        }
    }

    #[inline]
    fn reserve(&self, size: usize) -> NonNull<u8> {
        self.used.store(self.used() + size, Ordering::Relaxed);
        let next = self.next.load(Ordering::Relaxed);
        let end = self.end.load(Ordering::Relaxed);
        if size > end.addr() - next.addr() {
            return self.reserve_elsewhere(size);
        }
        self.next.store(next.wrapping_add(size), Ordering::Relaxed);
        // SAFETY: `next` lies in a chunk, since `size` > 0 bytes are left in it.
        unsafe { NonNull::new_unchecked(next) }
    }

    #[cold]
    fn reserve_elsewhere(&self, size: usize) -> NonNull<u8> {
        let chunk_bytes = self.chunk_bytes.load(Ordering::Relaxed);
        if size > chunk_bytes / 4 {
            return self.add_chunk(size);
        }
        self.chunk_bytes.store((chunk_bytes * 2).min(CHUNK_BYTES_MAX), Ordering::Relaxed);
        let start = self.add_chunk(chunk_bytes);
        self.next.store(start.as_ptr().wrapping_add(size), Ordering::Relaxed);
        self.end.store(start.as_ptr().wrapping_add(chunk_bytes), Ordering::Relaxed);
        start
    }

    fn add_chunk(&self, bytes: usize) -> NonNull<u8> {
        let recycled = if bytes == CHUNK_BYTES_MAX { self.pool.take() } else { None };
        let chunk = recycled.unwrap_or_else(|| Chunk::new(bytes));
        let start = chunk.start;
        self.chunks.lock().push(chunk);
        start
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.pool.give(self.chunks.get_mut());
    }
}

/// Memory with any contents. Whoever has the chunk owns the memory.
struct Chunk {
    start: NonNull<u8>,
    layout: Layout,
    /// Owns the memory if the allocator does not.
    mapping: Option<MmapRaw>,
}

// SAFETY: the chunk owns its memory.
unsafe impl Send for Chunk {}

impl Chunk {
    /// Large chunks are mapped: allocators ask for huge pages, of which the first touch zeroes far
    /// more than the record at hand needs.
    fn new(bytes: usize) -> Self {
        let layout = layout_of(bytes, ALIGN);
        let mapping = match bytes >= CHUNK_BYTES_MAX {
            true => MmapOptions::new().len(bytes).map_anon().map(MmapRaw::from).ok(),
            false => None,
        };
        let start = match &mapping {
            Some(mapping) => mapping.as_mut_ptr(),
            // SAFETY: the layout is not empty.
            None => unsafe { alloc(layout) },
        };
        let Some(start) = NonNull::new(start) else {
            handle_alloc_error(layout);
        };
        assert!(
            (start.addr().get() + bytes - 1) & !ADDRESS_MASK == 0,
            "the allocator gave an address above 48 bits"
        );
        Self { start, layout, mapping }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if self.mapping.is_none() {
            // SAFETY: allocated with this layout; an arena drops it when nobody can borrow records.
            unsafe { dealloc(self.start.as_ptr(), self.layout) };
        }
    }
}

/// Chunks of dropped memtables, kept for the next ones: the first touch of fresh memory costs more
/// than everything else in an insert.
pub(super) struct ChunkPool {
    chunks_max: usize,
    free: Mutex<Vec<Chunk>>,
}

impl ChunkPool {
    /// A pool that keeps up to `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { chunks_max: bytes_max / CHUNK_BYTES_MAX, free: Mutex::new(Vec::new()) }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.free.lock().len() * CHUNK_BYTES_MAX
    }

    fn take(&self) -> Option<Chunk> {
        self.free.lock().pop()
    }

    /// Takes what fits out of `chunks`; the caller frees the rest, outside the lock that a writer in
    /// need of a chunk waits for.
    fn give(&self, chunks: &mut Vec<Chunk>) {
        let is_kept = |chunk: &Chunk| chunk.layout.size() == CHUNK_BYTES_MAX;
        chunks.sort_by_key(is_kept);
        let fitting = chunks.len() - chunks.partition_point(|chunk| !is_kept(chunk));
        let mut free = self.free.lock();
        let taken = self.chunks_max.saturating_sub(free.len()).min(fitting);
        free.extend(chunks.drain(chunks.len() - taken..));
    }
}

/// A place for a record's address and 16 bits of tag; empty at first.
#[repr(transparent)]
pub(super) struct Slot(AtomicPtr<Header>);

/// What a [`Slot`] held.
#[derive(Clone, Copy)]
pub(super) struct Tagged(*mut Header);

impl Tagged {
    #[inline]
    pub(super) fn tag(self) -> u16 {
        (self.0.addr() >> TAG_SHIFT) as u16
    }

    /// The record, or `None` when the slot was empty.
    #[inline]
    pub(super) fn record(self) -> Option<RecordRef> {
        NonNull::new(self.0.map_addr(|address| address & ADDRESS_MASK)).map(RecordRef)
    }
}

impl Slot {
    #[inline]
    pub(super) fn load(&self) -> Tagged {
        Tagged(self.0.load(Ordering::Acquire))
    }

    /// Tells the processor that the slot will be read soon.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch(self);
    }

    /// Publishes `record`: whoever loads it sees the record's bytes.
    #[inline]
    pub(super) fn store(&self, tag: u16, record: RecordRef) {
        let tagged = record.0.as_ptr().map_addr(|a| a | usize::from(tag) << TAG_SHIFT);
        self.0.store(tagged, Ordering::Release);
    }
}

/// `count` empty slots; the memory is not touched before it is used.
pub(super) fn empty_slots(count: usize) -> Box<[Slot]> {
    assert!(count > 0);
    let layout = layout_of(count * size_of::<Slot>(), align_of::<Slot>());
    // SAFETY: the layout is not empty; a zeroed `Slot` is an empty one; the box frees the memory
    // with the same layout.
    unsafe {
        let start = alloc_zeroed(layout);
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Box::from_raw(ptr::slice_from_raw_parts_mut(start.cast::<Slot>(), count))
    }
}

fn layout_of(bytes: usize, align: usize) -> Layout {
    match Layout::from_size_align(bytes, align) {
        Ok(layout) => layout,
        Err(_) => panic!("{bytes} bytes exceed the address space"),
    }
}
