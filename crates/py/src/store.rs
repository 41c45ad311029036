//! `Store`: the reads and writes of one namespace. The hot path of the package.
//!
//! Every method first makes the engine's non-blocking call while it holds the GIL; when that would
//! have to wait, it releases the GIL and makes the blocking one.

use std::sync::Arc;

use aidb_base::{Attempt, ErrorKind};
use aidb_engine::WriteBatch;
use aidb_engine::db::{Condition, Db};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PySlice};

use crate::batch::{self, Batch};
use crate::bounds::Bounds;
use crate::buffer::Raw;
use crate::database::Database;
use crate::error::{invalid, raise};
use crate::handle::{Handle, write_options};
use crate::many;
use crate::namespace::{self, Place};
use crate::options;
use crate::scan::{Columns, Scan};
use crate::snapshot::Snapshot;
use crate::time::{self, Lifetime};
use crate::waiting;

/// Values of at least this many bytes are written without the GIL.
const DETACH_BYTES: usize = 256 << 10;

/// One namespace of an open database.
#[pyclass(frozen, subclass, module = "aidb._core")]
pub struct Store {
    /// The database.
    pub handle: Arc<Handle>,
    /// The namespace.
    pub place: Place,
}

impl Store {
    /// The database, unless the namespace was dropped.
    #[inline]
    fn db(&self) -> PyResult<&Db> {
        let db = self.handle.db()?;
        self.handle.check_kept(self.place.keyspace)?;
        Ok(db)
    }

