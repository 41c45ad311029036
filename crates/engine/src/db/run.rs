//! Building the run of a flush: one table per keyspace, and a blob file per table for large values.
//!
//! Needs no open database: recovery flushes while it replays.

use std::path::{Path, PathBuf};

use aidb_base::{FileNumber, KeyspaceId, Result, Seq, hash};

use super::count;
use super::read::Sources;
use super::view::Generation;
use crate::blob::BlobWriter;
use crate::compaction::run_codec;
use crate::entry::{Entry, Kind};
use crate::file_names::FileKind;
use crate::iterator::Cursor;
use crate::options::{Codec, Options};
use crate::planted::{Bug, is_planted};
use crate::table::{TableBuilder, TableOptions};
use crate::version::{AddedTable, BlobMeta, FileNumbers, Tree, Version, VersionEdit};
use crate::vfs::Vfs;

/// The database that a run is for.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) dir: &'a Path,
    pub(super) uuid: &'a [u8; 16],
    pub(super) hash_seed: u64,
    pub(super) numbers: &'a FileNumbers,
}

/// Writes the run of `generation`, whose tables are to come above those of `version`, and makes its
/// files durable. Returns the edit that puts it there and the bytes written.
///
/// # Errors
/// As the file system says; nothing is left behind.
pub(super) fn build(
    options: &Options,
    place: Place<'_>,
    version: &Version,
    generation: &Generation,
) -> Result<(VersionEdit, u64)> {
    let mut run = Run { options, place, files: Vec::new(), bytes: 0 };
    match run.write(version, generation) {
        Ok(edit) => Ok((edit, run.bytes)),
        Err(error) => {
            for path in &run.files {
                let _ = run.vfs().remove(path);
            }
            Err(error)
        }
    }
}

/// A run being written.
struct Run<'a> {
    options: &'a Options,
    place: Place<'a>,
    /// Everything created.
    files: Vec<PathBuf>,
    bytes: u64,
}

impl<'a> Run<'a> {
    fn vfs(&self) -> &'a dyn Vfs {
        &*self.options.env.vfs
    }

    /// Number, path and identity of the next file.
    fn next_file(&mut self, kind: FileKind) -> (FileNumber, PathBuf, u64) {
        let number = self.place.numbers.next();
        let path = kind.path(self.place.dir, number);
        self.files.push(path.clone());
        (number, path, hash::file_uid(self.place.uuid, number))
    }

    fn write(&mut self, version: &Version, generation: &Generation) -> Result<VersionEdit> {
        let mut edit = VersionEdit::default();
        let below = Sources { generations: &[], version, hash_seed: self.place.hash_seed };
        for keyspace in generation.memtable.keyspaces() {
            let Some(tree) = version.tree(keyspace) else { continue };
            self.write_table(generation, (keyspace, tree), &mut edit)?;
            let moment = generation.counts.moment(keyspace, generation.last_seq());
            let change = count::change(generation, moment, &below, keyspace)?;
            edit.live_key_deltas.push((keyspace, change));
        }
        if !edit.added.is_empty() && !is_planted(Bug::TableDirectoryNotSynced) {
            self.vfs().sync_dir(&FileKind::Table.dir(self.place.dir))?;
        }
        if !edit.blobs_added.is_empty() {
            self.vfs().sync_dir(&FileKind::Blob.dir(self.place.dir))?;
        }
        edit.last_seq = Some(generation.last_seq());
        Ok(edit)
    }

    fn write_table(
        &mut self,
        generation: &Generation,
        (keyspace, tree): (KeyspaceId, &Tree),
        edit: &mut VersionEdit,
    ) -> Result<()> {
        let (number, path, uid) = self.next_file(FileKind::Table);
        let options = self.table_options((keyspace, tree), uid, generation.last_seq());
        let builder = TableBuilder::create(self.vfs(), &path, options)?;
        let blob_bytes_min =
            tree.options.blob_bytes_min.unwrap_or(self.options.blob_bytes_min as u64);
        let mut output = Output {
            run: self,
            builder,
            blobs: None,
            blob_bytes_min: blob_bytes_min as usize,
            blob_codec: tree.options.blob_codec(),
        };
        output.add_entries(generation, keyspace)?;
        for tombstone in generation.memtable.range_tombstones(keyspace).iter() {
            output.builder.add_range_tombstone(tombstone);
        }
        let Output { builder, blobs, .. } = output;
        let properties = builder.finish()?;
        self.bytes += properties.bytes;
        edit.added.push(AddedTable::flushed(number, &properties));
        if let Some((number, writer)) = blobs {
            let summary = writer.finish()?;
            self.bytes += summary.bytes;
            edit.blobs_added.push(BlobMeta::new(number, &summary));
        }
        Ok(())
    }

    fn table_options(
        &self,
        (keyspace, tree): (KeyspaceId, &Tree),
        uid: u64,
        flushed: Seq,
    ) -> TableOptions {
        let is_deep = tree.levels.iter().any(|level| !level.is_empty());
        let bits = self.options.filter_bits_per_key;
        TableOptions {
            block_bytes: self.options.block_bytes,
            filter_bits_per_key: if bits == 0 { 0 } else { bits + 4 },
            codec: run_codec(is_deep, &tree.options, self.options),
            keyspace,
            level: 0,
            hash_seed: self.place.hash_seed,
            uid,
            // Older range tombstones are below every entry here, its own ones are applied.
            rt_applied_seq: flushed,
            created_ms: self.options.env.clock.now_ms(),
        }
    }
}

