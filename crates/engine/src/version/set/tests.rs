//! The version set over failing file systems, crashes, orphans and missing files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aidb_base::{Effect, Error, ErrorKind, Result};

use super::VersionSet;
use crate::cache::BlockCache;
use crate::compaction::tests::harness::{Harness, KEYSPACE, Op};
use crate::file_names::{self, FileKind};
use crate::options::Env;
use crate::version::{KeyspaceMeta, VersionEdit};
use crate::vfs::{AppendFile, FileLock, MappedFile, MemVfs, ReadFile, SyncFile, Vfs};

fn put(key: &str) -> Op {
    Op::Put(key.into(), b"value".to_vec())
}

fn open(db: &Harness) -> Result<VersionSet> {
    VersionSet::open(&db.options.env, &db.dir, Arc::new(BlockCache::new(0)), false)
}

/// Fails calls on manifests while a switch is on.
#[derive(Clone, Default)]
struct Failing {
    inner: MemVfs,
    append: Arc<AtomicBool>,
    sync: Arc<AtomicBool>,
    truncate: Arc<AtomicBool>,
    create: Arc<AtomicBool>,
    sync_dir: Arc<AtomicBool>,
}

fn fail(switch: &AtomicBool, path: &Path) -> Result<()> {
    let is_manifest = path.to_string_lossy().contains("MANIFEST") || path == Path::new("/db");
    if is_manifest && switch.load(Ordering::SeqCst) {
        return Err(Error::exhausted("no space left: free disk space"));
    }
    Ok(())
}

struct FailingFile {
    inner: Box<dyn AppendFile>,
    path: PathBuf,
    vfs: Failing,
}

impl AppendFile for FailingFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = fail(&self.vfs.append, &self.path) {
            self.inner.append(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.inner.append(bytes)
    }
    fn sync(&mut self) -> Result<()> {
        fail(&self.vfs.sync, &self.path)?;
        self.inner.sync()
    }
    fn len(&self) -> u64 {
        self.inner.len()
    }
    fn syncer(&self) -> Arc<dyn SyncFile> {
        self.inner.syncer()
    }
}

impl Vfs for Failing {
    fn open_read(&self, path: &Path) -> Result<Arc<dyn ReadFile>> {
        self.inner.open_read(path)
    }
    fn create(&self, path: &Path) -> Result<Box<dyn AppendFile>> {
        fail(&self.create, path)?;
        let inner = self.inner.create(path)?;
        Ok(Box::new(FailingFile { inner, path: path.to_owned(), vfs: self.clone() }))
    }
    fn create_mapped(&self, path: &Path, bytes: u64) -> Result<Option<Box<dyn MappedFile>>> {
        self.inner.create_mapped(path, bytes)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.inner.remove(path)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.inner.hard_link(from, to)
    }
    fn truncate(&self, path: &Path, bytes: u64) -> Result<()> {
        fail(&self.truncate, path)?;
        self.inner.truncate(path, bytes)
    }
    fn syncer(&self, path: &Path) -> Result<Arc<dyn SyncFile>> {
        self.inner.syncer(path)
    }
    fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.inner.create_dir_all(path)
    }
    fn list_dir(&self, path: &Path) -> Result<Vec<PathBuf>> {
        self.inner.list_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> Result<()> {
        fail(&self.sync_dir, path)?;
        self.inner.sync_dir(path)
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        self.inner.exists(path)
    }
    fn file_len(&self, path: &Path) -> Result<u64> {
        self.inner.file_len(path)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        self.inner.lock(path)
    }
    fn free_bytes(&self, path: &Path) -> Result<u64> {
        self.inner.free_bytes(path)
    }
    fn boot_id(&self) -> u64 {
        self.inner.boot_id()
    }
}

/// A database whose manifest can be made to fail.
fn failing() -> (Harness, Failing) {
    let failing = Failing::default();
    let mut db = Harness::new(|options| {
        options.env = Env { vfs: Arc::new(failing.clone()), clock: options.env.clock.clone() };
    });
    db.vfs = failing.inner.clone();
    (db, failing)
}

fn epoch(epoch: u64) -> VersionEdit {
    VersionEdit { epoch: Some(epoch), ..VersionEdit::default() }
}

