//! CLIENT PAUSE: commands that wait until a moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aidb_redis::table::Command;

/// Which commands wait, and until when.
///
/// **Concurrency**: any thread. Reactors look when they have waiting connections.
#[derive(Default)]
pub(crate) struct Pause {
    /// Milliseconds since the Unix epoch; 0 = nothing waits.
    until_ms: AtomicU64,
    /// Not only writes.
    is_of_all: AtomicBool,
}

impl Pause {
    /// Begins, or prolongs: the later end and the stricter kind stay.
    pub(crate) fn begin(&self, until_ms: u64, is_of_all: bool, now_ms: u64) {
        let is_on = self.is_on(now_ms);
        let was_of_all = is_on && self.is_of_all.load(Ordering::Relaxed);
        self.is_of_all.store(is_of_all || was_of_all, Ordering::Relaxed);
        let before_ms = if is_on { self.until_ms() } else { 0 };
        self.until_ms.store(until_ms.max(before_ms), Ordering::Release);
    }

    pub(crate) fn end(&self) {
        self.until_ms.store(0, Ordering::Release);
    }

    /// Whether it was begun and not ended; its time may be over.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.until_ms.load(Ordering::Acquire) != 0
    }

    pub(crate) fn until_ms(&self) -> u64 {
        self.until_ms.load(Ordering::Acquire)
    }

    pub(crate) fn is_on(&self, now_ms: u64) -> bool {
        self.until_ms() > now_ms
    }

    /// Whether a command waits.
    pub(crate) fn holds(&self, command: &Command, now_ms: u64) -> bool {
        self.is_on(now_ms) && (self.is_of_all.load(Ordering::Relaxed) || may_write(command))
    }
}

/// Whether a command changes something that a replica would have to learn.
fn may_write(command: &Command) -> bool {
    command.writes
        || matches!(
            command.name,
            "exec" | "eval" | "evalsha" | "fcall" | "function" | "publish" | "spublish" | "pfcount"
        )
}

#[cfg(test)]
mod tests;
