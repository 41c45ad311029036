//! The end of a database: threads stopped, log sealed and synced, lock given back.

use std::sync::Arc;

use aidb_base::Result;

use super::open::mark_sync_failure;
use super::pressure::Fill;
use super::{Db, Inner};
use crate::events::Event;

/// Closes the database when the last handle goes.
pub(super) struct Closer(pub(super) Arc<Inner>);

impl Drop for Closer {
    fn drop(&mut self) {
        // Nobody is left to tell; what was acknowledged is in the log either way.
        let _ = self.0.close();
    }
}

impl Db {
    /// Closes the database: waits for running jobs, makes the log durable, releases the lock.
    /// Closing again does nothing. Snapshots and scans give `Closed` from then on.
    ///
    /// # Errors
    /// A failure to sync the log; the handle is closed all the same.
    pub fn close(&self) -> Result<()> {
        self.inner.close()
    }
}

impl Inner {
    fn close(&self) -> Result<()> {
        let was_writable = self.state.check_writable().is_ok();
        if !self.state.close() {
            return Ok(());
        }
        self.pressure.set(Fill::default());
        for bell in [&self.flusher, &self.compactor, &self.housekeeper] {
            bell.wake();
        }
        self.threads.join();
        let result = if was_writable { self.close_log() } else { Ok(()) };
        self.versions.lock().close();
        *self.lock.lock() = None;
        self.options.tell(&Event::Closed { dir: self.dir.clone() });
        result
    }

    fn close_log(&self) -> Result<()> {
        let result = self.writer.lock().log.close();
        result.inspect_err(|_| mark_sync_failure(self.vfs(), &self.dir))
    }
}
