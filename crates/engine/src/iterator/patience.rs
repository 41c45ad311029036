//! Whether the cursors of a scan may wait for the disk; told to all of them at once.

use std::sync::atomic::{AtomicBool, Ordering};

use aidb_base::Error;

/// Shared by a scan, which uses one thread at a time, and its cursors.
#[derive(Debug)]
pub(crate) struct Patience {
    may_wait: AtomicBool,
    has_refused: AtomicBool,
}

impl Patience {
    /// Cursors may wait.
    pub(crate) fn new() -> Self {
        Self { may_wait: AtomicBool::new(true), has_refused: AtomicBool::new(false) }
    }

    /// Whether a cursor may wait.
    #[inline]
    pub(crate) fn may_wait(&self) -> bool {
        self.may_wait.load(Ordering::Relaxed)
    }

    /// Says whether cursors may wait from now on.
    #[inline]
    pub(crate) fn set_may_wait(&self, may_wait: bool) {
        self.may_wait.store(may_wait, Ordering::Relaxed);
    }

    /// The error of a cursor that would have to wait.
    #[cold]
    pub(crate) fn refuse(&self) -> Error {
        self.has_refused.store(true, Ordering::Relaxed);
        Error::unavailable("a block is not in memory; read again where waiting is allowed")
    }

    /// Whether the last error was one of refusal; forgets it.
    #[cold]
    pub(crate) fn take_refusal(&self) -> bool {
        self.has_refused.swap(false, Ordering::Relaxed)
    }
}
