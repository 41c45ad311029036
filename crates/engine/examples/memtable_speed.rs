//! Measures the memtable and its cursors: `cargo run --release --example memtable_speed [keys]`.
//!
//! Times are processor time of the thread where Linux tells it, so that a busy machine disturbs less.
#![allow(clippy::disallowed_methods, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use aidb_base::Rng;
use aidb_base::hash::key_hash;
use aidb_engine::entry::{Entry, Kind};
use aidb_engine::iterator::{Bounds, Cursor, MergeCursor, ViewCursor};
use aidb_engine::memtable::Memtable;

const VALUE: [u8; 100] = [7; 100];

fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key0000000000000";
    let mut rest = number;
    for digit in key[3..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

fn random_keys(count: usize, seed: u64) -> Vec<[u8; 16]> {
    let mut rng = Rng::seeded(seed);
    (0..count).map(|_| key(rng.below(10_000_000_000))).collect()
}

/// Nanoseconds that this thread has run, or since `origin` where the system does not tell.
fn now_ns(origin: Instant) -> u64 {
    std::thread::yield_now();
    let on_cpu = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let parsed = on_cpu.and_then(|text| text.split(' ').next()?.parse().ok());
    parsed.unwrap_or_else(|| origin.elapsed().as_nanos() as u64)
}

struct Stopwatch {
    origin: Instant,
    start: u64,
}

impl Stopwatch {
    fn start() -> Self {
        let origin = Instant::now();
        Self { origin, start: now_ns(origin) }
    }

    fn report(&self, what: &str, count: usize) {
        let spent = now_ns(self.origin) - self.start;
        println!("{what:<48} {:>8.1} ns", spent as f64 / count as f64);
    }
}

fn insert(memtable: &Memtable, key: &[u8], seq: u64) {
    let entry = Entry { key, seq, kind: Kind::Put, expire_at_ms: 0, value: &VALUE };
    black_box(memtable.insert(0, key_hash(key), &entry));
}

fn fill(what: &str, keys: &[[u8; 16]], memtable: Memtable) -> Arc<Memtable> {
    let memtable = Arc::new(memtable);
    let start = Stopwatch::start();
    for (key, seq) in keys.iter().zip(1..) {
        insert(&memtable, key, seq);
    }
    start.report(what, keys.len());
    memtable
}

/// As a writer that appends to the log between hashing the key and the insert.
fn fill_prefetched(what: &str, keys: &[[u8; 16]], memtable: Memtable) {
    let start = Stopwatch::start();
    for (i, key) in keys.iter().enumerate() {
        if let Some(coming) = keys.get(i + 2) {
            memtable.prefetch(0, key_hash(coming));
        }
        insert(&memtable, key, i as u64 + 1);
    }
    start.report(what, keys.len());
}

fn get_all(what: &str, memtable: &Memtable, keys: &[[u8; 16]]) {
    let start = Stopwatch::start();
    let mut bytes = 0;
    for key in keys {
        let found = memtable.get(0, key, key_hash(key), u64::MAX);
        bytes += found.map_or(0, |entry| usize::from(entry.value[0]));
    }
    start.report(what, keys.len());
    black_box(bytes);
}

fn view(memtables: &[&Arc<Memtable>]) -> ViewCursor {
    let sources = memtables.iter().map(|memtable| memtable.cursor(0, u64::MAX).into()).collect();
    ViewCursor::new(MergeCursor::new(sources), Vec::new(), u64::MAX, 1, Bounds::all())
}

fn scan(what: &str, memtables: &[&Arc<Memtable>]) {
    let mut cursor = view(memtables);
    let (mut count, mut bytes) = (0, 0);
    let start = Stopwatch::start();
    cursor.seek_to_first().expect("in memory");
    while let Some(entry) = cursor.entry() {
        bytes += entry.key.len() + usize::from(entry.value[0]);
        count += 1;
        cursor.next().expect("in memory");
    }
    start.report(what, count);
    black_box(bytes);
}

fn scan_backward(what: &str, memtables: &[&Arc<Memtable>]) {
    let mut cursor = view(memtables);
    let mut count = 0;
    let start = Stopwatch::start();
    cursor.seek_to_last().expect("in memory");
    while cursor.entry().is_some() {
        count += 1;
        cursor.prev().expect("in memory");
    }
    start.report(what, count);
}

fn sort_whole(what: &str, memtable: &Arc<Memtable>, count: usize) {
    memtable.freeze();
    let start = Stopwatch::start();
    let mut cursor = memtable.sorted_cursor(0);
    cursor.seek_to_first().expect("in memory");
    black_box(cursor.entry());
    start.report(what, count);
}

/// Creates a cursor and reads one entry after every `writes` inserts.
fn mixed(keys: &[[u8; 16]], writes: usize) {
    let memtable = Arc::new(Memtable::new(256 << 20, keys.len()));
    let mut times = Vec::new();
    for (i, batch) in keys.chunks(writes).enumerate() {
        for key in batch {
            insert(&memtable, key, i as u64 + 1);
        }
        let start = Instant::now();
        let mut cursor = memtable.cursor(0, u64::MAX);
        cursor.seek(&batch[0]).expect("in memory");
        black_box(cursor.entry());
        times.push(start.elapsed().as_nanos() as u64);
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!(
        "cursor after {writes:>4} writes: p50 {:>7.1} us  p99 {:>7.1} us  max {:>8.1} us",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn main() {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(500_000);
    let keys = random_keys(count, 1);
    let others = random_keys(count, 2);
    let bytes_max = count * 512;
    let first = fill("insert random (fresh memory)", &keys, Memtable::new(bytes_max, count));
    let memtable = fill("insert random (fresh memory)", &keys, first.successor());
    drop(first);
    let again = fill("insert random", &keys, memtable.successor());
    drop(again);
    fill_prefetched("insert random, prefetched", &keys, memtable.successor());
    let grown = fill("insert random, size not foreseen", &keys, Memtable::new(bytes_max, 0));
    get_all("get hit, in insertion order", &memtable, &keys);
    let mut shuffled = keys.clone();
    shuffled.sort_unstable_by_key(|key| key_hash(&key[3..]));
    get_all("get hit, random", &memtable, &shuffled);
    get_all("get miss", &memtable, &others);
    get_all("get hit, random, after growth", &grown, &shuffled);
    let start = Stopwatch::start();
    let mut cursor = grown.cursor(0, u64::MAX);
    cursor.seek_to_first().expect("in memory");
    start.report("first cursor, per record", count);
    scan("scan of several runs", &[&grown]);
    sort_whole("sort at flush, random", &memtable, count);
    scan("scan of one run, random memory", &[&memtable]);
    scan_backward("backward", &[&memtable]);
    let ordered: Vec<_> = (0..count as u64).map(key).collect();
    let sequential = fill("insert in order", &ordered, Memtable::new(bytes_max, count));
    sort_whole("sort at flush, in order", &sequential, count);
    scan("scan of one run, ordered memory", &[&sequential]);
    scan_backward("backward", &[&sequential]);
    scan("scan of two memtables", &[&sequential, &memtable]);
    let small = fill("insert 20 K", &keys[..20_000.min(count)], Memtable::new(bytes_max, 20_000));
    get_all("get hit, 20 K keys", &small, &keys[..20_000.min(count)]);
    get_all("get miss, 20 K keys", &small, &others[..20_000.min(count)]);
    sort_whole("sort at flush, 20 K keys", &small, 20_000.min(count));
    scan("scan, 20 K keys", &[&small]);
    scan("scan, 20 K keys, again", &[&small]);
    scan_backward("backward, 20 K keys", &[&small]);
    for writes in [1, 10, 100, 1000] {
        mixed(&keys[..(writes * 20_000).min(count)], writes);
    }
}
