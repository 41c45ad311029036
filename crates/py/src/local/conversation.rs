//! One client, in the place of the socket under a connection of redis-py.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use aidb_base::Clock;
use aidb_node::{Inbox, LocalClient, Progress};
use aidb_redis::store::Mode;
use parking_lot::{Mutex, MutexGuard};
use pyo3::exceptions::{PyConnectionResetError, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::store::Owner;
use super::{Codec, reply};
use crate::buffer::Raw;
use crate::error::{invalid, raise};
use crate::fork::Rooted;

/// How often Python's signals are looked at.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);
/// Requests of at least this many bytes are executed without the GIL.
const DETACH_BYTES: usize = 16 << 10;

/// Executes what was said; without the GIL when that may take a while.
#[inline]
pub(super) fn advance(py: Python<'_>, client: &mut LocalClient) -> Progress {
    if client.input().len() < DETACH_BYTES {
        match client.advance(Mode::Try) {
            Progress::MustWait => {}
            progress => return progress,
        }
    }
    py.detach(|| client.advance(Mode::Wait))
}

/// Waits without the GIL until the inbox has something, `left` is over, or it is time to look at
/// Python's signals.
pub(super) fn wait(py: Python<'_>, inbox: &Inbox, left: Option<Duration>) -> PyResult<()> {
    let pause = left.map_or(SIGNALS_EVERY, |left| left.min(SIGNALS_EVERY));
    py.detach(|| inbox.wait(pause));
    py.check_signals()
}

/// A client in this process: what is said to it is executed at once by the thread that says it.
///
/// **Concurrency**: one thread may wait for replies while another one says something.
#[pyclass(frozen, module = "aidb._core")]
pub struct Conversation {
    owner: Arc<Owner>,
    codec: Py<Codec>,
    client: Rooted<Mutex<LocalClient>>,
    inbox: Arc<Inbox>,
}

impl Conversation {
    pub(super) fn new(owner: &Arc<Owner>, codec: Py<Codec>) -> PyResult<Self> {
        Ok(Self::of(owner, codec, owner.client()?))
    }

    /// With a client that may be in the middle of something.
    pub(super) fn of(owner: &Arc<Owner>, codec: Py<Codec>, client: LocalClient) -> Self {
        let inbox = client.inbox();
        Self { owner: Arc::clone(owner), codec, client: Rooted::new(Mutex::new(client)), inbox }
    }

    /// The client; whoever has it may be without the GIL, so that it is not waited for with it.
    fn client(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, LocalClient>> {
        let client = self.client.get().ok_or_else(|| self.owner.forked())?;
        loop {
            if let Some(client) = client.try_lock() {
                return Ok(client);
            }
            py.detach(|| drop(client.lock()));
        }
    }

    fn execute(&self, py: Python<'_>, client: &mut LocalClient) {
        advance(py, client);
        self.inbox.poke();
    }

    /// Waits until `look` finds what it looks for; `None` when the time is over.
    fn wait_for<R>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        mut look: impl FnMut(&mut LocalClient) -> PyResult<Option<R>>,
    ) -> PyResult<Option<R>> {
        let timeout = timeout.map(Duration::try_from_secs_f64).transpose();
        let timeout = timeout.map_err(|_| invalid("a timeout is a number of seconds"))?;
        let now = || Duration::from_nanos(self.owner.clock.monotonic_ns());
        let deadline = timeout.and_then(|timeout| now().checked_add(timeout));
        loop {
            let mut client = self.client(py)?;
            let mut progress = Progress::Done;
            if client.output().is_empty() {
                progress = advance(py, &mut client);
            }
            if let Some(found) = look(&mut client)? {
                return Ok(Some(found));
            }
            drop(client);
            if progress == Progress::Closed {
                return Err(PyConnectionResetError::new_err("the conversation was ended"));
            }
            let mut left = deadline.map(|at| at.saturating_sub(now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            if let Progress::Blocked(Some(gives_up)) = progress {
                left = Some(left.map_or(gives_up, |left| left.min(gives_up)));
            }
            wait(py, &self.inbox, left)?;
        }
    }
}

#[pymethods]
impl Conversation {
    /// Says a command and executes it. The reply is there when it does not wait for a key.
    #[pyo3(signature = (args, /))]
    fn say(&self, py: Python<'_>, args: &Bound<'_, PyTuple>) -> PyResult<()> {
        let mut client = self.client(py)?;
        self.codec.get().append_command(args, client.input())?;
        self.execute(py, &mut client);
        Ok(())
    }

    /// Says packed commands and executes them, as `sendall` of a socket.
    #[pyo3(signature = (data, /))]
    fn sendall(&self, py: Python<'_>, data: Raw<'_, '_>) -> PyResult<()> {
        let mut client = self.client(py)?;
        client.input().extend_from_slice(data.as_bytes());
        self.execute(py, &mut client);
        Ok(())
    }

    /// Waits for the next reply, at most `timeout` seconds; gives it and whether it is a push. An
    /// error is given, not raised.
    #[pyo3(signature = (*, raw = false, timeout = None))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        raw: bool,
        timeout: Option<f64>,
    ) -> PyResult<(Bound<'py, PyAny>, bool)> {
        let found = self.wait_for(py, timeout, |client| self.take_from(py, client, raw))?;
        found.ok_or_else(|| PyTimeoutError::new_err("no reply in time"))
    }

    /// Whether a reply is there within `timeout` seconds.
    #[pyo3(signature = (timeout = Some(0.0)))]
    fn can_read(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let look = |client: &mut LocalClient| Ok((!client.output().is_empty()).then_some(()));
        Ok(self.wait_for(py, timeout, look)?.is_some())
    }

    /// Adds packed commands without executing them.
    #[pyo3(signature = (data, /))]
    fn offer(&self, py: Python<'_>, data: Raw<'_, '_>) -> PyResult<()> {
        self.client(py)?.input().extend_from_slice(data.as_bytes());
        Ok(())
    }

    /// Executes what was offered, waiting only when `waits`. Gives `"done"`, `"must wait"`,
    /// `"blocked"` with the seconds until it gives up, or `"closed"`.
    #[pyo3(signature = (*, waits = false))]
    fn advance(&self, py: Python<'_>, waits: bool) -> PyResult<(&'static str, Option<f64>)> {
        let mut guard = self.client(py)?;
        let client = &mut *guard;
        let progress = match waits {
            true => py.detach(|| client.advance(Mode::Wait)),
            false => client.advance(Mode::Try),
        };
        Ok(match progress {
            Progress::Done => ("done", None),
            Progress::MustWait => ("must wait", None),
            Progress::Blocked(left) => ("blocked", left.map(|left| left.as_secs_f64())),
            Progress::Closed => ("closed", None),
        })
    }

    /// The next reply and whether it is a push, or `None`.
    #[pyo3(signature = (*, raw = false))]
    fn take<'py>(&self, py: Python<'py>, raw: bool) -> PyResult<Option<(Bound<'py, PyAny>, bool)>> {
        self.take_from(py, &mut *self.client(py)?, raw)
    }

    /// A file descriptor that is readable when `advance` has something to do.
    fn fileno(&self) -> PyResult<RawFd> {
        self.client.get().ok_or_else(|| self.owner.forked())?;
        self.inbox.signal().map_err(raise)
    }

    /// Ends the conversation. In a forked child: nothing to do.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.client.get().is_some() {
            self.client(py)?.close();
        }
        Ok(())
    }

    /// As of a socket; [`Conversation::close`] does it all.
    #[pyo3(signature = (how, /))]
    fn shutdown(&self, how: &Bound<'_, PyAny>) {
        let _ = how;
    }
}

impl Conversation {
    fn take_from<'py>(
        &self,
        py: Python<'py>,
        client: &mut LocalClient,
        raw: bool,
    ) -> PyResult<Option<(Bound<'py, PyAny>, bool)>> {
        let codec = self.codec.get();
        let Some(answer) = reply::read(py, codec, codec.decodes && !raw, client.output())? else {
            return Ok(None);
        };
        client.consume(answer.bytes);
        Ok(Some((answer.value, answer.is_push)))
    }
}
