//! `Scan`: items in key order, decoded in chunks.
//!
//! A `for` loop over a scan runs in C: `iter(scan)` is `itertools.chain.from_iterable(chunks)`, and
//! each chunk is a `zip` of a list of keys and a list of values (or just one of the lists). Rust is
//! entered once per chunk, not once per item, and `zip` reuses its tuple when the loop unpacks it.
//! Chunks grow from a few items to a thousand, so that a short scan stays cheap and a long one
//! fast. What is in memory goes from the block straight into `bytes` objects, with the GIL held;
//! where a chunk would begin with a wait for the disk, it is decoded into a buffer without the GIL.
//! Signals are checked at every chunk. Closing the database empties the lists of every open
//! scan, so that the next item raises `ClosedError`.

use std::sync::{Arc, Weak};

use aidb_engine::db::{self, Pause, Portion};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyType};

use crate::arrow::Gathered;
use crate::error::{invalid, raise};
use crate::fork::Rooted;
use crate::handle::Handle;
use crate::time;
use crate::waiting;

const FIRST_ITEMS: usize = 16;
const ITEMS_MAX: usize = 1024;
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// What a scan yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Pairs of key and value.
    Both,
    /// Keys.
    Keys,
    /// Values.
    Values,
    /// Triples of key, value and the time of expiry.
    WithExpiry,
}

impl Columns {
    /// The columns of the arguments of `scan`.
    pub fn choose(keys_only: bool, values_only: bool, with_expiry: bool) -> PyResult<Self> {
        match (keys_only, values_only, with_expiry) {
            (false, false, false) => Ok(Self::Both),
            (true, false, false) => Ok(Self::Keys),
            (false, true, false) => Ok(Self::Values),
            (false, false, true) => Ok(Self::WithExpiry),
            _ => Err(invalid("keys_only, values_only and with_expiry exclude each other")),
        }
    }
}

/// The Python lists that an iterator is reading from.
#[derive(Default)]
pub struct Current(Mutex<Vec<Py<PyList>>>);

impl Current {
    fn replace(&self, lists: Vec<Py<PyList>>) {
        *self.0.lock() = lists;
    }

    /// Empties the lists, so that iterators over them end.
    pub fn clear(&self, py: Python<'_>) {
        let lists = std::mem::take(&mut *self.0.lock());
        for list in lists {
            let list = list.bind(py);
            // Slice deletion of a list cannot fail.
            let _ = list.del_slice(0, list.len());
        }
    }
}

/// Position and buffers of a scan.
struct State {
    scan: Rooted<db::Scan>,
    chunk: db::Chunk,
    columns: Columns,
    remaining: Option<usize>,
    items: usize,
    is_started: bool,
    is_at_end: bool,
}

enum Slot {
    Idle(Box<State>),
    /// A thread is refilling without the GIL.
    Busy,
    Done,
}

/// The chunks of a scan: an iterator of iterables.
#[pyclass(frozen, module = "aidb._core")]
pub struct Chunks {
    handle: Arc<Handle>,
    slot: Mutex<Slot>,
    current: Arc<Current>,
}

impl Chunks {
    fn take(&self) -> PyResult<Option<Box<State>>> {
        let mut slot = self.slot.lock();
        match std::mem::replace(&mut *slot, Slot::Busy) {
            Slot::Idle(state) => Ok(Some(state)),
            Slot::Busy => Err(invalid("another thread is reading this scan; give each its own")),
            Slot::Done => {
                *slot = Slot::Done;
                Ok(None)
            }
        }
    }

    fn to_arrow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.handle.open_db()?;
        let Some(mut state) = self.take()? else {
            return Gathered::new(Columns::Both).into_table(py);
        };
        if state.is_started {
            *self.slot.lock() = Slot::Idle(state);
            return Err(invalid("the scan was read from already; start another one for to_arrow"));
        }
        let gathered = state.gather_all(py);
        *self.slot.lock() = Slot::Done;
        gathered?.into_table(py)
    }

    fn close(&self, py: Python<'_>) {
        let slot = std::mem::replace(&mut *self.slot.lock(), Slot::Done);
        self.current.clear(py);
        py.detach(|| drop(slot));
    }
}

#[pymethods]
impl Chunks {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.handle.open_db()?;
        let Some(mut state) = self.take()? else { return Ok(None) };
        let result = state.next(py, &self.current);
        let next = match &result {
            Ok(Some(_)) if !state.is_over() => Slot::Idle(state),
            _ => Slot::Done,
        };
        let mut slot = self.slot.lock();
        if matches!(*slot, Slot::Busy) {
            *slot = next;
        }
        result
    }
}

