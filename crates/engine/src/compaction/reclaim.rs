//! Plans that give space back: what range tombstones made worthless, deletes, sparse blob files.

use aidb_base::FileNumber;

use super::picker::{Planner, take};
use super::plan::{Action, CompactionPlan, Reason};
use super::shape::Carried;
use super::targets::LAST_LEVEL;
use crate::version::TableMeta;

/// Share of deletes from which a table is merged down without any other need.
const HIDDEN_SHARE_MIN: f64 = 0.25;
/// Share of deletes from which that happens to a table that is `STALE_AFTER_MS` old.
const HIDDEN_SHARE_OLD_MIN: f64 = 0.01;
/// How long tables wait before deletes or range tombstones alone cause their rewrite.
const STALE_AFTER_MS: u64 = 10 * 60 * 1000;
/// Tables that only carry range tombstones, before they are made one.
const CARRIERS_MAX: usize = 4;
/// Tables of one level taken at once.
const TABLES_TAKEN_MAX: usize = 8;

/// Share of a table's records that hide other space: deletes, and puts whose time is over, which
/// deletes above are about to replace.
pub(super) fn hidden_share(table: &TableMeta, now_ms: u64) -> f64 {
    let is_over = table.expiring > 0 && table.max_expire_ms <= now_ms;
    let hidden = table.deletes + if is_over { table.expiring } else { 0 };
    (hidden as f64 / table.entries.max(1) as f64).min(1.0)
}

/// Removes tables that are covered by a range tombstone as a whole, and carriers of range
/// tombstones that nothing is left for.
pub(super) fn plan_drop(planner: &Planner<'_>) -> Option<CompactionPlan> {
    let tree = planner.tree;
    let newest = tree.tombstones.iter().map(|carried| carried.tombstone.seq).max()?;
    let is_covered = |table: &&TableMeta| {
        table.rt_applied_seq < newest
            && table.range_tombstones == 0
            && tree.tombstones.iter().any(|carried| covers_all(carried, table))
    };
    let mut plan = planner.plan(Reason::RangeTombstones, LAST_LEVEL);
    plan.action = Action::Drop;
    for (level, _, tables) in tree.runs() {
        let covered: Vec<_> = tables.iter().copied().filter(is_covered).collect();
        take(&mut plan, level, &covered);
    }
    for (level, carrier) in &tree.carriers {
        let mut carried = tree.tombstones.iter().filter(|c| c.carrier.number == carrier.number);
        if carried.all(|carried| is_spent(planner, carried, &plan)) {
            take(&mut plan, *level, &[carrier]);
        }
    }
    (!plan.inputs.is_empty()).then_some(plan)
}

fn covers_all(carried: &Carried<'_>, table: &TableMeta) -> bool {
    let tombstone = carried.tombstone;
    table.max_seq < tombstone.seq
        && tombstone.covers(&table.smallest)
        && tombstone.covers(&table.largest)
}

/// Whether no table can hold a record that the tombstone covers, apart from those `plan` drops.
fn is_spent(planner: &Planner<'_>, carried: &Carried<'_>, plan: &CompactionPlan) -> bool {
    let is_dropped = |number| plan.inputs.iter().any(|input| input.number == number);
    planner.tree.runs().all(|(_, _, tables)| {
        tables.iter().all(|table| !is_stale(table, carried) || is_dropped(table.number))
    })
}

/// Whether `table` may hold records that the tombstone covers.
fn is_stale(table: &TableMeta, carried: &Carried<'_>) -> bool {
    let tombstone = carried.tombstone;
    let starts_before_end =
        tombstone.end.as_ref().is_none_or(|end| table.smallest.as_slice() < end.as_slice());
    table.entries > 0
        && table.min_seq < tombstone.seq
        && table.rt_applied_seq < tombstone.seq
        && starts_before_end
        && tombstone.start <= table.largest
}

/// Rewrites tables that refer to the sparsest blob file, in the level with most of them.
pub(super) fn plan_blobs(planner: &Planner<'_>) -> Option<CompactionPlan> {
    planner.sparse_blobs.iter().find_map(|blob| {
        let refers = |table: &&TableMeta| table.blob_refs.iter().any(|(number, _)| number == blob);
        let found = planner.tree.runs().map(|(level, run, tables)| {
            let tables: Vec<_> = tables.iter().copied().filter(refers).collect();
            (level, run, tables)
        });
        let (level, run, tables) = found.max_by_key(|(_, _, tables)| tables.len())?;
        rewrite_some(planner, Reason::BlobRatio, level, run, &tables)
    })
}

fn rewrite_some(
    planner: &Planner<'_>,
    reason: Reason,
    level: u8,
    run: u64,
    tables: &[&TableMeta],
) -> Option<CompactionPlan> {
    let taken = &tables[..tables.len().min(TABLES_TAKEN_MAX)];
    (!taken.is_empty()).then(|| planner.rewrite(reason, level, run, taken))
}

