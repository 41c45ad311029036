//! Counters. Each has one writer thread, so counting is a plain load and store.

use std::sync::atomic::{AtomicU64, Ordering};

use aidb_redis::table::COMMANDS;

/// A counter with one writer and any number of readers.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.get() + amount, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one thread counted.
#[derive(Debug)]
pub(crate) struct ThreadMetrics {
    pub(crate) commands: Counter,
    pub(crate) errors: Counter,
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) commits: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    /// Calls by place in the command table.
    pub(crate) calls: Box<[Counter]>,
}

impl ThreadMetrics {
    pub(crate) fn new() -> Self {
        Self {
            commands: Counter::default(),
            errors: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            commits: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            calls: COMMANDS.iter().map(|_| Counter::default()).collect(),
        }
    }
}

/// What the node counted as a whole. Many writers, rare events.
#[derive(Debug, Default)]
pub(crate) struct NodeMetrics {
    pub(crate) connections_received: AtomicU64,
    pub(crate) connections_rejected: AtomicU64,
    pub(crate) query_buffer_disconnections: AtomicU64,
    pub(crate) output_buffer_disconnections: AtomicU64,
    pub(crate) handed_to_pool: AtomicU64,
}

/// Counts a rare event.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Reads a counter of rare events.
pub(crate) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
