//! What all handles of a [`super::FaultVfs`] share: the disk, the call counters, the faults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aidb_base::Rng;

use crate::disk::{Disk, Errno, InodeId, Loss};

/// What a call does. Counted separately, so that a test can fail the n-th of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// Opening a file for reads.
    Open,
    /// A positioned read (not a touch of a mapping).
    Read,
    /// Listing a directory or examining a file.
    Examine,
    /// Creating a file for appending.
    Create,
    /// Creating a mapped file.
    CreateMapped,
    /// Appending.
    Append,
    /// Storing into a mapped file; cannot fail.
    Store,
    /// Syncing a file.
    Sync,
    /// Syncing a directory.
    SyncDir,
    /// Renaming.
    Rename,
    /// Removing a file.
    Remove,
    /// Making a hard link.
    Link,
    /// Truncating a file.
    Truncate,
    /// Creating directories.
    CreateDir,
    /// Taking a lock.
    Lock,
}

impl CallKind {
    /// Every kind whose failure a database must survive.
    pub const FALLIBLE: [Self; 14] = [
        Self::Open,
        Self::Read,
        Self::Examine,
        Self::Create,
        Self::CreateMapped,
        Self::Append,
        Self::Sync,
        Self::SyncDir,
        Self::Rename,
        Self::Remove,
        Self::Link,
        Self::Truncate,
        Self::CreateDir,
        Self::Lock,
    ];

    /// Whether the call changes what a disk holds or what is durable.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::Open | Self::Read | Self::Examine | Self::Lock)
    }
}

/// An order to fail a call.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which calls.
    pub kind: CallKind,
    /// Only calls whose path contains this text; empty = all.
    pub path: String,
    /// How many matching calls succeed first.
    pub after: u64,
    /// What the kernel says.
    pub errno: Errno,
    /// Fail every later matching call too.
    pub sticky: bool,
    /// A failing append leaves this share of its bytes, in percent.
    pub written_percent: u8,
}

impl Fault {
    /// Fails the call of `kind` that follows `after` successful ones, once, without effect.
    pub fn once(kind: CallKind, after: u64, errno: Errno) -> Self {
        Self { kind, path: String::new(), after, errno, sticky: false, written_percent: 0 }
    }

    /// The same for paths that contain `part`.
    #[must_use]
    pub fn on(mut self, part: &str) -> Self {
        part.clone_into(&mut self.path);
        self
    }

    /// The same for every later call too.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.sticky = true;
        self
    }

    /// The same, as a short write.
    #[must_use]
    pub fn short(mut self, percent: u8) -> Self {
        self.written_percent = percent;
        self
    }
}

/// One change, and the disk before it.
#[derive(Clone)]
pub struct Moment {
    /// What the call was going to do.
    pub kind: CallKind,
    /// On which path.
    pub path: PathBuf,
    /// The disk when the call was made.
    pub before: Disk,
    /// For appends and stores: where and what.
    pub write: Option<(InodeId, usize, Vec<u8>)>,
}

impl Moment {
    /// The disk when the call was made; half of the time a write was under way and is cut in its
    /// middle.
    pub fn disk(&self, rng: &mut Rng) -> Disk {
        let mut disk = self.before.clone();
        if let Some((id, offset, bytes)) = &self.write
            && rng.below(2) == 0
        {
            let len = rng.below(bytes.len() as u64 + 1) as usize;
            let _ = disk.write(*id, *offset, &bytes[..len]);
        }
        disk
    }
}

/// The state behind a `FaultVfs`.
pub(super) struct World {
    pub disk: Disk,
    pub locks: BTreeSet<PathBuf>,
    pub calls: BTreeMap<CallKind, u64>,
    pub changes: u64,
    pub faults: Vec<Fault>,
    pub failed: u64,
    pub capacity: Option<u64>,
    pub ends_at: Option<u64>,
    pub ended: bool,
    pub moments: Option<Vec<Moment>>,
}

/// What becomes of a call.
pub(super) enum Verdict {
    Proceed,
    /// Refused; an append still leaves this share of its bytes.
    Refuse(Errno, u8),
    /// The world has ended (before or at this call).
    Ended,
}

impl World {
    pub(super) fn new(disk: Disk) -> Self {
        Self {
            disk,
            locks: BTreeSet::new(),
            calls: BTreeMap::new(),
            changes: 0,
            faults: Vec::new(),
            failed: 0,
            capacity: None,
            ends_at: None,
            ended: false,
            moments: None,
        }
    }

    /// Ends this world; the one that the next process finds.
    pub(super) fn kill(&mut self) -> Self {
        let next = Self::new(self.disk.after(Loss::ProcessCrash, &mut Rng::seeded(0)));
        let mut next = std::mem::replace(self, next);
        std::mem::swap(&mut next.disk, &mut self.disk);
        next.locks.clear();
        self.ended = true;
        next
    }

    /// Counts the call, keeps the moment, and decides.
    pub(super) fn enter(
        &mut self,
        kind: CallKind,
        path: &Path,
        write: Option<(InodeId, usize, &[u8])>,
    ) -> Verdict {
        if self.ended {
            return Verdict::Ended;
        }
        *self.calls.entry(kind).or_default() += 1;
        if kind.is_change() {
            if self.ends_at == Some(self.changes) {
                self.ended = true;
                return Verdict::Ended;
            }
            self.changes += 1;
            let before = &self.disk;
            if let Some(moments) = &mut self.moments {
                let write = write.map(|(id, offset, bytes)| (id, offset, bytes.to_vec()));
                let (path, before) = (path.to_owned(), before.clone());
                moments.push(Moment { kind, path, before, write });
            }
        }
        self.assess_faults(kind, path)
    }

    fn assess_faults(&mut self, kind: CallKind, path: &Path) -> Verdict {
        let name = path.to_string_lossy();
        for fault in &mut self.faults {
            if fault.kind != kind || !name.contains(&fault.path) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            let verdict = Verdict::Refuse(fault.errno, fault.written_percent);
            if !fault.sticky {
                fault.after = u64::MAX;
            }
            self.failed += 1;
            return verdict;
        }
        Verdict::Proceed
    }

    /// Bytes that still fit.
    pub(super) fn free_bytes(&self) -> u64 {
        let capacity = self.capacity.unwrap_or(1 << 40);
        capacity.saturating_sub(self.disk.used_bytes())
    }
}
