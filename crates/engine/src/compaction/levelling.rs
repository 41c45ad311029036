//! One sequence number for what a compaction writes.
//!
//! Tables need sequence numbers only to tell the newer of two records of a key, and a record from a
//! range tombstone. So all records of a merge may carry the highest number among its inputs, as long
//! as whatever lies above the output and may hold the same keys is newer than that: numbers that are
//! equal take no room in a block. What decides here is in ADR 15.

use std::sync::Arc;

use aidb_base::Seq;

use super::plan::CompactionPlan;
use crate::version::{TableFile, Tree};

/// The keys whose records get another sequence number, and that number.
pub(super) struct Levelling {
    seq: Seq,
    smallest: Vec<u8>,
    largest: Vec<u8>,
    stage: Stage,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Before,
    Within,
    After,
}

impl Levelling {
    /// What `plan` may do with its `inputs`.
    ///
    /// Tables of the output level that are only met cover keys that none of the others has; there
    /// may be newer records of those above, in tables that are older than the rest of the inputs. So
    /// only keys between the bounds of the other inputs count.
    pub(super) fn new(plan: &CompactionPlan, tree: &Tree, inputs: &[Arc<TableFile>]) -> Self {
        let is_upper = |number| {
            let mut upper = plan.inputs.iter().filter(|input| input.level < plan.output_level);
            upper.any(|input| input.number == number)
        };
        let has_upper = inputs.iter().any(|file| is_upper(file.number()));
        let with_records = || inputs.iter().filter(|file| file.meta().entries > 0);
        let deciding = || with_records().filter(|file| !has_upper || is_upper(file.number()));
        let smallest = deciding().map(|file| &file.meta().smallest).min().cloned();
        let largest = deciding().map(|file| &file.meta().largest).max().cloned();
        let seq = with_records().map(|file| file.meta().max_seq).max().unwrap_or(0);
        let (Some(smallest), Some(largest)) = (smallest, largest) else {
            return Self::none();
        };
        let is_input = |number| inputs.iter().any(|file| file.number() == number);
        let is_newer = above(plan, tree)
            .filter(|file| !is_input(file.number()) && file.meta().entries > 0)
            .filter(|file| file.meta().overlaps(&smallest, &largest))
            .all(|file| file.meta().min_seq > seq);
        match is_newer {
            true => Self { seq, smallest, largest, stage: Stage::Before },
            false => Self::none(),
        }
    }

    fn none() -> Self {
        Self { seq: 0, smallest: Vec::new(), largest: Vec::new(), stage: Stage::After }
    }

    /// Sequence number to write for a record of `key`, which has `seq`. Keys must ascend.
    #[inline]
    pub(super) fn seq_for(&mut self, key: &[u8], seq: Seq) -> Seq {
        if self.stage == Stage::Before && key >= self.smallest.as_slice() {
            self.stage = Stage::Within;
        }
        if self.stage == Stage::Within && key > self.largest.as_slice() {
            self.stage = Stage::After;
        }
        if self.stage == Stage::Within { self.seq } else { seq }
    }
}

/// Tables whose records count before those of the output.
fn above<'a>(plan: &'a CompactionPlan, tree: &'a Tree) -> impl Iterator<Item = &'a Arc<TableFile>> {
    let is_above = |run: u64| plan.output_level > 0 || run > plan.output_run;
    let runs = tree.l0.iter().filter(move |run| is_above(run.run)).map(|run| &run.level);
    let levels = tree.levels.iter().take(usize::from(plan.output_level).saturating_sub(1));
    runs.chain(levels).flat_map(|level| level.tables())
}
