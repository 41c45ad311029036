//! Finding and creating namespaces.

use std::sync::Arc;

use aidb_base::KeyspaceId;
use aidb_engine::KeyspaceOptions;
use aidb_engine::db::DEFAULT_KEYSPACE;
use pyo3::prelude::*;

use crate::error::{invalid, raise};
use crate::handle::Handle;
use crate::store::Store;

/// Where a record goes, and how long it lives there when the call does not say.
#[derive(Clone, Copy)]
pub struct Place {
    /// The namespace.
    pub keyspace: KeyspaceId,
    /// Its time to live; 0 = for ever.
    pub ttl_ms: u64,
}

impl Place {
    /// The default namespace.
    pub const DEFAULT: Self = Self { keyspace: DEFAULT_KEYSPACE, ttl_ms: 0 };
}

/// The place of a namespace that a call names, which must be of the same open database.
pub fn of(handle: &Arc<Handle>, store: &Bound<'_, Store>) -> PyResult<Place> {
    let store = store.get();
    if !Arc::ptr_eq(&store.handle, handle) {
        return Err(invalid("the namespace belongs to another open database"));
    }
    handle.check_kept(store.place.keyspace)?;
    Ok(store.place)
}

/// The namespace of a name; created with the options wanted when it does not exist.
pub fn open(
    py: Python<'_>,
    handle: &Handle,
    name: &str,
    create: bool,
    wanted: &KeyspaceOptions,
) -> PyResult<Place> {
    let db = handle.open_db()?;
    if let Some((id, _, has)) = db.keyspaces().into_iter().find(|(_, known, _)| known == name) {
        check(name, &has, wanted)?;
        return Ok(Place { keyspace: id, ttl_ms: has.ttl_ms.unwrap_or(0) });
    }
    if !create {
        return Err(invalid(format!("there is no namespace {name:?}")));
    }
    let keyspace = py.detach(|| db.create_keyspace(name, wanted)).map_err(raise)?;
    Ok(Place { keyspace, ttl_ms: wanted.ttl_ms.unwrap_or(0) })
}

/// Refuses options that differ from those the namespace was created with.
fn check(name: &str, has: &KeyspaceOptions, wanted: &KeyspaceOptions) -> PyResult<()> {
    let differs = |option: &str| {
        Err(invalid(format!(
            "namespace {name:?} exists with another {option}; leave the option out or drop the \
             namespace first"
        )))
    };
    if wanted.ttl_ms.is_some() && wanted.ttl_ms != has.ttl_ms {
        return differs("ttl");
    }
    if wanted.compression.is_some() && wanted.compression != has.compression {
        return differs("compression");
    }
    if wanted.blob_bytes_min.is_some() && wanted.blob_bytes_min != has.blob_bytes_min {
        return differs("blob_bytes_min");
    }
    Ok(())
}
