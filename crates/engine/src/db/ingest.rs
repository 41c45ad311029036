//! Taking foreign tables into an open database, and verifying the files it uses.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use aidb_base::{Error, KeyspaceId, Result, Seq, hash};

use super::write::{insert, prefetched};
use super::{Db, Inner};
use crate::batch::WriteBatch;
use crate::compaction::CompactionContext;
use crate::ingest::{self, IngestStats};
use crate::scrub::{self, ScrubReport};

/// Annotation of the batch that stands for ingested records in the log and the change feed.
const MARK: &[u8] = b"ingest";

impl Db {
    /// Takes the records of tables built elsewhere with [`crate::table::TableBuilder`] into
    /// `keyspace`, as one batch: all become visible at once, above everything written before. The
    /// files are read, not moved. Writing goes on meanwhile, until the memtables are full.
    ///
    /// The log and [`Db::changes`] hold only a batch with the annotation `ingest` in their place.
    ///
    /// **Durability**: the records survive the loss of the machine once this returns.
    ///
    /// # Errors
    /// `Invalid` for tables that hold range tombstones, references to blob files, or a key that
    /// another one of them holds too; `Corruption` of an input; those of the file system.
    pub fn ingest(&self, keyspace: KeyspaceId, tables: &[PathBuf]) -> Result<IngestStats> {
        let inner = &*self.inner;
        inner.state.check_writable()?;
        let _flushing = inner.flush_lock.lock();
        let _compacting = inner.compaction_lock.lock();
        let seq = inner.begin_ingest()?;
        while inner.flushed_seq.load(Ordering::Acquire) < seq {
            if !inner.flush_next()? {
                return Err(Error::internal("a full memtable disappeared without being flushed"));
            }
        }
        let version = inner.view.load().version.clone();
        let context = CompactionContext {
            files: &inner.files,
            blobs: &inner.blobs,
            version: &version,
            options: &inner.options,
            numbers: &inner.numbers,
            cancel: inner.state.closing(),
        };
        let (edit, stats) = ingest::ingest(&context, keyspace, tables, seq)?;
        // What counters know of the keys below their generation is no longer true.
        let _counting = inner.count_gate.write();
        let mut versions = inner.versions.lock();
        let version = inner.apply(&mut versions, edit)?;
        inner.view.load().generations().for_each(|generation| generation.counts.forget());
        inner.change_view(|view| view.with_version(version, None));
        Ok(stats)
    }

    /// Reads every table and blob file in use and compares it with what the manifest knows. Reading
    /// and writing go on meanwhile.
    ///
    /// # Errors
    /// `Closed` when the database is closed meanwhile; those of the file system. Damage is no error
    /// but in the report.
    pub fn scrub(&self) -> Result<ScrubReport> {
        let inner = &*self.inner;
        inner.state.check_open()?;
        let version = inner.view.load().version.clone();
        scrub::scrub(&version, &inner.blobs, inner.state.closing())
    }
}

impl Inner {
    /// Commits the batch that stands for the records to come and closes the memtable behind it, so
    /// that everything up to it, and nothing after it, can be flushed.
    fn begin_ingest(&self) -> Result<Seq> {
        let mut batch = WriteBatch::new();
        batch.annotate(MARK)?;
        let payload = batch.payload();
        let mut writer = self.writer.lock();
        self.state.check_writable()?;
        let seq = writer.next_seq;
        writer.log.append_batch(seq, payload, hash::digest(payload))?;
        writer.next_seq = seq + 1;
        let coming = prefetched(&writer.active, self.hash_seed, payload);
        insert(&writer.active, self.hash_seed, seq, (payload, None), coming)?;
        self.visible_seq.store(seq, Ordering::Release);
        self.rotate(&mut writer);
        Ok(seq)
    }
}
