//! Random sequences of flushes, compactions and reopenings keep what the model says.

use std::sync::atomic::AtomicBool;

use aidb_base::{ErrorKind, Rng};
use proptest::prelude::*;

use super::harness::{BLOB_BYTES_MIN, Harness, KEYSPACE, Op};
use crate::compaction::{Action, CompactionPlan, PlanInput, Reason, pick};
use crate::file_names::FileKind;
use crate::options::Codec;

fn key(number: u64) -> Vec<u8> {
    format!("key{number:05}").into_bytes()
}

fn value(rng: &mut Rng, len: u64) -> Vec<u8> {
    (0..len).map(|_| rng.next_u64() as u8).collect()
}

/// A flush of random operations on `keys` keys.
fn random_ops(rng: &mut Rng, keys: u64, count: u64) -> Vec<Op> {
    let op = |rng: &mut Rng| match rng.below(100) {
        0..70 => {
            let large = rng.below(20) == 0;
            let len = if large { BLOB_BYTES_MIN as u64 + rng.below(50) } else { rng.below(30) };
            let key = key(rng.below(keys));
            Op::Put(key, value(rng, len))
        }
        70..98 => Op::Delete(key(rng.below(keys))),
        _ => {
            let start = rng.below(keys);
            let end = (rng.below(4) > 0).then(|| key(start + rng.below(keys / 4 + 1)));
            let start = if rng.below(8) == 0 { Vec::new() } else { key(start) };
            Op::DeleteRange(start, end)
        }
    };
    (0..count).map(|_| op(rng)).collect()
}

fn all_keys(keys: u64) -> Vec<Vec<u8>> {
    (0..keys).map(key).collect()
}

