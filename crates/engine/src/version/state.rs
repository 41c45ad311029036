//! The truth of the manifest as a value: replaying edits gives a [`State`], and a state gives the
//! one edit that starts the next manifest. No I/O here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aidb_base::{Epoch, FileNumber, KeyspaceId, Position, Seq};

use super::edit::{AddedTable, BlobMeta, KeyspaceMeta, RemovedTable, TableMeta, VersionEdit};
use crate::options::KeyspaceOptions;

/// Where a table is, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedTable {
    /// Level, 0..=6.
    pub level: u8,
    /// Run in level 0, higher = newer.
    pub run: u64,
    /// Everything else.
    pub meta: Arc<TableMeta>,
}

/// A blob file and how much of it is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobState {
    /// What the manifest knows of it.
    pub meta: BlobMeta,
    /// Bytes that tables refer to.
    pub live_bytes: u64,
    /// Tables that refer to it.
    pub tables: u64,
}

/// One keyspace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TreeState {
    /// Its name.
    pub name: String,
    /// Its settings.
    pub options: KeyspaceOptions,
    /// Keys whose newest flushed record is live.
    pub live_keys: u64,
    /// Its tables.
    pub tables: BTreeMap<FileNumber, PlacedTable>,
}

/// Everything a manifest says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Seed of key hashes.
    pub hash_seed: u64,
    /// Lower file numbers may be in use.
    pub next_file_number: FileNumber,
    /// Lower keyspace numbers may have been used.
    pub next_keyspace: KeyspaceId,
    /// Lower log segments are flushed.
    pub log_floor: FileNumber,
    /// Batches up to here are in tables.
    pub last_seq: Seq,
    /// Ownership epoch.
    pub epoch: Epoch,
    /// First positions of epochs, in order.
    pub history: Vec<Position>,
    /// Keyspaces.
    pub trees: BTreeMap<KeyspaceId, TreeState>,
    /// Blob files that a table refers to.
    pub blobs: BTreeMap<FileNumber, BlobState>,
}

impl State {
    /// Removes from `edit` what concerns keyspaces that were dropped meanwhile and gives new runs
    /// of level 0 their numbers. Returns the tables that nobody needs now.
    pub fn prepare(&self, edit: &mut VersionEdit) -> Vec<FileNumber> {
        let created: BTreeSet<_> = edit.keyspaces.iter().map(|keyspace| keyspace.id).collect();
        let dropped: BTreeSet<_> = edit.keyspaces_dropped.iter().copied().collect();
        let lives = |id: KeyspaceId| {
            (self.trees.contains_key(&id) || created.contains(&id)) && !dropped.contains(&id)
        };
        let unneeded = edit.added.iter().filter(|added| !lives(added.keyspace));
        let unneeded = unneeded.map(|added| added.meta.number).collect();
        edit.added.retain(|added| lives(added.keyspace));
        edit.removed.retain(|removed| lives(removed.keyspace));
        edit.live_key_deltas.retain(|&(keyspace, _)| lives(keyspace));
        edit.keyspaces_dropped.retain(|id| self.trees.contains_key(id));
        for added in edit.added.iter_mut().filter(|added| added.level == 0 && added.run == 0) {
            added.run = self.trees.get(&added.keyspace).map_or(1, TreeState::next_run);
        }
        unneeded
    }

    /// Applies `edit`.
    ///
    /// # Errors
    /// What is inconsistent, when the edit does not fit; the state is then of no use.
    pub fn apply(&mut self, edit: &VersionEdit) -> Result<(), String> {
        self.apply_numbers(edit);
        for blob in &edit.blobs_added {
            self.blobs.insert(blob.number, BlobState { meta: *blob, live_bytes: 0, tables: 0 });
        }
        self.apply_keyspaces(edit);
        for removed in &edit.removed {
            self.remove(removed)?;
        }
        let mut touched = BTreeSet::new();
        for added in &edit.added {
            self.add(added)?;
            touched.insert((added.keyspace, added.level));
        }
        for (keyspace, level) in touched {
            self.check_level(keyspace, level)?;
        }
        for &(keyspace, delta) in &edit.live_key_deltas {
            let tree = self.tree_mut(keyspace)?;
            tree.live_keys = tree.live_keys.checked_add_signed(delta).ok_or_else(|| {
                format!("keyspace {keyspace} would have {}{delta:+} keys", tree.live_keys)
            })?;
        }
        self.blobs.retain(|_, blob| blob.tables > 0);
        Ok(())
    }

    fn apply_numbers(&mut self, edit: &VersionEdit) {
        fn raise<T: Copy + Ord>(number: &mut T, to: Option<T>) {
            *number = to.map_or(*number, |to| to.max(*number));
        }
        raise(&mut self.log_floor, edit.log_floor);
        raise(&mut self.last_seq, edit.last_seq);
        raise(&mut self.epoch, edit.epoch);
        raise(&mut self.next_file_number, edit.next_file_number);
        raise(&mut self.next_keyspace, edit.next_keyspace);
        self.hash_seed = edit.hash_seed.unwrap_or(self.hash_seed);
        self.history.extend_from_slice(&edit.history);
    }

