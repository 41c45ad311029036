//! Replayed batches on their way into memtables.
//!
//! When memtables would exceed their budget, the oldest is flushed before replay goes on. The
//! manifest then says up to which batch tables hold everything, so that an open that dies here is
//! continued by the next one. The log stays as it is: the first flush of the open database, which
//! knows what is still needed, raises its floor.

use std::path::Path;
use std::sync::Arc;

use aidb_base::{Result, Seq};

use super::run::{self, Place};
use super::view::Generation;
use super::write;
use crate::batch::WriteBatch;
use crate::events::Event;
use crate::memtable::Memtable;
use crate::options::Options;
use crate::planted;
use crate::version::{VersionEdit, VersionSet};

/// Puts replayed batches into memtables, starting another one when one is full.
pub(super) struct Filling<'a> {
    options: &'a Options,
    dir: &'a Path,
    versions: &'a mut VersionSet,
    /// The memtable being filled.
    pub(super) active: Arc<Generation>,
    /// Full memtables that are not in tables, newest first.
    pub(super) frozen: Vec<Arc<Generation>>,
    /// Memtables flushed.
    pub(super) flushes: u64,
    may_flush: bool,
}

impl<'a> Filling<'a> {
    /// Empty memtables for the batches that follow those in tables.
    pub(super) fn new(options: &'a Options, dir: &'a Path, versions: &'a mut VersionSet) -> Self {
        let memtable = Memtable::new(options.memtable_bytes_max, 0);
        let active = Arc::new(Generation::new(memtable, versions.last_seq() + 1));
        let may_flush = !options.read_only;
        Self { options, dir, versions, active, frozen: Vec::new(), flushes: 0, may_flush }
    }

    /// Takes the next batch.
    ///
    /// # Errors
    /// `Corruption` for a malformed batch, and a flush that left the manifest in doubt.
    pub(super) fn apply(&mut self, seq: Seq, payload: &[u8]) -> Result<()> {
        if self.active.is_full_for(payload.len(), self.options) {
            self.rotate(seq)?;
        }
        let kept = planted::kept_of(payload)?;
        let payload = kept.as_ref().map_or(payload, WriteBatch::payload);
        let hash_seed = self.versions.hash_seed();
        let coming = write::prefetched(&self.active, hash_seed, payload);
        write::insert(&self.active, hash_seed, seq, (payload, None), coming)?;
        match self.options.is_large_batch(payload.len()) {
            true => self.rotate(seq + 1),
            false => Ok(()),
        }
    }

    fn rotate(&mut self, next_seq: Seq) -> Result<()> {
        self.active.memtable.freeze();
        let memtable = self.active.memtable.successor();
        let fresh = Arc::new(Generation::new(memtable, next_seq));
        self.frozen.insert(0, std::mem::replace(&mut self.active, fresh));
        self.make_room()
    }

    /// Flushes the oldest memtables until another one fits into the budget.
    fn make_room(&mut self) -> Result<()> {
        let Options { memtable_bytes_max, memtables_bytes_max, .. } = *self.options;
        let bytes = |frozen: &[Arc<Generation>]| -> usize {
            frozen.iter().map(|generation| generation.memtable.bytes()).sum()
        };
        while self.may_flush && bytes(&self.frozen) + memtable_bytes_max > memtables_bytes_max {
            let Some(oldest) = self.frozen.last().cloned() else { break };
            match self.flush(&oldest) {
                Ok(()) => drop(self.frozen.pop()),
                Err(error) if self.versions.failure().is_some() => return Err(error),
                // A database over its budget is better than one that does not open.
                Err(_) => self.may_flush = false,
            }
        }
        Ok(())
    }

    fn flush(&mut self, generation: &Generation) -> Result<()> {
        let clock = &*self.options.env.clock;
        let started = clock.monotonic_ns();
        let edit = self.build(generation)?;
        self.versions.apply(edit)?;
        self.flushes += 1;
        let duration_ms = (clock.monotonic_ns() - started) / 1_000_000;
        self.options.tell(&Event::Flushed { seq: generation.last_seq(), duration_ms });
        Ok(())
    }

    fn build(&self, generation: &Generation) -> Result<VersionEdit> {
        let place = Place {
            dir: self.dir,
            uuid: &self.versions.uuid(),
            hash_seed: self.versions.hash_seed(),
            numbers: self.versions.numbers(),
        };
        let (edit, _) = run::build(self.options, place, self.versions.current(), generation)?;
        Ok(edit)
    }
}
