//! The merge of a compaction: which entries stay, and where their values go.

use std::collections::BTreeMap;
use std::sync::Arc;

use aidb_base::{FileNumber, Result, Seq};

use super::cuts::Cuts;
use super::levelling::Levelling;
use super::older::OlderTables;
use super::outputs::Outputs;
use super::plan::CompactionPlan;
use super::reclaim::keeps_alive;
use super::run::{CompactionContext, CompactionStats, added, check_cancel};
use crate::entry::{Entry, Kind, RangeTombstone};
use crate::iterator::{AnyCursor, Cursor, MergeCursor};
use crate::planted::{Bug, is_planted};
use crate::version::{Level, LevelCursor, RemovedTable, TableFile, Tree, VersionEdit};

/// Entries between two looks at the cancel flag.
const CANCEL_INTERVAL: u64 = 4096;

/// One running merge.
pub(super) struct Merge<'a> {
    plan: &'a CompactionPlan,
    context: &'a CompactionContext<'a>,
    tree: &'a Tree,
    inputs: &'a [Arc<TableFile>],
    older: OlderTables,
    levelling: Levelling,
    cuts: Cuts,
    outputs: Outputs<'a>,
    /// Carriers that the outputs replace, by number.
    carriers_replaced: Vec<FileNumber>,
    pub stats: CompactionStats,
}

/// What becomes of an entry that is the newest of its key.
enum Fate {
    Keep,
    Covered,
    NeedlessDelete,
}

impl<'a> Merge<'a> {
    pub fn new(
        plan: &'a CompactionPlan,
        context: &'a CompactionContext<'a>,
        tree: &'a Tree,
        inputs: &'a [Arc<TableFile>],
    ) -> Self {
        let newest = tree.tombstones.iter().map(|tombstone| tombstone.seq).max().unwrap_or(0);
        let applied = inputs.iter().map(|file| file.meta().rt_applied_seq).min().unwrap_or(0);
        let stats = CompactionStats {
            tables_in: inputs.len() as u64,
            bytes_in: inputs.iter().map(|file| file.meta().bytes).sum(),
            ..CompactionStats::default()
        };
        Self {
            plan,
            context,
            tree,
            inputs,
            older: OlderTables::new(plan, tree),
            levelling: Levelling::new(plan, tree, inputs),
            cuts: Cuts::new(plan, tree, context.options.table_bytes_max),
            outputs: Outputs::new(plan, context, tree, newest.max(applied)),
            carriers_replaced: Vec::new(),
            stats,
        }
    }

    /// Writes all outputs, durably.
    pub fn run(&mut self) -> Result<()> {
        self.merge_entries()?;
        self.carry_tombstones()?;
        self.outputs.finish()?;
        self.stats.entries_out = self.outputs.entries();
        self.stats.bytes_out = self.outputs.bytes();
        self.stats.tables_out = self.outputs.tables().len() as u64;
        self.stats.blobs_moved = self.outputs.blobs_moved();
        Ok(())
    }

    fn merge_entries(&mut self) -> Result<()> {
        let mut cursor = MergeCursor::new(sources(self.plan, self.tree, self.inputs));
        let uncovered = self.newest_applied_by_all();
        let mut last_key: Vec<u8> = Vec::new();
        let mut is_first = true;
        cursor.seek_to_first()?;
        while let Some(entry) = cursor.entry() {
            self.stats.entries_in += 1;
            if self.stats.entries_in % CANCEL_INTERVAL == 0 {
                check_cancel(self.context)?;
            }
            if !is_first && entry.key == last_key.as_slice() {
                self.stats.dropped_shadowed += 1;
            } else {
                is_first = false;
                last_key.clear();
                last_key.extend_from_slice(entry.key);
                match self.fate(&entry, uncovered) {
                    Fate::Keep => self.write(&entry)?,
                    Fate::Covered => self.stats.dropped_covered += 1,
                    Fate::NeedlessDelete => self.stats.dropped_deletes += 1,
                }
            }
            cursor.next()?;
        }
        Ok(())
    }