    fn apply_keyspaces(&mut self, edit: &VersionEdit) {
        for keyspace in &edit.keyspaces {
            let tree = self.trees.entry(keyspace.id).or_default();
            tree.name.clone_from(&keyspace.name);
            tree.options = keyspace.options.clone();
            self.next_keyspace = self.next_keyspace.max(keyspace.id.saturating_add(1));
        }
        for id in &edit.keyspaces_dropped {
            for table in self.trees.remove(id).unwrap_or_default().tables.values() {
                self.release_blobs(&table.meta);
            }
        }
    }

    fn tree_mut(&mut self, keyspace: KeyspaceId) -> Result<&mut TreeState, String> {
        self.trees.get_mut(&keyspace).ok_or_else(|| format!("keyspace {keyspace} does not exist"))
    }

    fn remove(&mut self, removed: &RemovedTable) -> Result<(), String> {
        let tables = &mut self.tree_mut(removed.keyspace)?.tables;
        match tables.remove(&removed.number) {
            Some(table) if table.level == removed.level => {
                self.release_blobs(&table.meta);
                Ok(())
            }
            _ => Err(format!(
                "table {} is not in level {} of keyspace {}",
                removed.number, removed.level, removed.keyspace
            )),
        }
    }

    fn release_blobs(&mut self, meta: &TableMeta) {
        for (number, bytes) in &meta.blob_refs {
            if let Some(blob) = self.blobs.get_mut(number) {
                blob.live_bytes = blob.live_bytes.saturating_sub(*bytes);
                blob.tables = blob.tables.saturating_sub(1);
            }
        }
    }

    fn add(&mut self, added: &AddedTable) -> Result<(), String> {
        let AddedTable { keyspace, level, run, meta } = added;
        for (number, bytes) in &meta.blob_refs {
            let blob = self.blobs.get_mut(number).ok_or_else(|| {
                format!("table {} refers to blob file {number}, which is missing", meta.number)
            })?;
            blob.live_bytes = blob.live_bytes.saturating_add(*bytes);
            blob.tables += 1;
        }
        let placed = PlacedTable { level: *level, run: *run, meta: Arc::new(meta.clone()) };
        match self.tree_mut(*keyspace)?.tables.insert(meta.number, placed) {
            None => Ok(()),
            Some(_) => Err(format!("table {} is added twice", meta.number)),
        }
    }

    /// Tables of one run, and of one level below 0, must not overlap.
    fn check_level(&mut self, keyspace: KeyspaceId, level: u8) -> Result<(), String> {
        let tree = self.tree_mut(keyspace)?;
        let tables = tree.tables.values().filter(|t| t.level == level && t.meta.entries > 0);
        let mut tables: Vec<_> = tables.collect();
        let run = |table: &PlacedTable| if level == 0 { table.run } else { 0 };
        tables.sort_unstable_by_key(|&table| (run(table), &table.meta.smallest));
        for pair in tables.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            if run(a) == run(b) && a.meta.largest >= b.meta.smallest {
                return Err(format!(
                    "tables {} and {} overlap in level {level} of keyspace {keyspace}",
                    a.meta.number, b.meta.number
                ));
            }
        }
        Ok(())
    }

    /// The edit that turns the empty state into this one.
    pub fn to_edit(&self) -> VersionEdit {
        let mut edit = VersionEdit {
            log_floor: Some(self.log_floor),
            last_seq: Some(self.last_seq),
            epoch: Some(self.epoch),
            history: self.history.clone(),
            next_file_number: Some(self.next_file_number),
            next_keyspace: Some(self.next_keyspace),
            hash_seed: Some(self.hash_seed),
            blobs_added: self.blobs.values().map(|blob| blob.meta).collect(),
            ..VersionEdit::default()
        };
        for (&id, tree) in &self.trees {
            let (name, options) = (tree.name.clone(), tree.options.clone());
            edit.keyspaces.push(KeyspaceMeta { id, name, options });
            edit.live_key_deltas.push((id, tree.live_keys as i64));
            edit.added.extend(tree.tables.values().map(|table| AddedTable {
                keyspace: id,
                level: table.level,
                run: table.run,
                meta: TableMeta::clone(&table.meta),
            }));
        }
        edit
    }

    /// Every table.
    pub fn tables(&self) -> impl Iterator<Item = (KeyspaceId, &PlacedTable)> {
        self.trees.iter().flat_map(|(&id, tree)| tree.tables.values().map(move |t| (id, t)))
    }
}

impl TreeState {
    fn next_run(&self) -> u64 {
        let runs = self.tables.values().filter(|table| table.level == 0).map(|table| table.run);
        runs.max().unwrap_or(0) + 1
    }
}
