//! Where one output table ends and the next begins.
//!
//! - Always before a table of the output level that is no input: outputs must not overlap it.
//! - At `table_bytes_max`.
//! - At a boundary of the level below the output, once the table is half full or overlaps ten
//!   times its size there: tables that end together are compacted together at little cost.

use std::collections::BTreeSet;

use super::plan::CompactionPlan;
use super::targets::LAST_LEVEL;
use crate::version::Tree;

/// Overlap with the level below, in table sizes, at which an output ends at the next boundary.
const OVERLAP_MAX: u64 = 10;

/// Boundaries that outputs respect. Keys must come in ascending order.
pub(super) struct Cuts {
    table_bytes_max: u64,
    /// First keys of tables that stay in the output level.
    fences: Boundaries,
    /// First keys of tables of the level below the output.
    below: Boundaries,
    overlap_bytes: u64,
}

#[derive(Default)]
struct Boundaries {
    keys: Vec<(Vec<u8>, u64)>,
    next: usize,
}

impl Cuts {
    pub fn new(plan: &CompactionPlan, tree: &Tree, table_bytes_max: u64) -> Self {
        let inputs: BTreeSet<_> = plan.inputs.iter().map(|input| input.number).collect();
        let output = match plan.output_level {
            0 => tree.l0.iter().find(|run| run.run == plan.output_run).map(|run| &run.level),
            level => tree.levels.get(usize::from(level) - 1),
        };
        let staying = output.into_iter().flat_map(|level| level.tables());
        let staying = staying.filter(|file| !inputs.contains(&file.number()));
        let below = match plan.output_level {
            0 | LAST_LEVEL => None,
            level => tree.levels.get(usize::from(level)),
        };
        let below = below.into_iter().flat_map(|level| level.tables());
        let boundary = |meta: &crate::version::TableMeta| (meta.smallest.clone(), meta.bytes);
        Self {
            table_bytes_max,
            fences: Boundaries::new(staying.map(|file| boundary(file.meta())).collect()),
            below: Boundaries::new(below.map(|file| boundary(file.meta())).collect()),
            overlap_bytes: 0,
        }
    }

    /// Whether the open output of `open_bytes` (0 = none) must end before `key`.
    #[inline]
    pub fn is_due(&mut self, key: &[u8], open_bytes: u64) -> bool {
        let (fences, _) = self.fences.pass(key);
        let (boundaries, overlap) = self.below.pass(key);
        self.overlap_bytes += overlap;
        let at_boundary = boundaries > 0
            && (open_bytes >= self.table_bytes_max / 2
                || self.overlap_bytes >= self.table_bytes_max.saturating_mul(OVERLAP_MAX));
        let is_due =
            open_bytes > 0 && (fences > 0 || at_boundary || open_bytes >= self.table_bytes_max);
        if is_due || open_bytes == 0 {
            self.overlap_bytes = overlap;
        }
        is_due
    }
}

impl Boundaries {
    fn new(keys: Vec<(Vec<u8>, u64)>) -> Self {
        Self { keys, next: 0 }
    }

    /// Number of boundaries up to `key` that no earlier key passed, and the bytes after them.
    #[inline]
    fn pass(&mut self, key: &[u8]) -> (usize, u64) {
        let before = self.next;
        let mut bytes = 0;
        while let Some((boundary, size)) = self.keys.get(self.next) {
            if boundary.as_slice() > key {
                break;
            }
            bytes += size;
            self.next += 1;
        }
        (self.next - before, bytes)
    }
}
