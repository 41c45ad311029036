//! The engine handle that every Python object of one database shares.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use aidb_base::{Clock, KeyspaceId};
use aidb_engine::Durability;
use aidb_engine::db::{Db, WriteOptions};
use parking_lot::RwLock;
use pyo3::prelude::*;

use crate::error::{closed, invalid, raise};
use crate::events::Hub;
use crate::fork::Rooted;
use crate::scan::{Current, Watched};

/// An open database. Closes when the last object that uses it goes away.
pub struct Handle {
    db: Rooted<Db>,
    clock: Arc<dyn Clock>,
    hub: Arc<Hub>,
    pid: u32,
    scans: Watched,
    /// Namespaces dropped through this handle; their numbers are never used again.
    dropped: RwLock<Vec<KeyspaceId>>,
    any_dropped: AtomicBool,
}

impl Handle {
    /// Wraps a database that was just opened and tells `hub` what happens in it.
    pub fn new(db: Db, hub: Arc<Hub>) -> Arc<Self> {
        let clock = Arc::clone(&db.options().env.clock);
        Arc::new(Self {
            db: Rooted::new(db),
            clock,
            hub,
            pid: std::process::id(),
            scans: Watched::default(),
            dropped: RwLock::default(),
            any_dropped: AtomicBool::new(false),
        })
    }

    /// The database, unless this process is a fork of the one that opened it.
    #[inline]
    pub fn db(&self) -> PyResult<&Db> {
        match self.db.get() {
            Some(db) => Ok(db),
            None => Err(self.forked()),
        }
    }

    /// The database for a child object: also refuses a closed one.
    #[inline]
    pub fn open_db(&self) -> PyResult<&Db> {
        let db = self.db()?;
        if db.is_closed() { Err(closed("the database is closed; open it again")) } else { Ok(db) }
    }

    /// Where events of the database are told.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Milliseconds since the Unix epoch by the clock of the database.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Refuses a namespace that was dropped.
    #[inline]
    pub fn check_kept(&self, keyspace: KeyspaceId) -> PyResult<()> {
        if self.any_dropped.load(Ordering::Acquire) && self.dropped.read().contains(&keyspace) {
            return Err(invalid("the namespace was dropped; create it again"));
        }
        Ok(())
    }

    /// Refuses a namespace from now on.
    pub fn note_dropped(&self, keyspace: Option<KeyspaceId>) {
        self.dropped.write().extend(keyspace);
        self.any_dropped.store(true, Ordering::Release);
    }

    /// Has `close` empty a scan.
    pub fn watch(&self, scan: Weak<Current>) {
        self.scans.add(scan);
    }

    /// Closes the database and everything that reads from it. In a forked child: nothing to do.
    pub fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some(db) = self.db.get() else { return Ok(()) };
        let closed = py.detach(|| db.close());
        self.scans.clear(py);
        self.hub.end();
        closed.map_err(raise)
    }

    #[cold]
    fn forked(&self) -> PyErr {
        closed(format!(
            "the database was opened by process {} and this is its forked child {}; open it \
             here after the parent closed it, or start children with the \"spawn\" method",
            self.pid,
            std::process::id()
        ))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.hub.end();
        // The last reference went away without close(): nobody is left to see an error.
        let Some(db) = self.db.get() else { return };
        if Python::try_attach(|py| py.detach(|| drop(db.close()))).is_none() {
            drop(db.close());
        }
    }
}

/// The write options of a call.
#[inline]
pub fn write_options(durability: Option<&str>) -> PyResult<WriteOptions> {
    match durability {
        None => Ok(WriteOptions::default()),
        Some(name) => Ok(WriteOptions { durability: Some(parse_durability(name)?) }),
    }
}

/// A durability level by name.
pub fn parse_durability(name: &str) -> PyResult<Durability> {
    match name {
        "none" => Ok(Durability::None),
        "everysec" => Ok(Durability::EverySec),
        "sync" => Ok(Durability::Sync),
        _ => {
            Err(invalid(format!("durability is \"none\", \"everysec\" or \"sync\", not {name:?}")))
        }
    }
}
