//! Time as a dependency: the wall clock for expiry, a monotonic clock for durations.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Source of time. All time in engine and data plane comes from one of these.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
    /// Nanoseconds since some fixed point; never goes back.
    fn monotonic_ns(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic zero is now.
    #[allow(clippy::disallowed_methods)]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
    }

    fn monotonic_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

/// A clock that a test moves by hand.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at `now_ms`.
    pub fn at(now_ms: u64) -> Self {
        Self { now_ms: AtomicU64::new(now_ms) }
    }

    /// Moves both clocks on by `ms`.
    pub fn advance_ms(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst) * 1_000_000
    }
}

/// A wall clock that stands still while durations go on: for data whose expiry somebody else decides.
#[derive(Debug)]
pub struct StandingClock {
    now_ms: u64,
    durations: SystemClock,
}

impl StandingClock {
    /// A clock that always shows `now_ms`.
    pub fn at(now_ms: u64) -> Self {
        Self { now_ms, durations: SystemClock::new() }
    }
}

impl Clock for StandingClock {
    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn monotonic_ns(&self) -> u64 {
        self.durations.monotonic_ns()
    }
}
