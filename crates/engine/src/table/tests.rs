//! Round trips; damage and models have files of their own.

mod cursors;
mod damage;
mod golden;
mod limits;
mod probe;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aidb_base::hash::key_hash_seeded;
use aidb_base::{Attempt, ErrorKind, Result, Seq};

use super::*;
use crate::blob::BlobRef;
use crate::cache::BlockCache;
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::options::Codec;
use crate::vfs::{MemVfs, OsVfs, ReadFile, Vfs};

const SEED: u64 = 99;
const UID: u64 = 77;
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
        uid: UID,
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
    Table::open(vfs, path, UID, Arc::new(BlockCache::new(1 << 20))).unwrap()
}

/// A table in memory with what was written into it.
fn table_of(model: &Model, options: TableOptions) -> (Arc<Table>, TableProperties) {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let properties = write(&vfs, path, model, options);
    (open(&vfs, path), properties)
}

fn try_read(table: &Table, key: &[u8]) -> Result<Option<Stored>> {
    table.get(key, key_hash_seeded(key, SEED), SEED, |entry| {
        assert_eq!(entry.key, key);
        (entry.seq, entry.kind, entry.expire_at_ms, entry.value.to_vec())
    })
}

fn get(table: &Table, key: &[u8]) -> Option<Stored> {
    try_read(table, key).unwrap()
}

/// Records of every kind but blob, compressible, at even numbers.
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
            (key_of(i * 2), stored)
        })
        .collect()
}

fn key_of(i: u32) -> Vec<u8> {
    format!("user:{i:06}").into_bytes()
}

/// A file that cannot be mapped.
struct UnmappedFile(Arc<dyn ReadFile>);

impl ReadFile for UnmappedFile {
    fn len(&self) -> u64 {
        self.0.len()
    }
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.0.read_exact_at(offset, buf)
    }
    fn map(&self) -> Option<&[u8]> {
        None
    }
    fn is_resident(&self, offset: u64, len: usize) -> bool {
        self.0.is_resident(offset, len)
    }
    fn try_read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<Attempt<()>> {
        self.0.try_read_exact_at(offset, buf)
    }
    fn drop_cache(&self, offset: u64, len: u64) {
        self.0.drop_cache(offset, len);
    }
}

fn open_unmapped(vfs: &MemVfs, path: &Path, cache: Arc<BlockCache>) -> Arc<Table> {
    let file = Arc::new(UnmappedFile(vfs.open_read(path).unwrap()));
    Table::open_file(file, path, UID, cache).unwrap()
}

#[test]
fn every_record_comes_back_with_every_codec() {
    for codec in CODECS {
        let model = sample(1000);
        let (table, written) = table_of(&model, options(codec));
        for (key, stored) in &model {
            assert_eq!(get(&table, key).as_ref(), Some(stored));
        }
        for i in 0..1000 {
            assert_eq!(get(&table, &key_of(i * 2 + 1)), None);
        }
        assert_eq!(get(&table, b""), None);
        assert_eq!(get(&table, b"zzz"), None);
        table.verify(Some(written.digest)).unwrap();
        assert_eq!(TableProperties { digest: 0, ..written }, *table.properties());
    }
}

#[test]
fn a_file_that_cannot_be_mapped_gives_the_same_answers() {
    for codec in CODECS {
        let vfs = MemVfs::new();
        let path = Path::new("/1.sst");
        let model = sample(500);
        let written = write(&vfs, path, &model, options(codec));
        for capacity in [0, 2000, 1 << 20] {
            let cache = Arc::new(BlockCache::new(capacity));
            let table = open_unmapped(&vfs, path, cache.clone());
            for (key, stored) in &model {
                assert_eq!(get(&table, key).as_ref(), Some(stored));
            }
            table.verify(Some(written.digest)).unwrap();
            assert!(cache.stats().bytes <= capacity as u64);
            assert!(cache.stats().misses >= written.blocks);
        }
    }
}

#[test]
fn real_files_give_the_same_answers() {
    let dir = tempfile::tempdir().unwrap();
    let vfs = OsVfs::new();
    for codec in CODECS {
        let path = dir.path().join(format!("{codec:?}.sst"));
        let model = sample(300);
        let written = write(&vfs, &path, &model, options(codec));
        assert_eq!(vfs.file_len(&path).unwrap(), written.bytes);
        let table = open(&vfs, &path);
        for (key, stored) in &model {
            assert_eq!(get(&table, key).as_ref(), Some(stored));
        }
        table.verify(Some(written.digest)).unwrap();
        let mut cursor = table.cursor(false);
        assert_eq!(cursors::collect(&mut cursor), model);
    }
}

