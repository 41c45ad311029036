//! An open database of the Redis data model that listens nowhere.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aidb_base::SystemClock;
use aidb_engine::db::Db;
use aidb_node::{LocalClient, Node, NodeOptions};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::{Caller, Codec, Conversation};
use crate::error::{closed, raise};
use crate::fork::Rooted;
use crate::server;

/// What every object of one store shares.
pub(super) struct Owner {
    running: Rooted<(Db, Node)>,
    is_closed: AtomicBool,
    pid: u32,
    /// Of timeouts.
    pub(super) clock: SystemClock,
}

impl Owner {
    /// A new client.
    pub(super) fn client(&self) -> PyResult<LocalClient> {
        self.check()?;
        let (_, node) = self.running.get().ok_or_else(|| self.forked())?;
        Ok(node.local_client())
    }

    /// Refuses a closed store.
    pub(super) fn check(&self) -> PyResult<()> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(closed("the store is closed; open it again"));
        }
        Ok(())
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some((db, node)) = self.running.get() else { return Ok(()) };
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        py.detach(|| node.stop().and(db.close())).map_err(raise)
    }

    #[cold]
    pub(super) fn forked(&self) -> PyErr {
        closed(format!(
            "the store was opened by process {} and this is its forked child {}; open it here \
             after the parent closed it, let both talk to a server, or start children with the \
             \"spawn\" method",
            self.pid,
            std::process::id()
        ))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // The last reference went away without close(): nobody is left to see an error.
        drop(Python::try_attach(|py| self.close(py)));
    }
}

/// An open database of the Redis data model, for clients in this process only.
#[pyclass(frozen, module = "aidb._core")]
pub struct RedisStore {
    owner: Arc<Owner>,
    path: Option<PathBuf>,
}

#[pymethods]
impl RedisStore {
    /// Opens the database in `directory`, or one in memory; keyword arguments are the settings of a
    /// server that concern storage.
    #[new]
    #[pyo3(signature = (directory, /, *, on_recovery_progress = None, **settings))]
    fn new(
        py: Python<'_>,
        directory: Option<PathBuf>,
        on_recovery_progress: Option<&Bound<'_, PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let options = NodeOptions { host: String::new(), reactors: 1, ..NodeOptions::default() };
        let (options, mut engine) = server::parse(options, settings)?;
        engine.listener = on_recovery_progress.map(crate::progress::listener).transpose()?;
        let running = server::start(py, directory.clone(), options, engine)?;
        let owner = Arc::new(Owner {
            running: Rooted::new(running),
            is_closed: AtomicBool::new(false),
            pid: std::process::id(),
            clock: SystemClock::new(),
        });
        Ok(Self { owner, path: directory })
    }

    /// Directory of the database; `None` for one in memory.
    #[getter]
    fn path(&self) -> Option<PathBuf> {
        self.path.clone()
    }

    /// Whether `close` was called.
    #[getter]
    fn closed(&self) -> bool {
        self.owner.is_closed.load(Ordering::Acquire)
    }

    /// A client that talks and listens as one connection.
    fn conversation(&self, codec: Py<Codec>) -> PyResult<Conversation> {
        Conversation::new(&self.owner, codec)
    }

    /// An executor of single commands; each of its clients first says `prelude`.
    fn caller(
        &self,
        codec: &Bound<'_, Codec>,
        prelude: Vec<Bound<'_, PyTuple>>,
    ) -> PyResult<Caller> {
        let mut request = Vec::new();
        for command in &prelude {
            codec.get().append_command(command, &mut request)?;
        }
        Ok(Caller::new(&self.owner, codec.clone().unbind(), request))
    }

    /// Lets running commands end, makes everything durable and frees the directory.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.owner.close(py)
    }
}
