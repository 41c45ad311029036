//! Compaction: keeps tables few, sorted and free of what nobody can see.
//!
//! Decide, then do. [`pick`] looks at a version and returns a [`CompactionPlan`]; it is pure, so
//! golden scripts test it. `run` executes a plan and returns the edit to apply; it changes no
//! version itself, so flushes may go on meanwhile.
//!
//! Shape: level 0 holds runs, newest first, each one flush or a merge of neighbouring runs. Levels
//! below hold one run each, the last one ([`LAST_LEVEL`]) the bulk of the data; targets are
//! computed from it upwards ([`targets`]), and only the levels that are needed are used.

mod picker;
mod plan;
mod reclaim;
mod shape;
mod targets;

pub use picker::{pick_full_step, pick_plan};
pub use plan::{Action, CompactionPlan, PlanInput, Reason};
pub use shape::{Carried, RunShape, TreeShape};
pub use targets::{LAST_LEVEL, Targets};

#[cfg(test)]
mod tests;
