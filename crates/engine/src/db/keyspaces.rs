//! Keyspaces: named key ranges with options of their own, created and dropped atomically.

use std::sync::Arc;

use aidb_base::limits::{KEYSPACE_NAME_BYTES_MAX, KEYSPACES_MAX};
use aidb_base::{Error, KeyspaceId, Result};

use super::{DEFAULT_KEYSPACE, Db};
use crate::options::KeyspaceOptions;
use crate::version::{KeyspaceMeta, Tree, Version, VersionEdit};

impl Db {
    /// Creates a keyspace. Its number is never used again, even after it was dropped.
    ///
    /// # Errors
    /// `Invalid` when the name is taken, empty or too long, `Exhausted` when there are too many.
    pub fn create_keyspace(&self, name: &str, options: &KeyspaceOptions) -> Result<KeyspaceId> {
        let inner = &*self.inner;
        inner.state.check_writable()?;
        if name.is_empty() || name.len() > KEYSPACE_NAME_BYTES_MAX {
            let length = name.len();
            return Err(Error::invalid(format!(
                "keyspace name of {length} bytes: 1 to {KEYSPACE_NAME_BYTES_MAX} are allowed"
            )));
        }
        let mut versions = inner.versions.lock();
        let version = versions.current().clone();
        if find(&version, name).is_some() {
            return Err(Error::invalid(format!("keyspace {name:?} exists already")));
        }
        if version.trees().count() >= KEYSPACES_MAX {
            return Err(Error::exhausted(format!("there are {KEYSPACES_MAX} keyspaces; drop one")));
        }
        let id = versions.next_keyspace();
        let meta = KeyspaceMeta { id, name: name.to_owned(), options: options.clone() };
        let edit = VersionEdit { keyspaces: vec![meta], ..VersionEdit::default() };
        let version = inner.apply(&mut versions, edit)?;
        inner.change_view(|view| view.with_version(version, None));
        Ok(id)
    }

    /// Number of the keyspace called `name`.
    pub fn keyspace(&self, name: &str) -> Option<KeyspaceId> {
        find(&self.inner.view.load().version, name)
    }

    /// Every keyspace: number, name, options.
    pub fn keyspaces(&self) -> Vec<(KeyspaceId, String, KeyspaceOptions)> {
        let view = self.inner.view.load();
        let describe = |tree: &Arc<Tree>| (tree.id, tree.name.clone(), tree.options.clone());
        view.version.trees().map(describe).collect()
    }

    /// Drops a keyspace with everything in it; its files go as soon as no reader holds them.
    ///
    /// # Errors
    /// `Invalid` when there is none of that name, or for the default keyspace.
    pub fn drop_keyspace(&self, name: &str) -> Result<()> {
        let inner = &*self.inner;
        inner.state.check_writable()?;
        let _flush = inner.flush_lock.lock();
        let _compaction = inner.compaction_lock.lock();
        let mut versions = inner.versions.lock();
        let id = find(versions.current(), name).ok_or_else(|| no_keyspace(name))?;
        if id == DEFAULT_KEYSPACE {
            return Err(Error::invalid("the default keyspace cannot be dropped; delete its keys"));
        }
        let edit = VersionEdit { keyspaces_dropped: vec![id], ..VersionEdit::default() };
        let version = inner.apply(&mut versions, edit)?;
        inner.change_view(|view| view.with_version(version, None));
        Ok(())
    }

    /// Gives keyspaces other names, all at once; two can swap theirs.
    ///
    /// # Errors
    /// `Invalid` when one does not exist, two would get the same name, or for the default one.
    pub fn rename_keyspaces(&self, names: &[(KeyspaceId, &str)]) -> Result<()> {
        let inner = &*self.inner;
        inner.state.check_writable()?;
        let mut versions = inner.versions.lock();
        let version = versions.current().clone();
        let mut edit = VersionEdit::default();
        for &(id, name) in names {
            let tree = version.tree(id).filter(|_| id != DEFAULT_KEYSPACE);
            let tree = tree.ok_or_else(|| no_keyspace(&id.to_string()))?;
            let holder = find(&version, name);
            let moves_away = |holder| names.iter().any(|&(id, _)| id == holder);
            let is_twice = names.iter().filter(|(_, other)| *other == name).count() > 1;
            if is_twice || holder.is_some_and(|holder| !moves_away(holder)) {
                return Err(Error::invalid(format!("keyspace {name:?} exists already")));
            }
            let options = tree.options.clone();
            edit.keyspaces.push(KeyspaceMeta { id, name: name.to_owned(), options });
        }
        let version = inner.apply(&mut versions, edit)?;
        inner.change_view(|view| view.with_version(version, None));
        Ok(())
    }

    /// Expiry that a record of `keyspace` gets when it is written without one; 0 = none.
    pub fn default_expire_at_ms(&self, keyspace: KeyspaceId) -> u64 {
        let view = self.inner.view.load();
        let ttl_ms = view.version.tree(keyspace).and_then(|tree| tree.options.ttl_ms);
        ttl_ms.map_or(0, |ttl_ms| self.inner.now_ms().saturating_add(ttl_ms))
    }

    #[inline]
    pub(super) fn check_keyspace(&self, keyspace: KeyspaceId) -> Result<()> {
        if keyspace == DEFAULT_KEYSPACE || self.inner.view.load().version.tree(keyspace).is_some() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "there is no keyspace {keyspace}; it was dropped or never created"
        )))
    }
}

fn find(version: &Version, name: &str) -> Option<KeyspaceId> {
    version.trees().find(|tree| tree.name == name).map(|tree| tree.id)
}

fn no_keyspace(name: &str) -> Error {
    Error::invalid(format!("there is no keyspace {name:?}; create it first"))
}
