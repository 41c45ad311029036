//! Opens the database that a crash left and compares it with the model.

use std::path::Path;

use aidb_base::{ErrorKind, KeyspaceId, Result, Rng, Seq};
use aidb_engine::db::{Scan, ScanRange, Snapshot};
use aidb_engine::{Db, Durability, WriteOptions};

use super::model::{Model, Pairs, State, batch_of, visible};
use super::record::Record;
use super::setting::{DIR, Setting};
use crate::disk::Loss;
use crate::vfs::FaultVfs;

/// A claim that does not hold, in words.
pub type Verdict<T> = std::result::Result<T, String>;

/// What must hold for a world that ended before change `moment`.
#[derive(Clone, Copy)]
pub struct Expectation<'a> {
    /// The history.
    pub record: &'a Record,
    /// Shape of its database.
    pub setting: &'a Setting,
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
    pub fn check(&self, vfs: &FaultVfs, rng: &mut Rng) -> Verdict<()> {
        vfs.record();
        let checked = self.go_on(vfs, rng);
        checked.map_err(|what| {
            let calls = vfs.take_moments();
            let calls =
                calls.iter().map(|call| format!("\n  > {:?} {}", call.kind, call.path.display()));
            format!("{what}\n  changes since the crash:{}", calls.collect::<String>())
        })
    }

    fn go_on(&self, vfs: &FaultVfs, rng: &mut Rng) -> Verdict<()> {
        if rng.below(8) == 0 {
            self.read_only(vfs)?;
        }
        let db = self.open(vfs).map_err(|e| format!("open after the crash: {e}"))?;
        let recovered = db.visible_seq();
        let mut state = self.compare(&db)?;
        self.check_feed(&db, recovered)?;
        self.check_copies(vfs)?;
        write_on(&db, &mut state, rng)?;
        let now_ms = self.setting.now_ms();
        compare_state(&db, &state, now_ms).map_err(|e| format!("after writing on: {e}"))?;
        if rng.below(2) == 0 {
            db.close().map_err(|e| format!("close: {e}"))?;
        }
        // Before the handle goes: dropping it closes it.
        let vfs = vfs.reboot(Loss::PowerDropped, rng.next_u64());
        drop(db);
        let db = self.open(&vfs).map_err(|e| format!("second open: {e}"))?;
        compare_state(&db, &state, now_ms).map_err(|e| format!("after the second open: {e}"))
    }

    fn open(&self, vfs: &FaultVfs) -> Result<Db> {
        Db::open(Path::new(DIR), self.setting.options(vfs))
    }

    /// Looks at what is left without repairing it; nothing may change.
    fn read_only(&self, vfs: &FaultVfs) -> Verdict<()> {
        let mut options = self.setting.options(vfs);
        (options.read_only, options.create_if_missing) = (true, false);
        let db = match Db::open(Path::new(DIR), options) {
            // The crash came before the database was created.
            Err(error) if error.kind() == ErrorKind::Invalid && self.bounds().0 == 0 => {
                return Ok(());
            }
            other => other.map_err(|e| format!("open read-only: {e}"))?,
        };
        self.compare(&db).map_err(|e| format!("read-only: {e}"))?;
        drop(db);
        match vfs.changes() {
            0 => Ok(()),
            changes => Err(format!("opening read-only changed the disk {changes} times")),
        }
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
        let compared = compare_state(db, &state, self.setting.now_ms());
        compared.map_err(|e| format!("recovered up to batch {seq}: {e}"))?;
        Ok(state)
    }

    /// Checks that a pinned log still has every batch, up to `recovered` as it was written.
    fn check_feed(&self, db: &Db, recovered: Seq) -> Verdict<()> {
        let Some(since) = self.record.pinned_at(self.moment) else { return Ok(()) };
        match compare_feed(db, (since, recovered), &self.record.model) {
            // What was not synced may live on in tables only; then the feed must say so.
            Err(Broken::Gone(_)) if self.loss.is_power_cut() => Ok(()),
            other => other.map_err(|broken| format!("change feed: {broken}")),
        }
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

    fn check_copies(&self, vfs: &FaultVfs) -> Verdict<()> {
        for copy in self.record.copies.iter().filter(|copy| copy.at <= self.moment) {
            let mut options = self.setting.options(vfs);
            options.create_if_missing = false;
            let said = |e: &dyn std::fmt::Display| format!("{}: {e}", copy.path.display());
            let db = Db::open(&copy.path, options).map_err(|e| said(&e))?;
            compare_state(&db, &copy.state, self.setting.now_ms()).map_err(|e| said(&e))?;
        }
        Ok(())
    }
}

