//! Group commit: concurrent writers that want durability share one sync.

use std::sync::atomic::{AtomicU64, Ordering};

use aidb_base::{Error, Result, Seq};
use parking_lot::{Condvar, Mutex};

use super::Inner;
use super::open::mark_sync_failure;
use crate::events::Event;
use crate::planted::{Bug, is_planted};

/// Who syncs, and how far the log is durable.
#[derive(Default)]
pub(super) struct SyncState {
    has_leader: Mutex<bool>,
    finished: Condvar,
    durable_seq: AtomicU64,
    syncs: AtomicU64,
}

impl SyncState {
    /// A log that is durable up to `seq`.
    pub(super) fn durable_up_to(seq: Seq) -> Self {
        Self { durable_seq: AtomicU64::new(seq), ..Self::default() }
    }

    pub(super) fn durable_seq(&self) -> Seq {
        self.durable_seq.load(Ordering::Acquire)
    }

    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

impl Inner {
    /// Waits until batch `seq` is durable; the first waiter syncs for all.
    ///
    /// # Errors
    /// The failure of the sync, with unknown effect; the database is read-only from then on.
    pub(super) fn sync_to(&self, seq: Seq) -> Result<()> {
        loop {
            if self.sync.durable_seq() >= seq {
                return Ok(());
            }
            let mut has_leader = self.sync.has_leader.lock();
            if *has_leader {
                self.sync.finished.wait(&mut has_leader);
                continue;
            }
            if self.sync.durable_seq() >= seq {
                return Ok(());
            }
            self.state.check_writable().map_err(Error::with_unknown_effect)?;
            *has_leader = true;
            drop(has_leader);
            let result = self.lead_sync();
            *self.sync.has_leader.lock() = false;
            self.sync.finished.notify_all();
            result?;
        }
    }

    fn lead_sync(&self) -> Result<()> {
        let plan = self.writer.lock().log.sync_plan();
        self.sync.syncs.fetch_add(1, Ordering::Relaxed);
        let synced = if is_planted(Bug::AckBeforeSync) { Ok(()) } else { plan.run() };
        if let Err(error) = synced {
            let error = error.context(
                "the log could not be synced, so the database is read-only until it is opened again",
            );
            self.state.poison(error.clone());
            self.options.tell(&Event::ReadOnly { reason: error.to_string() });
            mark_sync_failure(self.vfs(), &self.dir);
            return Err(error.with_unknown_effect());
        }
        self.writer.lock().log.note_synced(&plan);
        self.sync.durable_seq.store(plan.last_seq, Ordering::Release);
        Ok(())
    }
}
