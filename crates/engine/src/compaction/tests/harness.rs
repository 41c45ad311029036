//! A database reduced to tables: flushes and compactions against a model in a `BTreeMap`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aidb_base::{ManualClock, Result, Seq, hash};

use crate::blob::{BlobRef, BlobWriter};
use crate::cache::BlockCache;
use crate::compaction::{
    CompactionContext, CompactionPlan, CompactionStats, Occasion, pick, pick_full, run,
};
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::file_names::FileKind;
use crate::iterator::{Cursor, MergeCursor};
use crate::options::{Codec, Env, KeyspaceOptions, Options};
use crate::table::{TableBuilder, TableOptions};
use crate::version::{
    AddedTable, BlobMeta, Identity, KeyspaceMeta, Tree, Version, VersionEdit, VersionSet,
};
use crate::vfs::{MemVfs, Vfs};

/// Keyspace of all tests.
pub const KEYSPACE: u32 = 0;
/// Values of at least this size go to blob files.
pub const BLOB_BYTES_MIN: usize = 100;

/// What a flush holds, applied in order.
#[derive(Clone, Debug)]
pub enum Op {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    DeleteRange(Vec<u8>, Option<Vec<u8>>),
}

#[derive(Clone, Debug)]
enum Record {
    Put(Vec<u8>),
    Delete,
}

pub struct Harness {
    pub options: Options,
    pub clock: Arc<ManualClock>,
    pub vfs: MemVfs,
    pub dir: PathBuf,
    pub set: VersionSet,
    pub model: BTreeMap<Vec<u8>, Vec<u8>>,
    pub seq: Seq,
    pub stats: Vec<CompactionStats>,
    pub flushed_bytes: u64,
}

impl Harness {
    /// An empty database whose levels are small.
    pub fn new(tune: impl FnOnce(&mut Options)) -> Self {
        let vfs = MemVfs::new();
        let clock = Arc::new(ManualClock::at(1_000_000));
        let mut options = Options {
            env: Env { vfs: Arc::new(vfs.clone()), clock: clock.clone() },
            block_bytes: 128,
            table_bytes_max: 600,
            level_base_bytes: 1500,
            level_fanout: 3,
            memtable_bytes_max: 600,
            ..Options::default()
        };
        tune(&mut options);
        let dir = PathBuf::from("/db");
        let keyspace = KeyspaceMeta {
            id: KEYSPACE,
            name: "default".into(),
            options: KeyspaceOptions::default(),
        };
        let identity = Identity { uuid: [9; 16], hash_seed: 77 };
        let cache = Arc::new(BlockCache::new(1 << 20));
        let set = VersionSet::create(&options.env, &dir, cache, identity, vec![keyspace]).unwrap();
        let model = BTreeMap::new();
        Self { options, clock, vfs, dir, set, model, seq: 0, stats: vec![], flushed_bytes: 0 }
    }

    /// Closes and opens the database.
    pub fn reopen(&mut self) {
        let cache = Arc::new(BlockCache::new(1 << 20));
        self.set = VersionSet::open(&self.options.env, &self.dir, cache, false).unwrap();
    }

    /// What a process that only reads finds now.
    pub fn reopen_read_only_epoch(&self, expected: u64) {
        let cache = Arc::new(BlockCache::new(0));
        let set = VersionSet::open(&self.options.env, &self.dir, cache, true).unwrap();
        assert_eq!(set.epoch(), expected);
    }

    pub fn version(&self) -> Arc<Version> {
        self.set.current().clone()
    }

    pub fn tree(&self) -> Arc<Tree> {
        self.version().tree(KEYSPACE).unwrap().clone()
    }

    /// One flush with one sequence number per operation.
    pub fn flush(&mut self, ops: &[Op]) {
        let edit = self.write_flush(ops);
        self.set.apply(edit).unwrap();
    }

