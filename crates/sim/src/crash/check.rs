//! Opens the database that a crash left and compares it with the model.

use std::path::Path;

use aidb_base::{KeyspaceId, Rng, Seq};
use aidb_engine::db::ScanRange;
use aidb_engine::{Db, Durability, WriteOptions};

use super::history::{DIR, Record, Setting};
use super::model::{Pairs, State};
use crate::disk::Loss;
use crate::vfs::FaultVfs;

/// A claim that does not hold, in words.
pub type Verdict<T> = std::result::Result<T, String>;

/// What must hold for a world that ended before change `moment`.
#[derive(Clone, Copy)]
pub struct Expectation<'a> {
    /// The history.
    pub record: &'a Record,
    /// Changes of the file system made.
    pub moment: u64,
    /// How the world ended.
    pub loss: Loss,
}

impl Expectation<'_> {
    /// Opens, compares, writes on, loses power again, compares again.
    ///
    /// # Errors
    /// What does not hold, and what was done to the disk since the crash.
    pub fn check(&self, vfs: &FaultVfs, setting: &Setting, rng: &mut Rng) -> Verdict<()> {
        vfs.record();
        let checked = self.go_on(vfs, setting, rng);
        checked.map_err(|what| {
            let calls = vfs.take_moments();
            let calls =
                calls.iter().map(|call| format!("\n  > {:?} {}", call.kind, call.path.display()));
            format!("{what}\n  changes since the crash:{}", calls.collect::<String>())
        })
    }

    fn go_on(&self, vfs: &FaultVfs, setting: &Setting, rng: &mut Rng) -> Verdict<()> {
        let db = open(vfs, setting).map_err(|e| format!("open after the crash: {e}"))?;
        let mut state = self.compare(&db)?;
        self.check_copies(vfs, setting)?;
        write_on(&db, &mut state, rng)?;
        if rng.below(2) == 0 {
            db.close().map_err(|e| format!("close: {e}"))?;
        }
        // Before the handle goes: dropping it closes it.
        let vfs = vfs.reboot(Loss::PowerDropped, rng.next_u64());
        drop(db);
        let db = open(&vfs, setting).map_err(|e| format!("second open: {e}"))?;
        compare_state(&db, &state).map_err(|e| format!("after the second open: {e}"))
    }

    /// Checks the recovered state; returns it.
    fn compare(&self, db: &Db) -> Verdict<State> {
        let seq = db.visible_seq();
        let (low, high) = self.bounds();
        if seq < low || seq > high {
            return Err(format!("recovered up to batch {seq}, promised {low}, written {high}"));
        }
        let mut state = self.record.model.state_at(seq);
        let present: Vec<_> = db.keyspaces().into_iter().map(|(id, name, _)| (id, name)).collect();
        self.check_keyspaces(&present)?;
        state.retain(|id, _| present.iter().any(|(present, _)| present == id));
        present.iter().for_each(|(id, _)| {
            state.entry(*id).or_default();
        });
        compare_state(db, &state).map_err(|e| format!("recovered up to batch {seq}: {e}"))?;
        Ok(state)
    }

    /// The lowest and highest batch that the recovered state may end with.
    fn bounds(&self) -> (Seq, Seq) {
        let kept = self.record.promises.iter().take_while(|promise| promise.at <= self.moment);
        let promise = kept.last().copied().unwrap_or_default();
        let low = if self.loss.is_power_cut() { promise.durable } else { promise.acknowledged };
        let started = self.record.started.iter().take_while(|(at, _)| *at <= self.moment);
        (low, started.last().map_or(0, |(_, seq)| *seq))
    }

    fn check_keyspaces(&self, present: &[(KeyspaceId, String)]) -> Verdict<()> {
        for life in &self.record.keyspaces {
            let exists = present.iter().any(|(_, name)| *name == life.name);
            let maybe_created = life.created.0 <= self.moment;
            let surely_created = life.created.1 <= self.moment;
            let maybe_dropped = life.dropped.is_some_and(|(start, _)| start <= self.moment);
            let surely_dropped = life.dropped.is_some_and(|(_, end)| end <= self.moment);
            if exists && (!maybe_created || surely_dropped) {
                return Err(format!("keyspace {} is there and must not be", life.name));
            }
            if !exists && surely_created && !maybe_dropped {
                return Err(format!("keyspace {} is gone", life.name));
            }
        }
        let known = |name: &String| {
            name == "default" || self.record.keyspaces.iter().any(|life| life.name == *name)
        };
        match present.iter().find(|(_, name)| !known(name)) {
            Some((id, name)) => Err(format!("keyspace {id} {name:?} was never created")),
            None => Ok(()),
        }
    }

    fn check_copies(&self, vfs: &FaultVfs, setting: &Setting) -> Verdict<()> {
        for copy in self.record.copies.iter().filter(|copy| copy.at <= self.moment) {
            let mut options = setting.options(vfs);
            options.create_if_missing = false;
            let said = |e: &dyn std::fmt::Display| format!("{}: {e}", copy.path.display());
            let db = Db::open(&copy.path, options).map_err(|e| said(&e))?;
            compare_state(&db, &copy.state).map_err(|e| said(&e))?;
        }
        Ok(())
    }
}