    /// Reads a value into a new `bytes` object.
    #[inline]
    fn read<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let db = self.db()?;
        match db.try_get_with(self.place.keyspace, key, |value, _| PyBytes::new(py, value)) {
            Ok(Attempt::Done(found)) => Ok(found),
            Ok(Attempt::WouldBlock) => self.read_waiting(py, key),
            Err(error) => Err(raise(error)),
        }
    }

    #[cold]
    fn read_waiting<'py>(
        &self,
        py: Python<'py>,
        key: &[u8],
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let db = self.db()?;
        let copy = |value: &[u8], _| Python::attach(|py| PyBytes::new(py, value).unbind());
        let found = py.detach(|| db.get_with(self.place.keyspace, key, copy)).map_err(raise)?;
        Ok(found.map(|value| value.into_bound(py)))
    }

    #[inline]
    fn contains(&self, py: Python<'_>, key: &[u8]) -> PyResult<bool> {
        let db = self.db()?;
        match db.try_get_with(self.place.keyspace, key, |_, _| ()) {
            Ok(Attempt::Done(found)) => Ok(found.is_some()),
            Ok(Attempt::WouldBlock) => {
                py.detach(|| db.contains(self.place.keyspace, key)).map_err(raise)
            }
            Err(error) => Err(raise(error)),
        }
    }

    #[inline]
    fn write(
        &self,
        py: Python<'_>,
        key: &[u8],
        value: &[u8],
        expire_at_ms: u64,
        durability: Option<&str>,
    ) -> PyResult<()> {
        let db = self.db()?;
        let options = write_options(durability)?;
        if value.len() < DETACH_BYTES {
            match db.try_put(self.place.keyspace, key, value, expire_at_ms, options) {
                Ok(Attempt::Done(_)) => return Ok(()),
                Ok(Attempt::WouldBlock) => {}
                Err(error) => return Err(raise(error)),
            }
        }
        py.detach(|| db.put(self.place.keyspace, key, value, expire_at_ms, options))
            .map_err(raise)?;
        Ok(())
    }

    #[inline]
    fn remove(&self, py: Python<'_>, key: &[u8], durability: Option<&str>) -> PyResult<()> {
        let db = self.db()?;
        let options = write_options(durability)?;
        match db.try_delete(self.place.keyspace, key, options) {
            Ok(Attempt::Done(_)) => return Ok(()),
            Ok(Attempt::WouldBlock) => {}
            Err(error) => return Err(raise(error)),
        }
        py.detach(|| db.delete(self.place.keyspace, key, options)).map_err(raise)?;
        Ok(())
    }

    /// Writes `batch` on condition that `key` is as in `seen`; `false` when it changed meanwhile.
    fn write_if_seen(
        &self,
        py: Python<'_>,
        key: &[u8],
        seen: u64,
        batch: &WriteBatch,
        durability: Option<&str>,
    ) -> PyResult<bool> {
        let db = self.db()?;
        let options = write_options(durability)?;
        let conditions = [Condition { keyspace: self.place.keyspace, key, seen }];
        match py.detach(|| db.write_if(&conditions, batch, options)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
            Err(error) => Err(raise(error)),
        }
    }

    /// A batch of one operation: a put, or a delete for no value.
    fn single(
        &self,
        key: &[u8],
        value: Option<&[u8]>,
        lifetime: Lifetime<'_, '_>,
    ) -> PyResult<WriteBatch> {
        let mut batch = WriteBatch::new();
        match value {
            Some(value) => {
                let expire_at_ms = lifetime.end_ms(self.place, &self.handle)?;
                batch.put(self.place.keyspace, key, value, expire_at_ms)
            }
            None => batch.delete(self.place.keyspace, key),
        }
        .map_err(raise)?;
        Ok(batch)
    }

    fn start_scan(&self, py: Python<'_>, bounds: Bounds, columns: Columns) -> PyResult<Scan> {
        let db = self.handle.open_db()?;
        self.handle.check_kept(self.place.keyspace)?;
        let limit = bounds.limit;
        let Some(range) = bounds.into_range() else {
            return Scan::empty(py, Arc::clone(&self.handle));
        };
        let scan = match db.is_scan_ready() {
            true => db.scan(self.place.keyspace, range),
            false => py.detach(|| db.scan(self.place.keyspace, range)),
        };
        let scan = scan.map_err(raise)?;
        Scan::new(py, Arc::clone(&self.handle), scan, columns, limit)
    }
}

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (database, name, /, *, create = true, ttl = None, compression = None,
                        blob_bytes_min = None))]
    fn new(
        database: &Bound<'_, Database>,
        name: &str,
        create: bool,
        ttl: Option<&Bound<'_, PyAny>>,
        compression: Option<&Bound<'_, PyAny>>,
        blob_bytes_min: Option<u64>,
    ) -> PyResult<Self> {
        let handle = Arc::clone(&database.as_super().get().handle);
        let wanted = options::keyspace(ttl, compression, blob_bytes_min)?;
        let place = namespace::open(database.py(), &handle, name, create, &wanted)?;
        Ok(Self { handle, place })
    }

    #[inline]
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

    #[inline]
    fn __setitem__(&self, py: Python<'_>, key: Raw<'_, '_>, value: Raw<'_, '_>) -> PyResult<()> {
        let expire_at_ms = Lifetime::default().end_ms(self.place, &self.handle)?;
        self.write(py, key.as_bytes(), value.as_bytes(), expire_at_ms, None)
    }

    #[inline]
    fn __delitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = key.py();
        if let Ok(slice) = key.cast::<PySlice>() {
            let bounds = Bounds::from_slice(slice)?;
            return self.delete_range(
                py,
                bounds.start.as_deref().map(Raw::Borrowed),
                bounds.stop.as_deref().map(Raw::Borrowed),
                None,
            );
        }
        let raw: Raw<'_, '_> = key.extract()?;
        let found = self.contains(py, raw.as_bytes())?;
        if !found {
            return Err(PyKeyError::new_err(key.clone().unbind()));
        }
        self.remove(py, raw.as_bytes(), None)
    }

    #[inline]
    fn __contains__(&self, py: Python<'_>, key: Raw<'_, '_>) -> PyResult<bool> {
        self.contains(py, key.as_bytes())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let db = self.db()?;
        Ok(py.detach(|| db.len(self.place.keyspace)).map_err(raise)? as usize)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.start_scan(py, Bounds::default(), Columns::Keys)?.iterator(py)
    }

    fn __reversed__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let bounds = Bounds { reverse: true, ..Bounds::default() };
        self.start_scan(py, bounds, Columns::Keys)?.iterator(py)
    }

    /// The value of a key, or `default` when it is absent.
    #[inline]
    #[pyo3(signature = (key, /, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: Raw<'_, '_>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.read(py, key.as_bytes())?.map(Bound::into_any).or(default))
    }

    /// Stores a value.
    #[inline]
    #[pyo3(signature = (key, value, /, *, ttl = None, expires_at = None, durability = None))]
    fn put(
        &self,
        py: Python<'_>,
        key: Raw<'_, '_>,
        value: Raw<'_, '_>,
        ttl: Option<&Bound<'_, PyAny>>,
        expires_at: Option<f64>,
        durability: Option<&str>,
    ) -> PyResult<()> {
        let expire_at_ms = Lifetime { ttl, expires_at }.end_ms(self.place, &self.handle)?;
        self.write(py, key.as_bytes(), value.as_bytes(), expire_at_ms, durability)
    }

    /// Removes a key; its absence is fine.
    #[inline]
    #[pyo3(signature = (key, /, *, durability = None))]
    fn delete(&self, py: Python<'_>, key: Raw<'_, '_>, durability: Option<&str>) -> PyResult<()> {
        self.remove(py, key.as_bytes(), durability)
    }

    /// Removes every key in `start <= key < stop` at once; `None` leaves that end open.
    #[pyo3(signature = (start = None, stop = None, /, *, durability = None))]
    fn delete_range(
        &self,
        py: Python<'_>,
        start: Option<Raw<'_, '_>>,
        stop: Option<Raw<'_, '_>>,
        durability: Option<&str>,
    ) -> PyResult<()> {
        let mut batch = WriteBatch::new();
        let start = start.as_ref().map_or(&b""[..], Raw::as_bytes);
        let stop = stop.as_ref().map(Raw::as_bytes);
        batch.delete_range(self.place.keyspace, start, stop).map_err(raise)?;
        self.db()?;
        batch::commit(py, &self.handle, &batch, durability)
    }

    /// The values of many keys, in their order; `None` where a key is absent.
    #[pyo3(signature = (keys, /))]
    fn get_many<'py>(
        &self,
        py: Python<'py>,
        keys: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let db = self.db()?;
        let snapshot = db.snapshot().map_err(raise)?;
        many::get_many(py, &snapshot, self.place.keyspace, keys)
    }

    /// Stores many pairs in one atomic batch.
    #[pyo3(signature = (pairs, /, *, ttl = None, expires_at = None, durability = None))]
    fn put_many(
        &self,
        py: Python<'_>,
        pairs: &Bound<'_, PyAny>,
        ttl: Option<&Bound<'_, PyAny>>,
        expires_at: Option<f64>,
        durability: Option<&str>,
    ) -> PyResult<()> {
        let expire_at_ms = Lifetime { ttl, expires_at }.end_ms(self.place, &self.handle)?;
        let (db, options) = (self.handle.open_db()?, write_options(durability)?);
        batch::put_many(py, db, self.place.keyspace, pairs, expire_at_ms, options)
    }

    /// Stores `value` (`None` = delete) if the key holds `expected` (`None` = is absent).
    #[pyo3(signature = (key, value, /, *, expected, ttl = None, expires_at = None,
                        durability = None))]
    #[allow(clippy::too_many_arguments)]
    fn put_if(
        &self,
        py: Python<'_>,
        key: Raw<'_, '_>,
        value: Option<Raw<'_, '_>>,
        expected: Option<Raw<'_, '_>>,
        ttl: Option<&Bound<'_, PyAny>>,
        expires_at: Option<f64>,
        durability: Option<&str>,
    ) -> PyResult<bool> {
        let db = self.db()?;
        let key = key.as_bytes();
        let lifetime = Lifetime { ttl, expires_at };
        let batch = self.single(key, value.as_ref().map(Raw::as_bytes), lifetime)?;
        loop {
            py.check_signals()?;
            let found = py.detach(|| db.get_versioned(self.place.keyspace, key)).map_err(raise)?;
            let current = found.as_ref().map(|(_, value, _)| value.as_slice());
            if current != expected.as_ref().map(Raw::as_bytes) {
                return Ok(false);
            }
            let seen = found.map_or(0, |(seq, _, _)| seq);
            if self.write_if_seen(py, key, seen, &batch, durability)? {
                return Ok(true);
            }
        }
    }

    /// Removes a key and returns what it held, atomically; `None` when it was absent.
    #[pyo3(signature = (key, /, *, durability = None))]
    fn take<'py>(
        &self,
        py: Python<'py>,
        key: Raw<'_, '_>,
        durability: Option<&str>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let db = self.db()?;
        let key = key.as_bytes();
        let batch = self.single(key, None, Lifetime::default())?;
        loop {
            py.check_signals()?;
            let found = py.detach(|| db.get_versioned(self.place.keyspace, key)).map_err(raise)?;
            let Some((seen, value, _)) = found else { return Ok(None) };
            if self.write_if_seen(py, key, seen, &batch, durability)? {
                return Ok(Some(PyBytes::new(py, &value)));
            }
        }
    }

    /// When a key expires, in seconds since the Unix epoch: `(exists, instant or None)`.
    #[pyo3(signature = (key, /))]
    fn expiry(&self, py: Python<'_>, key: Raw<'_, '_>) -> PyResult<(bool, Option<f64>)> {
        let db = self.db()?;
        let key = key.as_bytes();
        let read = || db.get_with(self.place.keyspace, key, |_, expire_at_ms| expire_at_ms);
        let found = py.detach(read).map_err(raise)?;
        Ok((found.is_some(), found.and_then(time::instant)))
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

    /// A batch of writes that become visible and durable together.
    #[pyo3(signature = (*, durability = None))]
    fn batch(&self, durability: Option<&str>) -> PyResult<Batch> {
        self.handle.open_db()?;
        Batch::new(Arc::clone(&self.handle), self.place, durability)
    }

    /// A view of this moment.
    fn snapshot(&self, py: Python<'_>) -> PyResult<Snapshot> {
        let db = self.handle.open_db()?;
        let snapshot = py.detach(|| db.snapshot()).map_err(raise)?;
        Ok(Snapshot::new(Arc::clone(&self.handle), snapshot, self.place.keyspace))
    }

    /// Rewrites every table of the namespace without its garbage.
    fn compact(&self, py: Python<'_>) -> PyResult<()> {
        let db = self.db()?;
        let keyspace = self.place.keyspace;
        waiting::run(py, db, move |db| db.compact(Some(keyspace)))
    }

    /// Options that the namespace was created with, `None` where they follow the database.
    fn options<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let db = self.handle.open_db()?;
        let Some((_, name, options)) =
            db.keyspaces().into_iter().find(|(id, _, _)| *id == self.place.keyspace)
        else {
            return Err(invalid("the namespace was dropped; create it again"));
        };
        let shown = PyDict::new(py);
        shown.set_item("name", name)?;
        shown.set_item("ttl", options.ttl_ms.map(|ms| ms as f64 / 1000.0))?;
        shown.set_item("compression", options.compression.map(crate::options::codec_name))?;
        shown.set_item("blob_bytes_min", options.blob_bytes_min)?;
        Ok(shown)
    }

    #[getter]
    fn closed(&self) -> bool {
        self.handle.open_db().is_err()
    }
}