/// What a database without other work does about space that is hidden.
pub(super) fn plan_idle(planner: &Planner<'_>) -> Option<CompactionPlan> {
    let now_ms = planner.occasion.now_ms;
    plan_deletes(planner, now_ms)
        .or_else(|| plan_hidden(planner))
        .or_else(|| plan_stale(planner, now_ms))
        .or_else(|| plan_carriers(planner))
}

/// Pushes level 0 down for the space it hides, once nothing is written any more and unless it is
/// small, or has far fewer runs than are wanted there.
fn plan_hidden(planner: &Planner<'_>) -> Option<CompactionPlan> {
    let l0 = &planner.tree.l0;
    let is_worth_it = l0.len() >= planner.l0_trigger() / 4
        && planner.tree.l0_bytes() >= planner.options.memtable_bytes_max as u64 / 2;
    let is_due = planner.occasion.is_resting && is_worth_it && planner.is_hiding_much();
    let plan = if is_due { planner.push_runs() } else { None };
    plan.map(|plan| CompactionPlan { reason: Reason::Hidden, ..plan })
}

/// Merges down tables with many deletes; they end in the last level, where none is kept.
fn plan_deletes(planner: &Planner<'_>, now_ms: u64) -> Option<CompactionPlan> {
    let tree = planner.tree;
    let is_due = |table: &&TableMeta| {
        let share = table.deletes as f64 / table.entries.max(1) as f64;
        let is_old = table.created_ms.saturating_add(STALE_AFTER_MS) <= now_ms;
        share >= HIDDEN_SHARE_MIN || (is_old && share >= HIDDEN_SHARE_OLD_MIN)
    };
    if tree.l0.iter().any(|run| run.tables.iter().any(is_due)) {
        return planner
            .push_runs()
            .map(|plan| CompactionPlan { reason: Reason::Tombstones, ..plan });
    }
    let upper = (1..LAST_LEVEL).find_map(|level| {
        let table = tree.level(level).iter().find(|table| is_due(table))?;
        Some(planner.merge_down(Reason::Tombstones, level, &[table]))
    });
    upper.or_else(|| {
        let with_deletes = |table: &&TableMeta| table.deletes > 0;
        let tables: Vec<_> = tree.level(LAST_LEVEL).iter().copied().filter(with_deletes).collect();
        rewrite_some(planner, Reason::Tombstones, LAST_LEVEL, 0, &tables)
    })
}

/// Rewrites tables that keep range tombstones alive, each at most once per `STALE_AFTER_MS`.
fn plan_stale(planner: &Planner<'_>, now_ms: u64) -> Option<CompactionPlan> {
    let is_old = |created_ms: u64| created_ms.saturating_add(STALE_AFTER_MS) <= now_ms;
    let tree = planner.tree;
    let due: Vec<_> = tree.tombstones.iter().filter(|c| is_old(c.carrier.created_ms)).collect();
    tree.runs().find_map(|(level, run, tables)| {
        let is_due = |table: &&TableMeta| {
            is_old(table.created_ms) && due.iter().any(|carried| is_stale(table, carried))
        };
        let tables: Vec<_> = tables.iter().copied().filter(is_due).collect();
        rewrite_some(planner, Reason::RangeTombstones, level, run, &tables)
    })
}

/// Makes many small carriers one.
fn plan_carriers(planner: &Planner<'_>) -> Option<CompactionPlan> {
    if planner.tree.carriers.len() <= CARRIERS_MAX {
        return None;
    }
    let mut plan = planner.plan(Reason::RangeTombstones, LAST_LEVEL);
    for (level, carrier) in &planner.tree.carriers {
        take(&mut plan, *level, &[carrier]);
    }
    Some(plan)
}

/// The end of a full compaction: tables of the last level below file number `below` that hold
/// deletes, records under range tombstones, references to sparse blob files, or another codec.
pub(super) fn plan_last_level(planner: &Planner<'_>, below: FileNumber) -> Option<CompactionPlan> {
    let tree = planner.tree;
    let codec = planner.targets.codec(LAST_LEVEL, tree.options, planner.options);
    let is_dirty = |table: &&TableMeta| {
        let is_sparse = |(blob, _): &(FileNumber, u64)| planner.sparse_blobs.contains(blob);
        table.deletes > 0
            || table.range_tombstones > 0
            || table.codec != codec
            || table.blob_refs.iter().any(is_sparse)
            || tree.tombstones.iter().any(|carried| is_stale(table, carried))
    };
    let is_due = |table: &&TableMeta| table.number < below && is_dirty(table);
    let tables: Vec<_> = tree.level(LAST_LEVEL).iter().copied().filter(is_due).collect();
    rewrite_some(planner, Reason::Manual, LAST_LEVEL, 0, &tables)
}

/// Whether `table` may hold records covered by a tombstone `start..end` at `seq`.
pub(super) fn keeps_alive(table: &TableMeta, tombstone: &crate::entry::RangeTombstone) -> bool {
    is_stale(table, &Carried { tombstone, carrier: table })
}
