//! The allocator of the extension: mimalloc over a range of our own.
//!
//! mimalloc asks for huge pages. Those make a few memtables of some megabytes twice as large as they
//! are, because memory that is given back and used again comes back by two megabytes. So its first
//! range is mapped here, without huge pages, until a database is opened whose budget makes up for
//! them (ADR 17).
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Milliseconds that freed memory stays with the process.
const PURGE_DELAY_MS: c_long = 10;
/// `mi_option_purge_delay` of mimalloc 3.
const OPTION_PURGE_DELAY: c_int = 15;

unsafe extern "C" {
    fn mi_option_set_default(option: c_int, value: c_long);
}

/// Has freed memory go back to the system soon: memtables and output buffers come and go by the
/// megabyte, and with mimalloc's second of delay those of a busy second pile up. A value set by
/// `MIMALLOC_PURGE_DELAY` wins.
pub fn configure() {
    // SAFETY: the function takes two numbers and changes a setting of mimalloc, which is linked in.
    unsafe { mi_option_set_default(OPTION_PURGE_DELAY, PURGE_DELAY_MS) }
}

/// Prepares for a database that may use `budget` bytes for memtables and cache.
pub fn expect(budget: usize) {
    #[cfg(target_os = "linux")]
    range::expect(budget);
    #[cfg(not(target_os = "linux"))]
    let _ = budget;
}

#[cfg(target_os = "linux")]
mod range {
    use std::ffi::{c_int, c_void};
    use std::sync::OnceLock;

    use memmap2::{Advice, MmapOptions, MmapRaw};

    /// Address space of the range, as much as mimalloc would reserve; what is above it comes from
    /// ranges that mimalloc makes.
    const BYTES: usize = 1 << 30;
    /// Budget from which huge pages are worth their waste.
    const HUGE_PAGES_BUDGET_MIN: usize = 256 << 20;

    static RANGE: OnceLock<MmapRaw> = OnceLock::new();

    unsafe extern "C" {
        fn mi_manage_os_memory(
            start: *mut c_void,
            size: usize,
            is_committed: bool,
            is_pinned: bool,
            is_zero: bool,
            numa_node: c_int,
        ) -> bool;
    }

    /// Runs when the extension is loaded: after mimalloc's own constructor, which has a priority, and
    /// before anything is allocated, for which mimalloc would make a range.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static CONSTRUCTOR: extern "C" fn() = reserve;

    extern "C" fn reserve() {
        let Ok(range) = MmapOptions::new().len(BYTES).no_reserve_swap().map_anon() else { return };
        // Kernels without huge pages refuse the advice and need none.
        let _ = range.advise(Advice::NoHugePage);
        let range = RANGE.get_or_init(|| range.into());
        // SAFETY: the range is zeroed memory that nobody else uses; it stays mapped for good.
        unsafe { mi_manage_os_memory(range.as_mut_ptr().cast(), BYTES, true, false, true, -1) };
    }

    pub(super) fn expect(budget: usize) {
        if let Some(range) = RANGE.get().filter(|_| budget >= HUGE_PAGES_BUDGET_MIN) {
            let _ = range.advise(Advice::HugePage);
        }
    }
}