#[test]
fn another_hash_seed_is_recomputed() {
    let model = sample(50);
    let (table, _) = table_of(&model, options(Codec::None));
    for (key, stored) in &model {
        let found = table.get(key, key_hash_seeded(key, 1), 1, |entry| entry.value.to_vec());
        assert_eq!(found.unwrap().as_ref(), Some(&stored.3));
    }
}

#[test]
fn without_filter_the_answers_are_the_same() {
    let model = sample(200);
    let (table, written) =
        table_of(&model, TableOptions { filter_bits_per_key: 0, ..options(Codec::Lz4) });
    for i in 0..400 {
        assert_eq!(get(&table, &key_of(i)), model.get(&key_of(i)).cloned());
    }
    table.verify(Some(written.digest)).unwrap();
}

#[test]
fn try_get_never_waits_and_tells_the_truth() {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let model = sample(300);
    write(&vfs, path, &model, options(Codec::Lz4));
    let cache = Arc::new(BlockCache::new(1 << 20));
    for table in [open(&vfs, path), open_unmapped(&vfs, path, cache)] {
        let attempt = |key: &[u8]| {
            table.try_get(key, key_hash_seeded(key, SEED), SEED, |entry| entry.seq).unwrap()
        };
        // Nothing was checked yet, so that the first answer would cost a read.
        assert_eq!(attempt(&key_of(0)), Attempt::WouldBlock);
        get(&table, &key_of(0));
        for (key, stored) in &model {
            assert_eq!(attempt(key), Attempt::Done(Some(stored.0)));
        }
        assert_eq!(attempt(&key_of(1)), Attempt::Done(None));
    }
}

#[test]
fn properties_count_what_was_written() {
    let mut model = sample(100);
    let blob = BlobRef { file: 9, offset: 32, len: 5000, raw_len: 9000, codec: Codec::Lz4 };
    model.insert(b"blob1".to_vec(), (1, Kind::Blob, 0, blob.encode().to_vec()));
    let other = BlobRef { file: 4, ..blob };
    model.insert(b"blob2".to_vec(), (2000, Kind::Blob, 0, other.encode().to_vec()));
    model.insert(b"blob3".to_vec(), (3, Kind::Blob, 0, blob.encode().to_vec()));
    let (table, written) = table_of(&model, options(Codec::None));
    let count = |test: &dyn Fn(&Stored) -> bool| model.values().filter(|s| test(s)).count() as u64;
    assert_eq!(written.entries, 103);
    assert_eq!(written.deletes, count(&|stored| stored.1 == Kind::Delete));
    assert_eq!(written.expiring, count(&|stored| stored.2 != 0));
    assert_eq!((written.min_seq, written.max_seq), (1, 2000));
    assert_eq!((written.min_expire_ms, written.max_expire_ms), (9905, 10_000));
    assert_eq!(written.blob_refs, [(4, 5016), (9, 2 * 5016)]);
    assert_eq!((&*written.smallest, &*written.largest), (&b"blob1"[..], &*key_of(198)));
    assert_eq!((written.keyspace, written.level, written.rt_applied_seq), (3, 2, 5));
    let decoded = TableProperties::decode(&written.encode()).unwrap();
    assert_eq!(decoded, written);
    assert!(written.may_hold(b"k") && !written.may_hold(b"a"));
    assert_eq!(table.properties().blob_refs, written.blob_refs);
}

#[test]
fn range_tombstones_come_back_even_without_entries() {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let tombstones = [
        RangeTombstone { start: b"a".to_vec(), end: Some(b"c".to_vec()), seq: 8 },
        RangeTombstone { start: Vec::new(), end: None, seq: 12 },
        RangeTombstone { start: b"x".to_vec(), end: Some(Vec::new()), seq: 3 },
    ];
    let mut builder = TableBuilder::create(&vfs, path, options(Codec::Lz4)).unwrap();
    assert!(builder.is_empty());
    tombstones.iter().for_each(|tombstone| builder.add_range_tombstone(tombstone));
    assert!(!builder.is_empty());
    let written = builder.finish().unwrap();
    assert_eq!((written.range_tombstones, written.range_tombstone_max_seq), (3, 12));
    let table = open(&vfs, path);
    table.verify(Some(written.digest)).unwrap();
    assert_eq!(table.range_tombstones().unwrap(), tombstones);
    assert_eq!(get(&table, b"a"), None);
    assert_eq!(get(&table, b""), None);
    assert_eq!(table.approximate_offset(b"q").unwrap(), 0);
    assert_eq!(table.due(0, u64::MAX, 10).unwrap(), Due::default());
    assert!(cursors::collect(&mut table.cursor(true)).is_empty());
}