/// A table being written, and the blob file beside it, created when the first large value comes.
struct Output<'r, 'a> {
    run: &'r mut Run<'a>,
    builder: TableBuilder,
    blobs: Option<(FileNumber, BlobWriter)>,
    blob_bytes_min: usize,
    blob_codec: Codec,
}

impl Output<'_, '_> {
    /// The newest version of each key that the memtable's own range tombstones leave, all of them with
    /// the memtable's last sequence number (ADR 15).
    fn add_entries(&mut self, generation: &Generation, keyspace: KeyspaceId) -> Result<()> {
        let tombstones = generation.memtable.range_tombstones(keyspace);
        let mut cursor = generation.memtable.sorted_cursor(keyspace);
        let mut last_key: Vec<u8> = Vec::new();
        let mut is_first = true;
        cursor.seek_to_first()?;
        while let Some(entry) = cursor.entry() {
            if is_first || entry.key != last_key.as_slice() {
                is_first = false;
                last_key.clear();
                last_key.extend_from_slice(entry.key);
                let covered = !tombstones.is_empty()
                    && tombstones.seq_covering(entry.key, Seq::MAX) > entry.seq;
                let is_lost = is_planted(Bug::DeletesNotFlushed) && entry.kind == Kind::Delete;
                if !covered && !is_lost {
                    self.add(&Entry { seq: generation.last_seq(), ..entry })?;
                }
            }
            cursor.next()?;
        }
        Ok(())
    }

    fn add(&mut self, entry: &Entry<'_>) -> Result<()> {
        let is_large = self.blob_bytes_min > 0 && entry.value.len() >= self.blob_bytes_min;
        if entry.kind != Kind::Put || !is_large {
            return self.builder.add(entry);
        }
        let reference = self.append_blob(entry.value)?;
        self.builder.add(&Entry { kind: Kind::Blob, value: &reference, ..*entry })
    }

    fn append_blob(&mut self, value: &[u8]) -> Result<Vec<u8>> {
        let mut current = match self.blobs.take() {
            Some(current) => current,
            None => {
                let (number, path, uid) = self.run.next_file(FileKind::Blob);
                (number, BlobWriter::create(self.run.vfs(), &path, number, uid, self.blob_codec)?)
            }
        };
        let reference = current.1.append(value)?;
        self.blobs = Some(current);
        Ok(reference.encode().to_vec())
    }
}
