//! Flush: the oldest full memtable becomes a run of tables in level 0.
//!
//! Order of durability: tables and blob files synced, directories synced, manifest record synced,
//! log segments removed. A crash between any two leaves files that the next open removes, or a log
//! that the next open replays, never a gap.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aidb_base::{FileNumber, KeyspaceId, Result, Seq, hash};

use super::Inner;
use super::count;
use super::read::Sources;
use super::view::{Generation, ReadView};
use crate::blob::BlobWriter;
use crate::compaction::run_codec;
use crate::entry::{Entry, Kind};
use crate::events::Event;
use crate::file_names::FileKind;
use crate::iterator::Cursor;
use crate::options::Codec;
use crate::planted::{Bug, is_planted};
use crate::table::{TableBuilder, TableOptions};
use crate::version::{AddedTable, BlobMeta, Tree, Version, VersionEdit, VersionSet};

/// Larger outputs are checked by their readers: they would not stay in memory.
const CHECKED_AHEAD_BYTES_MAX: u64 = 512 << 20;

/// Files of an edit.
pub(super) struct Written {
    bytes: u64,
    tables: Vec<(KeyspaceId, FileNumber)>,
    blobs: Vec<FileNumber>,
}

impl Written {
    pub(super) fn of(edit: &VersionEdit) -> Self {
        let tables = edit.added.iter().map(|added| (added.keyspace, added.meta.number));
        let blobs = edit.blobs_added.iter().map(|blob| blob.number);
        let tables_bytes: u64 = edit.added.iter().map(|added| added.meta.bytes).sum();
        let blobs_bytes: u64 = edit.blobs_added.iter().map(|blob| blob.bytes).sum();
        let bytes = tables_bytes + blobs_bytes;
        Self { bytes, tables: tables.collect(), blobs: blobs.collect() }
    }
}

impl Inner {
    /// Flushes the oldest full memtable; false when there is none.
    ///
    /// # Errors
    /// As the file system says; nothing is lost and the call can be repeated.
    pub(super) fn flush_oldest(&self) -> Result<bool> {
        let _one_at_a_time = self.flush_lock.lock();
        self.flush_next()
    }

    /// As [`Inner::flush_oldest`]; the caller holds the flush lock.
    pub(super) fn flush_next(&self) -> Result<bool> {
        let view = self.view.load_full();
        let Some(generation) = view.frozen.last() else { return Ok(false) };
        let started = self.now_ns();
        let mut files = Vec::new();
        let result = self.build(&view, generation, &mut files);
        let edit = match result {
            Ok(edit) => edit,
            Err(error) => {
                for path in files {
                    let _ = self.vfs().remove(&path);
                }
                return Err(error);
            }
        };
        let written = Written::of(&edit);
        // Held until readers see the version: flushes and compactions publish in manifest order.
        let mut versions = self.versions.lock();
        if is_planted(Bug::LogRemovedTooEarly) {
            self.flushed_seq.store(generation.last_seq(), Ordering::Release);
            self.release_log()?;
        }
        let version = self.apply(&mut versions, edit)?;
        let flushed = generation.last_seq();
        self.flushed_seq.store(flushed, Ordering::Release);
        self.change_view(|view| view.with_version(version.clone(), Some(generation)));
        drop(versions);
        self.counters.flushes.fetch_add(1, Ordering::Relaxed);
        self.compactor.wake();
        let duration_ns = self.now_ns() - started;
        self.pressure.note_flush(generation.memtable.bytes(), duration_ns);
        let duration_ms = duration_ns / 1_000_000;
        self.options.tell(&Event::Flushed { seq: flushed, duration_ms });
        self.release_log()?;
        self.check_ahead(written);
        Ok(true)
    }

    /// Checks new files while they are in memory, so that their first readers need not; later, when a
    /// memtable waits now. Damage is for whoever reads it.
    pub(super) fn check_ahead(&self, written: Written) {
        {
            let mut unchecked = self.unchecked.lock();
            unchecked.push(written);
            let bytes: u64 = unchecked.iter().map(|written| written.bytes).sum();
            if bytes > CHECKED_AHEAD_BYTES_MAX {
                unchecked.clear();
            }
        }
        while self.view.load().frozen.is_empty() && !self.state.is_closed() {
            let next = self.unchecked.lock().pop();
            let Some(written) = next else { return };
            self.check_files(&self.view.load().version, &written);
        }
    }

    fn check_files(&self, version: &Version, written: &Written) {
        for &(keyspace, number) in &written.tables {
            if let Some(file) = version.tree(keyspace).and_then(|tree| tree.table(number)) {
                let _ = file.table().check_ahead();
            }
        }
        for &number in &written.blobs {
            let _ = self.blobs.file(number).and_then(|file| file.verify(None));
        }
    }

    /// Makes an edit durable. When nobody can tell any more what the manifest holds, the database
    /// refuses writes until it is opened again.
    pub(super) fn apply(
        &self,
        versions: &mut VersionSet,
        edit: VersionEdit,
    ) -> Result<Arc<Version>> {
        let result = versions.apply(edit);
        if let (Err(_), Some(failure)) = (&result, versions.failure()) {
            self.state.poison(failure.clone().context(
                "the manifest is in doubt, so the database is read-only until it is opened again",
            ));
        }
        result
    }

