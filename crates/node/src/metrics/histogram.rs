//! Latency histograms of one writer: eight steps per power of two nanoseconds.

use super::Counter;

const STEPS: usize = 8;
/// Up to eighteen minutes; longer ones count as that.
const BUCKETS: usize = 38 * STEPS;
/// Where the histogram of LATENCY begins to double.
const FIRST_BOUND_NS: u64 = 1024;

/// Buckets that one thread records into.
#[derive(Debug)]
pub(crate) struct Histogram(Box<[Counter]>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| Counter::default()).collect())
    }
}

impl Histogram {
    #[inline]
    pub(crate) fn record(&self, ns: u64) {
        self.0[bucket_of(ns)].add(1);
    }

    /// Adds its counts to `counts`, which is empty at first.
    pub(crate) fn add_to(&self, counts: &mut Vec<u64>) {
        counts.resize(BUCKETS, 0);
        counts.iter_mut().zip(&self.0).for_each(|(count, bucket)| *count += bucket.get());
    }
}

#[inline]
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
    ((STEPS as u64 + step + 1) << (power - 3)) - 1
}

/// The value below which a share of the counted values lies, in nanoseconds.
pub(crate) fn percentile_ns(counts: &[u64], share: f64) -> u64 {
    let total: u64 = counts.iter().sum();
    let wanted = ((total as f64 * share).ceil() as u64).max(1);
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    found.map_or(0, end_of)
}

/// Bounds in microseconds, each twice the last, and how many values lie below; only bounds that add
/// some.
pub(crate) fn cumulative_us(counts: &[u64]) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let (mut bound_ns, mut last) = (FIRST_BOUND_NS, 0);
    let total: u64 = counts.iter().sum();
    while last < total {
        let end = bucket_of(bound_ns).min(counts.len());
        let is_last = end + 1 >= counts.len();
        let below = if is_last { total } else { counts[..end].iter().sum() };
        if below > last {
            found.push(((bound_ns - 1) / 1000, below));
            last = below;
        }
        bound_ns *= 2;
    }
    found
}
