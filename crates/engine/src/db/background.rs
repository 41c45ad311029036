//! The threads of a database: one flushes, one compacts, one keeps house.
//!
//! They start with the first write that needs them, never call back into the caller's language, and
//! hold the database only weakly between jobs.

use std::sync::{Arc, Weak};
use std::time::Duration;

use aidb_base::{Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};

use super::Inner;
use super::pressure::Cause;
use crate::events::Event;
use crate::options::Durability;

/// A bell that one thread waits for.
#[derive(Default)]
pub(super) struct Wakeup {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Wakeup {
    pub(super) fn wake(&self) {
        let mut rung = self.rung.lock();
        if !*rung {
            *rung = true;
            self.bell.notify_one();
        }
    }

    fn wait(&self, limit: Duration) {
        let mut rung = self.rung.lock();
        if !*rung {
            self.bell.wait_for(&mut rung, limit);
        }
        *rung = false;
    }
}

/// Handles of the running threads.
#[derive(Default)]
pub(super) struct Threads(Mutex<Vec<std::thread::JoinHandle<()>>>);

impl Threads {
    /// Waits for every thread to end. Called after the state became closed and the bells rang.
    pub(super) fn join(&self) {
        let handles = std::mem::take(&mut *self.0.lock());
        let own = std::thread::current().id();
        for handle in handles.into_iter().filter(|handle| handle.thread().id() != own) {
            let _ = handle.join();
        }
    }
}

const RETRY: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);

/// Starts the threads of a database that was opened for writing.
///
/// # Errors
/// `Exhausted` when the system gives no thread.
pub(super) fn start(inner: &Arc<Inner>) -> Result<()> {
    if !inner.options.background || inner.options.read_only {
        return Ok(());
    }
    spawn(inner, ("aidb-flush", FLUSH_NICENESS), |i| &i.flusher, Inner::flush_job)?;
    spawn(inner, ("aidb-compact", NICENESS), |i| &i.compactor, Inner::compaction_job)?;
    spawn(inner, ("aidb-house", NICENESS), |i| &i.housekeeper, Inner::house_job)
}

/// Writers wait for a flush sooner or later: it gives way to them, but less than the others do.
const FLUSH_NICENESS: i32 = 2;
/// About a third of the weight of an ordinary thread.
const NICENESS: i32 = 5;

type Bell = fn(&Inner) -> &Wakeup;
type Job = fn(&Inner) -> Result<Duration>;

fn spawn(inner: &Arc<Inner>, (name, niceness): (&str, i32), bell: Bell, job: Job) -> Result<()> {
    let weak = Arc::downgrade(inner);
    let vfs = inner.options.env.vfs.clone();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        vfs.give_way(niceness);
        run(&weak, bell, job);
    });
    let handle = thread.map_err(|error| {
        aidb_base::Error::exhausted(format!("cannot start thread {name}: {error}; raise the limit"))
    })?;
    inner.threads.0.lock().push(handle);
    Ok(())
}

fn run(weak: &Weak<Inner>, bell: Bell, job: Job) {
    while let Some(inner) = weak.upgrade() {
        if inner.state.is_closed() {
            return;
        }
        let pause = job(&inner).unwrap_or_else(|error| {
            inner.counters.note_background_error(&error);
            inner.options.tell(&Event::BackgroundError { message: error.to_string() });
            RETRY
        });
        if !pause.is_zero() && !inner.state.is_closed() {
            bell(&inner).wait(pause);
        }
    }
}

impl Inner {
    fn flush_job(&self) -> Result<Duration> {
        match self.flush_oldest() {
            Ok(true) => {
                self.pressure.set_blocked(Cause::Flush, None);
                Ok(Duration::ZERO)
            }
            Ok(false) => Ok(IDLE),
            Err(error) => {
                let reason = error.clone().context("memtables are full and cannot be flushed");
                self.pressure.set_blocked(Cause::Flush, Some(reason));
                if error.kind() == ErrorKind::Corruption {
                    self.state.poison(error.clone());
                }
                Err(error)
            }
        }
    }

    fn compaction_job(&self) -> Result<Duration> {
        let outcome = self.compact_once();
        let blocked =
            |error: &Error| error.clone().context("level 0 is full and cannot be compacted");
        self.pressure.set_blocked(Cause::Compaction, outcome.as_ref().err().map(blocked));
        Ok(if outcome? { Duration::ZERO } else { IDLE })
    }

    fn house_job(&self) -> Result<Duration> {
        self.log_spares.prepare()?;
        if self.options.durability != Durability::None {
            let visible = self.visible_seq();
            if self.sync.durable_seq() < visible && self.state.check_writable().is_ok() {
                self.sync_to(visible)?;
            }
        }
        self.sweep_step()?;
        Ok(SECOND)
    }
}
