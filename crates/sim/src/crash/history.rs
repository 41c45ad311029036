//! A seeded history of database operations: what was asked, what was acknowledged, and when.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aidb_base::{Effect, Error, KeyspaceId, ManualClock, Result, Rng, Seq};
use aidb_engine::{Codec, Db, Durability, Env, KeyspaceOptions, LogMode, Options, WriteOptions};

use super::check::compare_state;
use super::model::{Change, Model, State, batch_of};
use crate::vfs::{FaultVfs, Moment};

/// Where every history keeps its database.
pub const DIR: &str = "/data/db";

/// Shape of the databases of one history, drawn from its seed.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Whether the file system can map files.
    pub mappable: bool,
    durability: Durability,
    log_mode: LogMode,
    codec: Codec,
    blob_bytes_min: usize,
}

impl Setting {
    /// The setting of a history.
    pub fn draw(rng: &mut Rng) -> Self {
        let codecs = [Codec::None, Codec::Lz4, Codec::Snappy, Codec::Zstd];
        Self {
            mappable: rng.below(4) != 0,
            durability: if rng.below(4) == 0 { Durability::Sync } else { Durability::None },
            log_mode: [LogMode::Auto, LogMode::Mapped, LogMode::Append][rng.below(3) as usize],
            codec: codecs[rng.below(4) as usize],
            blob_bytes_min: if rng.below(3) == 0 { 64 } else { 0 },
        }
    }

    /// Options small enough that a hundred operations flush and compact.
    pub fn options(&self, vfs: &FaultVfs) -> Options {
        let env =
            Env { vfs: Arc::new(vfs.clone()), clock: Arc::new(ManualClock::at(1_700_000_000_000)) };
        Options {
            env,
            durability: self.durability,
            log_mode: self.log_mode,
            memtable_bytes_max: 4 << 10,
            memtables_bytes_max: 64 << 10,
            cache_bytes_max: 64 << 10,
            block_bytes: 128,
            table_bytes_max: 2 << 10,
            compression_bottom: self.codec,
            compression: self.codec,
            l0_runs_trigger: 2,
            level_base_bytes: 4 << 10,
            level_fanout: 2,
            blob_bytes_min: self.blob_bytes_min,
            background: false,
            ..Options::default()
        }
    }
}

/// A keyspace that was created, and dropped perhaps; places are changes of the file system.
#[derive(Clone, Debug)]
pub struct KeyspaceLife {
    /// Its name.
    pub name: String,
    /// Its number, once the creation was acknowledged.
    pub id: Option<KeyspaceId>,
    /// First and last change of its creation.
    pub created: (u64, u64),
    /// First and last change of its drop.
    pub dropped: Option<(u64, u64)>,
}

/// Guarantees that hold from a place in the history on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promise {
    /// Changes of the file system made before.
    pub at: u64,
    /// Highest sequence number acknowledged.
    pub acknowledged: Seq,
    /// Highest sequence number that survives a power cut.
    pub durable: Seq,
}

/// A finished checkpoint.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Where.
    pub path: PathBuf,
    /// Changes of the file system made before it was acknowledged.
    pub at: u64,
    /// Keyspaces that existed, and their contents.
    pub state: State,
}

/// Everything a check needs to know about a history.
#[derive(Default)]
pub struct Record {
    /// Every batch.
    pub model: Model,
    /// Keyspaces beside the default one.
    pub keyspaces: Vec<KeyspaceLife>,
    /// Promises in order.
    pub promises: Vec<Promise>,
    /// Batches in order: (changes before it was started, sequence number).
    pub started: Vec<(u64, Seq)>,
    /// Checkpoints.
    pub copies: Vec<Copy>,
    /// Every change of the file system.
    pub moments: Vec<Moment>,
    /// What was done, for a report: (changes before, operation).
    pub script: Vec<(u64, String)>,
}

/// Runs a history and keeps its record.
pub struct Actor {
    /// The file system.
    pub vfs: FaultVfs,
    /// Shape of the database.
    pub setting: Setting,
    /// What happened.
    pub record: Record,
    /// The database, unless it is closed.
    pub db: Option<Db>,
    rng: Rng,
    seq: Seq,
    durable: Seq,
    copies: u32,
}

