//! Back-pressure: writers slow down smoothly as memory or level 0 fill up, and stop at the limit.
//!
//! [`Pressure::set`] is called whenever memtables or the version change; it turns the fill into a
//! price in nanoseconds per KiB. A writer pays by waiting for its turn in a virtual queue, outside
//! every lock, so that a burst is spread instead of stopping all writers at once.
//!
//! While memtables fill up, the price rises to what flushing a KiB cost lately, and beyond it at last:
//! a burst costs little, and writers in a hurry come to write as fast as the flusher, instead of
//! filling the budget at full speed and waiting for a whole flush.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aidb_base::{Clock, Error, Result};
use parking_lot::{Condvar, Mutex};

use crate::events::{Scarcity, WritePressure};

const STOP: u64 = u64::MAX;
/// Waits below this are saved up: a sleep costs about as much.
const WAIT_NS_MIN: u64 = 500_000;
/// A writer that must not wait looks at the clock when it owes this much.
const OWED_NS_MAX: u64 = 50_000;
const PRICE_NS_PER_KIB_MAX: u64 = 60_000;
/// Cost of flushing assumed before the first flush: 500 MB/s.
const FLUSH_NS_PER_KIB_FIRST: u64 = 2_000;
/// Fill at which writers pay what flushing costs: less before, so that a burst is taken fast, and
/// more behind, by so many costs of flushing when the budget is spent.
const EVEN_FILL: f64 = 0.5;
const PACE_RANGE: f64 = 0.8;
/// Memory of a record besides key and value, about: a price is paid for memory.
const RECORD_BYTES: u64 = 64;

/// Whose failure keeps relief away.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    Flush,
    Compaction,
}

/// Why relief will not come soon, by cause.
type Blocked = [Option<Error>; 2];

/// The price of writing, and what it has cost so far.
pub(super) struct Pressure {
    price: AtomicU64,
    /// What flushing a KiB cost lately.
    flush_ns_per_kib: AtomicU64,
    queue_ns: AtomicU64,
    /// What writers of [`Pressure::try_pass`] have not paid yet.
    owed_ns: AtomicU64,
    blocked: Mutex<Blocked>,
    relieved: Condvar,
    stalls: AtomicU64,
    stall_ns: AtomicU64,
    stall_ns_max: AtomicU64,
}

/// How full the resources of writers are: up to 0 they are free, from 1 on writers stop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fill {
    /// Memory of full memtables.
    pub(super) memory: f64,
    /// Runs of level 0.
    pub(super) runs: f64,
}

impl Fill {
    /// The tighter one.
    pub(super) fn scarcity(self) -> Scarcity {
        if self.runs > self.memory { Scarcity::LevelZero } else { Scarcity::Memory }
    }
}

impl Default for Pressure {
    fn default() -> Self {
        Self {
            price: AtomicU64::new(0),
            flush_ns_per_kib: AtomicU64::new(FLUSH_NS_PER_KIB_FIRST),
            queue_ns: AtomicU64::new(0),
            owed_ns: AtomicU64::new(0),
            blocked: Mutex::default(),
            relieved: Condvar::new(),
            stalls: AtomicU64::new(0),
            stall_ns: AtomicU64::new(0),
            stall_ns_max: AtomicU64::new(0),
        }
    }
}

