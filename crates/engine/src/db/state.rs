//! Whether the database takes writes, and why not.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use aidb_base::{Error, ErrorKind, Result};
use parking_lot::Mutex;

const OPEN: u8 = 0;
const READ_ONLY: u8 = 1;
const POISONED: u8 = 2;
const CLOSED: u8 = 3;

/// Life of a database handle. Goes from open to poisoned to closed, never back.
pub(super) struct State {
    phase: AtomicU8,
    closing: AtomicBool,
    reason: Mutex<Option<Error>>,
}

impl State {
    pub(super) fn new(read_only: bool) -> Self {
        let phase = if read_only { READ_ONLY } else { OPEN };
        Self {
            phase: AtomicU8::new(phase),
            closing: AtomicBool::new(false),
            reason: Mutex::new(None),
        }
    }

    /// # Errors
    /// Why writes are refused.
    #[inline]
    pub(super) fn check_writable(&self) -> Result<()> {
        match self.phase.load(Ordering::Acquire) {
            OPEN => Ok(()),
            _ => Err(self.refusal()),
        }
    }

    /// # Errors
    /// `Closed` after close.
    #[inline]
    pub(super) fn check_open(&self) -> Result<()> {
        if self.phase.load(Ordering::Relaxed) == CLOSED {
            return Err(self.refusal());
        }
        Ok(())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase.load(Ordering::Acquire) == CLOSED
    }

    /// Refuses writes from now on, keeping the first reason.
    pub(super) fn poison(&self, reason: Error) {
        let mut kept = self.reason.lock();
        if self.phase.load(Ordering::Acquire) == OPEN {
            *kept = Some(reason);
            self.phase.store(POISONED, Ordering::Release);
        }
    }

    /// The phase becomes closed; false when it was already.
    pub(super) fn close(&self) -> bool {
        self.closing.store(true, Ordering::Release);
        self.phase.swap(CLOSED, Ordering::AcqRel) != CLOSED
    }

    /// Set when the database closes; long jobs look at it.
    pub(super) fn closing(&self) -> &AtomicBool {
        &self.closing
    }

    /// Why writes are refused, if they are.
    pub(super) fn reason(&self) -> Option<String> {
        match self.phase.load(Ordering::Acquire) {
            OPEN => None,
            _ => Some(self.refusal().message().to_owned()),
        }
    }

    #[cold]
    fn refusal(&self) -> Error {
        match self.phase.load(Ordering::Acquire) {
            CLOSED => Error::closed("the database is closed; open it again"),
            READ_ONLY => Error::invalid("the database was opened read-only; open it for writing"),
            _ => {
                let reason = self.reason.lock();
                let why = reason.as_ref().map_or("an earlier failure", |reason| reason.message());
                Error::new(ErrorKind::Closed, format!("writes are refused: {why}"))
            }
        }
    }
}
