//! What a compaction is to do, by file numbers: the output of the picker, the input of the executor.

use std::fmt;

use aidb_base::{FileNumber, KeyspaceId};

use crate::options::Codec;

/// Why a plan was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Neighbouring runs of level 0 become one.
    RunMerge,
    /// Level 0 goes into the base level.
    RunPush,
    /// A level is larger than its target.
    LevelFull,
    /// Deletes hide space below them.
    Tombstones,
    /// Newer records hide space below them.
    Hidden,
    /// Range tombstones hide space, or can be dropped.
    RangeTombstones,
    /// Blob files hold too many dead bytes.
    BlobRatio,
    /// Asked for.
    Manual,
    /// Tables from outside come in.
    Ingest,
}

/// How a plan is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Merge the inputs into new tables.
    Merge,
    /// Give the inputs another level; no data is touched.
    Move,
    /// Remove the inputs; everything in them is covered by range tombstones or obsolete.
    Drop,
}

/// A table that a plan takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlanInput {
    /// Level it is in.
    pub level: u8,
    /// Its file number.
    pub number: FileNumber,
}

/// One compaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactionPlan {
    /// Keyspace of all inputs.
    pub keyspace: KeyspaceId,
    /// Why.
    pub reason: Reason,
    /// How.
    pub action: Action,
    /// Tables taken, newest data first.
    pub inputs: Vec<PlanInput>,
    /// Level of the outputs.
    pub output_level: u8,
    /// Run of the outputs when they go to level 0.
    pub output_run: u64,
    /// Codec of the outputs.
    pub codec: Codec,
    /// Filter bits per key of the outputs.
    pub filter_bits_per_key: u8,
    /// Blob files whose values move to a new one when an input refers to them.
    pub blobs_rewritten: Vec<FileNumber>,
}

impl fmt::Display for CompactionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} keyspace {}:", self.action, self.reason, self.keyspace)?;
        for input in &self.inputs {
            write!(f, " L{}/{}", input.level, input.number)?;
        }
        if self.action == Action::Drop {
            return Ok(());
        }
        write!(f, " -> L{}", self.output_level)?;
        if self.output_level == 0 {
            write!(f, " run {}", self.output_run)?;
        }
        if self.action == Action::Merge {
            write!(f, " {:?}, {} filter bits", self.codec, self.filter_bits_per_key)?;
        }
        if !self.blobs_rewritten.is_empty() {
            write!(f, ", rewrites blobs {:?}", self.blobs_rewritten)?;
        }
        Ok(())
    }
}
