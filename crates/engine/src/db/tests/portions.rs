//! Scans in portions, with and without waiting, give what was written, whatever is in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aidb_base::{Attempt, Result, Rng};

use super::{DIR, KS, World};
use crate::batch::WriteBatch;
use crate::db::{Db, Pause, Portion, Scan, ScanRange, Snapshot, WriteOptions};
use crate::options::{Codec, Env, Options};
use crate::vfs::{AppendFile, FileLock, MappedFile, MemVfs, ReadFile, SyncFile, Vfs};

type Items = Vec<(Vec<u8>, Vec<u8>)>;

/// A file system that says of every third stretch it is asked about that it is not in memory.
struct Forgetful(Arc<MemVfs>, Arc<AtomicU32>);

struct ForgetfulFile(Arc<dyn ReadFile>, Arc<AtomicU32>);

impl ForgetfulFile {
    fn remembers(&self) -> bool {
        self.1.fetch_add(1, Ordering::Relaxed) % 3 != 0
    }
}

impl ReadFile for ForgetfulFile {
    fn len(&self) -> u64 {
        self.0.len()
    }
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.0.read_exact_at(offset, buf)
    }
    fn map(&self) -> Option<&[u8]> {
        self.0.map()
    }
    fn is_resident(&self, _offset: u64, _len: usize) -> bool {
        self.remembers()
    }
    fn try_read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<Attempt<()>> {
        match self.remembers() {
            true => self.0.try_read_exact_at(offset, buf),
            false => Ok(Attempt::WouldBlock),
        }
    }
    fn drop_cache(&self, offset: u64, len: u64) {
        self.0.drop_cache(offset, len);
    }
}

impl Vfs for Forgetful {
    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadFile>> {
        Ok(Arc::new(ForgetfulFile(self.0.open_read(path)?, self.1.clone())))
    }
    fn create(&self, path: &Path) -> Result<Box<dyn AppendFile>> {
        self.0.create(path)
    }
    fn create_mapped(&self, path: &Path, bytes: u64) -> Result<Option<Box<dyn MappedFile>>> {
        self.0.create_mapped(path, bytes)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.0.remove(path)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.hard_link(from, to)
    }
    fn truncate(&self, path: &Path, bytes: u64) -> Result<()> {
        self.0.truncate(path, bytes)
    }
    fn syncer(&self, path: &Path) -> Result<Arc<dyn SyncFile>> {
        self.0.syncer(path)
    }
    fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.0.create_dir_all(path)
    }
    fn list_dir(&self, path: &Path) -> Result<Vec<PathBuf>> {
        self.0.list_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.0.sync_dir(path)
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        self.0.exists(path)
    }
    fn file_len(&self, path: &Path) -> Result<u64> {
        self.0.file_len(path)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        self.0.lock(path)
    }
    fn free_bytes(&self, path: &Path) -> Result<u64> {
        self.0.free_bytes(path)
    }
    fn boot_id(&self) -> u64 {
        self.0.boot_id()
    }
}

struct History {
    db: Db,
    rng: Rng,
    model: BTreeMap<Vec<u8>, Vec<u8>>,
    snapshot: Option<(Snapshot, Items)>,
    refusals: u32,
}

impl History {
    fn new(seed: u64, codec: Codec) -> Self {
        let world = World::new();
        let vfs = Arc::new(Forgetful(world.vfs.clone(), Arc::default()));
        let options = Options {
            env: Env { vfs, clock: world.clock.clone() },
            compression: codec,
            compression_bottom: codec,
            ..world.options()
        };
        let db = Db::open(Path::new(DIR), options).unwrap();
        Self { db, rng: Rng::seeded(seed), model: BTreeMap::new(), snapshot: None, refusals: 0 }
    }

    fn key(&mut self) -> Vec<u8> {
        let number = self.rng.below(300);
        format!("{number:03}{}", "y".repeat(number as usize % 20)).into_bytes()
    }

