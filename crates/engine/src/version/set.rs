//! The version in use and the manifest behind it.
//!
//! Order of durability: a table is synced, then its directory, then the manifest record that names
//! it; only then may its log go. A manifest whose sync failed is never written again: the set is
//! poisoned and the database read-only until it is opened anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use aidb_base::{Effect, Epoch, Error, FileNumber, KeyspaceId, Result, Seq};

use super::edit::{KeyspaceMeta, TableMeta, VersionEdit};
use super::file::{FileContext, FileNumbers, TableFile};
use super::manifest::{self, ManifestWriter};
use super::snapshot::{OpenTables, Version};
use super::state::State;
use crate::blob::BlobFiles;
use crate::cache::BlockCache;
use crate::file_names::{self, FileKind};
use crate::options::Env;
use crate::vfs::Vfs;

/// Growth over its first record at which a manifest is rewritten.
const REWRITE_FACTOR: u64 = 5;
/// Bytes below which a manifest is not rewritten.
const REWRITE_BYTES_MIN: u64 = 1 << 20;
/// Tables opened by one thread when a database is opened.
const TABLES_PER_THREAD: usize = 32;
/// Threads that open tables.
const THREADS_MAX: usize = 8;

/// Owner of the manifest. One per open database; the caller serialises changes.
pub struct VersionSet {
    context: FileContext,
    files: Arc<BlobFiles>,
    numbers: Arc<FileNumbers>,
    current: Arc<Version>,
    writer: Option<ManifestWriter>,
    is_read_only: bool,
    failure: Option<Error>,
    rewrite_bytes_min: u64,
}

