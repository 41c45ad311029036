//! Jobs beside writes, crashed at every change of the file system: ingest, renaming of keyspaces,
//! restore from a checkpoint and a log, repair.
//!
//! Each must have happened or not, has certainly happened once it returned, and never harms what was
//! there: after any crash the database opens, and the job can be done again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aidb_base::{Error, Result, Rng};
use aidb_engine::db::{ScanRange, restore};
use aidb_engine::file_names::{self, FileKind};
use aidb_engine::repair::repair;
use aidb_engine::table::{TableBuilder, TableOptions};
use aidb_engine::vfs::Vfs;
use aidb_engine::{Db, Entry, KeyspaceOptions, Kind, Options, WriteBatch, WriteOptions};

use super::check::Verdict;
use super::setting::{DIR, Setting};
use crate::disk::{Disk, Loss};
use crate::vfs::FaultVfs;

const COPY: &str = "/data/copy";
const RESTORED: &str = "/data/restored";
const FOREIGN: &str = "/foreign";

/// Contents of every keyspace, by name.
type Contents = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A job that is crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Tables built elsewhere come into a keyspace.
    Ingest,
    /// Two keyspaces swap their names.
    Rename,
    /// A checkpoint and the log after it become another database.
    Restore,
    /// The files of a sound database are rewritten.
    Repair,
    /// As `Repair`, without a manifest.
    RepairWithoutManifest,
}

impl Job {
    /// Every job.
    pub const ALL: [Self; 5] =
        [Self::Ingest, Self::Rename, Self::Restore, Self::Repair, Self::RepairWithoutManifest];

    /// Does the job in a world drawn from `seed` and crashes it everywhere; the number of states.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn crash(self, seed: u64) -> Verdict<u64> {
        let mut rng = Rng::seeded(seed);
        let stage = Stage::new(Setting::draw(&mut rng), Disk::default());
        let healthy = |e: Error| format!("{self:?}, seed {seed}, on a healthy disk: {e}");
        let before = stage.prepare(self).map_err(healthy)?;
        stage.vfs.record();
        let start = stage.vfs.changes();
        let done = (stage.perform(self).map_err(healthy)? - start) as usize;
        let moments = stage.vfs.take_moments();
        let after = stage.expected(self, before.clone());
        let mut states = 0;
        for at in 0..=moments.len() {
            for loss in Loss::ALL {
                let disk = match moments.get(at) {
                    Some(moment) => moment.disk(&mut rng),
                    None => stage.vfs.disk(),
                };
                let world = Stage::new(stage.setting.clone(), disk.after(loss, &mut rng));
                let outcome = world.check(self, &before, &after, at >= done);
                outcome.map_err(|what| format!("{self:?}, seed {seed}, {at}, {loss:?}: {what}"))?;
                states += 1;
            }
        }
        Ok(states)
    }
}

/// A file system and the settings of the database on it.
struct Stage {
    setting: Setting,
    vfs: FaultVfs,
}

impl Stage {
    fn new(setting: Setting, disk: Disk) -> Self {
        let vfs = FaultVfs::on(disk);
        let vfs = if setting.mappable { vfs } else { vfs.without_mappings() };
        Self { setting, vfs }
    }

    fn options(&self) -> Options {
        self.setting.options(&self.vfs)
    }

    fn open(&self, path: &str) -> Result<Db> {
        Db::open(Path::new(path), self.options())
    }

    /// Makes what the job works on durable; its contents.
    fn prepare(&self, job: Job) -> Result<Contents> {
        let db = self.open(DIR)?;
        let write = |keyspace, number: u8, value: &[u8]| {
            db.put(keyspace, &[b'k', number], value, 0, WriteOptions::default())
        };
        let (left, right) = (keyspace(&db, "left")?, keyspace(&db, "right")?);
        for number in 0..40 {
            write(0, number, &[number; 100])?;
            write(left, number, b"left")?;
        }
        db.flush()?;
        let mut range = WriteBatch::new();
        range.delete_range(0, b"k\x05", Some(b"k\x09"))?;
        db.write(&range, WriteOptions::default())?;
        db.compact(None)?;
        write(right, 1, b"right")?;
        db.delete(0, b"k\x01", WriteOptions::default())?;
        if job == Job::Restore {
            db.checkpoint(Path::new(COPY))?;
        }
        write(0, 2, &[2; 200])?;
        write(0, 200, b"logged")?;
        let contents = contents(&db)?;
        db.close()?;
        match job {
            Job::Ingest => self.build_foreign()?,
            Job::RepairWithoutManifest => self.lose_manifest()?,
            Job::Rename | Job::Restore | Job::Repair => {}
        }
        Ok(contents)
    }

    fn build_foreign(&self) -> Result<()> {
        self.vfs.create_dir_all(Path::new(FOREIGN))?;
        let options = TableOptions { uid: 4711, ..TableOptions::default() };
        let mut builder = TableBuilder::create(&self.vfs, &foreign(), options)?;
        for number in 30..60 {
            let (key, value) = ([b'k', number], b"ingested");
            builder.add(&Entry { key: &key, seq: 1, kind: Kind::Put, expire_at_ms: 0, value })?;
        }
        builder.finish()?;
        self.vfs.sync_dir(Path::new(FOREIGN))?;
        self.vfs.sync_dir(Path::new("/"))
    }

