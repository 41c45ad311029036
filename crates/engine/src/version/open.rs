//! Creating and opening a [`VersionSet`]: replay, check what is there, delete what nobody needs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use aidb_base::{Error, FileNumber, Result};

use super::edit::{KeyspaceMeta, TableMeta, VersionEdit};
use super::file::{FileContext, FileNumbers, TableFile};
use super::manifest;
use super::set::{REWRITE_BYTES_MIN, VersionSet};
use super::snapshot::{OpenTables, Version};
use super::state::State;
use crate::blob::BlobFiles;
use crate::cache::BlockCache;
use crate::file_names::{self, FileKind};
use crate::options::Env;
use crate::vfs::Vfs;

/// Tables opened by one thread when a database is opened.
const TABLES_PER_THREAD: usize = 32;
/// Threads that open tables.
const THREADS_MAX: usize = 8;

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
pub(super) fn open_tables(context: &FileContext, metas: &[Arc<TableMeta>]) -> Result<OpenTables> {
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
