//! Reads of many keys in one call.

use aidb_base::{Attempt, KeyspaceId};
use aidb_engine::db::{KEYS_AHEAD, Snapshot};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::buffer::Raw;
use crate::error::raise;
use crate::waiting;

/// After so many keys other threads get a turn.
const KEYS_PER_TURN: usize = 256;

/// The values of `keys` in their order, all of the snapshot's moment.
///
/// What is in memory is read with the GIL held; the rest follows without it.
pub fn get_many<'py>(
    py: Python<'py>,
    snapshot: &Snapshot,
    keyspace: KeyspaceId,
    keys: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyList>> {
    let objects: Vec<Bound<'py, PyAny>> = keys.try_iter()?.collect::<PyResult<_>>()?;
    let raws: Vec<Raw<'_, '_>> =
        objects.iter().map(|object| object.extract()).collect::<PyResult<_>>()?;
    let mut values = Vec::with_capacity(raws.len());
    let mut blocked = Vec::new();
    raws.iter().take(KEYS_AHEAD).for_each(|raw| snapshot.prefetch(keyspace, raw.as_bytes()));
    for (index, raw) in raws.iter().enumerate() {
        if let Some(coming) = raws.get(index + KEYS_AHEAD) {
            snapshot.prefetch(keyspace, coming.as_bytes());
        }
        if index % KEYS_PER_TURN == KEYS_PER_TURN - 1 {
            waiting::take_turns(py)?;
        }
        let new = |value: &[u8], _| PyBytes::new(py, value);
        match snapshot.try_get_with(keyspace, raw.as_bytes(), new).map_err(raise)? {
            Attempt::Done(value) => values.push(value),
            Attempt::WouldBlock => {
                values.push(None);
                blocked.push(index);
            }
        }
    }
    if !blocked.is_empty() {
        let keys: Vec<&[u8]> = blocked.iter().map(|&index| raws[index].as_bytes()).collect();
        let found = py.detach(|| read_waiting(snapshot, keyspace, &keys)).map_err(raise)?;
        for (index, value) in blocked.into_iter().zip(found) {
            values[index] = value.map(|value| PyBytes::new(py, &value));
        }
    }
    PyList::new(py, values)
}

fn read_waiting(
    snapshot: &Snapshot,
    keyspace: KeyspaceId,
    keys: &[&[u8]],
) -> aidb_base::Result<Vec<Option<Vec<u8>>>> {
    let mut found = vec![None; keys.len()];
    snapshot.multi_get(keyspace, keys, |index, value| {
        found[index] = value.map(|(value, _)| value.to_vec());
    })?;
    Ok(found)
}