impl State {
    /// The next chunk; `None` at the end.
    fn next<'py>(
        &mut self,
        py: Python<'py>,
        current: &Current,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let items = self.remaining.map_or(self.items, |remaining| remaining.min(self.items));
        if std::mem::replace(&mut self.is_started, true) {
            waiting::take_turns(py)?;
        }
        let portion =
            Portion { items, bytes: CHUNK_BYTES_MAX, with_values: self.columns != Columns::Keys };
        let mut lists = self.take_resident(py, portion)?;
        if lists.len == 0 && !self.is_at_end {
            py.detach(|| self.refill(portion)).map_err(raise)?;
            lists = self.take_chunk(py);
        }
        if lists.len == 0 {
            return Ok(None);
        }
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(lists.len));
        self.items = (self.items * 4).min(ITEMS_MAX);
        lists.show(py, current).map(Some)
    }

    /// Whether there can be no further chunk.
    fn is_over(&self) -> bool {
        self.is_at_end || self.remaining == Some(0)
    }

    /// The next items, as far as they are in memory.
    fn take_resident<'py>(&mut self, py: Python<'py>, portion: Portion) -> PyResult<Lists<'py>> {
        let mut lists = Lists::new(self.columns, portion.items);
        let Some(scan) = self.scan.get_mut() else {
            self.is_at_end = true;
            return Ok(lists);
        };
        let pause =
            scan.try_visit(portion, |key, value, expiry| lists.push(py, key, value, expiry));
        self.is_at_end = pause.map_err(raise)? == Pause::End;
        Ok(lists)
    }

    /// Decodes the next items into the buffer.
    fn refill(&mut self, portion: Portion) -> aidb_base::Result<()> {
        let Some(scan) = self.scan.get_mut() else { return Ok(()) };
        match portion.with_values {
            true => scan.next_chunk(&mut self.chunk, portion.items, portion.bytes),
            false => scan.next_keys(&mut self.chunk, portion.items, portion.bytes),
        }
    }

    fn gather_all(&mut self, py: Python<'_>) -> PyResult<Gathered> {
        let mut gathered = Gathered::new(self.columns);
        while !self.is_over() {
            py.check_signals()?;
            py.detach(|| self.gather(&mut gathered)).map_err(raise)?;
        }
        Ok(gathered)
    }

    /// Moves the next items into `gathered`.
    fn gather(&mut self, gathered: &mut Gathered) -> aidb_base::Result<()> {
        let items = self.remaining.map_or(ITEMS_MAX, |remaining| remaining.min(ITEMS_MAX));
        let with_values = self.columns != Columns::Keys;
        self.refill(Portion { items, bytes: CHUNK_BYTES_MAX, with_values })?;
        let items = self.chunk.len();
        self.is_at_end = items == 0;
        self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(items));
        self.chunk.items().for_each(|(key, value, expiry)| gathered.push(key, value, expiry));
        Ok(())
    }

    /// The items in the buffer.
    fn take_chunk<'py>(&self, py: Python<'py>) -> Lists<'py> {
        let mut lists = Lists::new(self.columns, self.chunk.len());
        self.chunk.items().for_each(|(key, value, expiry)| lists.push(py, key, value, expiry));
        lists
    }
}

/// A chunk as Python objects.
struct Lists<'py> {
    columns: Columns,
    len: usize,
    keys: Vec<Bound<'py, PyBytes>>,
    values: Vec<Bound<'py, PyBytes>>,
    expiries: Vec<Option<f64>>,
}

impl<'py> Lists<'py> {
    /// No items, with room for `items`.
    fn new(columns: Columns, items: usize) -> Self {
        let room = |is_wanted| Vec::with_capacity(if is_wanted { items } else { 0 });
        let (keys, values) = (room(columns != Columns::Values), room(columns != Columns::Keys));
        Self { columns, len: 0, keys, values, expiries: Vec::new() }
    }

    #[inline]
    fn push(&mut self, py: Python<'py>, key: &[u8], value: &[u8], expire_at_ms: u64) {
        self.len += 1;
        if self.columns != Columns::Values {
            self.keys.push(PyBytes::new(py, key));
        }
        if self.columns != Columns::Keys {
            self.values.push(PyBytes::new(py, value));
        }
        if self.columns == Columns::WithExpiry {
            self.expiries.push(time::instant(expire_at_ms));
        }
    }

