//! `Snapshot`: the database as it was at one moment.

use std::sync::Arc;

use aidb_base::KeyspaceId;
use aidb_engine::db;
use parking_lot::Mutex;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PySlice};

use crate::bounds::Bounds;
use crate::buffer::Raw;
use crate::error::{closed, invalid, raise};
use crate::fork::Rooted;
use crate::handle::Handle;
use crate::many;
use crate::scan::{Columns, Scan};

type View = Arc<Rooted<db::Snapshot>>;

/// Reads of one namespace at one moment. Keeps the files it needs until it is closed.
#[pyclass(frozen, subclass, module = "aidb._core")]
pub struct Snapshot {
    handle: Arc<Handle>,
    keyspace: KeyspaceId,
    /// `None` once closed. Never held while the GIL is released.
    view: Mutex<Option<View>>,
}

impl Snapshot {
    /// Wraps a snapshot of the engine.
    pub fn new(handle: Arc<Handle>, snapshot: db::Snapshot, keyspace: KeyspaceId) -> Self {
        let view = Mutex::new(Some(Arc::new(Rooted::new(snapshot))));
        Self { handle, keyspace, view }
    }

    fn view(&self) -> PyResult<View> {
        self.handle.open_db()?;
        let view = self.view.lock().clone();
        view.ok_or_else(|| closed("the snapshot is closed; take a new one"))
    }

    fn read<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let view = self.view()?;
        let Some(snapshot) = view.get() else { return Ok(None) };
        let copy = |value: &[u8], _| Python::attach(|py| PyBytes::new(py, value).unbind());
        let found = py.detach(|| snapshot.get_with(self.keyspace, key, copy)).map_err(raise)?;
        Ok(found.map(|value| value.into_bound(py)))
    }

    fn start_scan(&self, py: Python<'_>, bounds: Bounds, columns: Columns) -> PyResult<Scan> {
        let view = self.view()?;
        let limit = bounds.limit;
        let handle = Arc::clone(&self.handle);
        let (Some(range), Some(snapshot)) = (bounds.into_range(), view.get()) else {
            return Scan::empty(py, handle);
        };
        let scan = match snapshot.is_scan_ready() {
            true => snapshot.scan(self.keyspace, range),
            false => py.detach(|| snapshot.scan(self.keyspace, range)),
        };
        let scan = scan.map_err(raise)?;
        Scan::new(py, handle, scan, columns, limit)
    }
}

#[pymethods]
impl Snapshot {
    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        if let Ok(slice) = key.cast::<PySlice>() {
            let scan = self.start_scan(py, Bounds::from_slice(slice)?, Columns::Both)?;
            return Ok(Bound::new(py, scan)?.into_any());
        }
        let raw: Raw<'_, '_> = key.extract()?;
        match self.read(py, raw.as_bytes())? {
            Some(value) => Ok(value.into_any()),
            None => Err(PyKeyError::new_err(key.clone().unbind())),
        }
    }

    fn __contains__(&self, py: Python<'_>, key: Raw<'_, '_>) -> PyResult<bool> {
        let view = self.view()?;
        let Some(snapshot) = view.get() else { return Ok(false) };
        let key = key.as_bytes();
        let found = py.detach(|| snapshot.get_with(self.keyspace, key, |_, _| ()));
        Ok(found.map_err(raise)?.is_some())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.start_scan(py, Bounds::default(), Columns::Keys)?.iterator(py)
    }

    fn __reversed__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let bounds = Bounds { reverse: true, ..Bounds::default() };
        self.start_scan(py, bounds, Columns::Keys)?.iterator(py)
    }

    /// The value of a key, or `default` when it is absent.
    #[pyo3(signature = (key, /, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: Raw<'_, '_>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.read(py, key.as_bytes())?.map(Bound::into_any).or(default))
    }

    /// The values of many keys, in their order; `None` where a key is absent.
    #[pyo3(signature = (keys, /))]
    fn get_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let view = self.view()?;
        match view.get() {
            Some(snapshot) => many::get_many(py, snapshot, self.keyspace, keys),
            None => Ok(PyList::empty(py)),
        }
    }

    /// Items in key order; see `aidb.Database.scan`.
    #[pyo3(signature = (start = None, stop = None, /, *, prefix = None, limit = None,
                        reverse = false, keys_only = false, values_only = false,
                        with_expiry = false))]
    #[allow(clippy::too_many_arguments)]
    fn scan(
        &self,
        py: Python<'_>,
        start: Option<Raw<'_, '_>>,
        stop: Option<Raw<'_, '_>>,
        prefix: Option<Raw<'_, '_>>,
        limit: Option<&Bound<'_, PyAny>>,
        reverse: bool,
        keys_only: bool,
        values_only: bool,
        with_expiry: bool,
    ) -> PyResult<Scan> {
        let bounds = Bounds::new(start, stop, prefix, limit, reverse)?;
        self.start_scan(py, bounds, Columns::choose(keys_only, values_only, with_expiry)?)
    }

    /// Every key, in order.
    fn keys(&self, py: Python<'_>) -> PyResult<Scan> {
        self.start_scan(py, Bounds::default(), Columns::Keys)
    }

    /// Every value, in key order.
    fn values(&self, py: Python<'_>) -> PyResult<Scan> {
        self.start_scan(py, Bounds::default(), Columns::Values)
    }

    /// Every pair, in key order.
    fn items(&self, py: Python<'_>) -> PyResult<Scan> {
        self.start_scan(py, Bounds::default(), Columns::Both)
    }

    /// The same moment of another namespace.
    #[pyo3(signature = (name, /))]
    fn namespace(&self, name: &str) -> PyResult<Self> {
        let view = self.view()?;
        let Some(keyspace) = self.handle.db()?.keyspace(name) else {
            return Err(invalid(format!("there is no namespace {name:?}")));
        };
        let handle = Arc::clone(&self.handle);
        Ok(Self { handle, keyspace, view: Mutex::new(Some(view)) })
    }

    /// Sequence number of the last batch that the snapshot sees.
    #[getter]
    fn seq(&self) -> PyResult<u64> {
        Ok(self.view()?.get().map_or(0, db::Snapshot::seq))
    }

    /// Gives back what the snapshot holds.
    fn close(&self, py: Python<'_>) {
        let view = self.view.lock().take();
        py.detach(|| drop(view));
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (kind = None, value = None, traceback = None, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: Option<&Bound<'_, PyAny>>,
        value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) {
        let _ = (kind, value, traceback);
        self.close(py);
    }
}