impl Pressure {
    /// Whether a write passes without waiting.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.price.load(Ordering::Relaxed) == 0
    }

    /// Whether a write of `bytes` passes now: for nothing, or for a price that asks for no wait
    /// yet. If not, [`Pressure::wait`] must follow.
    #[inline]
    pub(super) fn try_pass(&self, bytes: usize, clock: &dyn Clock) -> bool {
        self.is_free() || self.try_pay(bytes as u64, clock)
    }

    fn try_pay(&self, bytes: u64, clock: &dyn Clock) -> bool {
        let price = self.price.load(Ordering::Acquire);
        if price == STOP {
            return false;
        }
        let cost = cost(bytes, price);
        let owed = self.owed_ns.fetch_add(cost, Ordering::Relaxed).saturating_add(cost);
        if owed < OWED_NS_MAX {
            return true;
        }
        let now = clock.monotonic_ns();
        let queue = self.queue_ns.load(Ordering::Relaxed).max(now);
        if queue.saturating_add(owed) - now >= WAIT_NS_MIN {
            // The wait that follows pays for this write, and for what else is owed.
            let less = |owed: u64| Some(owed.saturating_sub(cost));
            let _ = self.owed_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            return false;
        }
        let owed = self.owed_ns.swap(0, Ordering::Relaxed);
        self.queue_ns.store(queue.saturating_add(owed), Ordering::Relaxed);
        true
    }

    /// Sets the price from the fill of the tightest resource. Returns how writers are treated from
    /// now on if that is new.
    pub(super) fn set(&self, fill: Fill) -> Option<WritePressure> {
        let flush = self.flush_ns_per_kib.load(Ordering::Relaxed) as f64;
        let price = if fill.memory >= 1.0 || fill.runs >= 1.0 {
            STOP
        } else {
            let paced = match fill.memory {
                memory if memory <= 0.0 => 0.0,
                memory if memory <= EVEN_FILL => 1.0 + flush * (memory / EVEN_FILL).powi(2),
                memory => {
                    let beyond = (memory - EVEN_FILL) / (1.0 - EVEN_FILL);
                    1.0 + flush * (1.0 + PACE_RANGE * beyond)
                }
            };
            let crowded = match fill.runs {
                runs if runs <= 0.0 => 0.0,
                runs => 1.0 + runs * runs * PRICE_NS_PER_KIB_MAX as f64,
            };
            paced.max(crowded).min(PRICE_NS_PER_KIB_MAX as f64) as u64
        };
        let before = self.price.swap(price, Ordering::AcqRel);
        if before == STOP && price != STOP {
            let _guard = self.blocked.lock();
            self.relieved.notify_all();
        }
        let level = level_of(price);
        (level != level_of(before)).then_some(level)
    }

    /// How writers are treated.
    pub(super) fn level(&self) -> WritePressure {
        level_of(self.price.load(Ordering::Relaxed))
    }

    /// Notes that a memtable of `bytes` was flushed in `ns`.
    pub(super) fn note_flush(&self, bytes: usize, ns: u64) {
        let cost = ns / (bytes as u64 / 1024).max(1);
        let before = self.flush_ns_per_kib.load(Ordering::Relaxed);
        self.flush_ns_per_kib.store((before * 3 + cost) / 4, Ordering::Relaxed);
    }

    /// Says why relief will not come soon (`None` = it will); stopped writers then get the error.
    pub(super) fn set_blocked(&self, cause: Cause, reason: Option<Error>) {
        let mut blocked = self.blocked.lock();
        blocked[cause as usize] = reason;
        self.relieved.notify_all();
    }

    /// Waits for `bytes` of room.
    ///
    /// # Errors
    /// The reason given to [`Pressure::set_blocked`] when writes are stopped.
    #[cold]
    pub(super) fn wait(&self, bytes: usize, clock: &dyn Clock) -> Result<()> {
        let start = clock.monotonic_ns();
        let result = self.wait_turn(bytes as u64, start, clock);
        let waited = clock.monotonic_ns().saturating_sub(start);
        if waited >= WAIT_NS_MIN / 2 {
            self.stalls.fetch_add(1, Ordering::Relaxed);
            self.stall_ns.fetch_add(waited, Ordering::Relaxed);
            self.stall_ns_max.fetch_max(waited, Ordering::Relaxed);
        }
        result
    }

    fn wait_turn(&self, bytes: u64, now: u64, clock: &dyn Clock) -> Result<()> {
        let price = self.price.load(Ordering::Acquire);
        if price != STOP {
            let owed = self.owed_ns.swap(0, Ordering::Relaxed);
            let cost = cost(bytes, price).saturating_add(owed);
            let turn = self.queue_ns.load(Ordering::Relaxed).max(now).saturating_add(cost);
            self.queue_ns.store(turn, Ordering::Relaxed);
            if turn - now >= WAIT_NS_MIN {
                let mut blocked = self.blocked.lock();
                self.relieved.wait_for(&mut blocked, Duration::from_nanos(turn - now));
            }
            return Ok(());
        }
        let mut blocked = self.blocked.lock();
        while self.price.load(Ordering::Acquire) == STOP {
            if let Some(reason) = blocked.iter().flatten().next() {
                return Err(reason.clone());
            }
            self.relieved.wait_for(&mut blocked, Duration::from_millis(50));
        }
        self.queue_ns.store(clock.monotonic_ns(), Ordering::Relaxed);
        Ok(())
    }

    /// Waits, their total and their longest in nanoseconds.
    pub(super) fn stalls(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.stalls), read(&self.stall_ns), read(&self.stall_ns_max))
    }
}

fn level_of(price: u64) -> WritePressure {
    match price {
        0 => WritePressure::Free,
        STOP => WritePressure::Stopped,
        _ => WritePressure::Slowed,
    }
}

/// What a record of `bytes` costs in nanoseconds.
fn cost(bytes: u64, price: u64) -> u64 {
    (bytes + RECORD_BYTES).saturating_mul(price) / 1024
}

#[cfg(test)]
mod tests;
