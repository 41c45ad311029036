//! Whether a delete still has something to hide.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::CompactionPlan;
use crate::version::{TableFile, Tree};

/// Tables that may hold older entries of the keys of a compaction, without its inputs.
///
/// A delete must stay while an older entry of its key can be in a level below the output, in the
/// output level itself, or in a run of level 0 that is older than the output.
pub(super) struct OlderTables {
    runs: Vec<SortedRun>,
}

struct SortedRun {
    tables: Vec<Arc<TableFile>>,
    /// Tables before this one end before every key still to come.
    next: usize,
}

impl OlderTables {
    pub fn new(plan: &CompactionPlan, tree: &Tree) -> Self {
        let inputs: BTreeSet<_> = plan.inputs.iter().map(|input| input.number).collect();
        let runs =
            tree.l0.iter().filter(|run| plan.output_level == 0 && run.run <= plan.output_run);
        let levels = tree.levels.iter().skip(usize::from(plan.output_level).saturating_sub(1));
        let older = runs.map(|run| &run.level).chain(levels);
        let runs = older.map(|level| {
            let tables = level.tables().iter().filter(|file| !inputs.contains(&file.number()));
            SortedRun { tables: tables.cloned().collect(), next: 0 }
        });
        Self { runs: runs.filter(|run| !run.tables.is_empty()).collect() }
    }

    /// Whether one of the tables may hold `key`. Keys must come in ascending order.
    pub fn may_hold(&mut self, key: &[u8]) -> bool {
        self.runs.iter_mut().any(|run| run.may_hold(key))
    }
}

impl SortedRun {
    fn may_hold(&mut self, key: &[u8]) -> bool {
        let ended = |file: &Arc<TableFile>| file.meta().largest.as_slice() < key;
        while self.tables.get(self.next).is_some_and(ended) {
            self.next += 1;
        }
        self.tables.get(self.next).is_some_and(|file| file.meta().smallest.as_slice() <= key)
    }
}
