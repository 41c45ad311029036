//! Chooses the next compaction. Pure: metadata in, plan out.
//!
//! Order of preference: tables that range tombstones made worthless (free), then whatever is over
//! its limit by the largest factor (runs of level 0 against `l0_runs_trigger`, bytes of a level
//! against its target), then blob files with too many dead bytes, then space that deletes hide, and
//! at rest space that newer records hide. Nothing here waits for new writes: an idle database comes
//! to rest only when none is left.

use aidb_base::{FileNumber, KeyspaceId};

use super::plan::{Action, CompactionPlan, PlanInput, Reason};
use super::reclaim;
use super::shape::{RunShape, TreeShape, bounds, bytes_of, overlapping};
use super::targets::{LAST_LEVEL, Targets, filter_bits};
use crate::options::Options;
use crate::version::TableMeta;

/// Fewest and most runs of level 0 merged at once; while writers are busy the fewest are the most,
/// because a later push may save the merge.
const RUNS_MERGED_MIN: usize = 4;
const RUNS_MERGED_MAX: usize = 8;
/// Bytes of level 0 per byte it meets in the base level from which it is pushed there.
const PUSHED_SHARE: f64 = 0.4;
/// Share of all records that level 0 hides from which it is pushed down: while there is writing, and
/// at rest.
const HIDING_SHARE_MAX: f64 = 1.0 / 6.0;
const HIDING_SHARE_RESTING_MAX: f64 = 0.04;
/// Tables of one level taken at once.
const TABLES_TAKEN_MAX: usize = 8;
/// As above in a full compaction, which takes them whatever they overlap: a step must end before
/// writers notice that level 0 has to wait.
const FULL_TABLES_TAKEN_MAX: usize = 2;

/// When a compaction is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Occasion {
    /// Milliseconds since the epoch.
    pub now_ms: u64,
    /// Whether everything written is in tables.
    pub is_resting: bool,
}