    fn build(
        &self,
        view: &ReadView,
        generation: &Arc<Generation>,
        files: &mut Vec<PathBuf>,
    ) -> Result<VersionEdit> {
        let mut edit = VersionEdit::default();
        let below = Sources { generations: &[], version: &view.version, hash_seed: self.hash_seed };
        for keyspace in generation.memtable.keyspaces() {
            let Some(tree) = view.version.tree(keyspace) else { continue };
            self.build_table(generation, (keyspace, tree), files, &mut edit)?;
            let moment = generation.counts.moment(keyspace, generation.last_seq());
            let change = count::change(generation, moment, &below, keyspace)?;
            edit.live_key_deltas.push((keyspace, change));
        }
        if !edit.added.is_empty() && !is_planted(Bug::TableDirectoryNotSynced) {
            self.vfs().sync_dir(&FileKind::Table.dir(&self.dir))?;
        }
        if !edit.blobs_added.is_empty() {
            self.vfs().sync_dir(&FileKind::Blob.dir(&self.dir))?;
        }
        let flushed = generation.last_seq();
        let mut writer = self.writer.lock();
        writer.log.retire_flushed(flushed);
        edit.log_floor = Some(writer.log.floor(flushed));
        drop(writer);
        edit.last_seq = Some(flushed);
        Ok(edit)
    }

    fn build_table(
        &self,
        generation: &Generation,
        (keyspace, tree): (KeyspaceId, &Tree),
        files: &mut Vec<PathBuf>,
        edit: &mut VersionEdit,
    ) -> Result<()> {
        let number = self.next_number();
        let path = FileKind::Table.path(&self.dir, number);
        files.push(path.clone());
        let flushed = generation.last_seq();
        let mut builder = TableBuilder::create(
            self.vfs(),
            &path,
            self.run_options((keyspace, tree), number, flushed),
        )?;
        let blob_bytes_min =
            tree.options.blob_bytes_min.unwrap_or(self.options.blob_bytes_min as u64);
        let mut blobs = Blobs {
            inner: self,
            writer: None,
            bytes_min: blob_bytes_min as usize,
            codec: tree.options.blob_codec(),
        };
        self.add_entries(generation, keyspace, &mut builder, &mut blobs, files)?;
        for tombstone in generation.memtable.range_tombstones(keyspace).iter() {
            builder.add_range_tombstone(tombstone);
        }
        let properties = builder.finish()?;
        self.counters.flush_bytes.fetch_add(properties.bytes, Ordering::Relaxed);
        edit.blobs_added.extend(blobs.finish()?);
        edit.added.push(AddedTable::flushed(number, &properties));
        Ok(())
    }

    fn run_options(
        &self,
        (keyspace, tree): (KeyspaceId, &Tree),
        number: FileNumber,
        flushed: Seq,
    ) -> TableOptions {
        let is_deep = tree.levels.iter().any(|level| !level.is_empty());
        let bits = self.options.filter_bits_per_key;
        TableOptions {
            block_bytes: self.options.block_bytes,
            filter_bits_per_key: if bits == 0 { 0 } else { bits + 4 },
            codec: run_codec(is_deep, &tree.options, &self.options),
            keyspace,
            level: 0,
            hash_seed: self.hash_seed,
            uid: hash::file_uid(&self.uuid, number),
            // Older range tombstones are below every entry here, its own ones are applied.
            rt_applied_seq: flushed,
            created_ms: self.now_ms(),
        }
    }

    /// The newest version of each key that the memtable's own range tombstones leave.
    fn add_entries(
        &self,
        generation: &Generation,
        keyspace: KeyspaceId,
        builder: &mut TableBuilder,
        blobs: &mut Blobs<'_>,
        files: &mut Vec<PathBuf>,
    ) -> Result<()> {
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
                    add_entry(&entry, builder, blobs, files)?;
                }
            }
            cursor.next()?;
        }
        Ok(())
    }

    /// Removes log segments that nobody needs any more.
    pub(super) fn release_log(&self) -> Result<()> {
        let pinned = self.pins.oldest().filter(|_| !is_planted(Bug::PinIgnored));
        let flushed = self.flushed_seq.load(Ordering::Acquire);
        let numbers = self.writer.lock().log.release(pinned.unwrap_or(Seq::MAX).min(flushed));
        for number in numbers {
            self.vfs().remove(&FileKind::Wal.path(&self.dir, number))?;
        }
        Ok(())
    }
}

fn add_entry(
    entry: &Entry<'_>,
    builder: &mut TableBuilder,
    blobs: &mut Blobs<'_>,
    files: &mut Vec<PathBuf>,
) -> Result<()> {
    let is_large = blobs.bytes_min > 0 && entry.value.len() >= blobs.bytes_min;
    if entry.kind != Kind::Put || !is_large {
        return builder.add(entry);
    }
    let reference = blobs.append(entry.value, files)?;
    builder.add(&Entry { kind: Kind::Blob, value: &reference, ..*entry })
}

/// The blob file of one flush, created when the first large value comes.
struct Blobs<'a> {
    inner: &'a Inner,
    writer: Option<(FileNumber, BlobWriter)>,
    bytes_min: usize,
    codec: Codec,
}

impl Blobs<'_> {
    fn append(&mut self, value: &[u8], files: &mut Vec<PathBuf>) -> Result<Vec<u8>> {
        let mut current = match self.writer.take() {
            Some(current) => current,
            None => {
                let number = self.inner.next_number();
                let path = FileKind::Blob.path(&self.inner.dir, number);
                files.push(path.clone());
                let uid = hash::file_uid(&self.inner.uuid, number);
                (number, BlobWriter::create(self.inner.vfs(), &path, number, uid, self.codec)?)
            }
        };
        let reference = current.1.append(value)?;
        self.writer = Some(current);
        Ok(reference.encode().to_vec())
    }

    fn finish(self) -> Result<Option<BlobMeta>> {
        let Some((number, writer)) = self.writer else { return Ok(None) };
        let summary = writer.finish()?;
        self.inner.counters.flush_bytes.fetch_add(summary.bytes, Ordering::Relaxed);
        Ok(Some(BlobMeta::new(number, &summary)))
    }
}