impl VersionSet {
    /// Whether `dir` holds a database.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn exists(env: &Env, dir: &Path) -> Result<bool> {
        env.vfs.exists(&file_names::current(dir))
    }

    /// Creates an empty database at `dir` with the given identity and first keyspaces.
    ///
    /// # Errors
    /// `Invalid` when there is one, otherwise those of the file system.
    pub fn create(
        env: &Env,
        dir: &Path,
        cache: Arc<BlockCache>,
        identity: Identity,
        keyspaces: Vec<KeyspaceMeta>,
    ) -> Result<Self> {
        let edit = VersionEdit { keyspaces, ..VersionEdit::default() };
        Self::create_with(env, dir, cache, identity, edit)
    }

    /// Creates a database at `dir` from an edit whose files are in place already.
    ///
    /// # Errors
    /// `Invalid` when there is one, otherwise those of the file system.
    pub fn create_with(
        env: &Env,
        dir: &Path,
        cache: Arc<BlockCache>,
        identity: Identity,
        mut edit: VersionEdit,
    ) -> Result<Self> {
        if Self::exists(env, dir)? {
            return Err(Error::invalid(format!(
                "{} already holds a database: open it, or choose another directory",
                dir.display()
            )));
        }
        for kind in FileKind::ALL {
            env.vfs.create_dir_all(&kind.dir(dir))?;
        }
        env.vfs.sync_dir(dir)?;
        sync_parents(&*env.vfs, dir)?;
        let mut state = State { hash_seed: identity.hash_seed, ..State::default() };
        edit.hash_seed = None;
        state.apply(&edit).map_err(Error::invalid)?;
        let context = context(env, dir, identity.uuid, cache);
        let mut set = Self::assemble(context, state, false)?;
        set.rotate()?;
        Ok(set)
    }

    /// Opens the database at `dir`. Unless `is_read_only`, files that no version needs are deleted
    /// and a fresh manifest is begun.
    ///
    /// # Errors
    /// `Invalid` when there is none or a newer aidb wrote it; `Corruption` naming the file.
    pub fn open(env: &Env, dir: &Path, cache: Arc<BlockCache>, is_read_only: bool) -> Result<Self> {
        let Some(number) = manifest::read_current(&*env.vfs, dir)? else {
            return Err(Error::invalid(format!(
                "{} holds no database: create it, or check the path",
                dir.display()
            )));
        };
        let replayed = manifest::read(&*env.vfs, dir, number)?;
        let context = context(env, dir, replayed.uuid, cache);
        let mut set = Self::assemble(context, replayed.state, is_read_only)?;
        if !is_read_only {
            set.rotate()?;
            set.remove_orphans()?;
        }
        Ok(set)
    }

    fn assemble(context: FileContext, state: State, is_read_only: bool) -> Result<Self> {
        let mut next = state.next_file_number;
        let mut found = BTreeSet::new();
        for kind in FileKind::ALL {
            let numbers = kind.list(&*context.vfs, &context.dir)?;
            next = next.max(numbers.last().map_or(0, |last| last + 1));
            found.extend(numbers.into_iter().map(|number| (kind, number)));
        }
        check_present(&context, &state, &found)?;
        let files = BlobFiles::new(context.vfs.clone(), context.dir.clone(), context.uuid);
        let mut set = Self {
            context,
            files: Arc::new(files),
            numbers: Arc::new(FileNumbers::new(next)),
            current: Arc::default(),
            writer: None,
            is_read_only,
            failure: None,
            rewrite_bytes_min: REWRITE_BYTES_MIN,
        };
        let metas: Vec<_> = state.tables().map(|(_, table)| table.meta.clone()).collect();
        let opened = open_tables(&set.context, &metas)?;
        set.current =
            Arc::new(Version::build(&set.context, &set.files, &set.current, state, opened));
        Ok(set)
    }

    /// The version in use.
    pub fn current(&self) -> &Arc<Version> {
        &self.current
    }

    /// The source of file numbers, shared with whoever creates files.
    pub fn numbers(&self) -> &Arc<FileNumbers> {
        &self.numbers
    }

    /// A file number nobody has.
    pub fn next_file_number(&self) -> FileNumber {
        self.numbers.next()
    }

    /// What opening files needs.
    pub fn context(&self) -> &FileContext {
        &self.context
    }

    /// The open blob files.
    pub fn blob_files(&self) -> &Arc<BlobFiles> {
        &self.files
    }

    /// Identity of the database.
    pub fn uuid(&self) -> [u8; 16] {
        self.context.uuid
    }

    /// Seed of key hashes.
    pub fn hash_seed(&self) -> u64 {
        self.current.state.hash_seed
    }

    /// Log segments with lower numbers are flushed.
    pub fn log_floor(&self) -> FileNumber {
        self.current.state.log_floor
    }

    /// Every batch up to here is in tables.
    pub fn last_seq(&self) -> Seq {
        self.current.state.last_seq
    }

    /// Ownership epoch.
    pub fn epoch(&self) -> Epoch {
        self.current.state.epoch
    }

    /// A keyspace number never used before.
    pub fn next_keyspace(&self) -> KeyspaceId {
        self.current.state.next_keyspace
    }

    /// Gives the manifest file back; nothing is recorded from now on.
    pub fn close(&mut self) {
        self.writer = None;
    }

    /// Number of the manifest in use; 0 when read-only.
    pub fn manifest_number(&self) -> FileNumber {
        self.writer.as_ref().map_or(0, ManifestWriter::number)
    }

    /// Why nothing can be applied any more, once that is so.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Sets the size below which the manifest is not rewritten; for tests.
    pub fn set_rewrite_bytes_min(&mut self, bytes: u64) {
        self.rewrite_bytes_min = bytes;
    }

    /// Makes `edit` durable as one record and publishes the next version. Tables it adds must be
    /// synced, and so their directory. Parts that concern keyspaces dropped meanwhile are ignored
    /// and their new tables deleted.
    ///
    /// # Errors
    /// `Internal` when the edit does not fit the version; those of opening the new tables; those of
    /// the file system. Without effect: the files that the edit would have added are deleted. With
    /// unknown effect, once the record may have been written: every later call fails as well.
    pub fn apply(&mut self, mut edit: VersionEdit) -> Result<Arc<Version>> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone().context("the manifest failed before"));
        }
        if self.is_read_only {
            return Err(Error::invalid("the database is open read-only: open it for writing"));
        }
        let unneeded = self.current.state.prepare(&mut edit);
        match self.try_apply(&mut edit) {
            Ok(next) => {
                for number in unneeded {
                    // A file that stays is an orphan, which the next open deletes.
                    let _ = self.context.vfs.remove(&self.context.table_path(number));
                }
                self.remove_unreferenced_blobs(&edit, &next);
                Ok(next)
            }
            Err(error) => {
                if error.effect() == Effect::None {
                    self.remove_added(&edit);
                }
                Err(error)
            }
        }
    }

    fn try_apply(&mut self, edit: &mut VersionEdit) -> Result<Arc<Version>> {
        edit.next_file_number = Some(self.numbers.peek());
        let mut state = self.current.state.clone();
        state.apply(edit).map_err(|what| Error::internal(format!("version edit: {what}")))?;
        let opened = self.open_added(&state, edit)?;
        self.write(edit)?;
        let next =
            Arc::new(Version::build(&self.context, &self.files, &self.current, state, opened));
        let before = std::mem::replace(&mut self.current, next.clone());
        before.mark_obsolete_after(&next);
        Ok(next)
    }

    /// Deletes the files that only `edit` knows of.
    fn remove_added(&self, edit: &VersionEdit) {
        let tables = edit.added.iter().map(|added| added.meta.number);
        for number in tables.filter(|&number| self.find_file(number).is_none()) {
            let _ = self.context.vfs.remove(&self.context.table_path(number));
        }
        let known = &self.current.state.blobs;
        for blob in edit.blobs_added.iter().filter(|blob| !known.contains_key(&blob.number)) {
            let _ = self.context.vfs.remove(&self.context.blob_path(blob.number));
        }
    }

    fn open_added(&self, state: &State, edit: &VersionEdit) -> Result<OpenTables> {
        let is_new = |number| self.find_file(number).is_none();
        let added = edit.added.iter().filter(|added| is_new(added.meta.number));
        let metas: Vec<_> = added
            .filter_map(|added| {
                let tree = state.trees.get(&added.keyspace)?;
                tree.tables.get(&added.meta.number).map(|table| table.meta.clone())
            })
            .collect();
        open_tables(&self.context, &metas)
    }

    fn find_file(&self, number: FileNumber) -> Option<&Arc<TableFile>> {
        self.current.trees().find_map(|tree| tree.table(number))
    }

    /// Writes the record, into a fresh manifest when the old one has grown or was given up.
    fn write(&mut self, edit: &VersionEdit) -> Result<()> {
        let has_grown = self.writer.as_ref().is_none_or(|writer| {
            let limit = writer.base_bytes().saturating_mul(REWRITE_FACTOR);
            writer.bytes() > limit.max(self.rewrite_bytes_min)
        });
        if has_grown {
            let rotated = self.rotate();
            if self.writer.is_none() || self.failure.is_some() {
                rotated?;
            }
        }
        let Some(writer) = &mut self.writer else {
            return Err(Error::internal("no manifest is open"));
        };
        let Err(error) = writer.append(&*self.context.vfs, edit) else { return Ok(()) };
        if error.is_undone {
            // Nothing of the record is left; a fresh manifest replaces the file at the next call.
            self.writer = None;
            return Err(error.error);
        }
        let error = error.error.with_unknown_effect();
        self.failure = Some(error.clone());
        Err(error)
    }

    /// Begins a manifest with the current state, makes `CURRENT` name it, removes the others.
    fn rotate(&mut self) -> Result<()> {
        let vfs = &*self.context.vfs;
        let (dir, uuid) = (&self.context.dir, &self.context.uuid);
        let number = self.numbers.next();
        let mut state = self.current.state.clone();
        state.next_file_number = state.next_file_number.max(self.numbers.peek());
        let writer = ManifestWriter::create(vfs, dir, uuid, number, &state)?;
        if let Err(error) = manifest::prepare_current(vfs, dir, number) {
            let _ = vfs.remove(&file_names::manifest(dir, number));
            return Err(error);
        }
        if let Err(error) = manifest::publish_current(vfs, dir) {
            // Nobody knows which manifest will be read next: none may be written.
            self.failure = Some(error.clone());
            return Err(error);
        }
        self.writer = Some(writer);
        for old in FileKind::Manifest.list(vfs, dir)?.into_iter().filter(|&old| old != number) {
            vfs.remove(&file_names::manifest(dir, old))?;
        }
        Ok(())
    }

    /// Blob files that came with the edit but that no table refers to.
    fn remove_unreferenced_blobs(&self, edit: &VersionEdit, next: &Version) {
        for blob in &edit.blobs_added {
            if !next.state.blobs.contains_key(&blob.number) {
                let _ = self.context.vfs.remove(&self.context.blob_path(blob.number));
            }
        }
    }

    /// Deletes tables and blob files that no version needs, left by a crash.
    fn remove_orphans(&self) -> Result<()> {
        let (vfs, dir) = (&*self.context.vfs, &self.context.dir);
        let state = &self.current.state;
        let tables: BTreeSet<_> = state.tables().map(|(_, table)| table.meta.number).collect();
        let is_needed = |kind, number: &FileNumber| match kind {
            FileKind::Table => tables.contains(number),
            _ => state.blobs.contains_key(number),
        };
        for kind in [FileKind::Table, FileKind::Blob] {
            for number in kind.list(vfs, dir)? {
                if !is_needed(kind, &number) {
                    vfs.remove(&kind.path(dir, number))?;
                }
            }
        }
        vfs.remove(&file_names::current_tmp(dir))
    }
}

