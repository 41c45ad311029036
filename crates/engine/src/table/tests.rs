use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aidb_base::hash::key_hash_seeded;
use aidb_base::{Attempt, ErrorKind, Seq};
use proptest::prelude::*;

use super::*;
use crate::cache::BlockCache;
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::iterator::Cursor;
use crate::options::Codec;
use crate::vfs::{MemVfs, OsVfs, Vfs};

const SEED: u64 = 99;
const CODECS: [Codec; 4] = [Codec::None, Codec::Lz4, Codec::Snappy, Codec::Zstd];

/// Sequence number, kind, expiry, value.
type Stored = (Seq, Kind, u64, Vec<u8>);
type Model = BTreeMap<Vec<u8>, Stored>;

fn options(codec: Codec) -> TableOptions {
    TableOptions {
        block_bytes: 128,
        filter_bits_per_key: 10,
        codec,
        keyspace: 3,
        level: 2,
        hash_seed: SEED,
        uid: 77,
        rt_applied_seq: 5,
        created_ms: 1000,
    }
}

fn entry<'a>(key: &'a [u8], stored: &'a Stored) -> Entry<'a> {
    let (seq, kind, expire_at_ms, value) = stored;
    Entry { key, seq: *seq, kind: *kind, expire_at_ms: *expire_at_ms, value }
}

fn write(vfs: &dyn Vfs, path: &Path, model: &Model, options: TableOptions) -> TableProperties {
    let mut builder = TableBuilder::create(vfs, path, options).unwrap();
    for (key, stored) in model {
        builder.add(&entry(key, stored)).unwrap();
    }
    builder.finish().unwrap()
}

fn open(vfs: &dyn Vfs, path: &Path) -> Arc<Table> {
    Table::open(vfs, path, 77, Arc::new(BlockCache::new(1 << 20))).unwrap()
}

fn get(table: &Table, key: &[u8]) -> Option<Stored> {
    let found = table.get(key, key_hash_seeded(key, SEED), SEED, |entry| {
        assert_eq!(entry.key, key);
        (entry.seq, entry.kind, entry.expire_at_ms, entry.value.to_vec())
    });
    found.unwrap()
}

/// Some thousand records of every kind, compressible.
fn sample(count: u32) -> Model {
    (0..count)
        .map(|i| {
            let kind = if i % 7 == 3 { Kind::Delete } else { Kind::Put };
            let value = match kind {
                Kind::Put => format!("value {} {}", i, "x".repeat((i % 40) as usize)),
                _ => String::new(),
            };
            let expire_at_ms = if i % 5 == 0 { 10_000 - u64::from(i) } else { 0 };
            let stored = (u64::from(i * 31 % 977) + 10, kind, expire_at_ms, value.into_bytes());
            (format!("user:{:06}", i * 2).into_bytes(), stored)
        })
        .collect()
}

#[test]
fn every_record_comes_back_with_every_codec() {
    for codec in CODECS {
        let vfs = MemVfs::new();
        let model = sample(1000);
        let path = Path::new("/1.sst");
        let written = write(&vfs, path, &model, options(codec));
        let table = open(&vfs, path);
        for (key, stored) in &model {
            assert_eq!(get(&table, key).as_ref(), Some(stored));
        }
        for i in 0..1000 {
            assert_eq!(get(&table, format!("user:{:06}", i * 2 + 1).as_bytes()), None);
        }
        table.verify(Some(written.digest)).unwrap();
        assert_eq!(TableProperties { digest: 0, ..written }, *table.properties());
    }
}
