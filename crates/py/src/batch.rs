//! `Batch`: writes that become visible and durable together.

use std::sync::Arc;

use aidb_base::KeyspaceId;
use aidb_engine::WriteBatch;
use aidb_engine::db::{Db, WriteOptions};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::buffer::Raw;
use crate::error::{closed, raise, wrong_type};
use crate::handle::{Handle, parse_durability, write_options};
use crate::namespace::{self, Place};
use crate::store::Store;
use crate::time::Lifetime;

/// Pairs for which room is made before they are seen.
const RESERVED_MAX: usize = 1 << 16;

/// Collects writes; committed when its `with` block ends, discarded when the block raises.
#[pyclass(frozen, module = "aidb._core")]
pub struct Batch {
    handle: Arc<Handle>,
    place: Place,
    durability: Option<String>,
    /// `None` once committed or discarded. Never held while the GIL is released.
    pending: Mutex<Option<WriteBatch>>,
}

impl Batch {
    /// An empty batch for a namespace.
    pub fn new(handle: Arc<Handle>, place: Place, durability: Option<&str>) -> PyResult<Self> {
        durability.map(parse_durability).transpose()?;
        let pending = Mutex::new(Some(WriteBatch::new()));
        Ok(Self { handle, place, durability: durability.map(str::to_owned), pending })
    }

    #[inline]
    fn edit<R>(&self, change: impl FnOnce(&mut WriteBatch) -> PyResult<R>) -> PyResult<R> {
        match self.pending.lock().as_mut() {
            Some(batch) => change(batch),
            None => Err(closed("the batch was committed or discarded; start a new one")),
        }
    }

    fn target(&self, namespace: Option<&Bound<'_, Store>>) -> PyResult<Place> {
        namespace.map_or(Ok(self.place), |store| namespace::of(&self.handle, store))
    }
}

#[pymethods]
impl Batch {
    /// Stores a value.
    #[inline]
    #[pyo3(signature = (key, value, /, *, ttl = None, expires_at = None, namespace = None))]
    fn put(
        &self,
        key: Raw<'_, '_>,
        value: Raw<'_, '_>,
        ttl: Option<&Bound<'_, PyAny>>,
        expires_at: Option<f64>,
        namespace: Option<&Bound<'_, Store>>,
    ) -> PyResult<()> {
        let place = self.target(namespace)?;
        let expire_at_ms = Lifetime { ttl, expires_at }.end_ms(place, &self.handle)?;
        self.edit(|batch| {
            batch.put(place.keyspace, key.as_bytes(), value.as_bytes(), expire_at_ms).map_err(raise)
        })
    }

    /// Removes a key.
    #[inline]
    #[pyo3(signature = (key, /, *, namespace = None))]
    fn delete(&self, key: Raw<'_, '_>, namespace: Option<&Bound<'_, Store>>) -> PyResult<()> {
        let place = self.target(namespace)?;
        self.edit(|batch| batch.delete(place.keyspace, key.as_bytes()).map_err(raise))
    }

    /// Removes every key in `start <= key < stop`; `None` leaves that end open.
    #[pyo3(signature = (start = None, stop = None, /, *, namespace = None))]
    fn delete_range(
        &self,
        start: Option<Raw<'_, '_>>,
        stop: Option<Raw<'_, '_>>,
        namespace: Option<&Bound<'_, Store>>,
    ) -> PyResult<()> {
        let place = self.target(namespace)?;
        let start = start.as_ref().map_or(&b""[..], Raw::as_bytes);
        let stop = stop.as_ref().map(Raw::as_bytes);
        self.edit(|batch| batch.delete_range(place.keyspace, start, stop).map_err(raise))
    }

    /// Adds bytes that only readers of the change feed see.
    #[pyo3(signature = (note, /))]
    fn annotate(&self, note: Raw<'_, '_>) -> PyResult<()> {
        self.edit(|batch| batch.annotate(note.as_bytes()).map_err(raise))
    }

