//! Calls that may take long, and how threads and Ctrl-C get a word in.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use aidb_base::{Error, Result};
use aidb_engine::db::Db;
use pyo3::prelude::*;

use crate::error::raise;

/// How often Python's signals are looked at.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// Runs `job` on a thread of its own and waits for it without the GIL.
///
/// When a signal handler raises, for example `KeyboardInterrupt`, that is raised at once and the
/// job goes on in the background; closing the database cuts it short. Every job that runs this way
/// is safe to leave: it ends in one manifest record or in none.
pub fn run<T: Send + 'static>(
    py: Python<'_>,
    db: &Db,
    job: impl FnOnce(&Db) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let (sender, mut receiver) = channel();
    let db = db.clone();
    let work = move || {
        // Nobody listens any more after an interrupt.
        let _ = sender.send(job(&db));
    };
    thread::Builder::new()
        .name("aidb-call".to_owned())
        .spawn(work)
        .map_err(|error| raise(Error::exhausted(format!("cannot start a thread: {error}"))))?;
    loop {
        let waited;
        (receiver, waited) = py.detach(move || {
            let waited = receiver.recv_timeout(SIGNALS_EVERY);
            (receiver, waited)
        });
        match waited {
            Ok(result) => return result.map_err(raise),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(raise(Error::internal("the call's thread died")));
            }
        }
    }
}

/// Gives other threads and signal handlers a turn in a call that keeps the GIL otherwise.
pub fn take_turns(py: Python<'_>) -> PyResult<()> {
    py.detach(|| ());
    py.check_signals()
}