    fn lose_manifest(&self) -> Result<()> {
        let dir = Path::new(DIR);
        for number in FileKind::Manifest.list(&self.vfs, dir)? {
            self.vfs.remove(&FileKind::Manifest.path(dir, number))?;
        }
        self.vfs.remove(&file_names::current(dir))?;
        // Without a manifest, a removed table that reappears would bring back what was deleted.
        FileKind::ALL.iter().try_for_each(|kind| self.vfs.sync_dir(&kind.dir(dir)))
    }

    /// Does the job; the changes of the file system when it was acknowledged.
    fn perform(&self, job: Job) -> Result<u64> {
        // Kept to the end: closing makes everything durable.
        let _db = match job {
            Job::Ingest => {
                let db = self.open(DIR)?;
                db.ingest(0, &[foreign()])?;
                Some(db)
            }
            Job::Rename => {
                let db = self.open(DIR)?;
                let (left, right) = (keyspace(&db, "left")?, keyspace(&db, "right")?);
                db.rename_keyspaces(&[(left, "right"), (right, "left")])?;
                Some(db)
            }
            Job::Restore => {
                self.restore(RESTORED)?;
                None
            }
            Job::Repair | Job::RepairWithoutManifest => {
                repair(Path::new(DIR), &self.options())?;
                None
            }
        };
        Ok(self.vfs.changes())
    }

    fn restore(&self, target: &str) -> Result<()> {
        let (copy, log, target) = (Path::new(COPY), Path::new(DIR), Path::new(target));
        restore(copy, log, target, None, &self.options()).map(drop)
    }

    /// What is there after the job.
    fn expected(&self, job: Job, mut contents: Contents) -> Contents {
        match job {
            Job::Ingest => {
                let pairs = contents.entry("default".to_owned()).or_default();
                pairs.extend((30..60).map(|number| (vec![b'k', number], b"ingested".to_vec())));
            }
            Job::Rename => {
                let (left, right) = (contents.remove("left"), contents.remove("right"));
                contents.extend(left.map(|pairs| ("right".to_owned(), pairs)));
                contents.extend(right.map(|pairs| ("left".to_owned(), pairs)));
            }
            Job::Restore | Job::Repair | Job::RepairWithoutManifest => {}
        }
        contents
    }

    fn check(&self, job: Job, before: &Contents, after: &Contents, is_done: bool) -> Verdict<()> {
        let said = |e: Error| e.to_string();
        match job {
            Job::Ingest | Job::Rename => {
                let found = self.contents(DIR).map_err(said)?;
                expect(&found, after, (!is_done).then_some(before))
            }
            Job::Restore => {
                if is_done {
                    expect(&self.contents(RESTORED).map_err(said)?, after, None)?;
                }
                // An unfinished one may be anything but the cause of a panic.
                drop(self.open(RESTORED));
                self.restore("/data/again").map_err(said)?;
                expect(&self.contents("/data/again").map_err(said)?, after, None)
            }
            Job::Repair | Job::RepairWithoutManifest => {
                if is_done {
                    self.expect_pairs(after)?;
                }
                repair(Path::new(DIR), &self.options()).map_err(|e| format!("again: {e}"))?;
                self.expect_pairs(after)
            }
        }
    }

    /// Without a manifest the names of keyspaces are lost, not what is in them.
    fn expect_pairs(&self, expected: &Contents) -> Verdict<()> {
        let found = self.contents(DIR).map_err(|e| e.to_string())?;
        let pairs = |contents: &Contents| -> Vec<_> {
            let mut pairs: Vec<_> =
                contents.values().filter(|pairs| !pairs.is_empty()).cloned().collect();
            pairs.sort();
            pairs
        };
        match pairs(&found) == pairs(expected) {
            true => Ok(()),
            false => Err(format!("found {}", summary(&found))),
        }
    }

    fn contents(&self, path: &str) -> Result<Contents> {
        let db = self.open(path)?;
        let found = contents(&db)?;
        db.close()?;
        Ok(found)
    }
}

fn foreign() -> PathBuf {
    Path::new(FOREIGN).join("one.sst")
}

fn keyspace(db: &Db, name: &str) -> Result<u32> {
    match db.keyspace(name) {
        Some(id) => Ok(id),
        None => db.create_keyspace(name, &KeyspaceOptions::default()),
    }
}

fn contents(db: &Db) -> Result<Contents> {
    let mut found = Contents::new();
    for (id, name, _) in db.keyspaces() {
        let pairs = found.entry(name).or_default();
        let mut scan = db.scan(id, ScanRange::default())?;
        while let Some((key, value)) = scan.next()? {
            pairs.insert(key.to_vec(), value.to_vec());
        }
        if db.len(id)? != pairs.len() as u64 {
            return Err(Error::internal(format!("keyspace {id} counts wrong")));
        }
    }
    Ok(found)
}

/// Whether `found` is `after`, or `before` if that is allowed.
fn expect(found: &Contents, after: &Contents, before: Option<&Contents>) -> Verdict<()> {
    if found == after || before == Some(found) {
        return Ok(());
    }
    Err(format!("found {}, not {}", summary(found), summary(after)))
}

fn summary(contents: &Contents) -> String {
    let counts = contents.iter().map(|(name, pairs)| format!("{} pairs in {name}", pairs.len()));
    counts.collect::<Vec<_>>().join(", ")
}
