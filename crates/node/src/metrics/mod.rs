//! Counters. Each has one writer thread, so counting is a plain load and store.

mod commands;
mod histogram;
mod rates;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use commands::CommandMetrics;
pub(crate) use commands::CommandStatistics;
pub(crate) use histogram::{cumulative_us, percentile_ns};
pub(crate) use rates::{RateMeter, Rates};

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
    /// By place in the command table.
    pub(crate) by_command: Box<[CommandMetrics]>,
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
            by_command: CommandMetrics::of_table(),
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
    /// Error replies by their first word.
    errors: Mutex<BTreeMap<String, u64>>,
}

/// Different codes of errors that are counted; a script can make up any number.
const ERROR_CODES_MAX: usize = 128;

impl NodeMetrics {
    /// Counts an error line by its code.
    #[cold]
    pub(crate) fn count_error(&self, line: &[u8]) {
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let code = String::from_utf8_lossy(&line[..end]);
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(&*code) {
            *count += 1;
        } else if errors.len() < ERROR_CODES_MAX {
            errors.insert(code.into_owned(), 1);
        }
    }

    /// Error replies by code.
    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().clone()
    }

    pub(crate) fn forget_errors(&self) {
        self.errors.lock().clear();
    }
}

/// Counts a rare event.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Reads a counter of rare events.
pub(crate) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
