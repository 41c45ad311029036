//! Moving in from a Redis, and out to one: RDB files, and the commands that a Redis sends its replicas.
//!
//! [`Importer`] works on a store that nobody serves: it loads files ([`Importer::load`]), then
//! applies replicated commands ([`Importer::apply`]) and keeps with the data how far it is
//! ([`Progress`]), so that an import goes on where it was interrupted. [`Exporter`] writes files. Both work in
//! steps; who calls them decides when to stop, what to show and where bytes come from.
//! [`fingerprint`] compares values of both sides.

mod export;
mod fingerprint;
mod follow;
mod load;
mod progress;
mod report;
#[cfg(test)]
mod tests;

use aidb_base::{Error, Result};
use aidb_engine::db::Db;

use crate::commands::{Call, Scratch};
use crate::key::MetaKey;
use crate::resp::{Args, Protocol, Reply};
use crate::session::Session;
use crate::stop::Stop;
use crate::store::{Access, AppendFsync, DATABASES, Mode, Store};

pub use export::Exporter;
pub use fingerprint::{fingerprint, payload_fingerprint};
pub use follow::Applied;
pub use load::Existing;
pub use progress::{Phase, Progress};
pub use report::{Report, Unfit};

/// Brings data of a Redis into a store.
///
/// **Concurrency**: nobody else may use the database meanwhile. **Durability**: none until the caller
/// syncs the database; order is kept, so [`Progress`] never claims more than is there.
pub struct Importer {
    store: Store,
    session: Session,
    scratch: Scratch,
    existing: Existing,
    /// The logical database of the file's next keys.
    source_database: u64,
    report: Report,
}

impl Importer {
    /// An importer into `db`.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn new(db: Db, existing: Existing) -> Result<Self> {
        let store = Store::open(db, AppendFsync::No)?;
        let (session, scratch) = (Session::default(), Scratch::default());
        Ok(Self {
            store,
            session,
            scratch,
            existing,
            source_database: 0,
            report: Report::default(),
        })
    }

    /// What was imported so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Says what time of day it is, for what the source only tells to have happened. The database's own
    /// clock may stand still, so that nothing expires before the source says so.
    pub fn set_time(&mut self, now_ms: u64) {
        self.session.import_ms = now_ms;
    }

    /// Keys of every logical database.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn lengths(&self) -> Result<Vec<u64>> {
        (0..DATABASES).map(|database| self.store.len(database).map_err(error)).collect()
    }

    /// Removes every key and every library of functions, and what is known of an earlier import.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn clear(&mut self) -> Result<()> {
        self.store.clear(0..DATABASES).map_err(error)?;
        self.flush_libraries()?;
        self.report = Report::default();
        progress::remove(&self.store)
    }

    /// Fingerprint of a key's value; `None` without the key.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn fingerprint(&mut self, database: usize, key: &[u8]) -> Result<Option<u64>> {
        self.session.database = database.min(DATABASES - 1);
        let mut out = Vec::new();
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        let access = Access::direct(&self.store);
        fingerprint(&mut call(access, session, scratch, &mut out), key)
    }
}

/// A call of the store's functions by no client.
fn call<'a>(
    store: Access<'a>,
    session: &'a mut Session,
    scratch: &'a mut Scratch,
    out: &'a mut Vec<u8>,
) -> Call<'a> {
    let (args, reply) = (Args::new(&[], &[]), Reply::new(out, Protocol::Resp2));
    Call { store, session, args, reply, scratch, mode: Mode::Wait }
}

/// A refusal as an error of the library.
#[cold]
fn error(stop: Stop) -> Error {
    match stop {
        Stop::Fail(line) => Error::unavailable(String::from_utf8_lossy(&line)),
        other => Error::internal(format!("an import met {other:?}")),
    }
}

fn encode_key(name: &[u8]) -> std::result::Result<MetaKey, String> {
    MetaKey::encode(name).map_err(|_| {
        let most = crate::key::USER_KEY_BYTES_MAX;
        format!("a key of {} bytes exceeds the limit of {most} bytes", name.len())
    })
}
