//! Latency histograms: logarithmic buckets with eight steps per power of two, so that a percentile
//! is read with at most 12.5 % error. Recording is one relaxed atomic add.
//!
//! Operations are sampled (one in [`SAMPLE`]): reading the clock costs a tenth of a put.

use std::sync::atomic::{AtomicU64, Ordering};

/// One in this many operations is measured; a power of two.
pub(super) const SAMPLE: u64 = 64;

const STEPS: usize = 8;
const BUCKETS: usize = 61 * STEPS;

/// Percentiles of a latency, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Operations measured.
    pub samples: u64,
    /// Median.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Longest.
    pub max_ns: u64,
}

/// A histogram that many threads record into.
pub(super) struct Histogram {
    buckets: Box<[AtomicU64]>,
    max_ns: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        Self { buckets, max_ns: AtomicU64::new(0) }
    }
}

impl Histogram {
    pub(super) fn record(&self, ns: u64) {
        self.buckets[bucket_of(ns)].fetch_add(1, Ordering::Relaxed);
        self.max_ns.fetch_max(ns, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Latency {
        let counts: Vec<u64> =
            self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let samples: u64 = counts.iter().sum();
        let max_ns = self.max_ns.load(Ordering::Relaxed);
        let percentile = |share: f64| {
            let wanted = (samples as f64 * share).ceil() as u64;
            let mut seen = 0;
            let found = counts.iter().position(|count| {
                seen += count;
                seen >= wanted
            });
            found.map_or(0, |bucket| end_of(bucket).min(max_ns))
        };
        if samples == 0 {
            return Latency::default();
        }
        Latency {
            samples,
            p50_ns: percentile(0.5),
            p99_ns: percentile(0.99),
            p999_ns: percentile(0.999),
            max_ns,
        }
    }
}

fn bucket_of(ns: u64) -> usize {
    if ns < STEPS as u64 {
        return ns as usize;
    }
    let power = 63 - ns.leading_zeros() as usize;
    let step = (ns >> (power - 3)) as usize & (STEPS - 1);
    ((power - 2) * STEPS + step).min(BUCKETS - 1)
}

/// Largest value of a bucket.
fn end_of(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let (power, step) = (bucket / STEPS + 2, (bucket % STEPS) as u64);
    (((STEPS as u64 + step + 1) as u128) << (power - 3)).min(u128::from(u64::MAX)) as u64 - 1
}

#[cfg(test)]
mod tests;
