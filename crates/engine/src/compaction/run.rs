//! Carries out a plan: writes the outputs, checks them, returns the edit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aidb_base::{Error, FileNumber, Result};

use super::merge::Merge;
use super::plan::{Action, CompactionPlan};
use crate::blob::BlobFiles;
use crate::options::Options;
use crate::version::{
    AddedTable, FileContext, FileNumbers, RemovedTable, TableFile, TableMeta, Tree, Version,
    VersionEdit,
};

/// What a compaction works with.
#[derive(Clone, Copy)]
pub struct CompactionContext<'a> {
    /// Where files are.
    pub files: &'a FileContext,
    /// Open blob files.
    pub blobs: &'a BlobFiles,
    /// The version the plan was made for.
    pub version: &'a Version,
    /// Settings.
    pub options: &'a Options,
    /// Source of file numbers.
    pub numbers: &'a FileNumbers,
    /// Set to make the compaction give up soon.
    pub cancel: &'a AtomicBool,
}

/// What a compaction did. Every entry read is written or dropped for one of the reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionStats {
    /// Tables read.
    pub tables_in: u64,
    /// Tables written.
    pub tables_out: u64,
    /// Bytes of tables read.
    pub bytes_in: u64,
    /// Bytes of tables and blob files written.
    pub bytes_out: u64,
    /// Entries read.
    pub entries_in: u64,
    /// Entries written.
    pub entries_out: u64,
    /// Entries dropped because a newer one of the same key was read.
    pub dropped_shadowed: u64,
    /// Entries dropped because a range tombstone covers them.
    pub dropped_covered: u64,
    /// Deletes dropped because nothing older is left of their key.
    pub dropped_deletes: u64,
    /// Values moved to a new blob file.
    pub blobs_moved: u64,
}

/// Carries out `plan`. The outputs and their directories are synced when it returns; the manifest
/// is not touched: apply the edit, also to a version with new runs in level 0.
///
/// **concurrency**: at most one compaction of a keyspace at a time.
///
/// # Errors
/// `Closed` when cancelled; `Corruption` of an input; those of the file system. Outputs are removed.
pub fn run(
    plan: &CompactionPlan,
    context: &CompactionContext<'_>,
) -> Result<(VersionEdit, CompactionStats)> {
    let tree = context.version.tree(plan.keyspace).ok_or_else(|| stale(plan))?;
    let inputs = find_inputs(plan, tree)?;
    let mut edit = VersionEdit { removed: removed(plan), ..VersionEdit::default() };
    let mut stats = CompactionStats::default();
    match plan.action {
        Action::Drop => {}
        Action::Move => {
            let moved = inputs.iter().map(|file| added(plan, TableMeta::clone(file.meta())));
            edit.added = moved.collect();
        }
        Action::Merge => {
            let mut merge = Merge::new(plan, context, tree, &inputs);
            let merged = merge.run().and_then(|()| check(&merge.stats, &inputs));
            if let Err(error) = merged {
                merge.discard();
                return Err(error);
            }
            stats = merge.stats;
            merge.into_edit(&mut edit);
        }
    }
    Ok((edit, stats))
}

/// Entries in = entries out + entries dropped, and all of the inputs were read.
fn check(stats: &CompactionStats, inputs: &[Arc<TableFile>]) -> Result<()> {
    let expected: u64 = inputs.iter().map(|file| file.meta().entries).sum();
    let accounted =
        stats.entries_out + stats.dropped_shadowed + stats.dropped_covered + stats.dropped_deletes;
    if stats.entries_in == expected && accounted == expected {
        return Ok(());
    }
    Err(Error::internal(format!(
        "compaction read {} of {expected} entries and accounted for {accounted}; nothing was changed",
        stats.entries_in
    )))
}

fn find_inputs(plan: &CompactionPlan, tree: &Tree) -> Result<Vec<Arc<TableFile>>> {
    let wanted: BTreeSet<FileNumber> = plan.inputs.iter().map(|input| input.number).collect();
    let found: Vec<_> =
        tree.tables().filter(|file| wanted.contains(&file.number())).cloned().collect();
    if found.len() == plan.inputs.len() { Ok(found) } else { Err(stale(plan)) }
}

fn stale(plan: &CompactionPlan) -> Error {
    Error::internal(format!("the version no longer has the inputs of: {plan}"))
}

fn removed(plan: &CompactionPlan) -> Vec<RemovedTable> {
    let keyspace = plan.keyspace;
    let inputs = plan.inputs.iter();
    inputs
        .map(|input| RemovedTable { keyspace, level: input.level, number: input.number })
        .collect()
}

/// `meta` as a table of the plan's output level.
pub(crate) fn added(plan: &CompactionPlan, meta: TableMeta) -> AddedTable {
    AddedTable { keyspace: plan.keyspace, level: plan.output_level, run: plan.output_run, meta }
}

/// Fails when the compaction is to stop.
pub(super) fn check_cancel(context: &CompactionContext<'_>) -> Result<()> {
    if context.cancel.load(Ordering::Relaxed) {
        return Err(Error::closed("compaction was cancelled: nothing was changed"));
    }
    Ok(())
}