impl Actor {
    /// A history that has not started.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::seeded(seed);
        let setting = Setting::draw(&mut rng);
        let vfs = FaultVfs::default();
        let vfs = if setting.mappable { vfs } else { vfs.without_mappings() };
        let record = Record::default();
        Self { vfs, setting, record, db: None, rng, seq: 0, durable: 0, copies: 0 }
    }

    /// Opens the database and performs `steps` operations, all recorded.
    pub fn perform(mut self, steps: usize) -> Result<Record> {
        self.vfs.record();
        self.open()?;
        for step in 0..steps {
            self.step()?;
            if step % 16 == 15 {
                self.compare()?;
            }
        }
        self.record.moments = self.vfs.take_moments();
        Ok(self.record)
    }

    /// Opens the database.
    pub fn open(&mut self) -> Result<()> {
        self.note("open".to_owned());
        let db = Db::open(Path::new(DIR), self.setting.options(&self.vfs))?;
        self.db = Some(db);
        self.promise()
    }

    /// One operation, drawn from the seed.
    pub fn step(&mut self) -> Result<()> {
        match self.rng.below(100) {
            0..=54 => self.write_some(),
            55..=66 => self.write_range(),
            67..=72 => self.flush(),
            73..=79 => self.compact(),
            80..=86 => self.sync(),
            87..=89 => self.reopen(),
            90..=93 => self.create_keyspace(),
            94..=95 => self.drop_keyspace(),
            96..=97 => self.checkpoint(),
            _ => self.write_large(),
        }
    }

    fn write_some(&mut self) -> Result<()> {
        let count = [1, 1, 1, 1, 2, 3, 8][self.rng.below(7) as usize];
        let changes = (0..count).map(|_| self.draw_change()).collect();
        self.write(changes)
    }

    fn write_range(&mut self) -> Result<()> {
        let mut changes: Vec<_> = (0..self.rng.below(3)).map(|_| self.draw_change()).collect();
        let (mut start, mut end) = (self.draw_key(), self.draw_key());
        if start > end {
            std::mem::swap(&mut start, &mut end);
        }
        let end = if self.rng.below(8) == 0 { None } else { Some(end) };
        changes.push(Change::DeleteRange(self.draw_keyspace(), start, end));
        changes.extend((0..self.rng.below(3)).map(|_| self.draw_change()).collect::<Vec<_>>());
        self.write(changes)
    }

    fn write_large(&mut self) -> Result<()> {
        let len = 1000 + self.rng.below(5000) as usize;
        let value = self.draw_bytes(len);
        let change = Change::Put(self.draw_keyspace(), self.draw_key(), value);
        self.write(vec![change])
    }

    fn write(&mut self, changes: Vec<Change>) -> Result<()> {
        let durability = match self.rng.below(8) {
            0 => Some(Durability::Sync),
            1 => Some(Durability::EverySec),
            _ => None,
        };
        let level = durability.unwrap_or_default().max(self.setting.durability);
        self.note(format!("write {level:?} {changes:?}"));
        let batch = batch_of(&changes)?;
        let expected = self.seq + 1;
        self.record.model.commit(expected, changes);
        self.record.started.push((self.vfs.changes(), expected));
        let outcome = self.db()?.write(&batch, WriteOptions { durability });
        let seq = outcome.map_err(|error| self.note_refusal(error, expected))?;
        if seq != expected {
            return Err(Error::internal(format!("write {expected} was numbered {seq}")));
        }
        self.seq = seq;
        if level == Durability::Sync {
            self.durable = seq;
        }
        self.promise()
    }

    /// A refused write has no effect or an unknown one, as its error says.
    fn note_refusal(&mut self, error: Error, expected: Seq) -> Error {
        self.note(format!("refused ({:?}, effect {:?}): {error}", error.kind(), error.effect()));
        match error.effect() {
            Effect::None => {
                self.record.model.retract();
                self.record.started.pop();
            }
            Effect::Unknown => {
                let is_visible = self.db.as_ref().is_some_and(|db| db.visible_seq() == expected);
                self.seq += u64::from(is_visible);
            }
        }
        error
    }

    /// Compares the open database with the model.
    pub fn compare(&self) -> Result<()> {
        let mut state = self.record.model.state_at(self.seq);
        let alive: Vec<_> = self.alive().map(|(_, id)| id).chain([0]).collect();
        state.retain(|id, _| alive.contains(id));
        compare_state(self.db()?, &state).map_err(|what| Error::internal(format!("live: {what}")))
    }

    fn flush(&mut self) -> Result<()> {
        self.note("flush".to_owned());
        self.db()?.flush()?;
        self.promise()
    }

    fn compact(&mut self) -> Result<()> {
        let keyspace = if self.rng.below(2) == 0 { None } else { Some(self.draw_keyspace()) };
        self.note(format!("compact {keyspace:?}"));
        self.db()?.compact(keyspace)?;
        self.promise()
    }

    fn sync(&mut self) -> Result<()> {
        self.note("sync".to_owned());
        self.db()?.sync()?;
        self.durable = self.seq;
        self.promise()
    }

    fn reopen(&mut self) -> Result<()> {
        self.note("close".to_owned());
        if let Some(db) = self.db.take() {
            db.close()?;
        }
        self.open()
    }

    fn create_keyspace(&mut self) -> Result<()> {
        let name = format!("space{}", self.record.keyspaces.len());
        self.note(format!("create keyspace {name}"));
        let start = self.vfs.changes();
        let life = KeyspaceLife { name, id: None, created: (start, u64::MAX), dropped: None };
        self.record.keyspaces.push(life.clone());
        let id = self.db()?.create_keyspace(&life.name, &KeyspaceOptions::default())?;
        let end = self.vfs.changes();
        if let Some(life) = self.record.keyspaces.last_mut() {
            (life.id, life.created) = (Some(id), (start, end));
        }
        self.promise()
    }

    fn drop_keyspace(&mut self) -> Result<()> {
        let alive: Vec<_> = self.alive().map(|(index, _)| index).collect();
        if alive.is_empty() {
            return Ok(());
        }
        let index = alive[self.rng.below(alive.len() as u64) as usize];
        let name = self.record.keyspaces[index].name.clone();
        self.note(format!("drop keyspace {name}"));
        let start = self.vfs.changes();
        self.record.keyspaces[index].dropped = Some((start, u64::MAX));
        self.db()?.drop_keyspace(&name)?;
        self.record.keyspaces[index].dropped = Some((start, self.vfs.changes()));
        self.promise()
    }

    fn checkpoint(&mut self) -> Result<()> {
        let path = PathBuf::from(format!("/data/copy{}", self.copies));
        self.copies += 1;
        self.note(format!("checkpoint {}", path.display()));
        self.db()?.checkpoint(&path)?;
        let mut state = self.record.model.state_at(self.seq);
        let alive: Vec<_> = self.alive().map(|(_, id)| id).chain([0]).collect();
        state.retain(|id, _| alive.contains(id));
        self.record.copies.push(Copy { path, at: self.vfs.changes(), state });
        self.promise()
    }

    /// Writes down what holds from now on; the database's own claim counts as a promise.
    fn promise(&mut self) -> Result<()> {
        let visible = self.db()?.visible_seq();
        if visible != self.seq {
            return Err(Error::internal(format!("{} written, {visible} visible", self.seq)));
        }
        let durable = self.durable.max(self.db()?.durable_seq());
        let promise = Promise { at: self.vfs.changes(), acknowledged: self.seq, durable };
        self.record.promises.push(promise);
        Ok(())
    }

    fn note(&mut self, what: String) {
        self.record.script.push((self.vfs.changes(), what));
    }

    fn db(&self) -> Result<&Db> {
        self.db.as_ref().ok_or_else(|| Error::internal("the history has no open database"))
    }

    fn alive(&self) -> impl Iterator<Item = (usize, KeyspaceId)> {
        let lives = self.record.keyspaces.iter().enumerate();
        lives.filter(|(_, life)| life.dropped.is_none()).filter_map(|(i, life)| Some((i, life.id?)))
    }

    fn draw_keyspace(&mut self) -> KeyspaceId {
        let alive: Vec<_> = self.alive().map(|(_, id)| id).collect();
        match alive.len() as u64 {
            0 => 0,
            count if self.rng.below(3) == 0 => alive[self.rng.below(count) as usize],
            _ => 0,
        }
    }

    fn draw_change(&mut self) -> Change {
        let (keyspace, key) = (self.draw_keyspace(), self.draw_key());
        match self.rng.below(4) {
            0 => Change::Delete(keyspace, key),
            _ => {
                let len = [0, 1, 10, 30, 70, 200][self.rng.below(6) as usize];
                Change::Put(keyspace, key, self.draw_bytes(len))
            }
        }
    }

    fn draw_key(&mut self) -> Vec<u8> {
        match self.rng.below(40) {
            0 => Vec::new(),
            1 => vec![b'k'; 300],
            number => format!("key{:02}", number / 2 * 2).into_bytes(),
        }
    }

    fn draw_bytes(&mut self, len: usize) -> Vec<u8> {
        let step = self.rng.next_u64() as u8;
        (0..len).map(|index| (index as u8).wrapping_mul(step | 1).wrapping_add(step)).collect()
    }
}
