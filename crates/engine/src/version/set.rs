//! The version in use and the manifest behind it.
//!
//! Order of durability: a table is synced, then its directory, then the manifest record that names
//! it; only then may its log go. A manifest whose sync failed is never written again: the set is
//! poisoned and the database read-only until it is opened anew.

use std::sync::Arc;

use aidb_base::{Effect, Epoch, Error, FileNumber, KeyspaceId, Result, Seq};

use super::edit::VersionEdit;
use super::file::{FileContext, FileNumbers, TableFile};
use super::manifest::{self, ManifestWriter};
use super::open::open_tables;
use super::snapshot::{OpenTables, Version};
use super::state::State;
use crate::blob::BlobFiles;
use crate::file_names::{self, FileKind};

/// Growth over its first record at which a manifest is rewritten.
const REWRITE_FACTOR: u64 = 5;
/// Bytes below which a manifest is not rewritten.
pub(super) const REWRITE_BYTES_MIN: u64 = 1 << 20;
/// Owner of the manifest. One per open database; the caller serialises changes.
pub struct VersionSet {
    pub(super) context: FileContext,
    pub(super) files: Arc<BlobFiles>,
    pub(super) numbers: Arc<FileNumbers>,
    pub(super) current: Arc<Version>,
    pub(super) writer: Option<ManifestWriter>,
    pub(super) is_read_only: bool,
    pub(super) failure: Option<Error>,
    pub(super) rewrite_bytes_min: u64,
}

impl VersionSet {
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
    pub(super) fn rotate(&mut self) -> Result<()> {
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
}

#[cfg(test)]
mod tests;