    /// Writes the tables of a flush and returns the edit that adds them.
    pub fn write_flush(&mut self, ops: &[Op]) -> VersionEdit {
        let mut records: BTreeMap<&[u8], (Seq, Record)> = BTreeMap::new();
        let mut tombstones = Vec::new();
        let live_before = self.model.len() as i64;
        for op in ops {
            self.seq += 1;
            match op {
                Op::Put(key, value) => {
                    records.insert(key, (self.seq, Record::Put(value.clone())));
                    self.model.insert(key.clone(), value.clone());
                }
                Op::Delete(key) => {
                    records.insert(key, (self.seq, Record::Delete));
                    self.model.remove(key);
                }
                Op::DeleteRange(start, end) => {
                    let tombstone =
                        RangeTombstone { start: start.clone(), end: end.clone(), seq: self.seq };
                    records.retain(|key, _| !tombstone.covers(key));
                    self.model.retain(|key, _| !tombstone.covers(key));
                    tombstones.push(tombstone);
                }
            }
        }
        let delta = self.model.len() as i64 - live_before;
        let mut edit = self.write_table(&records, &tombstones);
        edit.live_key_deltas = vec![(KEYSPACE, delta)];
        edit.last_seq = Some(self.seq);
        edit
    }

    fn write_table(
        &mut self,
        records: &BTreeMap<&[u8], (Seq, Record)>,
        tombstones: &[RangeTombstone],
    ) -> VersionEdit {
        let context = self.set.context().clone();
        let number = self.set.next_file_number();
        let blob_number = self.set.next_file_number();
        let options = TableOptions {
            block_bytes: self.options.block_bytes,
            filter_bits_per_key: self.options.filter_bits_per_key,
            codec: Codec::None,
            keyspace: KEYSPACE,
            level: 0,
            hash_seed: self.set.hash_seed(),
            uid: context.uid(number),
            rt_applied_seq: self.seq,
            created_ms: self.options.env.clock.now_ms(),
        };
        let vfs = &*context.vfs;
        let mut builder = TableBuilder::create(vfs, &context.table_path(number), options).unwrap();
        let mut blobs: Option<BlobWriter> = None;
        let mut edit = VersionEdit::default();
        for (key, (seq, record)) in records {
            let mut reference = Vec::new();
            let (kind, value) = match record {
                Record::Delete => (Kind::Delete, &[][..]),
                Record::Put(value) if value.len() >= BLOB_BYTES_MIN => {
                    let writer = blobs.get_or_insert_with(|| {
                        let path = context.blob_path(blob_number);
                        let uid = context.uid(blob_number);
                        BlobWriter::create(vfs, &path, blob_number, uid, Codec::None).unwrap()
                    });
                    reference.extend_from_slice(&writer.append(value).unwrap().encode());
                    (Kind::Blob, &reference[..])
                }
                Record::Put(value) => (Kind::Put, value.as_slice()),
            };
            builder.add(&Entry { key, seq: *seq, kind, expire_at_ms: 0, value }).unwrap();
        }
        tombstones.iter().for_each(|tombstone| builder.add_range_tombstone(tombstone));
        if let Some(writer) = blobs {
            edit.blobs_added.push(BlobMeta::new(blob_number, &writer.finish().unwrap()));
        }
        let properties = builder.finish().unwrap();
        self.flushed_bytes += properties.bytes;
        edit.added.push(AddedTable::flushed(number, &properties));
        edit
    }

    /// Carries out one plan against `version`; the edit is not applied.
    pub fn carry_out(
        &self,
        plan: &CompactionPlan,
        version: &Version,
        cancel: &AtomicBool,
    ) -> Result<(VersionEdit, CompactionStats)> {
        let context = CompactionContext {
            files: self.set.context(),
            blobs: self.set.blob_files(),
            version,
            options: &self.options,
            numbers: self.set.numbers(),
            cancel,
        };
        run(plan, &context)
    }

    pub fn apply(&mut self, plan: &CompactionPlan) {
        let version = self.version();
        let (edit, stats) = self.carry_out(plan, &version, &AtomicBool::new(false)).unwrap();
        self.stats.push(stats);
        self.set.apply(edit).unwrap();
    }

