//! One directory: durable entries, cached entries, and the changes between them.

use std::collections::BTreeMap;
use std::ffi::OsString;

use aidb_base::Rng;

use super::{InodeId, Loss};

type Entries = BTreeMap<OsString, InodeId>;

#[derive(Clone, Default)]
pub(super) struct DirState {
    durable: Entries,
    cached: Entries,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Link(OsString, InodeId),
    Unlink(OsString),
    /// Atomic: both names change or none.
    Rename(OsString, OsString, InodeId),
}

impl DirState {
    pub(super) fn cached(&self) -> &Entries {
        &self.cached
    }

    pub(super) fn link(&mut self, name: OsString, id: InodeId) {
        self.change(Change::Link(name, id));
    }

    pub(super) fn unlink(&mut self, name: OsString) {
        self.change(Change::Unlink(name));
    }

    pub(super) fn rename(&mut self, from: OsString, to: OsString, id: InodeId) {
        self.change(Change::Rename(from, to, id));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.cached);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        self.durable = self.cached.clone();
        self.pending.clear();
    }

    pub(super) fn after(&self, loss: Loss, rng: &mut Rng) -> Self {
        let entries = match loss {
            Loss::ProcessCrash => return self.clone(),
            Loss::PowerKept => self.cached.clone(),
            Loss::PowerDropped => self.durable.clone(),
            Loss::PowerTorn => {
                let kept = rng.below(self.pending.len() as u64 + 1) as usize;
                self.with(self.pending[..kept].iter())
            }
            Loss::PowerScrambled => {
                let percent = [0, 10, 50, 90, 100][rng.below(5) as usize];
                self.with(self.pending.iter().filter(|_| rng.below(100) < percent))
            }
        };
        Self { durable: entries.clone(), cached: entries, pending: Vec::new() }
    }

    fn with<'a>(&self, changes: impl Iterator<Item = &'a Change>) -> Entries {
        let mut entries = self.durable.clone();
        changes.for_each(|change| change.apply(&mut entries));
        entries
    }
}

impl Change {
    fn apply(&self, entries: &mut Entries) {
        match self {
            Self::Link(name, id) => {
                entries.insert(name.clone(), *id);
            }
            Self::Unlink(name) => {
                entries.remove(name);
            }
            Self::Rename(from, to, id) => {
                if entries.get(from) == Some(id) {
                    entries.remove(from);
                }
                entries.insert(to.clone(), *id);
            }
        }
    }
}
