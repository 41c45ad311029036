//! `aidb._core`: the native classes behind the Python package. The only crate that names PyO3.
//!
//! One call, for example `db[b"k"]`: [`store`] borrows the key from the `bytes` object
//! ([`buffer`]), asks the engine without blocking while it holds the GIL, and builds the value's
//! `bytes` straight from the engine's memory. Only when the engine would have to wait does the
//! call release the GIL and ask again ([`handle`]). Errors become the classes of `aidb.errors`
//! ([`error`]).
//!
//! It must not know Redis commands or sockets; those live in `aidb-node`.

// PyO3 hands extracted arguments over by value.
#![allow(clippy::needless_pass_by_value)]

mod allocator;
mod arrow;
mod batch;
mod bounds;
mod buffer;
mod changes;
mod clock;
mod database;
mod error;
mod events;
mod fork;
mod handle;
mod inspect;
mod local;
mod many;
mod migration;
mod namespace;
mod options;
mod progress;
mod redis;
mod scan;
mod server;
mod snapshot;
mod stats;
mod store;
mod time;
mod waiting;

/// Native part of aidb; use the package `aidb`, which adds types and documentation.
#[pyo3::pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::batch::Batch;
    #[pymodule_export]
    use crate::changes::{Change, Changes, Operation};
    #[pymodule_export]
    use crate::clock::{ManualClock, StandingClock};
    #[pymodule_export]
    use crate::database::Database;
    #[pymodule_export]
    use crate::events::Events;
    #[pymodule_export]
    use crate::inspect::{check_file, check_references, database_files, inspect_file, repair};
    #[pymodule_export]
    use crate::local::{Caller, Codec, Conversation, RedisStore};
    #[pymodule_export]
    use crate::migration::{RedisExport, RedisImport, redis_fingerprint};
    #[pymodule_export]
    use crate::options::option_names;
    #[pymodule_export]
    use crate::redis::{redis_namespace, redis_string};
    #[pymodule_export]
    use crate::scan::{Chunks, Scan};
    #[pymodule_export]
    use crate::server::{Server, server_setting_names};
    #[pymodule_export]
    use crate::snapshot::Snapshot;
    #[pymodule_export]
    use crate::store::Store;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::allocator::configure();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::fork::register(module.py())
    }
}