#[test]
fn everything_survives_reopening() {
    let mut db = Harness::new(|_| ());
    db.flush(&[put("a"), put("b"), Op::Delete("a".into())]);
    db.set.apply(epoch(7)).unwrap();
    let before = db.version();
    db.reopen();
    let after = db.version();
    let (mut expected, found) = (before.state().clone(), after.state().clone());
    expected.next_file_number = found.next_file_number;
    assert_eq!(expected, found);
    assert_eq!((db.set.epoch(), db.set.uuid(), db.set.hash_seed()), (7, [9; 16], 77));
    db.check(&[b"a".to_vec(), b"b".to_vec()]);
}

#[test]
fn file_numbers_are_never_used_again() {
    let mut db = Harness::new(|_| ());
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..5 {
        db.flush(&[put("a")]);
        for _ in 0..3 {
            assert!(seen.insert(db.set.next_file_number()));
        }
        // An orphan with a number that no edit knows of.
        let orphan = file_names::table(&db.dir, db.set.next_file_number());
        db.vfs.create(&orphan).unwrap();
        assert!(seen.insert(FileKind::Table.parse(orphan.file_name().unwrap()).unwrap()));
        if round % 2 == 0 {
            db.reopen();
            assert!(!db.file_exists(&orphan), "orphans go when the database is opened");
        }
    }
}

#[test]
fn a_missing_table_is_corruption_that_names_it() {
    let mut db = Harness::new(|_| ());
    db.flush(&[put("a")]);
    let path = db.tree().tables().next().unwrap().path().to_owned();
    db.vfs.remove(&path).unwrap();
    let error = open(&db).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Corruption);
    assert!(error.message().contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn a_table_of_another_size_is_corruption() {
    let mut db = Harness::new(|_| ());
    db.flush(&[put("a")]);
    db.flush(&[put("a"), put("b")]);
    let paths: Vec<_> = db.tree().tables().map(|file| file.path().to_owned()).collect();
    db.vfs.remove(&paths[0]).unwrap();
    db.vfs.hard_link(&paths[1], &paths[0]).unwrap();
    assert_eq!(open(&db).err().unwrap().kind(), ErrorKind::Corruption);
}

#[test]
fn no_database_and_an_existing_one_are_told_apart() {
    let db = Harness::new(|_| ());
    let empty = VersionSet::open(
        &db.options.env,
        Path::new("/nothing"),
        Arc::new(BlockCache::new(0)),
        false,
    );
    assert_eq!(empty.err().unwrap().kind(), ErrorKind::Invalid);
    let identity = crate::version::Identity { uuid: [1; 16], hash_seed: 1 };
    let cache = Arc::new(BlockCache::new(0));
    let again = VersionSet::create(&db.options.env, &db.dir, cache, identity, vec![]);
    assert_eq!(again.err().unwrap().kind(), ErrorKind::Invalid);
}

#[test]
fn read_only_changes_nothing_on_disk() {
    let mut db = Harness::new(|_| ());
    db.flush(&[put("a")]);
    let orphan = file_names::table(&db.dir, 9999);
    db.vfs.create(&orphan).unwrap();
    let names = |db: &Harness| {
        let mut names: Vec<_> =
            FileKind::ALL.map(|kind| kind.list(&db.vfs, &db.dir).unwrap()).concat();
        names.sort_unstable();
        names
    };
    let before = names(&db);
    let cache = Arc::new(BlockCache::new(0));
    let mut set = VersionSet::open(&db.options.env, &db.dir, cache, true).unwrap();
    assert_eq!(set.apply(epoch(1)).err().unwrap().kind(), ErrorKind::Invalid);
    assert_eq!(names(&db), before);
}

#[test]
fn a_manifest_that_grew_is_rewritten() {
    let mut db = Harness::new(|_| ());
    db.set.set_rewrite_bytes_min(0);
    let first = db.set.manifest_number();
    for round in 0..100 {
        db.set.apply(epoch(round)).unwrap();
        assert_eq!(FileKind::Manifest.list(&db.vfs, &db.dir).unwrap().len(), 1);
    }
    assert!(db.set.manifest_number() > first);
    db.reopen();
    assert_eq!(db.set.epoch(), 99);
}

#[test]
fn a_crash_at_any_byte_of_the_manifest_gives_a_prefix() {
    let mut db = Harness::new(|_| ());
    for round in 1..6 {
        db.set.apply(epoch(round)).unwrap();
    }
    let path = file_names::manifest(&db.dir, db.set.manifest_number());
    let len = db.vfs.file_len(&path).unwrap();
    let mut epochs = Vec::new();
    for cut in (0..=len).rev() {
        db.vfs.truncate(&path, cut).unwrap();
        let cache = Arc::new(BlockCache::new(0));
        match VersionSet::open(&db.options.env, &db.dir, cache, true) {
            Ok(set) => epochs.push(set.epoch()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corruption),
        }
    }
    epochs.dedup();
    assert_eq!(epochs, [5, 4, 3, 2, 1, 0]);
}

#[test]
fn a_failed_sync_poisons_the_set_and_leaves_the_effect_unknown() {
    let (mut db, failing) = failing();
    failing.sync.store(true, Ordering::SeqCst);
    let error = db.set.apply(epoch(1)).err().unwrap();
    assert_eq!(error.effect(), Effect::Unknown);
    failing.sync.store(false, Ordering::SeqCst);
    assert!(db.set.apply(epoch(2)).is_err(), "a failed sync is never tried again");
    db.reopen();
    assert!(db.set.epoch() <= 1);
    db.set.apply(epoch(3)).unwrap();
}

#[test]
fn a_full_disk_has_no_effect_and_ends() {
    let (mut db, failing) = failing();
    db.set.apply(epoch(1)).unwrap();
    failing.append.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let error = db.set.apply(epoch(2)).err().unwrap();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Exhausted, Effect::None));
        assert_eq!(db.set.epoch(), 1);
    }
    db.reopen_read_only_epoch(1);
    failing.append.store(false, Ordering::SeqCst);
    db.set.apply(epoch(3)).unwrap();
    db.reopen();
    assert_eq!(db.set.epoch(), 3);
}

