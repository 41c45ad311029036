//! Crash testing: every moment of a history, every kind of loss, checked against a model.
//!
//! An [`actor::Actor`] runs seeded operations on a recording file system and writes down
//! ([`record`]) what was promised when. [`Campaign`] then boots a world from each moment, as it is left by each [`Loss`], and
//! [`check`] opens the database in it: the recovered state must be exactly the batches up to some
//! sequence number, not below the last promise, and the database must be usable.

pub mod actor;
pub mod check;
pub mod draw;
pub mod fault;
pub mod model;
pub mod record;
pub mod setting;
pub mod threads;
pub mod upkeep;
pub mod wal;

use aidb_base::Rng;

use crate::disk::{Disk, Loss};
use crate::vfs::FaultVfs;
use actor::Actor;
use check::{Expectation, Verdict};
use record::Record;
use setting::{DIR, Setting};

/// Which histories to run and how densely to crash them.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// First seed.
    pub seed: u64,
    /// Histories.
    pub histories: u64,
    /// Operations of a history.
    pub steps: usize,
    /// Crashes per history; a history with fewer moments is crashed at every one.
    pub moments: usize,
    /// Stop after so many states.
    pub states_max: u64,
}

/// One crash of one history: enough to do it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Seed of the history.
    pub seed: u64,
    /// Its operations.
    pub steps: usize,
    /// Changes of the file system before the crash.
    pub moment: u64,
    /// What is lost.
    pub loss: Loss,
}

/// A crash that the database did not survive.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which.
    pub crash: Crash,
    /// What is wrong.
    pub what: String,
    /// The operations around the crash.
    pub around: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Crash { seed, steps, moment, loss } = self.crash;
        writeln!(f, "seed {seed}, {steps} steps, crash at change {moment}, {loss:?}:")?;
        writeln!(f, "  {}", self.what)?;
        self.around.iter().try_for_each(|line| writeln!(f, "  | {line}"))?;
        write!(
            f,
            "replay: AIDB_CRASH=\"{seed} {steps} {moment} {loss:?}\" cargo test -p aidb-sim \
             crash::tests::replay"
        )
    }
}

impl Campaign {
    /// Runs everything; the number of states checked, or the first failure.
    pub fn run(&self) -> std::result::Result<u64, Box<Failure>> {
        let mut states = 0;
        for seed in self.seed..self.seed + self.histories {
            let history = History::perform(seed, self.steps)?;
            for moment in history.choose_moments(self.moments) {
                for loss in Loss::ALL {
                    history.crash(moment, loss)?;
                    states += 1;
                }
            }
            if states >= self.states_max {
                break;
            }
        }
        Ok(states)
    }
}

/// A performed history, ready to be crashed.
pub struct History {
    seed: u64,
    steps: usize,
    setting: Setting,
    record: Record,
    end: Disk,
}

impl History {
    /// Performs the history of a seed; it must not fail on a healthy disk.
    pub fn perform(seed: u64, steps: usize) -> std::result::Result<Self, Box<Failure>> {
        let actor = Actor::new(seed);
        let setting = actor.setting.clone();
        let crash = Crash { seed, steps, moment: 0, loss: Loss::ProcessCrash };
        let (record, end) = actor.perform(steps).map_err(|error| {
            let what = format!("the history itself failed: {error}");
            Box::new(Failure { crash, what, around: vec![format!("{setting:?}")] })
        })?;
        Ok(Self { seed, steps, setting, record, end })
    }

    /// Changes of the file system in the history.
    pub fn changes(&self) -> u64 {
        self.record.moments.len() as u64
    }

    /// Memtables flushed by recoveries of the history itself.
    pub fn recovery_flushes(&self) -> u64 {
        self.record.recovery_flushes
    }

    /// Every moment, or `count` of them.
    fn choose_moments(&self, count: usize) -> Vec<u64> {
        let all = self.changes() + 1;
        if all <= count as u64 {
            return (0..all).collect();
        }
        let mut rng = Rng::seeded(self.seed ^ 0x6d6f_6d65_6e74);
        (0..count).map(|_| rng.below(all)).collect()
    }

    /// Ends the world before change `moment` and checks what is left.
    pub fn crash(&self, moment: u64, loss: Loss) -> std::result::Result<(), Box<Failure>> {
        let mut rng = Rng::seeded(self.seed ^ moment.rotate_left(20) ^ (loss as u64) << 50);
        let disk = self.disk_at(moment, &mut rng).after(loss, &mut rng);
        let verdict = self.check(disk, moment, loss, &mut rng);
        verdict.map_err(|what| {
            let crash = Crash { seed: self.seed, steps: self.steps, moment, loss };
            Box::new(Failure { crash, what, around: self.around(moment) })
        })
    }

    fn check(&self, disk: Disk, moment: u64, loss: Loss, rng: &mut Rng) -> Verdict<()> {
        let expectation =
            Expectation { record: &self.record, setting: &self.setting, moment, loss };
        let mut vfs = self.boot(disk);
        if rng.below(8) == 0 {
            vfs = self.crash_recovery(&vfs, loss, rng)?;
        }
        expectation.check(&vfs, rng)
    }

    /// Lets the recovery itself die at a random change of its own.
    fn crash_recovery(&self, vfs: &FaultVfs, loss: Loss, rng: &mut Rng) -> Verdict<FaultVfs> {
        let start = vfs.disk();
        let trial = self.boot(start.clone());
        let options = self.setting.options(&trial);
        let db = aidb_engine::Db::open(std::path::Path::new(DIR), options);
        drop(db.map_err(|e| format!("open after the crash: {e}"))?);
        let fatal = self.boot(start);
        fatal.end_at(rng.below(trial.changes().max(1)));
        let options = self.setting.options(&fatal);
        drop(aidb_engine::Db::open(std::path::Path::new(DIR), options));
        Ok(self.boot(fatal.disk().after(loss, rng)))
    }

    fn boot(&self, disk: Disk) -> FaultVfs {
        let vfs = FaultVfs::on(disk);
        if self.setting.mappable { vfs } else { vfs.without_mappings() }
    }

    fn disk_at(&self, moment: u64, rng: &mut Rng) -> Disk {
        match self.record.moments.get(moment as usize) {
            Some(moment) => moment.disk(rng),
            None => self.end.clone(),
        }
    }

    fn around(&self, moment: u64) -> Vec<String> {
        let mut lines = vec![format!("{:?}", self.setting)];
        let before = self.record.script.iter().rposition(|(at, _)| *at <= moment).unwrap_or(0);
        let script = self.record.script[before.saturating_sub(8)..=before].iter();
        lines.extend(script.map(|(at, what)| format!("{at}: {}", truncated(what))));
        let moments = self.record.moments.iter().enumerate();
        let near = moments.skip((moment as usize).saturating_sub(6)).take(8);
        lines.extend(near.map(|(at, call)| {
            let mark = if at as u64 == moment { "<- crash before this" } else { "" };
            format!("change {at}: {:?} {} {mark}", call.kind, call.path.display())
        }));
        lines
    }
}

fn truncated(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests;