/// Chooses the next compaction of `trees`; `sparse_blobs` are blob files below the live ratio.
pub fn pick_plan(
    trees: &[TreeShape<'_>],
    sparse_blobs: &[FileNumber],
    options: &Options,
    occasion: Occasion,
) -> Option<CompactionPlan> {
    let planner = |tree| Planner::new(tree, sparse_blobs, options, occasion);
    let planners: Vec<_> = trees.iter().map(planner).collect();
    planners
        .iter()
        .find_map(reclaim::plan_drop)
        .or_else(|| plan_by_score(&planners))
        .or_else(|| planners.iter().find_map(reclaim::plan_blobs))
        .or_else(|| planners.iter().find_map(reclaim::plan_idle))
}

/// Chooses the next step of a full compaction of `tree`: afterwards every record that was in a
/// table below file number `below` when it began is in the last level, and deletes and range
/// tombstones among them are gone. `None` = done.
pub fn pick_full_step(
    tree: &TreeShape<'_>,
    sparse_blobs: &[FileNumber],
    options: &Options,
    below: FileNumber,
) -> Option<CompactionPlan> {
    let planner = Planner::new(tree, sparse_blobs, options, Occasion::default());
    let old = |tables: &[&TableMeta]| tables.iter().any(|table| table.number < below);
    let plan = reclaim::plan_drop(&planner).or_else(|| {
        if tree.l0.iter().any(|run| old(&run.tables)) {
            return planner.push_runs();
        }
        let upper = (1..LAST_LEVEL).find(|&level| !tree.level(level).is_empty());
        match upper {
            Some(level) => {
                let tables = tree.level(level);
                let taken = &tables[..tables.len().min(FULL_TABLES_TAKEN_MAX)];
                Some(planner.merge_down(Reason::Manual, level, taken))
            }
            None => reclaim::plan_last_level(&planner, below),
        }
    });
    plan.map(|plan| CompactionPlan { reason: Reason::Manual, ..plan })
}

/// Takes the candidate most over its limit for which there is something to do.
fn plan_by_score(planners: &[Planner<'_>]) -> Option<CompactionPlan> {
    let mut candidates: Vec<(f64, &Planner<'_>, u8)> = Vec::new();
    for planner in planners {
        candidates.push((planner.l0_score(), planner, 0));
        for level in 1..LAST_LEVEL {
            candidates.push((planner.level_score(level), planner, level));
        }
    }
    candidates.retain(|(score, ..)| *score >= 1.0);
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    candidates.into_iter().find_map(|(_, planner, level)| match level {
        0 => planner.plan_l0(),
        _ => planner.plan_level(level),
    })
}

/// Makes plans for one keyspace.
pub(super) struct Planner<'a> {
    pub tree: &'a TreeShape<'a>,
    pub options: &'a Options,
    pub targets: Targets,
    pub sparse_blobs: &'a [FileNumber],
    pub occasion: Occasion,
}

impl<'a> Planner<'a> {
    fn new(
        tree: &'a TreeShape<'a>,
        sparse_blobs: &'a [FileNumber],
        options: &'a Options,
        occasion: Occasion,
    ) -> Self {
        Self { tree, options, targets: Targets::new(tree, options), sparse_blobs, occasion }
    }

    pub fn keyspace(&self) -> KeyspaceId {
        self.tree.keyspace
    }

    /// Runs at which level 0 is looked at: never above what slows writers down.
    pub fn l0_trigger(&self) -> usize {
        let options = self.options;
        let limit = options.l0_runs_slowdown.min(options.l0_runs_stop);
        options.l0_runs_trigger.min(limit).max(2)
    }

    fn l0_score(&self) -> f64 {
        self.tree.l0.len() as f64 / self.l0_trigger() as f64
    }

    fn level_score(&self, level: u8) -> f64 {
        let bytes = bytes_of(self.tree.level(level));
        match self.targets.bytes(level) {
            _ if bytes == 0 => 0.0,
            // A level above the base level that is still in use has to be emptied.
            0 => 1.0 + bytes as f64 / self.options.level_base_bytes.max(1) as f64,
            target => bytes as f64 / target as f64,
        }
    }

    /// Whether so much is hidden by newer records of level 0 that it is worth a push.
    pub fn is_hiding_much(&self) -> bool {
        let limit = match self.occasion.is_resting {
            true => HIDING_SHARE_RESTING_MAX,
            false => HIDING_SHARE_MAX,
        };
        let l0: u64 = self.tree.l0.iter().map(RunShape::entries).sum();
        let all = self.tree.entries();
        let hidden = all.saturating_sub(self.tree.live_keys).min(l0);
        hidden > 0 && hidden as f64 >= all as f64 * limit
    }

    /// Pushes level 0 down when that is cheap for its size or frees much, else merges similar runs
    /// within it.
    fn plan_l0(&self) -> Option<CompactionPlan> {
        let l0 = &self.tree.l0;
        let tables: Vec<_> = l0.iter().flat_map(|run| run.tables.iter().copied()).collect();
        let (smallest, largest) = bounds(&tables);
        let below = bytes_of(overlapping(self.tree.level(self.targets.base), smallest, largest));
        if bytes_of(&tables) as f64 >= below as f64 * PUSHED_SHARE || self.is_hiding_much() {
            return self.push_runs();
        }
        if let Some(window) = self.similar_runs() {
            return Some(self.merge_runs(window));
        }
        let limit = self.options.l0_runs_slowdown.min(self.options.l0_runs_stop);
        let crowded = l0.len() > self.l0_trigger().max(limit * 3 / 4);
        crowded.then(|| self.merge_runs(self.cheapest_runs()))
    }

    /// The newest neighbouring runs of similar size, if they are enough.
    fn similar_runs(&self) -> Option<&[RunShape<'a>]> {
        let l0 = &self.tree.l0;
        let fewest = match self.occasion.is_resting {
            true => RUNS_MERGED_MIN.min(self.l0_trigger()),
            false => RUNS_MERGED_MAX.min(2 * self.l0_trigger()),
        };
        (0..l0.len()).find_map(|from| {
            let mut bytes = 0;
            let mut count = 0;
            for run in l0[from..].iter().take(RUNS_MERGED_MAX) {
                if count > 0 && run.bytes() > 2 * bytes / count {
                    break;
                }
                bytes += run.bytes();
                count += 1;
            }
            let count = count as usize;
            (count >= fewest).then(|| &l0[from..from + count])
        })
    }

    /// The window of runs that costs least, for a level 0 that must shrink anyway.
    fn cheapest_runs(&self) -> &[RunShape<'a>] {
        let l0 = &self.tree.l0;
        let width = l0.len().min(RUNS_MERGED_MIN);
        let cost = |window: &&[RunShape<'_>]| window.iter().map(RunShape::bytes).sum::<u64>();
        l0.windows(width).min_by_key(cost).unwrap_or(l0)
    }

    fn merge_runs(&self, runs: &[RunShape<'_>]) -> CompactionPlan {
        let mut plan = self.plan(Reason::RunMerge, 0);
        plan.output_run = runs.first().map_or(0, |run| run.run);
        for run in runs {
            take(&mut plan, 0, &run.tables);
        }
        self.finish(plan)
    }

    /// Everything in level 0, together with what it overlaps in the base level.
    pub fn push_runs(&self) -> Option<CompactionPlan> {
        let level = self.targets.base;
        let mut plan = self.plan(Reason::RunPush, level);
        let runs = &self.tree.l0;
        let tables: Vec<_> = runs.iter().flat_map(|run| run.tables.iter().copied()).collect();
        if tables.is_empty() {
            return None;
        }
        take(&mut plan, 0, &tables);
        let mut sorted = tables.clone();
        sorted.sort_unstable_by_key(|table| &table.smallest);
        let disjoint = sorted.windows(2).all(|pair| pair[0].largest < pair[1].smallest);
        let (smallest, largest) = bounds(&tables);
        let level_tables = self.tree.level(level);
        let meets = |table: &&TableMeta| {
            !overlapping(level_tables, &table.smallest, &table.largest).is_empty()
        };
        if disjoint && !tables.iter().any(meets) && self.may_move(&tables, level) {
            plan.action = Action::Move;
            return Some(plan);
        }
        if disjoint {
            let met = level_tables.iter().filter(|below| {
                sorted.iter().any(|table| table.overlaps(&below.smallest, &below.largest))
            });
            take(&mut plan, level, &met.copied().collect::<Vec<_>>());
        } else {
            take(&mut plan, level, overlapping(level_tables, smallest, largest));
        }
        Some(self.finish(plan))
    }

    /// Whether `tables` may change level as they are: same codec, and no delete that a merge into
    /// `level` would drop.
    fn may_move(&self, tables: &[&TableMeta], level: u8) -> bool {
        let codec = self.targets.codec(level, self.tree.options, self.options);
        tables.iter().all(|table| {
            let refers = |number| table.blob_refs.iter().any(|(blob, _)| blob == number);
            table.codec == codec && table.deletes == 0 && !self.sparse_blobs.iter().any(refers)
        })
    }

    /// The table of `level` that is cheapest to merge down for what it brings, and neighbours that
    /// come for free.
    fn plan_level(&self, level: u8) -> Option<CompactionPlan> {
        let tables = self.tree.level(level);
        let next = self.tree.level(level + 1);
        let below = |table: &TableMeta| overlapping(next, &table.smallest, &table.largest);
        let cost = |table: &TableMeta| {
            let bytes = table.bytes.max(1) as f64;
            let cost = (bytes + bytes_of(below(table)) as f64) / bytes;
            cost / (1.0 + 3.0 * reclaim::hidden_share(table, self.occasion.now_ms))
        };
        let order = |a: &usize, b: &usize| cost(tables[*a]).total_cmp(&cost(tables[*b]));
        let mut from = (0..tables.len()).min_by(order)?;
        let mut to = from + 1;
        let seed = below(tables[from]);
        let is_free = |table: &TableMeta| {
            let met = below(table);
            let (Some(first), Some(last)) = (met.first(), met.last()) else { return true };
            seed.iter().any(|t| t.number == first.number)
                && seed.iter().any(|t| t.number == last.number)
        };
        while to - from < TABLES_TAKEN_MAX && to < tables.len() && is_free(tables[to]) {
            to += 1;
        }
        while to - from < TABLES_TAKEN_MAX && from > 0 && is_free(tables[from - 1]) {
            from -= 1;
        }
        Some(self.merge_down(Reason::LevelFull, level, &tables[from..to]))
    }

    /// Merges neighbouring `tables` of `level` into the next level, or moves them there.
    pub fn merge_down(&self, reason: Reason, level: u8, tables: &[&TableMeta]) -> CompactionPlan {
        let next = level + 1;
        let mut plan = self.plan(reason, next);
        take(&mut plan, level, tables);
        let (smallest, largest) = bounds(tables);
        let below = overlapping(self.tree.level(next), smallest, largest);
        if below.is_empty() && self.may_move(tables, next) {
            plan.action = Action::Move;
            return plan;
        }
        take(&mut plan, next, below);
        self.finish(plan)
    }

    /// Rewrites `tables` of one run where they are.
    pub fn rewrite(
        &self,
        reason: Reason,
        level: u8,
        run: u64,
        tables: &[&TableMeta],
    ) -> CompactionPlan {
        let mut plan = self.plan(reason, level);
        plan.output_run = run;
        take(&mut plan, level, tables);
        self.finish(plan)
    }

    /// A plan without inputs.
    pub fn plan(&self, reason: Reason, output_level: u8) -> CompactionPlan {
        CompactionPlan {
            keyspace: self.keyspace(),
            reason,
            action: Action::Merge,
            inputs: Vec::new(),
            output_level,
            output_run: 0,
            codec: self.targets.codec(output_level, self.tree.options, self.options),
            filter_bits_per_key: filter_bits(output_level, self.options),
            blobs_rewritten: Vec::new(),
        }
    }

    /// Adds the sparse blob files that the inputs refer to.
    fn finish(&self, mut plan: CompactionPlan) -> CompactionPlan {
        plan.blobs_rewritten = self.sparse_blobs.to_vec();
        plan.blobs_rewritten.retain(|blob| {
            let refers =
                |table: &&TableMeta| table.blob_refs.iter().any(|(number, _)| number == blob);
            let taken =
                |table: &&TableMeta| plan.inputs.iter().any(|input| input.number == table.number);
            self.tree.runs().any(|(_, _, tables)| tables.iter().any(|t| refers(t) && taken(t)))
        });
        plan
    }
}

/// Adds `tables` of `level` to the inputs.
pub(super) fn take(plan: &mut CompactionPlan, level: u8, tables: &[&TableMeta]) {
    plan.inputs.extend(tables.iter().map(|table| PlanInput { level, number: table.number }));
}