fn open(vfs: &FaultVfs, setting: &Setting) -> aidb_base::Result<Db> {
    Db::open(Path::new(DIR), setting.options(vfs))
}

/// Writes, flushes and compacts a little, so that a damaged structure shows.
fn write_on(db: &Db, state: &mut State, rng: &mut Rng) -> Verdict<()> {
    let options = WriteOptions { durability: Some(Durability::Sync) };
    let write = |key: &[u8], value: &[u8]| {
        db.put(0, key, value, 0, options).map_err(|e| format!("write after the crash: {e}"))
    };
    let pairs = state.entry(0).or_default();
    write(b"after", b"the crash")?;
    pairs.insert(b"after".to_vec(), b"the crash".to_vec());
    match rng.below(4) {
        0 => db.flush().map_err(|e| format!("flush after the crash: {e}"))?,
        1 => db.compact(None).map_err(|e| format!("compact after the crash: {e}"))?,
        _ => {}
    }
    write(b"key01", b"again")?;
    pairs.insert(b"key01".to_vec(), b"again".to_vec());
    compare_state(db, state).map_err(|e| format!("after writing on: {e}"))
}

/// Whether the database holds exactly `state`, by scans both ways, counts and point reads.
pub fn compare_state(db: &Db, state: &State) -> Verdict<()> {
    for (keyspace, pairs) in state {
        let said = |e: String| format!("keyspace {keyspace}: {e}");
        compare_pairs(db, *keyspace, pairs).map_err(said)?;
    }
    Ok(())
}

fn compare_pairs(db: &Db, keyspace: KeyspaceId, pairs: &Pairs) -> Verdict<()> {
    let forward = scan(db, keyspace, false)?;
    let expected: Vec<_> = pairs.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    if forward != expected {
        return Err(format!("scan differs: {}", difference(&expected, &forward)));
    }
    let mut backward = scan(db, keyspace, true)?;
    backward.reverse();
    if backward != expected {
        return Err(format!("reverse scan differs: {}", difference(&expected, &backward)));
    }
    let len = db.len(keyspace).map_err(|e| e.to_string())?;
    if len != pairs.len() as u64 {
        return Err(format!("{} keys counted, {} present", len, pairs.len()));
    }
    for number in 0..20 {
        let key = format!("key{:02}", number * 2).into_bytes();
        let value = db.get(keyspace, &key).map_err(|e| e.to_string())?;
        if value.as_ref() != pairs.get(&key) {
            return Err(format!("get of {} differs from the scan", shown(&key)));
        }
    }
    Ok(())
}

fn scan(db: &Db, keyspace: KeyspaceId, reverse: bool) -> Verdict<Vec<(Vec<u8>, Vec<u8>)>> {
    let range = ScanRange { lower: None, upper: None, reverse };
    let mut found = Vec::new();
    let mut scan = db.scan(keyspace, range).map_err(|e| e.to_string())?;
    while let Some((key, value)) = scan.next().map_err(|e| e.to_string())? {
        found.push((key.to_vec(), value.to_vec()));
    }
    Ok(found)
}

fn difference(expected: &[(Vec<u8>, Vec<u8>)], found: &[(Vec<u8>, Vec<u8>)]) -> String {
    let missing = expected.iter().filter(|pair| !found.contains(pair));
    let extra = found.iter().filter(|pair| !expected.contains(pair));
    let list = |pairs: Vec<&(Vec<u8>, Vec<u8>)>| {
        let pairs = pairs.iter().map(|(k, v)| format!("{}={}", shown(k), shown(v)));
        pairs.collect::<Vec<_>>().join(", ")
    };
    format!("missing [{}], unexpected [{}]", list(missing.collect()), list(extra.collect()))
}

fn shown(bytes: &[u8]) -> String {
    let head = bytes[..bytes.len().min(12)].escape_ascii();
    format!("{head}({})", bytes.len())
}
