//! Checkpoints: a hard-linked copy of the tables that opens as a database of its own.

use std::path::Path;
use std::sync::Arc;

use aidb_base::{Error, Result};

use super::Db;
use crate::cache::BlockCache;
use crate::file_names::FileKind;
use crate::version::{Identity, VersionEdit, VersionSet};

impl Db {
    /// Makes `target`, which must not exist, a database with everything written before the call.
    /// Writing goes on meanwhile. On the same file system no data is copied.
    ///
    /// **Durability**: the checkpoint survives the loss of the machine once this returns.
    ///
    /// # Errors
    /// `Invalid` when `target` exists, others as the file system says; a failed checkpoint leaves
    /// a `target` that does not open.
    pub fn checkpoint(&self, target: &Path) -> Result<()> {
        let inner = &*self.inner;
        let vfs = inner.vfs();
        if vfs.exists(target)? {
            return Err(Error::invalid(format!(
                "{} exists already; name a directory that does not",
                target.display()
            )));
        }
        if inner.options.read_only {
            inner.state.check_open()?;
        } else {
            self.flush()?;
        }
        let version = inner.view.load().version.clone();
        let state = version.state();
        for kind in FileKind::ALL {
            vfs.create_dir_all(&kind.dir(target))?;
        }
        let tables = state.tables().map(|(_, placed)| (FileKind::Table, placed.meta.number));
        let blobs = state.blobs.keys().map(|&number| (FileKind::Blob, number));
        for (kind, number) in tables.chain(blobs) {
            vfs.hard_link(&kind.path(&inner.dir, number), &kind.path(target, number))?;
        }
        for kind in [FileKind::Table, FileKind::Blob] {
            vfs.sync_dir(&kind.dir(target))?;
        }
        let identity = Identity { uuid: inner.uuid, hash_seed: inner.hash_seed };
        let cache = Arc::new(BlockCache::new(0));
        // The copy has no log, so every segment number is below its floor.
        let edit = VersionEdit { log_floor: Some(inner.numbers.peek()), ..state.to_edit() };
        VersionSet::create_with(&inner.options.env, target, cache, identity, edit).map(drop)
    }
}
