//! Strings of the Redis data model, written straight into a database that nobody serves.

use std::sync::Arc;

use aidb_engine::db::Db;
use aidb_redis::key::MetaKey;
use aidb_redis::store::AppendFsync;
use aidb_redis::value::{Encoding, header};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Raw;
use crate::database::Database;
use crate::error::{invalid, raise};

/// Logical databases of the Redis data model.
const DATABASES: usize = aidb_redis::store::DATABASES;

/// Name of the namespace that holds logical database `number`; made when it is missing.
#[pyfunction]
#[pyo3(signature = (database, number, /))]
pub fn redis_namespace(database: &Bound<'_, Database>, number: usize) -> PyResult<String> {
    if number >= DATABASES {
        return Err(invalid(format!("there are logical databases 0 to {}", DATABASES - 1)));
    }
    let handle = Arc::clone(&database.as_super().get().handle);
    let db: Db = handle.open_db()?.clone();
    database.py().detach(|| find(db, number)).map_err(raise)
}

fn find(db: Db, number: usize) -> aidb_base::Result<String> {
    let store = aidb_redis::Store::open(db, AppendFsync::No)?;
    let id = store.keyspace(number);
    let mut keyspaces = store.db().keyspaces().into_iter();
    keyspaces.find(|(known, _, _)| *known == id).map(|(_, name, _)| name).ok_or_else(|| {
        aidb_base::Error::internal(format!("logical database {number} has no keyspace"))
    })
}

/// The record that holds the string `value` at `key`: key and value as the engine stores them.
#[pyfunction]
#[pyo3(signature = (key, value, /))]
pub fn redis_string<'py>(
    py: Python<'py>,
    key: Raw<'_, '_>,
    value: Raw<'_, '_>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let key = MetaKey::encode(key.as_bytes()).map_err(|_| {
        invalid(format!(
            "a key of {} bytes is longer than the limit of {} bytes of the Redis data model",
            key.as_bytes().len(),
            aidb_redis::key::USER_KEY_BYTES_MAX
        ))
    })?;
    let value = value.as_bytes();
    let record = PyBytes::new_with(py, value.len() + 1, |out| {
        out[0] = header(Encoding::Whole);
        out[1..].copy_from_slice(value);
        Ok(())
    })?;
    Ok((PyBytes::new(py, key.bytes()), record))
}
