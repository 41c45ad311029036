//! Checkpoints: a hard-linked copy of the tables that opens as a database of its own.

use std::path::Path;
use std::sync::Arc;

use aidb_base::{Error, Result};

use super::Db;
use crate::cache::BlockCache;
use crate::file_names::FileKind;
use crate::options::Env;
use crate::planted::{Bug, is_planted};
use crate::version::{Identity, State, VersionSet};

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
        if inner.vfs().exists(target)? {
            return Err(Error::invalid(format!(
                "{} exists already; name a directory that does not",
                target.display()
            )));
        }
        if inner.options.read_only {
            inner.state.check_open()?;
        } else if !is_planted(Bug::CheckpointWithoutFlush) {
            self.flush()?;
        }
        // The view keeps the files of its version from being removed meanwhile.
        let view = inner.view.load_full();
        let identity = Identity { uuid: inner.uuid, hash_seed: inner.hash_seed };
        link_state(&inner.options.env, &inner.dir, target, view.version.state(), identity)
    }
}

/// Makes `target` a database with the tables that `versions` has in `source`.
pub(super) fn link(env: &Env, source: &Path, target: &Path, versions: &VersionSet) -> Result<()> {
    let identity = Identity { uuid: versions.uuid(), hash_seed: versions.hash_seed() };
    link_state(env, source, target, versions.current().state(), identity)
}

fn link_state(
    env: &Env,
    source: &Path,
    target: &Path,
    state: &State,
    identity: Identity,
) -> Result<()> {
    let vfs = &*env.vfs;
    for kind in FileKind::ALL {
        vfs.create_dir_all(&kind.dir(target))?;
    }
    let tables = state.tables().map(|(_, placed)| (FileKind::Table, placed.meta.number));
    let blobs = state.blobs.keys().map(|&number| (FileKind::Blob, number));
    for (kind, number) in tables.chain(blobs) {
        vfs.hard_link(&kind.path(source, number), &kind.path(target, number))?;
    }
    for kind in [FileKind::Table, FileKind::Blob] {
        vfs.sync_dir(&kind.dir(target))?;
    }
    let cache = Arc::new(BlockCache::new(0));
    VersionSet::create_with(env, target, cache, identity, state.to_edit()).map(drop)
}
