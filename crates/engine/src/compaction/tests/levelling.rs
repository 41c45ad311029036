//! Records that get another sequence number stay in order.

use super::harness::{Harness, KEYSPACE, Op};
use crate::compaction::{Action, CompactionPlan, PlanInput, Reason};
use crate::options::Codec;
use crate::version::TableMeta;

fn put(key: &str, value: &str) -> Op {
    Op::Put(key.into(), value.into())
}

fn keys() -> Vec<Vec<u8>> {
    ["a", "b", "m", "n", "z"].map(|key| key.as_bytes().to_vec()).to_vec()
}

fn tables(db: &Harness) -> Vec<(u8, TableMeta)> {
    let version = db.version();
    let state = version.state();
    let tables = state.tables().map(|(_, placed)| (placed.level, TableMeta::clone(&placed.meta)));
    tables.collect()
}

/// Merges the tables with `numbers` into `level`.
fn merge(db: &mut Harness, numbers: &[u64], level: u8) {
    let mut inputs: Vec<_> = tables(db)
        .iter()
        .filter(|(_, meta)| numbers.contains(&meta.number))
        .map(|(level, meta)| PlanInput { level: *level, number: meta.number })
        .collect();
    inputs.sort_by_key(|input| input.level);
    db.apply(&CompactionPlan {
        keyspace: KEYSPACE,
        reason: Reason::Manual,
        action: Action::Merge,
        inputs,
        output_level: level,
        output_run: 0,
        codec: Codec::None,
        filter_bits_per_key: 10,
        blobs_rewritten: Vec::new(),
    });
}

/// Flushes `ops` and merges the run into `level`; its table there.
fn put_into(db: &mut Harness, ops: &[Op], level: u8) -> TableMeta {
    db.flush(ops);
    let newest = tables(db).iter().map(|(_, meta)| meta.number).max().unwrap();
    merge(db, &[newest], level);
    let newest = tables(db).into_iter().max_by_key(|(_, meta)| meta.number).unwrap();
    newest.1
}

#[test]
fn records_merged_together_get_one_number() {
    let mut db = Harness::new(|options| options.table_bytes_max = 1 << 20);
    for round in ["1", "2", "3", "4"] {
        db.flush(&[put("a", round), put("m", round), put(round, round)]);
    }
    let newest = db.seq;
    db.settle();
    let metas = tables(&db);
    assert!(metas.iter().all(|(level, _)| *level == 6));
    assert!(metas.iter().all(|(_, meta)| (meta.min_seq, meta.max_seq) == (newest, newest)));
    db.check(&keys());
}

#[test]
fn a_record_below_a_table_that_stays_keeps_its_number() {
    let mut db = Harness::new(|_| ());
    let all = [put("a", "1"), put("b", "1"), put("m", "1"), put("n", "1"), put("z", "1")];
    let bottom = put_into(&mut db, &all, 6);
    let staying = put_into(&mut db, &[put("m", "2"), put("n", "2")], 5);
    let moving = put_into(&mut db, &[put("a", "3"), put("b", "3")], 5);
    assert!(staying.max_seq < moving.min_seq);
    merge(&mut db, &[moving.number, bottom.number], 6);
    db.check(&keys());
    db.settle();
    db.check(&keys());
}

#[test]
fn nothing_is_renumbered_below_an_older_table() {
    let mut db = Harness::new(|_| ());
    let all = [put("a", "1"), put("m", "1"), put("z", "1")];
    let bottom = put_into(&mut db, &all, 6);
    put_into(&mut db, &[put("a", "2"), put("z", "2")], 4);
    let moving = put_into(&mut db, &[put("b", "3"), put("m", "3"), put("n", "3")], 5);
    merge(&mut db, &[moving.number, bottom.number], 6);
    let renumbered = tables(&db).into_iter().find(|(level, _)| *level == 6).unwrap().1;
    assert!(renumbered.min_seq < renumbered.max_seq);
    db.check(&keys());
}

#[test]
fn a_range_tombstone_still_covers_what_it_did() {
    let mut db = Harness::new(|_| ());
    put_into(&mut db, &[put("a", "1"), put("m", "1"), put("z", "1")], 6);
    db.flush(&[put("b", "2"), Op::DeleteRange(b"a".to_vec(), Some(b"c".to_vec())), put("n", "2")]);
    db.flush(&[put("m", "3"), put("b", "3")]);
    let runs: Vec<u64> =
        tables(&db).iter().filter(|(level, _)| *level == 0).map(|(_, meta)| meta.number).collect();
    merge(&mut db, &runs, 5);
    db.check(&keys());
    db.settle();
    db.check(&keys());
    db.compact();
    db.check(&keys());
}
