//! Prints what single table operations cost: `cargo bench -p aidb-engine --bench table`.
//!
//! An argument sets the number of keys: 500000 by default, far more than caches hold; 10000 shows
//! what is left without cache misses. Figures are those of the best of many rounds, in nanoseconds
//! per operation on data in memory; they are printed, never asserted.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use aidb_base::Rng;
use aidb_base::hash::key_hash_seeded;
use aidb_engine::blob::{BlobFile, BlobWriter};
use aidb_engine::cache::BlockCache;
use aidb_engine::iterator::Cursor;
use aidb_engine::table::{Table, TableBuilder, TableOptions};
use aidb_engine::vfs::OsVfs;
use aidb_engine::{Codec, Entry, Kind};

const ROUNDS: usize = 60;
const LOOKUPS: u64 = 200_000;
const LOOKUPS_PER_ROUND: usize = 2000;

/// Sixteen bytes, spread over the key space; odd numbers are absent.
fn key(i: u64) -> [u8; 16] {
    let mut out = *b"user000000000000";
    let mut rest = i;
    for digit in out[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out
}

fn value(rng: &mut Rng, out: &mut [u8]) {
    for (i, byte) in out.iter_mut().enumerate() {
        // Half noise, half constant: compresses about two to one, as real records do.
        *byte = if i < 50 { rng.next_u64() as u8 } else { b'x' };
    }
}

/// The best of many rounds over different keys, so that no round finds what another one loaded.
fn best_lookup(keys: &[[u8; 16]], mut look_up: impl FnMut(&[u8; 16])) -> f64 {
    let rounds = keys.chunks(LOOKUPS_PER_ROUND);
    let costs =
        rounds.map(|keys| per_operation(keys.len() as u64, || keys.iter().for_each(&mut look_up)));
    costs.fold(f64::MAX, f64::min)
}

/// The best of many short rounds: what the code costs when the machine does nothing else.
fn best(run: impl FnMut() -> f64) -> f64 {
    std::iter::repeat_with(run).take(ROUNDS).fold(f64::MAX, f64::min)
}

fn per_operation(count: u64, run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64 / count as f64
}

fn report(name: &str, nanoseconds: f64) {
    println!("{name:<44} {nanoseconds:>10.1} ns");
}

fn build(vfs: &OsVfs, path: &Path, codec: Codec, keys: u64) {
    let options = TableOptions {
        block_bytes: 4096,
        filter_bits_per_key: 10,
        codec,
        uid: 1,
        hash_seed: 7,
        ..TableOptions::default()
    };
    let mut builder = TableBuilder::create(vfs, path, options).unwrap();
    let mut rng = Rng::seeded(1);
    let mut bytes = [0; 100];
    let cost = per_operation(keys, || {
        for i in 0..keys {
            value(&mut rng, &mut bytes);
            let key = key(i * 2);
            let entry =
                Entry { key: &key, seq: i, kind: Kind::Put, expire_at_ms: 0, value: &bytes };
            builder.add(&entry).unwrap();
        }
    });
    report(&format!("{codec:?}: add"), cost);
    let start = Instant::now();
    let written = builder.finish().unwrap();
    println!(
        "{codec:?}: finish {} ms, {} bytes, {} blocks",
        start.elapsed().as_millis(),
        written.bytes,
        written.blocks
    );
}

fn lookups(table: &Table, name: &str, odd: u64, count: u64) {
    let mut rng = Rng::seeded(2);
    let keys: Vec<[u8; 16]> = (0..LOOKUPS).map(|_| key(rng.below(count) * 2 + odd)).collect();
    let get = best_lookup(&keys, |key| {
        let found = table.get(key, key_hash_seeded(key, 7), 7, |entry| entry.value[0]);
        black_box(found.unwrap());
    });
    report(&format!("{name}: get"), get);
    let try_get = best_lookup(&keys, |key| {
        let found = table.try_get(key, key_hash_seeded(key, 7), 7, |entry| entry.value[0]);
        black_box(found.unwrap());
    });
    report(&format!("{name}: try_get"), try_get);
}

fn walks(table: &Arc<Table>, name: &str, count: u64) {
    for (kind, fill_cache) in [("next", true), ("next without cache", false)] {
        let walk = || {
            let mut cursor = table.cursor(fill_cache);
            cursor.seek_to_first().unwrap();
            per_operation(count, || {
                while let Some(entry) = cursor.entry() {
                    black_box(entry.value);
                    cursor.next().unwrap();
                }
            })
        };
        report(&format!("{name}: {kind}"), best(walk));
    }
    let back = || {
        let mut cursor = table.cursor(true);
        cursor.seek_to_last().unwrap();
        per_operation(count, || {
            while let Some(entry) = cursor.entry() {
                black_box(entry.value);
                cursor.prev().unwrap();
            }
        })
    };
    report(&format!("{name}: prev"), best(back));
    let mut rng = Rng::seeded(3);
    let keys: Vec<[u8; 16]> = (0..LOOKUPS).map(|_| key(rng.below(count * 2))).collect();
    let mut cursor = table.cursor(true);
    let seek = best_lookup(&keys, |key| {
        cursor.seek(key).unwrap();
        black_box(cursor.entry());
    });
    report(&format!("{name}: seek"), seek);
}

fn blobs(vfs: &OsVfs, path: &Path) {
    const COUNT: usize = 2000;
    let mut writer = BlobWriter::create(vfs, path, 1, 1, Codec::Lz4).unwrap();
    let mut rng = Rng::seeded(1);
    let value: Vec<u8> = (0..16 << 10).map(|_| rng.next_u64() as u8).collect();
    let refs: Vec<_> = (0..COUNT).map(|_| writer.append(&value).unwrap()).collect();
    writer.finish().unwrap();
    let file = BlobFile::open(vfs, path, 1, 1).unwrap();
    let read = || {
        per_operation(COUNT as u64, || {
            for blob in &refs {
                file.read_with(blob, |value| black_box(value[0])).unwrap();
            }
        })
    };
    report("blob of 16 KiB: first read", read());
    report("blob of 16 KiB: read", best(read));
}

fn main() {
    let keys = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(500_000);
    let dir = tempfile::tempdir().unwrap();
    let vfs = OsVfs::new();
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
        let path = dir.path().join(format!("{codec:?}.sst"));
        build(&vfs, &path, codec, keys);
        let cache = Arc::new(BlockCache::new(256 << 20));
        let open =
            || per_operation(1, || drop(Table::open(&vfs, &path, 1, cache.clone()).unwrap()));
        report(&format!("{codec:?}: open"), best(open));
        let table = Table::open(&vfs, &path, 1, cache.clone()).unwrap();
        let first = key(2);
        let cost = per_operation(1, || {
            table.get(&first, key_hash_seeded(&first, 7), 7, |_| ()).unwrap();
        });
        report(&format!("{codec:?}: first get"), cost);
        let name = format!("{codec:?}");
        walks(&table, &name, keys);
        lookups(&table, &format!("{name} hit"), 0, keys);
        lookups(&table, &format!("{name} miss"), 1, keys);
        println!("{:?}", cache.stats());
    }
    blobs(&vfs, &dir.path().join("1.blob"));
}