#[test]
fn due_records_come_in_order_of_expiry_and_in_pieces() {
    let model = sample(300);
    let (table, _) = table_of(&model, options(Codec::Lz4));
    let mut expected: Vec<(u64, Vec<u8>, Seq)> = model
        .iter()
        .filter(|(_, stored)| stored.2 != 0)
        .map(|(key, stored)| (stored.2, key.clone(), stored.0))
        .collect();
    expected.sort();
    for limit in [1, 7, 1000] {
        for now_ms in [0, 9_800, 9_900, 20_000] {
            let (mut found, mut from) = (Vec::new(), 0);
            let end = loop {
                let due = table.due(from, now_ms, limit).unwrap();
                assert!(due.records.len() <= limit);
                from = due.next;
                let empty = due.records.is_empty();
                found.extend(due.records.into_iter().map(|r| (r.expire_at_ms, r.key, r.seq)));
                if empty {
                    break due.next_expire_at_ms;
                }
            };
            let split = expected.partition_point(|(at, _, _)| *at <= now_ms);
            assert_eq!(found, expected[..split]);
            assert_eq!(end, expected.get(split).map(|(at, _, _)| *at));
        }
    }
}

#[test]
fn offsets_grow_with_keys() {
    let (table, written) = table_of(&sample(1000), options(Codec::Lz4));
    let offsets: Vec<u64> =
        (0..2000).map(|i| table.approximate_offset(&key_of(i)).unwrap()).collect();
    assert!(offsets.is_sorted());
    assert_eq!(offsets[0], 0);
    assert_eq!(table.approximate_offset(b"zz").unwrap(), written.data_bytes);
    let middle = offsets[1000] as f64 / written.data_bytes as f64;
    assert!((0.4..0.6).contains(&middle));
}

#[test]
fn the_filter_lets_through_what_it_promises() {
    let model: Model =
        (0..20_000).map(|i| (key_of(i * 2), (1, Kind::Put, 0, Vec::new()))).collect();
    let (table, _) = table_of(&model, options(Codec::None));
    let section = table.filter.as_ref().unwrap();
    let filter = crate::filter::Filter::parse(section.load(&table.source).unwrap()).unwrap();
    let asked = 100_000;
    let passed = (0..asked)
        .filter(|i| filter.may_contain(key_hash_seeded(&key_of(i * 2 + 1), SEED)))
        .count();
    let (measured, expected) = (passed as f64 / f64::from(asked), crate::filter::expected_fpr(10));
    assert!((measured / expected - 1.0).abs() < 0.2, "measured {measured}, expected {expected}");
}

#[test]
fn cache_holds_its_budget_and_counts_true() {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let model = sample(2000);
    let written = write(&vfs, path, &model, options(Codec::Lz4));
    let cache = Arc::new(BlockCache::new(10_000));
    let table = Table::open(&vfs, path, UID, cache.clone()).unwrap();
    let mut asked = 0;
    for round in 0..3 {
        for key in model.keys().skip(round) {
            get(&table, key);
            asked += 1;
            assert!(cache.stats().bytes <= 10_000);
        }
    }
    let stats = cache.stats();
    // Blocks kept raw are read in place and bypass the cache.
    assert!(stats.hits + stats.misses <= asked && stats.misses >= written.blocks);
    drop(table);
    assert_eq!(cache.stats().bytes, 0);
}

#[test]
fn an_unfinished_table_cannot_be_opened() {
    let vfs = MemVfs::new();
    let path = Path::new("/1.sst");
    let mut builder = TableBuilder::create(&vfs, path, options(Codec::None)).unwrap();
    for i in 0..100_000 {
        builder.add(&entry(&key_of(i), &(1, Kind::Put, 0, vec![0; 30]))).unwrap();
    }
    drop(builder);
    let cache = Arc::new(BlockCache::new(0));
    let error = Table::open(&vfs, path, UID, cache).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corruption);
}
