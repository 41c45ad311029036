//! Single commands, executed by whichever client is free.

use std::sync::Arc;

use aidb_node::{LocalClient, Progress};
use aidb_redis::store::Mode;
use parking_lot::Mutex;
use pyo3::exceptions::PyConnectionResetError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::conversation::{Conversation, advance, wait};
use super::store::Owner;
use super::{Codec, reply};
use crate::fork::Rooted;

/// Executes commands one at a time, as a client of redis-py does over its pool of connections.
///
/// **Concurrency**: any number of threads may call; each uses a client of its own meanwhile.
#[pyclass(frozen, module = "aidb._core")]
pub struct Caller {
    owner: Arc<Owner>,
    codec: Py<Codec>,
    /// What a new client says first.
    prelude: Vec<u8>,
    /// The one used last is used next.
    free: Rooted<Mutex<Vec<LocalClient>>>,
}

impl Caller {
    pub(super) fn new(owner: &Arc<Owner>, codec: Py<Codec>, prelude: Vec<u8>) -> Self {
        let free = Rooted::new(Mutex::default());
        Self { owner: Arc::clone(owner), codec, prelude, free }
    }

    fn free(&self) -> PyResult<&Mutex<Vec<LocalClient>>> {
        self.free.get().ok_or_else(|| self.owner.forked())
    }

    fn take(&self, py: Python<'_>) -> PyResult<LocalClient> {
        let free = self.free()?.lock().pop();
        free.map_or_else(|| self.new_client(py), Ok)
    }

    /// The reply that a client got. The client is free again when nothing else is under way.
    fn answer<'py>(&self, py: Python<'py>, mut client: LocalClient) -> PyResult<Bound<'py, PyAny>> {
        let codec = self.codec.get();
        loop {
            let Some(answer) = reply::read(py, codec, codec.decodes, client.output())? else {
                self.owner.check()?;
                let what = "the command has no reply, or the conversation was ended";
                return Err(PyConnectionResetError::new_err(what));
            };
            client.consume(answer.bytes);
            if answer.is_push {
                continue;
            }
            if client.is_free() {
                self.free()?.lock().push(client);
            }
            if answer.is_error {
                return Err(PyErr::from_value(answer.value));
            }
            return Ok(answer.value);
        }
    }

    #[cold]
    fn new_client(&self, py: Python<'_>) -> PyResult<LocalClient> {
        let mut client = self.owner.client()?;
        client.input().extend_from_slice(&self.prelude);
        advance(py, &mut client);
        while let Some(answer) = reply::read(py, self.codec.get(), false, client.output())? {
            if answer.is_error {
                return Err(PyErr::from_value(answer.value));
            }
            client.consume(answer.bytes);
        }
        Ok(client)
    }
}

#[pymethods]
impl Caller {
    /// The reply to a command; an error is raised.
    #[pyo3(signature = (args, /))]
    fn call<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut client = self.take(py)?;
        // A client that is left by an error may be in the middle of something: it is dropped.
        self.codec.get().append_command(args, client.input())?;
        let mut progress = advance(py, &mut client);
        while let Progress::Blocked(left) = progress {
            wait(py, &client.inbox(), left)?;
            progress = advance(py, &mut client);
        }
        self.answer(py, client)
    }

    /// As `call`, but never waits: gives the conversation to go on with when it would have to.
    #[pyo3(signature = (args, /))]
    fn attempt<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut client = self.take(py)?;
        self.codec.get().append_command(args, client.input())?;
        match client.advance(Mode::Try) {
            Progress::Done | Progress::Closed => self.answer(py, client),
            Progress::MustWait | Progress::Blocked(_) => {
                let codec = self.codec.clone_ref(py);
                Ok(Bound::new(py, Conversation::of(&self.owner, codec, client))?.into_any())
            }
        }
    }

    /// Ends the clients that are free. In a forked child: nothing to do.
    fn reset(&self) {
        let free = self.free.get().map(|free| std::mem::take(&mut *free.lock()));
        drop(free);
    }
}
