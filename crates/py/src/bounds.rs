//! Which keys a scan covers.

use aidb_engine::db::ScanRange;
use pyo3::prelude::*;
use pyo3::types::PySlice;

use crate::buffer::Raw;
use crate::error::{invalid, wrong_type};

/// `start <= key < stop`, direction and most items.
#[derive(Default)]
pub struct Bounds {
    /// First key, included.
    pub start: Option<Vec<u8>>,
    /// End, excluded.
    pub stop: Option<Vec<u8>>,
    /// From the last key to the first.
    pub reverse: bool,
    /// Most items; `None` = all.
    pub limit: Option<usize>,
}

impl Bounds {
    /// Bounds of the arguments of `scan`.
    pub fn new(
        start: Option<Raw<'_, '_>>,
        stop: Option<Raw<'_, '_>>,
        prefix: Option<Raw<'_, '_>>,
        limit: Option<&Bound<'_, PyAny>>,
        reverse: bool,
    ) -> PyResult<Self> {
        let mut start = start.map(|key| key.as_bytes().to_vec());
        let mut stop = stop.map(|key| key.as_bytes().to_vec());
        if let Some(prefix) = prefix {
            let prefix = prefix.as_bytes();
            start = Some(start.map_or_else(|| prefix.to_vec(), |key| key.max(prefix.to_vec())));
            if let Some(end) = successor(prefix) {
                stop = Some(stop.map_or_else(|| end.clone(), |key| key.min(end.clone())));
            }
        }
        Ok(Self { start, stop, reverse, limit: parse_limit(limit)? })
    }

    /// Bounds of `db[start:stop]`, backwards with a step of -1.
    pub fn from_slice(slice: &Bound<'_, PySlice>) -> PyResult<Self> {
        let bound = |name: &str| -> PyResult<Option<Vec<u8>>> {
            let key: Bound<'_, PyAny> = slice.getattr(name)?;
            let key: Option<Raw<'_, '_>> = key.extract()?;
            Ok(key.map(|key| key.as_bytes().to_vec()))
        };
        let step: Bound<'_, PyAny> = slice.getattr("step")?;
        let reverse = match step.extract::<Option<i64>>() {
            Ok(None | Some(1)) => false,
            Ok(Some(-1)) => true,
            _ => {
                return Err(invalid(format!(
                    "a slice of keys has step 1 or -1, not {step}; use scan(limit=...)"
                )));
            }
        };
        Ok(Self { start: bound("start")?, stop: bound("stop")?, reverse, limit: None })
    }

    /// The engine's range; `None` when nothing can be in it.
    pub fn into_range(self) -> Option<ScanRange> {
        let empty = match (&self.start, &self.stop) {
            (Some(start), Some(stop)) => start >= stop,
            (None, Some(stop)) => stop.is_empty(),
            _ => false,
        };
        (!empty && self.limit != Some(0)).then_some(ScanRange {
            lower: self.start,
            upper: self.stop,
            reverse: self.reverse,
        })
    }
}

fn parse_limit(limit: Option<&Bound<'_, PyAny>>) -> PyResult<Option<usize>> {
    let Some(limit) = limit else { return Ok(None) };
    match limit.extract::<usize>() {
        Ok(limit) => Ok(Some(limit)),
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyTypeError>(limit.py()) => {
            Err(wrong_type(format!("limit is a number of items, not {}", limit.get_type().name()?)))
        }
        Err(_) => Err(invalid(format!("limit is a number of items >= 0, not {limit}"))),
    }
}

/// The first key after every key that starts with `prefix`; `None` = there is no such key.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}
