//! One version: every table of every keyspace at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use aidb_base::{FileNumber, KeyspaceId};

use super::file::{BlobPin, FileContext, TableFile};
use super::state::State;
use super::tree::Tree;
use crate::blob::BlobFiles;

/// Tables opened for the next version.
pub(super) type OpenTables = BTreeMap<FileNumber, Arc<TableFile>>;

/// All tables of all keyspaces at one moment; immutable. Whoever holds it can read its files.
#[derive(Default)]
pub struct Version {
    pub(super) state: State,
    pub(super) trees: Vec<(KeyspaceId, Arc<Tree>)>,
    pub(super) blobs: Vec<Arc<BlobPin>>,
}

impl Version {
    /// The tables of a keyspace.
    #[inline]
    pub fn tree(&self, keyspace: KeyspaceId) -> Option<&Arc<Tree>> {
        // Keyspaces are numbered from 0, so that the number often is the index.
        if let Some((id, tree)) = self.trees.get(keyspace as usize) {
            if *id == keyspace {
                return Some(tree);
            }
        }
        let index = self.trees.binary_search_by_key(&keyspace, |(id, _)| *id).ok()?;
        Some(&self.trees[index].1)
    }

    /// Every keyspace by number.
    pub fn trees(&self) -> impl Iterator<Item = &Arc<Tree>> {
        self.trees.iter().map(|(_, tree)| tree)
    }

    /// Every blob file by number.
    pub fn blobs(&self) -> &[Arc<BlobPin>] {
        &self.blobs
    }

    /// What the manifest says.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The version after `before` that `state` describes; `opened` are its new tables. Keyspaces
    /// that did not change are shared.
    pub(super) fn build(
        context: &FileContext,
        files: &Arc<BlobFiles>,
        before: &Self,
        state: State,
        mut opened: OpenTables,
    ) -> Self {
        let mut trees = Vec::with_capacity(state.trees.len());
        for (&id, tree_state) in &state.trees {
            let known = before.tree(id);
            let is_same = before.state.trees.get(&id).is_some_and(|state| state == tree_state);
            let tree = match known {
                Some(tree) if is_same => tree.clone(),
                _ => {
                    let files = known.into_iter().flat_map(|tree| tree.tables());
                    let files = files.map(|file| (file.number(), file.clone()));
                    let known_files: BTreeMap<_, _> = files.collect();
                    let mut file = |number| {
                        known_files.get(&number).cloned().or_else(|| opened.remove(&number))
                    };
                    Arc::new(Tree::new(id, tree_state, &mut file, known.map(|tree| &**tree)))
                }
            };
            trees.push((id, tree));
        }
        let known = |number| before.blobs.iter().find(|blob| blob.number() == number);
        let blobs = state.blobs.values().map(|blob| {
            let make = || BlobPin::new(context, files, blob.meta);
            known(blob.meta.number).cloned().unwrap_or_else(make)
        });
        let blobs = blobs.collect();
        Self { state, trees, blobs }
    }

    /// Has the files that `next` no longer needs deleted after their last reader.
    pub(super) fn mark_obsolete_after(&self, next: &Self) {
        for tree in self.trees() {
            let kept = next.state.trees.get(&tree.id);
            let is_kept = |number| kept.is_some_and(|state| state.tables.contains_key(&number));
            let gone = tree.tables().filter(|file| !is_kept(file.number()));
            gone.for_each(|file| file.mark_obsolete());
        }
        for blob in self.blobs.iter().filter(|b| !next.state.blobs.contains_key(&b.number())) {
            blob.mark_obsolete();
        }
    }
}