fn puts(numbers: impl Iterator<Item = u64>, len: u64, rng: &mut Rng) -> Vec<Op> {
    numbers.map(|number| Op::Put(key(number), value(rng, len))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_histories_keep_the_newest_of_every_key(seed in any::<u64>(), keys in 20..400u64) {
        let mut rng = Rng::seeded(seed);
        let mut db = Harness::new(|options| {
            options.l0_runs_trigger = 2 + rng.below(4) as usize;
            options.table_bytes_max = 300 + rng.below(2000);
        });
        for _ in 0..40 {
            match rng.below(10) {
                0..6 => {
                    let count = 1 + rng.below(60);
                    let ops = random_ops(&mut rng, keys, count);
                    db.flush(&ops);
                }
                6..8 => drop(db.step()),
                8 => db.settle(),
                _ => match rng.below(3) {
                    0 => db.reopen(),
                    1 => db.compact(),
                    _ => db.advance_hour(),
                },
            }
            db.check(&all_keys(keys));
        }
    }
}

#[test]
fn many_flushes_fill_at_least_four_levels_and_stay_right() {
    let mut db = Harness::new(|options| options.level_base_bytes = 1000);
    let mut rng = Rng::seeded(4);
    let mut deepest = 0;
    for round in 0..150 {
        let mut ops = random_ops(&mut rng, 3000, 120);
        // No range tombstones here: they would keep it small.
        ops.retain(|op| !matches!(op, Op::DeleteRange(..)));
        ops.extend(puts(
            (0..60).map(|_| rng.clone().next_u64() % 3000 + round),
            20,
            &mut Rng::seeded(round),
        ));
        db.flush(&ops);
        while db.step().is_some() {}
        let used = db.shape()[1..].iter().filter(|&&tables| tables > 0).count();
        deepest = deepest.max(used);
        if round % 30 == 0 {
            db.check(&all_keys(3200));
        }
    }
    assert!(deepest >= 4, "{:?}", db.shape());
    db.check(&all_keys(3200));
    db.reopen();
    db.check(&all_keys(3200));
}

#[test]
fn deletes_of_everything_free_the_space_without_new_writes() {
    let mut db = Harness::new(|_| ());
    let mut rng = Rng::seeded(1);
    for part in 0..10 {
        db.flush(&puts(part * 100..part * 100 + 100, 20, &mut rng));
        db.settle();
    }
    let ops: Vec<Op> = (0..1000).map(|number| Op::Delete(key(number))).collect();
    db.flush(&ops);
    db.settle();
    db.check(&all_keys(1000));
    assert_eq!(db.shape(), [0; 7], "idle compaction leaves nothing");
}

#[test]
fn a_cleared_keyspace_frees_its_space_without_new_writes() {
    let mut db = Harness::new(|_| ());
    let mut rng = Rng::seeded(2);
    for part in 0..10 {
        db.flush(&puts(part * 100..part * 100 + 100, 120, &mut rng));
        db.settle();
    }
    db.flush(&[Op::DeleteRange(vec![], None)]);
    db.settle();
    db.check(&all_keys(1000));
    assert_eq!(db.version().state().tables().count(), 0);
    assert!(db.version().blobs().is_empty());
}

#[test]
fn many_range_tombstones_end_together_with_what_they_cover() {
    let mut db = Harness::new(|_| ());
    let mut rng = Rng::seeded(6);
    for round in 0..40 {
        let mut ops = puts((0..30).map(|_| rng.clone().below(500) + round), 20, &mut rng.clone());
        let start = rng.below(400);
        ops.push(Op::DeleteRange(key(start), Some(key(start + 5))));
        if round % 10 == 9 {
            ops.push(Op::DeleteRange(Vec::new(), None));
        }
        db.flush(&ops);
        db.step();
        assert!(db.tree().carriers.len() <= 20, "carriers become one");
    }
    db.check(&all_keys(600));
    db.settle();
    db.advance_hour();
    db.settle();
    db.check(&all_keys(600));
    assert!(db.tree().tombstones.is_empty(), "{:?}", db.tree().tombstones);
}

#[test]
fn the_edges_of_a_range_tombstone_are_freed_after_a_while() {
    let mut db = Harness::new(|_| ());
    for part in 0..10 {
        db.flush(&puts(part * 100..part * 100 + 100, 20, &mut Rng::seeded(part)));
    }
    db.compact();
    db.flush(&[Op::DeleteRange(key(333), Some(key(777)))]);
    db.settle();
    db.check(&all_keys(1000));
    assert!(!db.tree().tombstones.is_empty());
    db.advance_hour();
    db.settle();
    db.check(&all_keys(1000));
    assert!(db.tree().tombstones.is_empty(), "nothing is left to cover");
}

#[test]
fn a_full_compaction_leaves_only_the_last_level_and_no_tombstone() {
    let mut db = Harness::new(|_| ());
    let mut rng = Rng::seeded(3);
    for _ in 0..30 {
        let ops = random_ops(&mut rng, 500, 80);
        db.flush(&ops);
        db.step();
    }
    db.compact();
    db.check(&all_keys(500));
    assert_eq!(db.shape()[..6], [0; 6]);
    let tree = db.tree();
    assert!(tree.tombstones.is_empty());
    let entries: u64 = tree.tables().map(|file| file.meta().entries).sum();
    assert_eq!(entries, db.model.len() as u64);
    assert!(tree.tables().all(|file| file.meta().deletes == 0));
}

#[test]
fn a_delete_is_kept_above_a_level_that_holds_the_key() {
    let mut db = Harness::new(|options| {
        options.l0_runs_trigger = 2;
        options.level_base_bytes = 1 << 20;
    });
    db.flush(&puts(0..2000, 20, &mut Rng::seeded(5)));
    db.compact();
    // Two small runs of deletes merge within level 0: the puts below are far larger.
    let ends = |mark: u8| [Op::Put(key(0), vec![mark]), Op::Put(key(1999), vec![mark])];
    db.flush(&[&ends(1)[..], &[Op::Delete(key(7))]].concat());
    db.flush(&[&ends(2)[..], &[Op::Delete(key(9))]].concat());
    let plan = db.step().unwrap();
    assert_eq!((plan.reason, plan.output_level), (Reason::RunMerge, 0));
    db.check(&all_keys(2000));
    db.reopen();
    db.check(&all_keys(2000));
}

#[test]
fn a_delete_is_kept_above_an_older_run_of_level_0() {
    let mut db = Harness::new(|_| ());
    db.flush(&[Op::Put(key(7), vec![1]), Op::Put(key(8), vec![1])]);
    db.flush(&[Op::Delete(key(7))]);
    db.flush(&[Op::Put(key(9), vec![3])]);
    let l0 = db.tree().l0.clone();
    let inputs = l0[..2].iter().flat_map(|run| run.level.tables().iter());
    let plan = CompactionPlan {
        keyspace: KEYSPACE,
        reason: Reason::RunMerge,
        action: Action::Merge,
        inputs: inputs.map(|file| PlanInput { level: 0, number: file.number() }).collect(),
        output_level: 0,
        output_run: l0[0].run,
        codec: Codec::None,
        filter_bits_per_key: 10,
        blobs_rewritten: Vec::new(),
    };
    // A run that is held keeps its files on disk.
    drop(l0);
    db.apply(&plan);
    assert_eq!(db.shape()[0], 2);
    db.check(&all_keys(10));
    assert_eq!(db.stats[0].dropped_deletes, 0);
}

#[test]
fn flushes_during_a_compaction_are_kept_and_stay_newer() {
    let mut db = Harness::new(|_| ());
    for round in 0..4 {
        db.flush(&puts(0..100, 20, &mut Rng::seeded(round)));
    }
    let version = db.version();
    let plan = pick(&version, &db.options, db.occasion()).unwrap();
    let (edit, _) = db.carry_out(&plan, &version, &AtomicBool::new(false)).unwrap();
    db.flush(&puts(50..60, 20, &mut Rng::seeded(9)));
    db.flush(&[Op::DeleteRange(key(10), Some(key(20))), Op::Delete(key(99))]);
    db.set.apply(edit).unwrap();
    drop(version);
    db.check(&all_keys(100));
    db.settle();
    db.check(&all_keys(100));
}

#[test]
fn readers_of_an_old_version_keep_its_files() {
    let mut db = Harness::new(|_| ());
    for round in 0..4 {
        db.flush(&puts(0..100, 150, &mut Rng::seeded(round)));
    }
    let old = db.version();
    let paths: Vec<_> =
        old.trees().flat_map(|tree| tree.tables()).map(|file| file.path().to_owned()).collect();
    let blobs: Vec<_> = old.blobs().iter().map(|blob| blob.path().to_owned()).collect();
    db.compact();
    assert!(paths.iter().chain(&blobs).all(|path| db.file_exists(path)));
    drop(old);
    assert!(!paths.iter().any(|path| db.file_exists(path)));
    assert_eq!(blobs.iter().filter(|path| db.file_exists(path)).count(), 1);
    db.check(&all_keys(100));
}

#[test]
fn sparse_blob_files_are_rewritten_and_freed() {
    let mut db = Harness::new(|_| ());
    db.flush(&puts(0..100, 200, &mut Rng::seeded(0)));
    db.compact();
    let deletes: Vec<_> = (0..80).map(|number| Op::Delete(key(number))).collect();
    db.flush(&deletes);
    db.settle();
    db.check(&all_keys(100));
    let version = db.version();
    let bytes: u64 = version.blobs().iter().map(|blob| blob.meta().value_bytes).sum();
    assert!(bytes < 20 * 300, "{bytes} bytes for 20 values of 200");
}

#[test]
fn a_cancelled_compaction_leaves_nothing_behind() {
    let mut db = Harness::new(|_| ());
    for round in 0..4 {
        db.flush(&puts(0..5000, 5, &mut Rng::seeded(round)));
    }
    let version = db.version();
    let plan = pick(&version, &db.options, db.occasion()).unwrap();
    let error = db.carry_out(&plan, &version, &AtomicBool::new(true)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    drop(version);
    db.check(&[]);
}

#[test]
fn a_compaction_for_a_dropped_keyspace_is_discarded() {
    let mut db = Harness::new(|_| ());
    for round in 0..4 {
        db.flush(&puts(0..100, 20, &mut Rng::seeded(round)));
    }
    let version = db.version();
    let plan = pick(&version, &db.options, db.occasion()).unwrap();
    let (edit, _) = db.carry_out(&plan, &version, &AtomicBool::new(false)).unwrap();
    drop(version);
    let dropped = crate::version::VersionEdit {
        keyspaces_dropped: vec![KEYSPACE],
        ..crate::version::VersionEdit::default()
    };
    db.set.apply(dropped).unwrap();
    db.set.apply(edit).unwrap();
    assert!(FileKind::Table.list(&db.vfs, &db.dir).unwrap().is_empty());
}

#[test]
fn level_0_never_blocks_below_its_stop_limit() {
    for (trigger, slowdown, stop) in [(4, 20, 36), (2, 3, 4), (10, 4, 5), (1, 1, 1)] {
        let mut db = Harness::new(|options| {
            options.l0_runs_trigger = trigger;
            options.l0_runs_slowdown = slowdown;
            options.l0_runs_stop = stop;
        });
        db.flush(&puts(0..2000, 20, &mut Rng::seeded(0)));
        db.compact();
        for round in 0..60 {
            let count = 1 + (round * 7) % 40;
            db.flush(&puts(round * 3..round * 3 + count, 20, &mut Rng::seeded(round)));
            while db.shape()[0] >= stop.max(2) {
                assert!(db.step().is_some(), "stuck with {:?}", db.shape());
            }
        }
        db.check(&all_keys(2000));
    }
}

#[test]
fn what_is_written_stays_near_what_levelled_compaction_needs() {
    let mut db = Harness::new(|options| {
        options.table_bytes_max = 4000;
        options.level_base_bytes = 16_000;
        options.level_fanout = 10;
    });
    let mut rng = Rng::seeded(8);
    for _ in 0..200 {
        let ops =
            (0..60).map(|_| Op::Put(key(rng.below(100_000)), vec![7; 40])).collect::<Vec<_>>();
        db.flush(&ops);
        while db.step().is_some() {}
    }
    let written: u64 = db.stats.iter().map(|stats| stats.bytes_out).sum();
    let amplification = written as f64 / db.flushed_bytes as f64;
    assert!(amplification < 8.0, "write amplification {amplification}, {:?}", db.shape());
}