    /// One compaction, if there is something to do.
    pub fn step(&mut self) -> Option<CompactionPlan> {
        let plan = pick(&self.version(), &self.options, self.occasion())?;
        self.apply(&plan);
        Some(plan)
    }

    /// Compactions until the database is at rest.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.step().is_none() {
                return;
            }
        }
        panic!("compaction does not come to rest");
    }

    /// A full compaction.
    pub fn compact(&mut self) {
        let below = self.set.next_file_number();
        for _ in 0..10_000 {
            let plan = pick_full(&self.version(), KEYSPACE, &self.options, below);
            match plan {
                Some(plan) => self.apply(&plan),
                None => return,
            }
        }
        panic!("full compaction does not end");
    }

    pub fn occasion(&self) -> Occasion {
        Occasion { now_ms: self.options.env.clock.now_ms(), is_resting: true }
    }

    pub fn advance_hour(&self) {
        self.clock.advance_ms(3_600_000);
    }

    /// The value of `key` as a reader finds it.
    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let tree = self.tree();
        let seed = self.set.hash_seed();
        let found = tree.get(key, hash::key_hash_seeded(key, seed), seed, |entry| {
            let is_covered = tree.tombstones.seq_covering(key, Seq::MAX) > entry.seq;
            (is_covered, entry.kind, entry.value.to_vec())
        });
        match found.unwrap()? {
            (true, ..) | (_, Kind::Delete, _) => None,
            (_, Kind::Put, value) => Some(value),
            (_, Kind::Blob, reference) => {
                let blob = BlobRef::decode(&reference).unwrap();
                Some(self.set.blob_files().read_with(&blob, <[u8]>::to_vec).unwrap())
            }
        }
    }

    /// Keys a scan finds.
    pub fn scan(&self) -> Vec<Vec<u8>> {
        let tree = self.tree();
        let mut cursor = MergeCursor::new(tree.cursors(None, None, false));
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let mut last: Option<Vec<u8>> = None;
        cursor.seek_to_first().unwrap();
        while let Some(entry) = cursor.entry() {
            if last.as_deref() != Some(entry.key) {
                let covering = tree.tombstones.seq_covering(entry.key, Seq::MAX);
                if entry.kind != Kind::Delete && covering <= entry.seq {
                    keys.push(entry.key.to_vec());
                }
                last = Some(entry.key.to_vec());
            }
            cursor.next().unwrap();
        }
        keys
    }

    /// Compares everything with the model and checks the shape of the version.
    pub fn check(&self, keys: &[Vec<u8>]) {
        for key in keys {
            assert_eq!(self.get(key).as_ref(), self.model.get(key), "key {key:?}");
        }
        assert_eq!(self.scan(), self.model.keys().cloned().collect::<Vec<_>>());
        let tree = self.tree();
        assert_eq!(tree.live_keys, self.model.len() as u64);
        for level in tree.sources() {
            for pair in level.tables().windows(2) {
                assert!(pair[0].meta().largest < pair[1].meta().smallest);
            }
        }
        self.check_files();
    }

    /// Exactly the files of the version are on disk.
    fn check_files(&self) {
        let version = self.version();
        let numbers = |kind: FileKind| kind.list(&self.vfs, &self.dir).unwrap();
        let mut tables: Vec<_> =
            version.state().tables().map(|(_, table)| table.meta.number).collect();
        tables.sort_unstable();
        assert_eq!(numbers(FileKind::Table), tables);
        let blobs: Vec<_> = version.state().blobs.keys().copied().collect();
        assert_eq!(numbers(FileKind::Blob), blobs);
        assert_eq!(numbers(FileKind::Manifest).len(), 1);
    }

    /// Tables per level, level 0 first.
    pub fn shape(&self) -> Vec<usize> {
        let tree = self.tree();
        let levels = tree.levels.iter().map(|level| level.tables().len());
        std::iter::once(tree.l0.len()).chain(levels).collect()
    }

    pub fn file_exists(&self, path: &Path) -> bool {
        self.vfs.exists(path).unwrap()
    }
}
