//! Flush: the oldest full memtable becomes a run of tables in level 0.
//!
//! Order of durability: tables and blob files synced, directories synced, manifest record synced,
//! log segments removed. A crash between any two leaves files that the next open removes, or a log
//! that the next open replays, never a gap.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aidb_base::{FileNumber, KeyspaceId, Result, Seq};

use super::Inner;
use super::run::{self, Place};
use super::view::{Generation, ReadView};
use crate::events::Event;
use crate::file_names::FileKind;
use crate::planted::{Bug, is_planted};
use crate::version::{Version, VersionEdit, VersionSet};

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
        let edit = self.build(&view, generation)?;
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

    /// The run of `generation`, and what of the log is not needed any more once it is recorded.
    fn build(&self, view: &ReadView, generation: &Generation) -> Result<VersionEdit> {
        let numbers = &*self.numbers;
        let place = Place { dir: &self.dir, uuid: &self.uuid, hash_seed: self.hash_seed, numbers };
        let (mut edit, bytes) = run::build(&self.options, place, &view.version, generation)?;
        self.counters.flush_bytes.fetch_add(bytes, Ordering::Relaxed);
        let flushed = generation.last_seq();
        let mut writer = self.writer.lock();
        writer.log.retire_flushed(flushed);
        edit.log_floor = Some(writer.log.floor(flushed));
        Ok(edit)
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
