//! The mmap wrapper: the only place where the engine maps files.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::{Advice, Mmap, MmapMut, MmapOptions, UncheckedAdvice};

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

    /// Whether every page of the range is in memory.
    pub(super) fn is_resident(&self, offset: usize, len: usize) -> bool {
        const PAGE: usize = 4096;
        const PAGES_MAX: usize = 64;
        let start = offset & !(PAGE - 1);
        let end = (offset + len).min(self.0.len());
        if end <= start {
            return true;
        }
        let pages = (end - start).div_ceil(PAGE);
        if pages > PAGES_MAX {
            return false;
        }
        let mut residency = [0u8; PAGES_MAX];
        // SAFETY: `start` is page-aligned and inside the mapping, `end` is not past it, and
        // `residency` has a byte for each of the `pages` pages.
        let code = unsafe {
            libc::mincore(
                self.0.as_ptr().add(start).cast_mut().cast(),
                end - start,
                residency.as_mut_ptr(),
            )
        };
        code == 0 && residency[..pages].iter().all(|page| page & 1 == 1)
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

/// A preallocated file written through memory.
pub(super) struct WriteMapping(MmapMut);

impl WriteMapping {
    /// Maps `bytes` of `file`, whose blocks are already reserved, and touches every page.
    pub(super) fn new(file: &File, bytes: usize) -> io::Result<Self> {
        // SAFETY: the caller created the file exclusively and holds the directory lock; its blocks
        // are reserved, so a store cannot fail for want of space.
        let map = unsafe { MmapOptions::new().len(bytes).map_mut(file)? };
        let _ = map.advise(Advice::PopulateWrite);
        Ok(Self(map))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}
