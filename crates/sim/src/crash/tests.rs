//! `AIDB_CRASH_STATES` (how many states) and `AIDB_CRASH_SEED` (first seed) make longer runs;
//! `AIDB_CRASH="seed steps moment loss"` replays one crash.

use std::path::Path;

use aidb_base::Rng;
use aidb_engine::{Db, Durability, WriteOptions};

use super::fault::Trial;
use super::setting::{DIR, Setting};
use super::upkeep::Job;
use super::wal::LogHistory;
use super::{Campaign, Crash, Failure, History};
use crate::disk::Loss;
use crate::vfs::{CallKind, FaultVfs};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn survive(campaign: Campaign) -> u64 {
    campaign.run().unwrap_or_else(|failure: Box<Failure>| panic!("{failure}"))
}

#[test]
fn short_histories_survive_a_crash_at_every_change() {
    let states_max = setting("AIDB_CRASH_STATES", 10_000);
    let seed = setting("AIDB_CRASH_SEED", 1);
    let campaign = Campaign { seed, histories: u64::MAX / 2, steps: 25, moments: 400, states_max };
    let states = survive(campaign);
    assert!(states >= states_max, "{states} states");
}

#[test]
fn long_histories_survive_crashes_at_random_changes() {
    let states_max = setting("AIDB_CRASH_STATES", 10_000);
    let seed = setting("AIDB_CRASH_SEED", 1_000_000);
    let campaign = Campaign { seed, histories: u64::MAX / 2, steps: 250, moments: 60, states_max };
    let states = survive(campaign);
    assert!(states >= states_max, "{states} states");
}

#[test]
fn recoveries_that_flush_are_among_the_histories() {
    let flushes =
        |seed| History::perform(seed, 250).map_or(0, |history| history.recovery_flushes());
    let flushed = (1_000_000..1_000_040).filter(|&seed| flushes(seed) > 0).count();
    assert!(flushed >= 10, "only in {flushed} of 40 histories");
}

#[test]
fn the_log_alone_survives_a_crash_at_every_change() {
    for seed in 0..40 {
        let history = LogHistory::perform(seed, 60).unwrap();
        for moment in 0..history.moments() {
            for (index, loss) in Loss::ALL.into_iter().enumerate() {
                let crash_seed = moment * 8 + index as u64;
                let survived = history.crash(moment, loss, crash_seed);
                survived.unwrap_or_else(|what| {
                    panic!("history {seed}, change {moment}, {loss:?}: {what}")
                });
            }
        }
    }
}

#[test]
fn jobs_beside_writes_survive_a_crash_at_every_change() {
    let mut states = 0;
    for job in Job::ALL {
        for seed in 0..setting("AIDB_JOB_WORLDS", 6) {
            states += job.crash(seed).unwrap_or_else(|what| panic!("{what}"));
        }
    }
    assert!(states > 500, "{states} states");
}

#[test]
fn failing_calls_lose_nothing_that_was_acknowledged() {
    let first = setting("AIDB_FAULT_TRIAL", 0);
    let trials = setting("AIDB_FAULT_TRIALS", 1500);
    let mut met = 0;
    for number in first..first + trials {
        let verdict = Trial::draw(number).run();
        let replay = format!(
            "replay: AIDB_FAULT_TRIAL={number} AIDB_FAULT_TRIALS=1 cargo test -p aidb-sim failing"
        );
        met += u64::from(verdict.unwrap_or_else(|what| panic!("{what}\n{replay}")));
    }
    assert!(trials < 100 || met > trials / 4, "only {met} of {trials} trials met their trouble");
}

#[test]
fn concurrent_writers_lose_nothing_that_was_acknowledged() {
    let worlds = setting("AIDB_THREAD_WORLDS", 500);
    for seed in 0..worlds {
        super::threads::run(seed).unwrap_or_else(|what| panic!("world {seed}: {what}"));
    }
}

#[test]
fn replay() {
    let Ok(order) = std::env::var("AIDB_CRASH") else { return };
    let words: Vec<_> = order.split_whitespace().collect();
    let number = |index: usize| words[index].parse::<u64>().unwrap();
    let loss = Loss::ALL.into_iter().find(|loss| format!("{loss:?}") == words[3]).unwrap();
    let crash = Crash { seed: number(0), steps: number(1) as usize, moment: number(2), loss };
    let history = History::perform(crash.seed, crash.steps).unwrap_or_else(|f| panic!("{f}"));
    history.crash(crash.moment, crash.loss).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn what_was_recovered_is_durable_after_the_next_sync_not_before() {
    let vfs = FaultVfs::default();
    let mut setting = Setting::draw(&mut Rng::seeded(1));
    setting.durability = Durability::None;
    let open = |vfs: &FaultVfs| Db::open(Path::new(DIR), setting.options(vfs)).unwrap();
    let options = WriteOptions::default();
    let db = open(&vfs);
    db.put(0, b"a", b"1", 0, options).unwrap();
    db.sync().unwrap();
    db.put(0, b"b", b"2", 0, options).unwrap();
    db.put(0, b"c", b"3", 0, options).unwrap();
    let next = vfs.kill();
    drop(db);
    next.record();
    let db = open(&next);
    let calls = next.take_moments();
    assert!(!calls.iter().any(|c| c.kind == CallKind::Sync && c.path.starts_with("/data/db/wal")));
    assert_eq!((db.durable_seq(), db.visible_seq()), (1, 3));
    db.sync().unwrap();
    assert_eq!(db.durable_seq(), 3);
    let after = open(&next.reboot(Loss::PowerDropped, 1));
    assert_eq!(after.get(0, b"c").unwrap().as_deref(), Some(&b"3"[..]));
}
