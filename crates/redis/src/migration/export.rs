//! A store as an RDB file.

use std::path::Path;

use aidb_base::Result;
use aidb_engine::db::Db;
use aidb_engine::vfs::AppendFile;
use aidb_rdb::{Checksum, Kind, Records};

use super::{Report, call, error};
use crate::collection::EXPIRING;
use crate::commands::Scratch;
use crate::commands::dump::{dump_value, kind_of};
use crate::key::{self, MetaKey, tag};
use crate::session::Session;
use crate::stop::Stop;
use crate::store::{Access, AppendFsync, DATABASES, Mode, Store};
use crate::value::{Type, Value};

/// Bytes written at a time.
const WRITE_BYTES: usize = 256 << 10;

/// Writes all keys of a database, one logical database after the other.
///
/// **Concurrency**: nobody else may use the database meanwhile.
pub struct Exporter {
    store: Store,
    session: Session,
    scratch: Scratch,
    file: Sink,
    report: Report,
    /// Whether documents are written, which only a Redis with its module for them reads.
    with_json: bool,
    /// The first engine key that is not written yet; `None`: the logical database is not begun.
    from: Option<Vec<u8>>,
}

struct Sink {
    file: Box<dyn AppendFile>,
    bytes: Vec<u8>,
    checksum: Checksum,
}

impl Sink {
    fn write(&mut self) -> Result<()> {
        let Self { file, bytes, checksum } = self;
        drain(&mut **file, checksum, bytes)
    }
}

fn drain(file: &mut dyn AppendFile, checksum: &mut Checksum, bytes: &mut Vec<u8>) -> Result<()> {
    checksum.add(bytes);
    file.append(bytes)?;
    bytes.clear();
    Ok(())
}

impl Exporter {
    /// Begins the new file `path` with all libraries of functions. Documents are left out, and reported,
    /// unless `with_json`.
    ///
    /// # Errors
    /// Those of the engine; the file cannot be made.
    pub fn new(db: Db, path: &Path, with_json: bool) -> Result<Self> {
        let vfs = db.options().env.vfs.clone();
        let store = Store::open(db, AppendFsync::No)?;
        let mut bytes = Vec::new();
        let mut records = Records::new(&mut bytes);
        records.header();
        records.fact("aidb-ver", env!("CARGO_PKG_VERSION").as_bytes());
        records.fact("redis-bits", b"64");
        records.fact("ctime", (store.now_ms() / 1000).to_string().as_bytes());
        let mut report = Report::default();
        for text in store.libraries()? {
            records.function(&text);
            report.libraries += 1;
        }
        let file = Sink { file: vfs.create(path)?, bytes, checksum: Checksum::default() };
        let (session, scratch) = (Session::default(), Scratch::default());
        Ok(Self { store, session, scratch, file, report, with_json, from: None })
    }

    /// What was written.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Keys of all logical databases.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn total(&self) -> Result<u64> {
        (0..DATABASES)
            .try_fold(0, |sum, database| Ok(sum + self.store.len(database).map_err(error)?))
    }

    /// Writes keys until `goes_on` says no or all are written; whether they are. Then the file is
    /// complete and durable.
    ///
    /// # Errors
    /// Those of the engine; then the file is not usable.
    pub fn step(&mut self, mut goes_on: impl FnMut() -> bool) -> Result<bool> {
        while self.session.database < DATABASES {
            if self.from.is_none() {
                self.begin_database()?;
            }
            if !self.write_keys(&mut goes_on)? {
                return Ok(false);
            }
            self.from = None;
            self.session.database += 1;
        }
        self.file.write()?;
        let end = self.file.checksum.end();
        self.file.file.append(&end)?;
        self.file.file.sync()?;
        Ok(true)
    }

    fn begin_database(&mut self) -> Result<()> {
        let database = self.session.database;
        let keys = self.store.len(database).map_err(error)?;
        if keys > 0 {
            Records::new(&mut self.file.bytes).database(database as u64, keys);
        }
        self.from = Some(Vec::new());
        Ok(())
    }

    /// Writes keys of the logical database; whether all are written.
    fn write_keys(&mut self, goes_on: &mut impl FnMut() -> bool) -> Result<bool> {
        let from = self.from.take().unwrap_or_default();
        let keyspace = self.store.keyspace(self.session.database);
        let mut scan = Access::direct(&self.store).scan(keyspace, from, None).map_err(error)?;
        let mut name = Vec::new();
        while let Some((engine_key, _)) = scan.next().map_err(error)? {
            if !goes_on() {
                self.from = Some(engine_key.to_vec());
                return Ok(false);
            }
            let is_key = key::decode(engine_key, &mut name).is_some_and(|key| key.tag == tag::META);
            if is_key {
                self.write_key(&name).map_err(error)?;
            }
        }
        Ok(true)
    }

    fn write_key(&mut self, name: &[u8]) -> std::result::Result<(), Stop> {
        let place = MetaKey::encode(name)?;
        let keyspace = self.store.keyspace(self.session.database);
        let read = |value: Value<'_>, expire_at_ms| {
            let is_expiring = value.kind == Type::Hash && value.flags & EXPIRING != 0;
            (value.kind, is_expiring, expire_at_ms)
        };
        let found = self.store.read(Mode::Wait, keyspace, &place, read)?;
        let Some((kind, is_expiring, expire_at_ms)) = found else { return Ok(()) };
        let why = match kind_of(kind) {
            None => "a Bloom filter, which has no place in the file; use BF.SCANDUMP",
            Some(Kind::Module) if !self.with_json => {
                "a JSON document, which only a Redis with RedisJSON reads"
            }
            Some(written) => {
                Records::new(&mut self.file.bytes).key(written, name, expire_at_ms);
                self.report.count(kind);
                self.write_value(&place, kind)?;
                if !is_expiring {
                    return Ok(());
                }
                "when fields of the hash expire, which Redis 7.0 does not know; the hash is written"
            }
        };
        self.report.refuse(self.session.database as u64, name, why.to_owned());
        Ok(())
    }

    fn write_value(&mut self, place: &MetaKey, kind: Type) -> std::result::Result<(), Stop> {
        let Sink { file, bytes, checksum } = &mut self.file;
        let mut out = Vec::new();
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        let mut call = call(Access::direct(&self.store), session, scratch, &mut out);
        dump_value(&mut call, place, kind, bytes, &mut |bytes| {
            if bytes.len() >= WRITE_BYTES {
                drain(&mut **file, checksum, bytes)?;
            }
            Ok(())
        })
    }
}
