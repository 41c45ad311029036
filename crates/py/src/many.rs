//! Reads of many keys in one call.

use aidb_base::Result;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::buffer::Raw;
use crate::error::raise;

/// Receives the value and expiry of the i-th key.
pub type Sink<'a> = &'a mut dyn FnMut(usize, Option<(&[u8], u64)>);

/// Values found, back to back, so that one buffer crosses the GIL boundary.
struct Found {
    bytes: Vec<u8>,
    spans: Vec<Option<(usize, usize)>>,
}

/// Runs `read` without the GIL and returns the values in the order of `keys`.
pub fn get_many<'py>(
    py: Python<'py>,
    keys: &Bound<'py, PyAny>,
    read: impl FnOnce(&[&[u8]], Sink<'_>) -> Result<()> + Send,
) -> PyResult<Bound<'py, PyList>> {
    let objects: Vec<Bound<'py, PyAny>> = keys.try_iter()?.collect::<PyResult<_>>()?;
    let raws: Vec<Raw<'_, '_>> =
        objects.iter().map(|object| object.extract()).collect::<PyResult<_>>()?;
    let keys: Vec<&[u8]> = raws.iter().map(Raw::as_bytes).collect();
    let found = py
        .detach(move || {
            let mut found = Found { bytes: Vec::new(), spans: vec![None; keys.len()] };
            read(&keys, &mut |index, value| {
                if let Some((value, _)) = value {
                    found.spans[index] = Some((found.bytes.len(), value.len()));
                    found.bytes.extend_from_slice(value);
                }
            })?;
            Ok(found)
        })
        .map_err(raise)?;
    PyList::new(
        py,
        found.spans.iter().map(|span| {
            span.map(|(start, len)| PyBytes::new(py, &found.bytes[start..start + len]))
        }),
    )
}