    /// The iterable that a loop over the scan gets.
    fn show(self, py: Python<'py>, current: &Current) -> PyResult<Bound<'py, PyAny>> {
        let (columns, expiries) = (self.columns, self.expiries);
        let (keys, values) = (PyList::new(py, self.keys)?, PyList::new(py, self.values)?);
        let watch = |lists: &[&Bound<'py, PyList>]| {
            current.replace(lists.iter().map(|&list| list.clone().unbind()).collect());
        };
        match columns {
            Columns::Keys => {
                watch(&[&keys]);
                Ok(keys.into_any())
            }
            Columns::Values => {
                watch(&[&values]);
                Ok(values.into_any())
            }
            Columns::Both => {
                watch(&[&keys, &values]);
                zip(py)?.call1((keys, values))
            }
            Columns::WithExpiry => {
                let expiries = PyList::new(py, expiries)?;
                watch(&[&keys, &values, &expiries]);
                zip(py)?.call1((keys, values, expiries))
            }
        }
    }
}

/// An iterator over items in key order. Each scan is read once.
#[pyclass(frozen, generic, module = "aidb._core")]
pub struct Scan {
    chunks: Py<Chunks>,
    iterator: PyOnceLock<Py<PyAny>>,
}

impl Scan {
    /// A scan of the engine that yields at most `limit` items.
    pub fn new(
        py: Python<'_>,
        handle: Arc<Handle>,
        scan: db::Scan,
        columns: Columns,
        limit: Option<usize>,
    ) -> PyResult<Self> {
        let state = State {
            scan: Rooted::new(scan),
            chunk: db::Chunk::default(),
            columns,
            remaining: limit,
            items: FIRST_ITEMS.max(limit.unwrap_or(0).min(ITEMS_MAX)),
            is_started: false,
            is_at_end: false,
        };
        Self::with_slot(py, handle, Slot::Idle(Box::new(state)))
    }

    /// A scan without items.
    pub fn empty(py: Python<'_>, handle: Arc<Handle>) -> PyResult<Self> {
        Self::with_slot(py, handle, Slot::Done)
    }

    fn with_slot(py: Python<'_>, handle: Arc<Handle>, slot: Slot) -> PyResult<Self> {
        let current = Arc::new(Current::default());
        if matches!(slot, Slot::Idle(_)) {
            handle.watch(Arc::downgrade(&current));
        }
        let chunks = Py::new(py, Chunks { handle, slot: Mutex::new(slot), current })?;
        Ok(Self { chunks, iterator: PyOnceLock::new() })
    }

    /// The C iterator over the items.
    pub fn iterator<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let iterator = self
            .iterator
            .get_or_try_init(py, || chain(py)?.call1((self.chunks.bind(py),)).map(Bound::unbind))?;
        Ok(iterator.bind(py).clone())
    }
}

#[pymethods]
impl Scan {
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.iterator(py)
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.iterator(py)?.cast_into::<pyo3::types::PyIterator>()?.next().transpose()
    }

    /// Everything that is left, as a `pyarrow.Table`.
    fn to_arrow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.chunks.get().to_arrow(py)
    }

    /// Gives back what the scan holds; it ends.
    fn close(&self, py: Python<'_>) {
        self.chunks.get().close(py);
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

/// Scans to be emptied when the database closes.
#[derive(Default)]
pub struct Watched(Mutex<Vec<Weak<Current>>>);

impl Watched {
    /// Adds a scan; forgets, now and then, those that are gone.
    pub fn add(&self, current: Weak<Current>) {
        let mut list = self.0.lock();
        if list.len() == list.capacity() {
            list.retain(|current| current.strong_count() > 0);
            let room = list.len().max(16);
            list.reserve(room);
        }
        list.push(current);
    }

    /// Empties every scan that is still open.
    pub fn clear(&self, py: Python<'_>) {
        let list = std::mem::take(&mut *self.0.lock());
        for current in list.iter().filter_map(Weak::upgrade) {
            current.clear(py);
        }
    }
}

fn zip(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static ZIP: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    ZIP.import(py, "builtins", "zip")
}

fn chain(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CHAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let chain = CHAIN.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("itertools")?.getattr("chain")?.getattr("from_iterable")?.unbind())
    })?;
    Ok(chain.bind(py))
}