    fn __setitem__(&self, key: Raw<'_, '_>, value: Raw<'_, '_>) -> PyResult<()> {
        self.put(key, value, None, None, None)
    }

    fn __delitem__(&self, key: Raw<'_, '_>) -> PyResult<()> {
        self.delete(key, None)
    }

    /// Number of operations collected.
    fn __len__(&self) -> PyResult<usize> {
        self.edit(|batch| Ok(batch.len()))
    }

    /// Encoded size in bytes.
    #[getter]
    fn nbytes(&self) -> PyResult<usize> {
        self.edit(|batch| Ok(batch.bytes()))
    }

    /// Forgets the operations; the batch can be used again.
    fn clear(&self) -> PyResult<()> {
        self.edit(|batch| {
            batch.clear();
            Ok(())
        })
    }

    /// Writes everything at once; the batch is spent.
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        let Some(batch) = self.pending.lock().take() else {
            return Err(closed("the batch was committed or discarded; start a new one"));
        };
        commit(py, &self.handle, &batch, self.durability.as_deref())
    }

    /// Throws the operations away; the batch is spent.
    fn discard(&self) {
        self.pending.lock().take();
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
    ) -> PyResult<()> {
        let _ = (value, traceback);
        if kind.is_some() {
            self.discard();
        } else if self.pending.lock().is_some() {
            self.commit(py)?;
        }
        Ok(())
    }
}

/// Writes a batch without the GIL.
pub fn commit(
    py: Python<'_>,
    handle: &Handle,
    batch: &WriteBatch,
    durability: Option<&str>,
) -> PyResult<()> {
    let db = handle.open_db()?;
    let options = write_options(durability)?;
    if batch.is_empty() {
        return Ok(());
    }
    py.detach(|| db.write(batch, options)).map_err(raise)?;
    Ok(())
}

/// Writes the pairs of a mapping or of an iterable of pairs in one batch, without the GIL. Their
/// objects are kept until then, so that no copy of their bytes is needed.
pub fn put_many(
    py: Python<'_>,
    db: &Db,
    keyspace: KeyspaceId,
    pairs: &Bound<'_, PyAny>,
    expire_at_ms: u64,
    options: WriteOptions,
) -> PyResult<()> {
    let objects = collect(pairs)?;
    let raws: Vec<(Raw<'_, '_>, Raw<'_, '_>)> = objects
        .iter()
        .map(|(key, value)| Ok((key.extract()?, value.extract()?)))
        .collect::<PyResult<_>>()?;
    if raws.is_empty() {
        return Ok(());
    }
    let pairs: Vec<(&[u8], &[u8])> =
        raws.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())).collect();
    py.detach(|| db.put_many(keyspace, &pairs, expire_at_ms, options)).map_err(raise)?;
    Ok(())
}

fn collect<'py>(pairs: &Bound<'py, PyAny>) -> PyResult<Vec<Pair<'py>>> {
    if let Ok(mapping) = pairs.cast::<PyDict>() {
        return Ok(mapping.iter().collect());
    }
    let mut objects = Vec::with_capacity(pairs.len().unwrap_or(0).min(RESERVED_MAX));
    let source = if pairs.hasattr("items")? { pairs.call_method0("items")? } else { pairs.clone() };
    for pair in source.try_iter()? {
        let pair = pair?;
        objects.push(match pair.cast::<PyTuple>() {
            Ok(tuple) if tuple.len() == 2 => (tuple.get_item(0)?, tuple.get_item(1)?),
            _ => split_pair(&pair)?,
        });
    }
    Ok(objects)
}

type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

fn split_pair<'py>(pair: &Bound<'py, PyAny>) -> PyResult<Pair<'py>> {
    let items: Vec<Bound<'py, PyAny>> = pair.try_iter()?.collect::<PyResult<_>>()?;
    match <[Bound<'py, PyAny>; 2]>::try_from(items) {
        Ok([key, value]) => Ok((key, value)),
        Err(items) => Err(wrong_type(format!(
            "put_many takes (key, value) pairs, not a sequence of {} items",
            items.len()
        ))),
    }
}
