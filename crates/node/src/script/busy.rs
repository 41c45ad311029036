//! Scripts and functions that run now, where they may take long.

use std::sync::Arc;

use aidb_redis::resp::Args;
use aidb_redis::{Outcome, Stop};
use parking_lot::Mutex;

use super::interpreter::Control;
use super::program::Program;

/// One of them.
#[derive(Debug)]
struct Entry {
    control: Arc<Control>,
    program: Program,
    command: Vec<Vec<u8>>,
    since_ms: u64,
}

/// What FUNCTION STATS tells of a running function.
#[derive(Clone, Debug)]
pub(super) struct RunningFunction {
    pub(super) name: String,
    pub(super) command: Vec<Vec<u8>>,
    pub(super) since_ms: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct RunningPrograms(Mutex<Vec<Entry>>);

impl RunningPrograms {
    pub(super) fn begin(
        &self,
        control: &Arc<Control>,
        program: &Program,
        command: Args<'_>,
        since_ms: u64,
    ) {
        self.0.lock().push(Entry {
            control: Arc::clone(control),
            program: program.clone(),
            command: command.from(0).map(<[u8]>::to_vec).collect(),
            since_ms,
        });
    }

    pub(super) fn end(&self, control: &Arc<Control>) {
        self.0.lock().retain(|entry| !Arc::ptr_eq(&entry.control, control));
    }

    /// Ends all running functions, or all running scripts.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn kill(&self, functions: bool) -> Outcome {
        let running = self.0.lock();
        if running.is_empty() {
            return Err(Stop::fail("NOTBUSY No scripts in execution right now."));
        }
        let mut wanted = running.iter().filter(|entry| entry.program.is_function() == functions);
        let Some(first) = wanted.next() else {
            let kind = if functions { "SCRIPT" } else { "FUNCTION" };
            return Err(Stop::fail(format!(
                "BUSY Redis is busy running a script. You can only call {kind} KILL or SHUTDOWN \
                 NOSAVE."
            )));
        };
        first.control.stop();
        wanted.for_each(|entry| entry.control.stop());
        Ok(())
    }

    /// The function that runs longest.
    pub(super) fn longest_function(&self) -> Option<RunningFunction> {
        let running = self.0.lock();
        let functions = running.iter().filter(|entry| entry.program.is_function());
        functions.min_by_key(|entry| entry.since_ms).map(|entry| RunningFunction {
            name: entry.program.name().to_owned(),
            command: entry.command.clone(),
            since_ms: entry.since_ms,
        })
    }
}
