//! Items of a scan as a `pyarrow.Table`.
//!
//! Arrow's layout of a binary column is what is gathered here: all bytes back to back, and where each
//! value ends. So pyarrow takes over the buffers without looking at a single item.

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::scan::Columns;

/// Items gathered by column.
pub struct Gathered {
    columns: Columns,
    items: usize,
    keys: Column,
    values: Column,
    /// Milliseconds since the Unix epoch; 0 = never.
    expiries: Vec<u64>,
}

/// A column of byte strings.
struct Column {
    bytes: Vec<u8>,
    /// Where each string begins, and where the last one ends: 64-bit numbers as they lie in memory.
    offsets: Vec<u8>,
}

impl Column {
    fn new() -> Self {
        Self { bytes: Vec::new(), offsets: 0_i64.to_ne_bytes().to_vec() }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.offsets.extend_from_slice(&(self.bytes.len() as i64).to_ne_bytes());
    }

    fn into_array<'py>(
        self,
        pyarrow: &Bound<'py, PyModule>,
        items: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = pyarrow.py();
        let buffer = |bytes: &[u8]| pyarrow.call_method1("py_buffer", (PyBytes::new(py, bytes),));
        let no_nulls = py.None().into_bound(py);
        let buffers = PyList::new(py, [no_nulls, buffer(&self.offsets)?, buffer(&self.bytes)?])?;
        let kind = pyarrow.call_method0("large_binary")?;
        pyarrow.getattr("Array")?.call_method1("from_buffers", (kind, items, buffers))
    }
}

impl Gathered {
    /// Nothing yet.
    pub fn new(columns: Columns) -> Self {
        Self { columns, items: 0, keys: Column::new(), values: Column::new(), expiries: Vec::new() }
    }

    /// Adds an item.
    pub fn push(&mut self, key: &[u8], value: &[u8], expire_at_ms: u64) {
        self.items += 1;
        if self.columns != Columns::Values {
            self.keys.push(key);
        }
        if self.columns != Columns::Keys {
            self.values.push(value);
        }
        if self.columns == Columns::WithExpiry {
            self.expiries.push(expire_at_ms);
        }
    }

    /// A table with the columns `key`, `value` and `expires_at`, as far as the scan yields them.
    ///
    /// # Errors
    /// `ImportError` without pyarrow, and what pyarrow raises.
    pub fn into_table(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let pyarrow = py.import("pyarrow").map_err(|_| {
            PyImportError::new_err("to_arrow needs pyarrow: pip install 'aidb[arrow]'")
        })?;
        let columns = PyDict::new(py);
        if self.columns != Columns::Values {
            columns.set_item("key", self.keys.into_array(&pyarrow, self.items)?)?;
        }
        if self.columns != Columns::Keys {
            columns.set_item("value", self.values.into_array(&pyarrow, self.items)?)?;
        }
        if self.columns == Columns::WithExpiry {
            let instants: Vec<Option<u64>> =
                self.expiries.into_iter().map(|ms| (ms != 0).then_some(ms)).collect();
            let kind = pyarrow.call_method1("timestamp", ("ms", "UTC"))?;
            columns.set_item("expires_at", pyarrow.call_method1("array", (instants, kind))?)?;
        }
        pyarrow.call_method1("table", (columns,))
    }
}
