//! The allocator of the extension.
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