    fn write(&mut self) {
        let mut batch = WriteBatch::new();
        let key = self.key();
        match self.rng.below(20) {
            0 => {
                let end = self.key();
                batch.delete_range(KS, &key, Some(&end)).unwrap();
                self.model.retain(|k, _| *k < key || *k >= end);
            }
            1..=4 => {
                batch.delete(KS, &key).unwrap();
                self.model.remove(&key);
            }
            choice => {
                let len = if choice == 5 { 300 + self.rng.below(300) } else { self.rng.below(50) };
                let value = vec![self.rng.next_u64() as u8; len as usize];
                batch.put(KS, &key, &value, 0).unwrap();
                self.model.insert(key, value);
            }
        }
        self.db.write(&batch, WriteOptions::default()).unwrap();
    }

    fn step(&mut self) {
        match self.rng.below(200) {
            0..=3 => self.db.flush().unwrap(),
            4..=7 => while self.db.compact_step().unwrap() {},
            8 => self.snapshot = Some((self.db.snapshot().unwrap(), self.items())),
            9..=12 => self.check(),
            _ => self.write(),
        }
    }

    fn items(&self) -> Items {
        self.model.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn check(&mut self) {
        if let Some((snapshot, expected)) = self.snapshot.take() {
            let scan = snapshot.scan(KS, ScanRange::default()).unwrap();
            assert_eq!(self.read(scan), expected);
            self.snapshot = Some((snapshot, expected));
        }
        for reverse in [false, true] {
            let (lower, upper) = (self.key(), self.key());
            let mut expected = self.items();
            expected.retain(|(key, _)| *key >= lower && *key < upper);
            if reverse {
                expected.reverse();
            }
            let range = ScanRange { lower: Some(lower), upper: Some(upper), reverse };
            let scan = self.db.scan(KS, range).unwrap();
            assert_eq!(self.read(scan), expected);
        }
        let scan = self.db.scan(KS, ScanRange::default()).unwrap();
        let got = self.read(scan);
        assert_eq!(got, self.items());
    }

    /// Everything the scan gives, by a mixture of its ways.
    fn read(&mut self, mut scan: Scan) -> Items {
        let mut items = Items::new();
        loop {
            let portion = Portion {
                items: 1 + self.rng.below(12) as usize,
                bytes: 1 + self.rng.below(2000) as usize,
                with_values: true,
            };
            let before = items.len();
            let push = |key: &[u8], value: &[u8], _| items.push((key.to_vec(), value.to_vec()));
            let pause = match self.rng.below(6) {
                0 => match scan.next().unwrap() {
                    Some((key, value)) => {
                        items.push((key.to_vec(), value.to_vec()));
                        Pause::Full
                    }
                    None => Pause::End,
                },
                1 => scan.visit(portion, push).unwrap(),
                _ => scan.try_visit(portion, push).unwrap(),
            };
            assert!(items.len() - before <= portion.items);
            match pause {
                Pause::End => return items,
                Pause::Full => {}
                Pause::WouldBlock => self.refusals += 1,
            }
        }
    }
}

#[test]
fn portions_of_a_scan_are_complete_and_in_order() {
    for codec in [Codec::None, Codec::Lz4] {
        let mut refusals = 0;
        for seed in 0..12 {
            let mut history = History::new(seed, codec);
            (0..1200).for_each(|_| history.step());
            history.check();
            refusals += history.refusals;
        }
        assert!(refusals > 100, "only {refusals} times it would have had to wait");
    }
}

#[test]
fn a_portion_ends_with_the_item_that_fills_it() {
    let db = World::new().open();
    for i in 0..100u32 {
        super::put(&db, &i.to_be_bytes(), &[7; 6]);
    }
    db.flush().unwrap();
    let mut scan = db.scan(KS, ScanRange::default()).unwrap();
    let mut count = |items, bytes, with_values| {
        let mut seen = 0;
        let portion = Portion { items, bytes, with_values };
        let pause = scan.visit(portion, |_, value, _| seen += 1 + value.len()).unwrap();
        (seen, pause)
    };
    assert_eq!(count(3, 1000, true), (21, Pause::Full));
    assert_eq!(count(1000, 31, true), (28, Pause::Full));
    assert_eq!(count(1000, 40, false), (10, Pause::Full));
    assert_eq!(count(0, 40, false), (0, Pause::Full));
    assert_eq!(count(1000, 1000, true), (7 * 83, Pause::End));
    assert_eq!(count(1, 1, true), (0, Pause::End));
}
