//! The mmap wrapper: the only place where the engine maps files.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::{Advice, Mmap, MmapOptions, MmapRaw, UncheckedAdvice};
use parking_lot::Mutex;

/// Bytes that come from memory at once.
const CACHE_LINE_BYTES: usize = 64;
/// Bytes that the processor reads ahead over at most.
const PAGE_BYTES: usize = 4096;
const PAGES_AT_ONCE: usize = 4;
/// Pages that the system is asked about at once.
const PAGES_ASKED: usize = 64;

/// Tells the processor that `bytes` will be read soon, in order.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    bytes.iter().step_by(CACHE_LINE_BYTES).for_each(prefetch_line);
}

/// Tells the processor that all of `bytes` will be read at once. Many pages come faster side by
/// side than one after the other, because it does not read ahead from one page into the next.
pub(crate) fn prefetch_pages(bytes: &[u8]) {
    for pages in bytes.chunks(PAGES_AT_ONCE * PAGE_BYTES) {
        for at in (0..PAGE_BYTES).step_by(CACHE_LINE_BYTES) {
            pages.iter().skip(at).step_by(PAGE_BYTES).for_each(prefetch_line);
        }
    }
}

#[inline]
fn prefetch_line(byte: &u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch has no effect on memory, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(byte).cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = byte;
}

/// An immutable file as memory.
pub(super) struct ReadMapping(Mmap);

impl ReadMapping {
    /// Maps all of `file`, which must not be empty and never changes afterwards.
    pub(super) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: tables, blobs and sealed segments are written once, synced and only then mapped;
        // the database directory is locked against other writers. A file that somebody truncates
        // by hand under a running database raises SIGBUS, as for every mapping database.
        let map = unsafe { Mmap::map(file)? };
        let _ = map.advise(Advice::Random);
        Ok(Self(map))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether every page of the range is in memory; `false` for ranges too large to ask about.
    pub(super) fn is_resident(&self, offset: usize, len: usize) -> bool {
        const BYTES_MAX: usize = 4 << 20;
        const STEP: usize = PAGES_ASKED * PAGE_BYTES;
        let start = offset & !(PAGE_BYTES - 1);
        let end = offset.saturating_add(len).min(self.0.len());
        end <= start
            || (end - start <= BYTES_MAX
                && (start..end).step_by(STEP).all(|at| self.are_resident(at, end.min(at + STEP))))
    }

    /// As `is_resident`, for `start..end` of the mapping: at least one byte and at most
    /// `PAGES_ASKED` pages from a page's start on.
    fn are_resident(&self, start: usize, end: usize) -> bool {
        let pages = (end - start).div_ceil(PAGE_BYTES);
        let mut residency = [0u8; PAGES_ASKED];
        let Some(room) = residency.get_mut(..pages) else { return false };
        let Some(range) = self.0.get(start..end) else { return false };
        // SAFETY: `range` is inside the mapping and starts with a page, and `room` has a byte for
        // each of its pages.
        let code = unsafe {
            libc::mincore(range.as_ptr().cast_mut().cast(), range.len(), room.as_mut_ptr())
        };
        code == 0 && room.iter().all(|page| page & 1 == 1)
    }

    /// Gives the pages of a range back to the system; they are read again when touched.
    pub(super) fn drop_pages(&self, offset: usize, len: usize) {
        const PAGE: usize = 4096;
        let start = offset.div_ceil(PAGE) * PAGE;
        let end = (offset + len).min(self.0.len()) & !(PAGE - 1);
        if start < end {
            // SAFETY: the mapping is shared and file-backed, so dropped pages come back unchanged.
            let _ = unsafe {
                self.0.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start)
            };
        }
    }
}

/// Bytes given to the kernel at once. It gets memory for the page cache in pieces of about this size;
/// larger ones are slower where the host of a virtual machine takes large free pieces back, since
/// then each page of them must be got from the host again (measured: 4 times slower at 1 MiB).
pub(super) const WRITE_BYTES: usize = 32 << 10;
static ZEROES: [u8; WRITE_BYTES] = [0; WRITE_BYTES];
/// What a writer prepares that has come to the end of what others prepared for it.
const PREPARED_BYTES: usize = 128 << 10;

/// A preallocated file as memory that is written from its start to its end. What is written never
/// changes again, so any thread can read it while one thread writes behind it.
pub struct SharedMapping {
    map: MmapRaw,
    file: File,
    /// End of what is written; grows only.
    written: AtomicUsize,
    /// End of what was prepared for writing; grows only, never below `written`.
    prepared: AtomicUsize,
    preparing: Mutex<()>,
}

impl SharedMapping {
    /// Bytes of the file.
    pub fn capacity(&self) -> usize {
        self.map.len()
    }

    /// Bytes written.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::Acquire)
    }

    /// End of the part that [`SharedMapping::prepare`] has seen.
    #[inline]
    pub fn prepared(&self) -> usize {
        self.prepared.load(Ordering::Acquire)
    }

    /// What was written to a range; panics outside of it.
    #[inline]
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.written(), "not written yet");
        // SAFETY: the range lies in the mapping, and nothing below `written` is ever written again.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(range.start), range.len()) }
    }

    /// Whether `bytes` are part of what was written.
    #[inline]
    pub fn holds(&self, bytes: &[u8]) -> bool {
        let offset = bytes.as_ptr().addr().wrapping_sub(self.map.as_ptr().addr());
        offset <= self.written() && bytes.len() <= self.written() - offset
    }

    /// Has the kernel get pages up to `end` ready for writing, which costs a quarter of the faults
    /// that the stores would cause. The writer never waits for more than one call of this.
    pub fn prepare(&self, end: usize) {
        let _one_at_a_time = self.preparing.lock();
        let start = self.prepared();
        let end = end.next_multiple_of(WRITE_BYTES).min(self.map.len());
        for at in (start..end).step_by(WRITE_BYTES) {
            // Nobody wrote here yet. Where this fails the stores get their pages by themselves.
            let _ = self.file.write_all_at(&ZEROES[..WRITE_BYTES.min(end - at)], at as u64);
        }
        if start < end {
            let _ = self.map.advise_range(Advice::PopulateWrite, start, end - start);
            self.prepared.store(end, Ordering::Release);
        }
    }

    #[inline]
    fn write_at(&self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        assert!(offset >= self.written.load(Ordering::Relaxed) && end <= self.map.len());
        if end > self.prepared() {
            self.prepare(end + PREPARED_BYTES);
        }
        // SAFETY: the range lies in the mapping, behind all that anybody reads; `WriteMapping` is
        // the only caller and not shared, so nobody else writes.
        unsafe {
            let to = self.map.as_mut_ptr().add(offset);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        self.written.store(end, Ordering::Release);
    }
}

/// The writing end of a [`SharedMapping`].
pub(super) struct WriteMapping(Arc<SharedMapping>);

impl WriteMapping {
    /// Maps `bytes` of `file`, which the caller created exclusively and whose blocks are reserved, so
    /// that a store cannot fail for want of space.
    pub(super) fn new(file: &File, bytes: usize) -> io::Result<Self> {
        let map = MmapOptions::new().len(bytes).map_raw(file)?;
        Ok(Self(Arc::new(SharedMapping {
            map,
            file: file.try_clone()?,
            written: AtomicUsize::new(0),
            prepared: AtomicUsize::new(0),
            preparing: Mutex::new(()),
        })))
    }

    pub(super) fn shared(&self) -> &Arc<SharedMapping> {
        &self.0
    }

    #[inline]
    pub(super) fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        self.0.write_at(offset, bytes);
    }
}
