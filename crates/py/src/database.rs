//! `Database`: the default namespace and everything that concerns the whole directory.

use std::path::PathBuf;
use std::sync::Arc;

use aidb_engine::db::Db;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::allocator;
use crate::changes::Changes;
use crate::error::raise;
use crate::events::{Events, Hub};
use crate::handle::Handle;
use crate::namespace::{self, Place};
use crate::options;
use crate::stats;
use crate::store::Store;
use crate::waiting;

/// An open database directory, or one in memory.
#[pyclass(frozen, subclass, extends = Store, module = "aidb._core")]
pub struct Database {
    path: Option<PathBuf>,
}

#[pymethods]
impl Database {
    #[new]
    #[pyo3(signature = (path, options, /))]
    fn new(
        py: Python<'_>,
        path: Option<PathBuf>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let mut options = options::parse(options)?;
        allocator::expect(options.memtables_bytes_max.saturating_add(options.cache_bytes_max));
        let hub = Arc::new(Hub::default());
        options.listener = Some(Hub::listener(&hub, options.listener.take()));
        let db = py
            .detach(|| match &path {
                Some(path) => Db::open(path, options),
                None => Db::open_in_memory(options),
            })
            .map_err(raise)?;
        let store = Store { handle: Handle::new(db, hub), place: Place::DEFAULT };
        Ok(PyClassInitializer::from(store).add_subclass(Self { path }))
    }

    /// Directory of the database; `None` for one in memory.
    #[getter]
    fn path(&self) -> Option<PathBuf> {
        self.path.clone()
    }

    /// Waits for writes under way, makes everything durable and frees the directory.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let handle = Arc::clone(&slf.as_super().get().handle);
        handle.close(slf.py())
    }

    /// Writes the memtables to tables.
    fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        let db = slf.as_super().get().handle.db()?;
        waiting::run(slf.py(), db, Db::flush)
    }

    /// Makes every write so far durable.
    fn sync(slf: &Bound<'_, Self>) -> PyResult<()> {
        let db = slf.as_super().get().handle.db()?;
        slf.py().detach(|| db.sync()).map_err(raise)
    }

    /// Rewrites every table without its garbage.
    fn compact(slf: &Bound<'_, Self>) -> PyResult<()> {
        let db = slf.as_super().get().handle.db()?;
        waiting::run(slf.py(), db, |db| db.compact(None))
    }

    /// A consistent copy in a new directory, hard-linked where possible.
    #[pyo3(signature = (target, /))]
    fn checkpoint(slf: &Bound<'_, Self>, target: PathBuf) -> PyResult<()> {
        let db = slf.as_super().get().handle.db()?;
        waiting::run(slf.py(), db, move |db| db.checkpoint(&target))
    }

    /// Takes the records of table files made elsewhere into a namespace, as one batch.
    #[pyo3(signature = (tables, /, *, namespace = None))]
    fn ingest<'py>(
        slf: &Bound<'py, Self>,
        tables: Vec<PathBuf>,
        namespace: Option<&Bound<'py, Store>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let store = slf.as_super().get();
        let db = store.handle.db()?;
        let place =
            namespace.map_or(Ok(store.place), |named| namespace::of(&store.handle, named))?;
        let taken = waiting::run(slf.py(), db, move |db| db.ingest(place.keyspace, &tables))?;
        stats::show_ingest(slf.py(), &taken)
    }

    /// Reads every table and blob file in use and compares it with what the manifest knows.
    fn scrub<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let db = slf.as_super().get().handle.db()?;
        let report = waiting::run(slf.py(), db, Db::scrub)?;
        stats::show_scrub(slf.py(), &report)
    }

    /// Committed batches after sequence number `since`.
    #[pyo3(signature = (since = 0))]
    fn changes(slf: &Bound<'_, Self>, since: u64) -> PyResult<Changes> {
        let handle = &slf.as_super().get().handle;
        let db = handle.open_db()?;
        let feed = slf.py().detach(|| db.changes(since)).map_err(raise)?;
        Ok(Changes::new(Arc::clone(handle), feed))
    }

    /// Keeps the log after `seq` until `unpin_log` of the same name, also across restarts.
    #[pyo3(signature = (name, seq, /))]
    fn pin_log(slf: &Bound<'_, Self>, name: &str, seq: u64) -> PyResult<()> {
        let db = slf.as_super().get().handle.open_db()?;
        slf.py().detach(|| db.pin_log(name, seq)).map_err(raise)
    }

    /// Gives back what `pin_log` kept.
    #[pyo3(signature = (name, /))]
    fn unpin_log(slf: &Bound<'_, Self>, name: &str) -> PyResult<()> {
        let db = slf.as_super().get().handle.open_db()?;
        slf.py().detach(|| db.unpin_log(name)).map_err(raise)
    }

    /// Names of the namespaces.
    fn namespaces(slf: &Bound<'_, Self>) -> PyResult<Vec<String>> {
        let db = slf.as_super().get().handle.open_db()?;
        Ok(db.keyspaces().into_iter().map(|(_, name, _)| name).collect())
    }

    /// Removes a namespace and everything in it.
    #[pyo3(signature = (name, /))]
    fn drop_namespace(slf: &Bound<'_, Self>, name: &str) -> PyResult<()> {
        let handle = &slf.as_super().get().handle;
        let db = handle.open_db()?;
        let keyspace = db.keyspace(name);
        slf.py().detach(|| db.drop_keyspace(name)).map_err(raise)?;
        handle.note_dropped(keyspace);
        Ok(())
    }

    /// Counters and sizes.
    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let db = slf.as_super().get().handle.open_db()?;
        let stats = slf.py().detach(|| db.stats());
        stats::show(slf.py(), &stats)
    }

    /// What happens from now on; see `aidb.events`.
    fn native_events(slf: &Bound<'_, Self>) -> PyResult<Events> {
        let handle = &slf.as_super().get().handle;
        handle.open_db()?;
        Ok(handle.hub().listen())
    }

    /// What opening had to do.
    fn recovery<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let db = slf.as_super().get().handle.open_db()?;
        stats::show_recovery(slf.py(), db.recovery())
    }

    /// Sequence number of the last batch that reads can see.
    #[getter]
    fn seq(slf: &Bound<'_, Self>) -> PyResult<u64> {
        Ok(slf.as_super().get().handle.open_db()?.visible_seq())
    }

    /// Sequence number up to which everything survives the death of the machine.
    #[getter]
    fn durable_seq(slf: &Bound<'_, Self>) -> PyResult<u64> {
        Ok(slf.as_super().get().handle.open_db()?.durable_seq())
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (kind = None, value = None, traceback = None, /))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        kind: Option<&Bound<'_, PyAny>>,
        value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let _ = (kind, value, traceback);
        Self::close(slf)
    }
}