/// Who a database is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Distinguishes it from every other database.
    pub uuid: [u8; 16],
    /// Seed of key hashes.
    pub hash_seed: u64,
}

fn context(env: &Env, dir: &Path, uuid: [u8; 16], cache: Arc<BlockCache>) -> FileContext {
    FileContext { vfs: env.vfs.clone(), dir: dir.to_owned(), uuid, cache }
}

fn check_present(
    context: &FileContext,
    state: &State,
    found: &BTreeSet<(FileKind, FileNumber)>,
) -> Result<()> {
    let tables = state.tables().map(|(_, table)| (FileKind::Table, table.meta.number));
    let blobs = state.blobs.keys().map(|&number| (FileKind::Blob, number));
    for (kind, number) in tables.chain(blobs) {
        if !found.contains(&(kind, number)) {
            let path = kind.path(&context.dir, number);
            return Err(Error::corruption(&path, 0, "the manifest names it but it is missing"));
        }
    }
    Ok(())
}

/// Opens tables, many of them on several threads.
fn open_tables(context: &FileContext, metas: &[Arc<TableMeta>]) -> Result<OpenTables> {
    let open = |metas: &[Arc<TableMeta>]| -> Result<Vec<Arc<TableFile>>> {
        metas.iter().map(|meta| TableFile::open(context, meta.clone())).collect()
    };
    let files = if metas.len() <= TABLES_PER_THREAD {
        open(metas)?
    } else {
        let share = metas.len().div_ceil(THREADS_MAX).max(TABLES_PER_THREAD);
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                metas.chunks(share).map(|part| scope.spawn(move || open(part))).collect();
            let mut files = Vec::with_capacity(metas.len());
            for worker in workers {
                let opened = worker.join();
                files.extend(opened.map_err(|_| Error::internal("opening tables panicked"))??);
            }
            Ok::<_, Error>(files)
        })?
    };
    Ok(files.into_iter().map(|file| (file.number(), file)).collect())
}

#[cfg(test)]
mod tests;

/// Makes the directory's own name durable, and those of its parents, which may be new as well.
fn sync_parents(vfs: &dyn Vfs, dir: &Path) -> Result<()> {
    let here = Path::new(".");
    let parents = dir.ancestors().skip(1);
    let mut parents = parents.map(|dir| if dir.as_os_str().is_empty() { here } else { dir });
    if let Some(parent) = parents.next() {
        vfs.sync_dir(parent)?;
    }
    // Those further up are rarely new, and may be closed to this user.
    parents.for_each(|parent| drop(vfs.sync_dir(parent)));
    Ok(())
}
