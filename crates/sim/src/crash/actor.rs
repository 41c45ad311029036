//! Runs a seeded history of database operations and writes down what was promised.

use std::path::{Path, PathBuf};

use aidb_base::{Effect, Error, Result, Rng, Seq};
use aidb_engine::db::Snapshot;
use aidb_engine::{Db, Durability, KeyspaceOptions, WriteOptions};

use super::check::{compare_feed, compare_snapshot, compare_state};
use super::draw::Draw;
use super::model::{Change, State, batch_of};
use super::record::{Copy, KeyspaceLife, Pin, Promise, Record};
use super::setting::{DIR, Setting};
use crate::disk::Disk;
use crate::vfs::FaultVfs;

/// Steps between two comparisons of the open database with the model.
const COMPARE_INTERVAL: usize = 16;

/// A history under way.
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
    snapshots: Vec<(Snapshot, State)>,
}

impl Actor {
    /// A history that has not started.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::seeded(seed);
        let setting = Setting::draw(&mut rng);
        let vfs = FaultVfs::default();
        let vfs = if setting.mappable { vfs } else { vfs.without_mappings() };
        let (record, snapshots) = (Record::default(), Vec::new());
        Self { vfs, setting, record, db: None, rng, seq: 0, durable: 0, copies: 0, snapshots }
    }

    /// Opens the database and performs `steps` operations, all recorded.
    ///
    /// # Errors
    /// None on a healthy disk, unless the database is wrong.
    pub fn perform(mut self, steps: usize) -> Result<(Record, Disk)> {
        self.vfs.record();
        self.open()?;
        for step in 1..=steps {
            self.step()?;
            if step % COMPARE_INTERVAL == 0 {
                self.compare()?;
            }
        }
        self.record.moments = self.vfs.take_moments();
        Ok((self.record, self.vfs.disk()))
    }

    /// Opens the database.
    ///
    /// # Errors
    /// Those of opening.
    pub fn open(&mut self) -> Result<()> {
        self.note("open".to_owned());
        let db = Db::open(Path::new(DIR), self.setting.options(&self.vfs))?;
        self.record.recovery_flushes += db.recovery().flushes;
        self.db = Some(db);
        self.promise()
    }

    /// One operation, drawn from the seed.
    ///
    /// # Errors
    /// Those of the operation.
    pub fn step(&mut self) -> Result<()> {
        self.setting.advance_ms(self.rng.below(20));
        match self.rng.below(100) {
            0..=49 => self.write(|draw| draw.batch()),
            50..=59 => self.write(|draw| draw.range_batch()),
            60..=62 => self.write(|draw| draw.large()),
            63..=67 => self.flush(),
            68..=70 => self.compact(),
            71..=78 => self.compact_step(),
            79..=84 => self.sync(),
            85..=86 => self.reopen(),
            87 => self.die(),
            88..=90 => self.create_keyspace(),
            91..=92 => self.drop_keyspace(),
            93..=94 => self.checkpoint(),
            95..=97 => self.take_snapshot(),
            _ => self.pin(),
        }
    }

    fn write(&mut self, draw: fn(&mut Draw<'_>) -> Vec<Change>) -> Result<()> {
        let keyspaces: Vec<_> = self.record.alive().map(|(_, id)| id).collect();
        let expires_after_ms = self.setting.expires.then(|| self.setting.now_ms());
        let changes =
            draw(&mut Draw { rng: &mut self.rng, keyspaces: &keyspaces, expires_after_ms });
        let durability = match self.rng.below(8) {
            0 => Some(Durability::Sync),
            1 => Some(Durability::EverySec),
            _ => None,
        };
        self.commit(changes, durability)
    }

    fn commit(&mut self, changes: Vec<Change>, durability: Option<Durability>) -> Result<()> {
        let level = durability.unwrap_or_default().max(self.setting.durability);
        let batch = batch_of(&changes)?;
        let expected = self.seq + 1;
        self.note(format!("write {expected} {level:?} {changes:?}"));
        self.record.model.commit(expected, changes);
        self.record.started.push((self.vfs.changes(), expected));
        let outcome = self.db()?.write(&batch, WriteOptions { durability });
        let seq = outcome.map_err(|error| self.note_refusal(error, expected))?;
        if seq != expected {
            return Err(Error::internal(format!("write {expected} was numbered {seq}")));
        }
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

    /// Compares the open database, its snapshots and its change feed with the model.
    ///
    /// # Errors
    /// `Internal` in words when they differ.
    pub fn compare(&mut self) -> Result<()> {
        self.note("compare".to_owned());
        let (start, db) = (self.vfs.changes(), self.db()?.clone());
        let differs = |what| Error::internal(format!("live: {what}"));
        let now_ms = self.setting.now_ms();
        compare_state(&db, &self.record.state_at(self.seq), now_ms).map_err(differs)?;
        // Counting deletes what has expired: batches of their own.
        if db.visible_seq() > self.seq {
            self.seq = db.visible_seq();
            self.record.started.push((start, self.seq));
        }
        for (snapshot, state) in &self.snapshots {
            compare_snapshot(snapshot, state, now_ms).map_err(differs)?;
        }
        if let Some(since) = self.record.pinned_at(self.vfs.changes()) {
            let fed = compare_feed(&db, (since, self.seq), &self.record.model);
            fed.map_err(|broken| differs(broken.to_string()))?;
        }
        self.promise()
    }

    fn flush(&mut self) -> Result<()> {
        self.note("flush".to_owned());
        self.db()?.flush()?;
        self.promise()
    }

    fn compact(&mut self) -> Result<()> {
        let alive: Vec<_> = self.record.alive().map(|(_, id)| id).chain([0]).collect();
        let keyspace = alive.get(self.rng.below(alive.len() as u64 + 2) as usize).copied();
        self.note(format!("compact {keyspace:?}"));
        self.db()?.compact(keyspace)?;
        self.promise()
    }

    fn compact_step(&mut self) -> Result<()> {
        self.note("compact a little".to_owned());
        self.db()?.compact_step()?;
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
        self.snapshots.clear();
        if let Some(db) = self.db.take() {
            db.close()?;
        }
        self.open()
    }

    /// The process dies and another one recovers: what was acknowledged is there, durable or not.
    fn die(&mut self) -> Result<()> {
        self.note("kill".to_owned());
        self.snapshots.clear();
        self.vfs = self.vfs.kill();
        drop(self.db.take());
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
        let alive: Vec<_> = self.record.alive().map(|(index, _)| index).collect();
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
        let state = self.record.state_at(self.seq);
        self.record.copies.push(Copy { path, at: self.vfs.changes(), state });
        self.promise()
    }

    /// Replaces one of two snapshots.
    fn take_snapshot(&mut self) -> Result<()> {
        self.note("snapshot".to_owned());
        let snapshot = self.db()?.snapshot()?;
        if snapshot.seq() != self.seq {
            return Err(Error::internal(format!(
                "snapshot at {}, not {}",
                snapshot.seq(),
                self.seq
            )));
        }
        self.snapshots.truncate(1);
        self.snapshots.insert(0, (snapshot, self.record.state_at(self.seq)));
        Ok(())
    }

    fn pin(&mut self) -> Result<()> {
        let seq = self.seq;
        if seq == 0 {
            // A feed from 0 starts wherever the log does.
            return Ok(());
        }
        self.note(format!("pin the log at {seq}"));
        let start = self.vfs.changes();
        self.record.pins.push(Pin { during: (start, u64::MAX), seq });
        self.db()?.pin_log("reader", seq)?;
        if let Some(pin) = self.record.pins.last_mut() {
            pin.during.1 = self.vfs.changes();
        }
        self.promise()
    }

    /// Writes down what holds from now on; the database's own claim counts as a promise.
    fn promise(&mut self) -> Result<()> {
        let visible = self.db()?.visible_seq();
        let is_known = self.record.started.last().map_or(0, |(_, seq)| *seq) >= visible;
        if visible < self.seq || !is_known {
            return Err(Error::internal(format!("{} written, {visible} visible", self.seq)));
        }
        self.seq = visible;
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
}