    /// Whether every range tombstone has been applied to every input already.
    fn newest_applied_by_all(&self) -> bool {
        let newest = self.tree.tombstones.iter().map(|tombstone| tombstone.seq).max();
        newest.is_none_or(|newest| {
            self.inputs.iter().all(|file| file.meta().rt_applied_seq >= newest)
        })
    }

    #[inline]
    fn fate(&mut self, entry: &Entry<'_>, uncovered: bool) -> Fate {
        if !uncovered && self.tree.tombstones.seq_covering(entry.key, Seq::MAX) > entry.seq {
            Fate::Covered
        } else if entry.kind == Kind::Delete
            && (is_planted(Bug::DeleteDroppedTooEarly) || !self.older.may_hold(entry.key))
        {
            Fate::NeedlessDelete
        } else {
            Fate::Keep
        }
    }

    #[inline]
    fn write(&mut self, entry: &Entry<'_>) -> Result<()> {
        if self.cuts.is_due(entry.key, self.outputs.open_bytes()) {
            self.outputs.close_table()?;
        }
        let seq = self.levelling.seq_for(entry.key, entry.seq);
        self.outputs.add(&Entry { seq, ..*entry })
    }

    /// Range tombstones of the inputs, and of all carriers, that may still cover something go to
    /// one new carrier.
    fn carry_tombstones(&mut self) -> Result<()> {
        let is_input = |number| self.inputs.iter().any(|file| file.number() == number);
        let others: Vec<_> = self.tree.tables().filter(|file| !is_input(file.number())).collect();
        let is_needed = |tombstone: &&RangeTombstone| {
            !is_planted(Bug::RangeTombstoneDroppedTooEarly)
                && others.iter().any(|file| keeps_alive(file.meta(), tombstone))
        };
        let carriers = || self.tree.carriers.iter().filter(|file| !is_input(file.number()));
        let of_inputs: Vec<_> = self.inputs.iter().flat_map(|file| file.tombstones()).collect();
        let of_carriers: Vec<_> = carriers().flat_map(|file| file.tombstones()).collect();
        let all_carried_stay = of_carriers.iter().all(is_needed);
        let mut needed: Vec<RangeTombstone> =
            of_inputs.into_iter().filter(is_needed).cloned().collect();
        if needed.is_empty() && all_carried_stay {
            return Ok(());
        }
        needed.extend(of_carriers.into_iter().filter(is_needed).cloned());
        needed.sort_unstable();
        needed.dedup();
        self.carriers_replaced = carriers().map(|file| file.number()).collect();
        self.outputs.add_carrier(&needed)
    }

    /// Removes what was written.
    pub fn discard(&mut self) {
        self.outputs.discard();
    }

    /// Adds the outputs to `edit`, which removes the inputs already.
    pub fn into_edit(self, edit: &mut VersionEdit) {
        let levels: BTreeMap<_, _> = (self.context.version.state().trees.get(&self.plan.keyspace))
            .into_iter()
            .flat_map(|tree| tree.tables.iter().map(|(&number, table)| (number, table.level)))
            .collect();
        edit.removed.extend(self.carriers_replaced.iter().map(|&number| RemovedTable {
            keyspace: self.plan.keyspace,
            level: levels.get(&number).copied().unwrap_or(0),
            number,
        }));
        let (tables, blobs) = self.outputs.into_metas();
        edit.added.extend(tables.into_iter().map(|meta| added(self.plan, meta)));
        edit.blobs_added.extend(blobs);
    }
}

/// One cursor per run or level that has inputs, newest first.
fn sources(plan: &CompactionPlan, tree: &Tree, inputs: &[Arc<TableFile>]) -> Vec<AnyCursor> {
    let is_input = |file: &&Arc<TableFile>| inputs.iter().any(|input| Arc::ptr_eq(input, file));
    let levels = tree.sources().iter().map(|level| {
        let tables: Vec<_> = level.tables().iter().filter(is_input).cloned().collect();
        Arc::new(Level::new(tables))
    });
    let used = levels.filter(|level| !level.is_empty());
    let cursors: Vec<AnyCursor> = used.map(|level| LevelCursor::new(level, false).into()).collect();
    debug_assert!(!cursors.is_empty() || plan.inputs.len() <= tree.carriers.len());
    cursors
}
