//! What a reader sees: the memtables and the version of one moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aidb_base::Seq;

use super::count::Counts;
use crate::memtable::Memtable;
use crate::options::Options;
use crate::version::Version;

/// A memtable and what belongs to its generation.
pub(crate) struct Generation {
    pub(crate) memtable: Arc<Memtable>,
    pub(crate) counts: Counts,
    first_seq: Seq,
    last_seq: AtomicU64,
}

impl Generation {
    /// A generation for the batches from `first_seq` on.
    pub(crate) fn new(memtable: Memtable, first_seq: Seq) -> Self {
        let counts = Counts::default();
        Self { memtable: Arc::new(memtable), counts, first_seq, last_seq: AtomicU64::new(0) }
    }

    /// Sequence number that its first batch has or will have.
    pub(crate) fn first_seq(&self) -> Seq {
        self.first_seq
    }

    /// Sequence number of the last batch in it; 0 while it is empty.
    pub(crate) fn last_seq(&self) -> Seq {
        self.last_seq.load(Ordering::Acquire)
    }

    /// Whether a batch of `bytes` has to go to another generation.
    #[inline]
    pub(crate) fn is_full_for(&self, bytes: usize, options: &Options) -> bool {
        self.memtable.bytes() >= options.memtable_bytes_max
            || options.is_large_batch(bytes) && self.last_seq() != 0
    }

    pub(crate) fn note_seq(&self, seq: Seq) {
        self.last_seq.store(seq, Ordering::Release);
    }
}

/// Memtables and version of one moment. Immutable but for inserts into the active memtable.
#[derive(Clone)]
pub(crate) struct ReadView {
    pub(crate) active: Arc<Generation>,
    /// Full memtables that are not in tables yet, newest first.
    pub(crate) frozen: Vec<Arc<Generation>>,
    pub(crate) version: Arc<Version>,
}

impl ReadView {
    /// All memtables, newest first.
    #[inline]
    pub(crate) fn generations(&self) -> impl Iterator<Item = &Arc<Generation>> {
        std::iter::once(&self.active).chain(&self.frozen)
    }

    /// Whether no memtable has to be sorted before a scan.
    pub(crate) fn is_scan_ready(&self) -> bool {
        self.generations().all(|generation| generation.memtable.entries() == 0)
    }

    /// Bytes of all memtables.
    pub(crate) fn memtable_bytes(&self) -> usize {
        self.generations().map(|generation| generation.memtable.bytes()).sum()
    }

    /// The view after the active memtable was replaced.
    pub(crate) fn rotated(&self, active: Arc<Generation>) -> Self {
        let mut frozen = Vec::with_capacity(self.frozen.len() + 1);
        frozen.push(self.active.clone());
        frozen.extend(self.frozen.iter().cloned());
        Self { active, frozen, version: self.version.clone() }
    }

    /// The view after a new version came into force; the generations up to `flushed` are in it.
    pub(crate) fn with_version(
        &self,
        version: Arc<Version>,
        flushed: Option<&Arc<Generation>>,
    ) -> Self {
        let mut frozen = self.frozen.clone();
        if let Some(flushed) = flushed {
            frozen.retain(|generation| !Arc::ptr_eq(generation, flushed));
        }
        Self { active: self.active.clone(), frozen, version }
    }
}
