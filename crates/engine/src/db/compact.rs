//! Running compactions: pick from the current version, execute, record, show to new readers.

use std::sync::atomic::{AtomicU64, Ordering};

use aidb_base::{Error, KeyspaceId, Result};

use super::flush::Written;
use super::view::ReadView;
use super::{Db, Inner};
use crate::compaction::{self, CompactionContext, CompactionPlan, Occasion};
use crate::events::Event;
use crate::version::{Version, VersionEdit};

/// Counts while it lives.
struct Running<'a>(&'a AtomicU64);

impl<'a> Running<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Release);
        Self(count)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Inner {
    /// Runs the most urgent compaction; false when there is none.
    pub(super) fn compact_once(&self) -> Result<bool> {
        let _one_at_a_time = self.compaction_lock.lock();
        // Ends last: the files that the compaction made obsolete are gone by then.
        let _running = Running::new(&self.counters.compactions_running);
        let plan = {
            // Given back before the work begins: a view keeps its memtables.
            let view = self.view.load();
            self.choose(&view, &view.version)
        };
        match plan {
            Some(plan) => self.run_compaction(&plan).map(|()| true),
            None => Ok(false),
        }
    }

    pub(super) fn is_compaction_due(&self, view: &ReadView) -> bool {
        self.choose(view, &view.version).is_some()
    }

    /// The next compaction of `version` while memtables are those of `view`.
    fn choose(&self, view: &ReadView, version: &Version) -> Option<CompactionPlan> {
        let is_resting = view.generations().all(|generation| generation.last_seq() == 0);
        let occasion = Occasion { now_ms: self.now_ms(), is_resting };
        compaction::pick(version, &self.options, occasion)
    }

    fn run_compaction(&self, plan: &CompactionPlan) -> Result<()> {
        let version = self.view.load().version.clone();
        let context = CompactionContext {
            files: &self.files,
            blobs: &self.blobs,
            version: &version,
            options: &self.options,
            numbers: &self.numbers,
            cancel: self.state.closing(),
        };
        let started = self.now_ns();
        let (edit, stats) = compaction::run(plan, &context)?;
        let written = Written::of(&edit);
        // Held until readers see the version: flushes and compactions publish in manifest order.
        let mut versions = self.versions.lock();
        let version = self.apply(&mut versions, edit)?;
        self.change_view(|view| view.with_version(version.clone(), None));
        drop(versions);
        self.counters.note_compaction(&stats);
        self.options.tell(&Event::Compacted {
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            duration_ms: (self.now_ns() - started) / 1_000_000,
        });
        if self.choose(&self.view.load(), &version).is_none() {
            self.check_ahead(written);
        }
        Ok(())
    }
}

impl Inner {
    /// Gives back the space of the log when nothing in it is needed. The floor is durable before a
    /// segment goes: one that a power loss brings back is then not looked at.
    fn rest_log(&self) -> Result<()> {
        let flushed = self.flushed_seq.load(Ordering::Acquire);
        let floor = {
            let mut writer = self.writer.lock();
            if writer.active.last_seq() != 0 || !writer.log.rest()? {
                return Ok(());
            }
            writer.log.floor(flushed)
        };
        let edit = VersionEdit { log_floor: Some(floor), ..VersionEdit::default() };
        let mut versions = self.versions.lock();
        let version = self.apply(&mut versions, edit)?;
        self.change_view(|view| view.with_version(version, None));
        drop(versions);
        self.release_log()
    }
}

impl Db {
    /// Flushes, then rewrites everything of a keyspace (`None` = all) into its last level, so that
    /// no deleted or overwritten record is left.
    ///
    /// # Errors
    /// As the file system says; nothing is lost.
    pub fn compact(&self, keyspace: Option<KeyspaceId>) -> Result<()> {
        self.flush()?;
        for (id, _, _) in self.keyspaces() {
            if keyspace.is_none_or(|wanted| wanted == id) {
                self.compact_keyspace(id)?;
            }
        }
        Ok(())
    }

    fn compact_keyspace(&self, keyspace: KeyspaceId) -> Result<()> {
        let inner = &*self.inner;
        let below = inner.numbers.peek();
        loop {
            let _one_at_a_time = inner.compaction_lock.lock();
            let _running = Running::new(&inner.counters.compactions_running);
            inner.state.check_writable()?;
            let version = inner.view.load().version.clone();
            let Some(plan) = compaction::pick_full(&version, keyspace, &inner.options, below)
            else {
                return Ok(());
            };
            inner.run_compaction(&plan)?;
        }
    }

    /// Runs one compaction if one is due; for databases opened with `background` off.
    ///
    /// # Errors
    /// As the file system says; nothing is lost.
    pub fn compact_step(&self) -> Result<bool> {
        self.inner.state.check_writable()?;
        self.inner.compact_once()
    }

    /// Puts everything written so far into tables.
    ///
    /// # Errors
    /// As the file system says; nothing is lost.
    pub fn flush(&self) -> Result<()> {
        let inner = &*self.inner;
        inner.state.check_writable()?;
        let target = {
            let mut writer = inner.writer.lock();
            if writer.active.last_seq() != 0 {
                inner.rotate(&mut writer);
            }
            writer.next_seq - 1
        };
        while inner.flushed_seq.load(Ordering::Acquire) < target {
            if !inner.flush_oldest()? && inner.flushed_seq.load(Ordering::Acquire) < target {
                return Err(Error::internal("a full memtable disappeared without being flushed"));
            }
        }
        self.inner.rest_log()
    }
}