#[test]
fn a_flush_that_the_manifest_has_no_room_for_leaves_no_files() {
    let (mut db, failing) = failing();
    db.flush(&[put("a")]);
    failing.append.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let edit = db.write_flush(&[put("b"), Op::Put("c".into(), vec![7; 500])]);
        assert_eq!(db.set.apply(edit).err().unwrap().effect(), Effect::None);
    }
    assert_eq!(FileKind::Table.list(&db.vfs, &db.dir).unwrap().len(), 1);
    assert!(FileKind::Blob.list(&db.vfs, &db.dir).unwrap().is_empty());
}

#[test]
fn a_full_disk_that_cannot_be_undone_poisons_the_set() {
    let (mut db, failing) = failing();
    failing.append.store(true, Ordering::SeqCst);
    failing.truncate.store(true, Ordering::SeqCst);
    assert_eq!(db.set.apply(epoch(1)).err().unwrap().effect(), Effect::Unknown);
    failing.append.store(false, Ordering::SeqCst);
    failing.truncate.store(false, Ordering::SeqCst);
    assert!(db.set.apply(epoch(2)).is_err());
    db.reopen();
    assert_eq!(db.set.epoch(), 0);
}

#[test]
fn a_rewrite_that_fails_leaves_the_old_manifest_in_use() {
    let (mut db, failing) = failing();
    db.set.set_rewrite_bytes_min(0);
    failing.create.store(true, Ordering::SeqCst);
    for round in 1..100 {
        db.set.apply(epoch(round)).unwrap();
    }
    failing.create.store(false, Ordering::SeqCst);
    db.set.apply(epoch(100)).unwrap();
    db.reopen();
    assert_eq!(db.set.epoch(), 100);
}

#[test]
fn an_edit_that_does_not_fit_changes_nothing() {
    let mut db = Harness::new(|_| ());
    db.flush(&[put("a")]);
    let removed =
        vec![crate::version::RemovedTable { keyspace: KEYSPACE, level: 3, number: 12345 }];
    let error = db.set.apply(VersionEdit { removed, ..VersionEdit::default() }).err().unwrap();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Internal, Effect::None));
    db.flush(&[put("b")]);
    db.reopen();
    db.check(&[b"a".to_vec(), b"b".to_vec()]);
}

#[test]
fn keyspaces_come_and_go_and_numbers_stay_used() {
    let mut db = Harness::new(|_| ());
    for round in 0..3 {
        let id = db.set.next_keyspace();
        assert_eq!(id, round + 1);
        let options = crate::options::KeyspaceOptions::default();
        let keyspaces = vec![KeyspaceMeta { id, name: format!("k{id}"), options }];
        db.set.apply(VersionEdit { keyspaces, ..VersionEdit::default() }).unwrap();
        let version = db.version();
        assert_eq!(version.tree(id).unwrap().name, format!("k{id}"));
        let keyspaces_dropped = vec![id];
        db.set.apply(VersionEdit { keyspaces_dropped, ..VersionEdit::default() }).unwrap();
        assert!(db.version().tree(id).is_none());
        db.reopen();
    }
    assert!(db.version().tree(KEYSPACE).is_some());
}