/// Writes, flushes and compacts a little, so that a damaged structure shows.
fn write_on(db: &Db, state: &mut State, rng: &mut Rng) -> Verdict<()> {
    let options = WriteOptions { durability: Some(Durability::Sync) };
    let write = |key: &[u8], value: &[u8]| {
        db.put(0, key, value, 0, options).map_err(|e| format!("write after the crash: {e}"))
    };
    let pairs = state.entry(0).or_default();
    write(b"after", b"the crash")?;
    pairs.insert(b"after".to_vec(), (b"the crash".to_vec(), 0));
    match rng.below(4) {
        0 => db.flush().map_err(|e| format!("flush after the crash: {e}"))?,
        1 => db.compact(None).map_err(|e| format!("compact after the crash: {e}"))?,
        _ => {}
    }
    write(b"key01", b"again")?;
    pairs.insert(b"key01".to_vec(), (b"again".to_vec(), 0));
    Ok(())
}

/// Whether the database holds exactly `state`, by scans both ways, counts and point reads.
///
/// # Errors
/// The first difference.
pub fn compare_state(db: &Db, state: &State, now_ms: u64) -> Verdict<()> {
    for (keyspace, pairs) in state {
        let said = |e: String| format!("keyspace {keyspace}: {e}");
        let scan = |range| db.scan(*keyspace, range);
        let get = |key: &[u8]| db.get(*keyspace, key);
        compare_pairs(&scan, &get, pairs, now_ms).map_err(said)?;
        let len = db.len(*keyspace).map_err(|e| e.to_string())?;
        // A read-only database cannot sweep: it counts what has expired.
        let is_read_only = db.stats().read_only_reason.is_some();
        let most = if is_read_only { pairs.len() } else { visible(pairs, now_ms).len() };
        let least = visible(pairs, now_ms).len();
        if len > most as u64 || len < least as u64 {
            return Err(said(format!("{len} keys counted, {least} present")));
        }
    }
    Ok(())
}

/// Whether a snapshot still shows `state`.
///
/// # Errors
/// The first difference.
pub fn compare_snapshot(snapshot: &Snapshot, state: &State, now_ms: u64) -> Verdict<()> {
    for (keyspace, pairs) in state {
        let scan = |range| snapshot.scan(*keyspace, range);
        let get = |key: &[u8]| snapshot.get_with(*keyspace, key, |value, _| value.to_vec());
        let compared = compare_pairs(&scan, &get, pairs, now_ms);
        compared.map_err(|e| format!("snapshot {}, keyspace {keyspace}: {e}", snapshot.seq()))?;
    }
    Ok(())
}

/// What is wrong with a change feed.
#[derive(Clone, Debug)]
pub enum Broken {
    /// It says that batches are gone.
    Gone(String),
    /// It gives something wrong.
    Wrong(String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Gone(what) | Self::Wrong(what)) = self;
        f.write_str(what)
    }
}

/// Whether the change feed gives every batch after `since`, up to `until` as it was written.
///
/// # Errors
/// The first difference.
pub fn compare_feed(
    db: &Db,
    (since, until): (Seq, Seq),
    model: &Model,
) -> std::result::Result<(), Broken> {
    let refused = |e: aidb_base::Error| match e.kind() {
        ErrorKind::Invalid => Broken::Gone(e.to_string()),
        _ => Broken::Wrong(e.to_string()),
    };
    let mut changes = db.changes(since).map_err(refused)?;
    let mut last = since;
    while let Some(change) = changes.next().map_err(refused)? {
        if change.seq != last + 1 {
            return Err(Broken::Wrong(format!("batch {} follows {last}", change.seq)));
        }
        last = change.seq;
        let Some(written) = model.batch(last).filter(|_| last <= until) else { continue };
        let written = batch_of(written).map_err(|e| Broken::Wrong(e.to_string()))?;
        if written.payload() != change.batch.payload() {
            return Err(Broken::Wrong(format!("batch {last} is not what was written")));
        }
    }
    match db.visible_seq() {
        visible if visible > last.max(since) => {
            Err(Broken::Wrong(format!("it ends at {last}, the database at {visible}")))
        }
        _ => Ok(()),
    }
}

type Get<'a> = dyn Fn(&[u8]) -> Result<Option<Vec<u8>>> + 'a;

fn compare_pairs(
    scan: &dyn Fn(ScanRange) -> Result<Scan>,
    get: &Get<'_>,
    pairs: &Pairs,
    now_ms: u64,
) -> Verdict<()> {
    let expected = visible(pairs, now_ms);
    let ordered: Vec<_> = expected.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
    for reverse in [false, true] {
        let range = ScanRange { lower: None, upper: None, reverse };
        let mut found = collect(scan(range)).map_err(|e| e.to_string())?;
        if reverse {
            found.reverse();
        }
        if found != ordered {
            let way = if reverse { "reverse scan" } else { "scan" };
            return Err(format!("{way} differs: {}", difference(&ordered, &found)));
        }
    }
    let known = (0..20).map(|number| format!("key{:02}", number * 2).into_bytes());
    for key in known.chain([Vec::new()]) {
        let value = get(&key).map_err(|e| e.to_string())?;
        if value.as_deref() != expected.get(key.as_slice()).copied() {
            return Err(format!("get of {} differs from the scan", shown(&key)));
        }
    }
    Ok(())
}

fn collect(scan: Result<Scan>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut scan = scan?;
    let mut found = Vec::new();
    while let Some((key, value)) = scan.next()? {
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
