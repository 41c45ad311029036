//! Compaction: keeps tables few, sorted and free of what nobody can see.
//!
//! Decide, then do. [`pick`] looks at a version and returns a [`CompactionPlan`]; it is pure, so
//! golden scripts test it. [`run`](run()) executes a plan and returns the edit to apply; it changes
//! no version itself, so flushes may go on meanwhile.
//!
//! Shape: level 0 holds runs, newest first, each one flush or a merge of neighbouring runs. Levels
//! below hold one run each, the last one ([`LAST_LEVEL`]) the bulk of the data; [`Targets`] are
//! computed from it upwards, and only the levels that are needed are used.

mod cuts;
mod levelling;
mod merge;
mod older;
mod outputs;
mod picker;
mod plan;
mod reclaim;
mod run;
mod shape;
mod targets;

use aidb_base::{FileNumber, KeyspaceId};

use crate::options::Options;
use crate::version::Version;

pub(crate) use outputs::Outputs;
pub use picker::{Occasion, pick_full_step, pick_plan};
pub use plan::{Action, CompactionPlan, PlanInput, Reason};
pub(crate) use run::added;
pub use run::{CompactionContext, CompactionStats, run};
pub use shape::{Carried, RunShape, TreeShape};
pub use targets::{LAST_LEVEL, Targets};
pub(crate) use targets::{filter_bits, run_codec};

/// Chooses the next compaction of `version`; `None` = it is at rest.
pub fn pick(version: &Version, options: &Options, occasion: Occasion) -> Option<CompactionPlan> {
    let trees: Vec<_> = version.trees().filter_map(|tree| shape_of(version, tree.id)).collect();
    pick_plan(&trees, &sparse_blobs(version, options), options, occasion)
}

/// Chooses the next step of a full compaction of `keyspace`; `None` = done. To compact all that is
/// there now, take a file number as `below` once, then pick and run until there is no step left.
pub fn pick_full(
    version: &Version,
    keyspace: KeyspaceId,
    options: &Options,
    below: FileNumber,
) -> Option<CompactionPlan> {
    let tree = shape_of(version, keyspace)?;
    pick_full_step(&tree, &sparse_blobs(version, options), options, below)
}

fn shape_of(version: &Version, keyspace: KeyspaceId) -> Option<TreeShape<'_>> {
    let tree = version.tree(keyspace)?;
    let carried = tree.tables().flat_map(|file| {
        file.tombstones().iter().map(|tombstone| Carried { tombstone, carrier: file.meta() })
    });
    let state = version.state().trees.get(&keyspace)?;
    Some(TreeShape::new(keyspace, state, carried.collect()))
}

/// Blob files whose share of live bytes is below the limit.
fn sparse_blobs(version: &Version, options: &Options) -> Vec<FileNumber> {
    let ratio_min = options.blob_live_ratio_min.min(1.0);
    let blobs = version.state().blobs.iter();
    let mut sparse: Vec<_> = blobs
        .map(|(&number, blob)| {
            (blob.live_bytes as f64 / blob.meta.value_bytes.max(1) as f64, number)
        })
        .filter(|(ratio, _)| *ratio < ratio_min)
        .collect();
    sparse.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    sparse.into_iter().map(|(_, number)| number).collect()
}

#[cfg(test)]
pub(crate) mod tests;
