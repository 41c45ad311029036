//! `Changes`: committed batches in order, for consumers that follow a database.

use std::collections::HashMap;
use std::sync::Arc;

use aidb_base::KeyspaceId;
use aidb_engine::batch;
use aidb_engine::db;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{invalid, raise};
use crate::fork::Rooted;
use crate::handle::Handle;
use crate::time;

/// One operation of a committed batch.
#[pyclass(frozen, get_all, module = "aidb._core")]
pub struct Operation {
    /// "put", "delete", "delete_range" or "annotation".
    kind: &'static str,
    /// Namespace written; `None` for annotations and for namespaces dropped since.
    namespace: Option<String>,
    /// Key, or start of a range.
    key: Py<PyBytes>,
    /// Value of a put, bytes of an annotation.
    value: Option<Py<PyBytes>>,
    /// End of a range; `None` = to the end of the namespace.
    stop: Option<Py<PyBytes>>,
    /// When a put expires, in seconds since the Unix epoch.
    expires_at: Option<f64>,
}

#[pymethods]
impl Operation {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let namespace = self.namespace.as_deref().unwrap_or("");
        Ok(format!("<{} {namespace:?} {}>", self.kind, self.key.bind(py).repr()?))
    }
}

/// One committed batch.
#[pyclass(frozen, get_all, module = "aidb._core")]
pub struct Change {
    /// Sequence number of the batch.
    seq: u64,
    /// What it did, in order.
    operations: Vec<Py<Operation>>,
}

#[pymethods]
impl Change {
    fn __repr__(&self) -> String {
        format!("<Change {} of {} operations>", self.seq, self.operations.len())
    }
}

/// Iterator over committed batches. Ends when it has caught up; iterate again to go on.
#[pyclass(frozen, module = "aidb._core")]
pub struct Changes {
    handle: Arc<Handle>,
    names: Mutex<HashMap<KeyspaceId, String>>,
    /// `None` while a thread reads without the GIL.
    feed: Mutex<Option<Rooted<db::Changes>>>,
}

impl Changes {
    /// Wraps a feed of the engine.
    pub fn new(handle: Arc<Handle>, feed: db::Changes) -> Self {
        let feed = Mutex::new(Some(Rooted::new(feed)));
        Self { handle, names: Mutex::default(), feed }
    }

    fn name_of(&self, keyspace: KeyspaceId) -> PyResult<Option<String>> {
        let mut names = self.names.lock();
        if !names.contains_key(&keyspace) {
            let known = self.handle.db()?.keyspaces();
            *names = known.into_iter().map(|(id, name, _)| (id, name)).collect();
        }
        Ok(names.get(&keyspace).cloned())
    }

    fn show(&self, py: Python<'_>, operation: &batch::Operation<'_>) -> PyResult<Operation> {
        let bytes = |bytes: &[u8]| PyBytes::new(py, bytes).unbind();
        let (kind, keyspace, key) = match *operation {
            batch::Operation::Put { keyspace, key, .. } => ("put", Some(keyspace), key),
            batch::Operation::Delete { keyspace, key } => ("delete", Some(keyspace), key),
            batch::Operation::DeleteRange { keyspace, start, .. } => {
                ("delete_range", Some(keyspace), start)
            }
            batch::Operation::Annotation(_) => ("annotation", None, &b""[..]),
        };
        let (value, stop, expire_at_ms) = match *operation {
            batch::Operation::Put { value, expire_at_ms, .. } => (Some(value), None, expire_at_ms),
            batch::Operation::DeleteRange { end, .. } => (None, end, 0),
            batch::Operation::Annotation(value) => (Some(value), None, 0),
            batch::Operation::Delete { .. } => (None, None, 0),
        };
        let namespace = keyspace.map(|id| self.name_of(id)).transpose()?.flatten();
        let expires_at = time::instant(expire_at_ms);
        let (value, stop) = (value.map(bytes), stop.map(bytes));
        Ok(Operation { kind, namespace, key: bytes(key), value, stop, expires_at })
    }
}

#[pymethods]
impl Changes {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Change>> {
        self.handle.open_db()?;
        py.check_signals()?;
        let Some(mut feed) = self.feed.lock().take() else {
            return Err(invalid("another thread is reading this feed; give each its own"));
        };
        let next = py.detach(|| feed.get_mut().map_or(Ok(None), db::Changes::next));
        *self.feed.lock() = Some(feed);
        let Some(change) = next.map_err(raise)? else { return Ok(None) };
        let mut operations = Vec::with_capacity(change.batch.len());
        for operation in change.batch.operations() {
            operations.push(Py::new(py, self.show(py, &operation.map_err(raise)?)?)?);
        }
        Ok(Some(Change { seq: change.seq, operations }))
    }
}
