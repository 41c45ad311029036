//! Snapshots: reads of one moment that survive flush and compaction.

use std::sync::Arc;

use aidb_base::{Attempt, KeyspaceId, Result, Seq};

use super::scan::{Scan, ScanRange};
use super::view::ReadView;
use super::{Db, Inner};
use crate::planted::{Bug, is_planted};

/// A moment of the database, with the same read methods.
///
/// **Ownership**: keeps the memtables and tables of its moment alive, so the space of what is
/// deleted meanwhile comes back when the last snapshot or scan over it is dropped.
#[derive(Clone)]
pub struct Snapshot {
    inner: Arc<Inner>,
    pub(super) view: Arc<ReadView>,
    seq: Seq,
}

impl Inner {
    /// A view and a sequence number such that the view holds exactly the batches up to it, once
    /// those above it are left out of the active memtable.
    pub(super) fn consistent_view(&self) -> (Arc<ReadView>, Seq) {
        loop {
            let view = self.view.load_full();
            let seq = self.visible_seq();
            if Arc::ptr_eq(&view, &self.view.load()) {
                return (view, seq);
            }
        }
    }
}

impl Db {
    /// The database as it is now.
    ///
    /// # Errors
    /// `Closed`.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.inner.state.check_open()?;
        let (view, seq) = self.inner.consistent_view();
        Ok(Snapshot { inner: self.inner.clone(), view, seq })
    }
}

/// Newest memtables whose slots are worth loading ahead.
const PREFETCHED_MEMTABLES: usize = 2;
/// How many keys ahead of a read slots are loaded.
pub const KEYS_AHEAD: usize = 4;

impl Snapshot {
    /// Sequence number of the last batch it sees.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// As [`Db::get_with`], at the snapshot's moment (expiry goes by the clock).
    ///
    /// # Errors
    /// As [`Db::get_with`].
    pub fn get_with<R>(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>> {
        self.inner.state.check_open()?;
        let seq = if is_planted(Bug::SnapshotMoves) { Seq::MAX } else { self.seq };
        self.inner.read(&self.view, (keyspace, key, seq), f)
    }

    /// As [`Db::try_get_with`], at the snapshot's moment (expiry goes by the clock).
    ///
    /// # Errors
    /// As [`Db::get_with`].
    pub fn try_get_with<R>(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Attempt<Option<R>>> {
        self.inner.state.check_open()?;
        self.inner.try_read(&self.view, (keyspace, key, self.seq), f)
    }

    /// Starts loading what a read of `key` will look at first.
    #[inline]
    pub fn prefetch(&self, keyspace: KeyspaceId, key: &[u8]) {
        let hash = self.inner.key_hash(key);
        for generation in self.view.generations().take(PREFETCHED_MEMTABLES) {
            generation.memtable.prefetch(keyspace, hash);
        }
        if let Some(tree) = self.view.version.tree(keyspace) {
            tree.prefetch(key, hash, self.inner.hash_seed);
        }
    }

    /// As [`Db::multi_get`], at the snapshot's moment.
    ///
    /// # Errors
    /// As [`Db::get_with`].
    pub fn multi_get(
        &self,
        keyspace: KeyspaceId,
        keys: &[&[u8]],
        mut f: impl FnMut(usize, Option<(&[u8], u64)>),
    ) -> Result<()> {
        self.inner.state.check_open()?;
        keys.iter().take(KEYS_AHEAD).for_each(|key| self.prefetch(keyspace, key));
        for (i, key) in keys.iter().enumerate() {
            if let Some(coming) = keys.get(i + KEYS_AHEAD) {
                self.prefetch(keyspace, coming);
            }
            let place = (keyspace, *key, self.seq);
            let found = self.inner.read(&self.view, place, |value, expire| {
                f(i, Some((value, expire)));
            })?;
            if found.is_none() {
                f(i, None);
            }
        }
        Ok(())
    }

    /// As [`Db::is_scan_ready`], at the snapshot's moment.
    pub fn is_scan_ready(&self) -> bool {
        self.view.is_scan_ready()
    }

    /// As [`Db::scan`], at the snapshot's moment.
    ///
    /// # Errors
    /// As [`Db::scan`].
    pub fn scan(&self, keyspace: KeyspaceId, range: ScanRange) -> Result<Scan> {
        self.inner.state.check_open()?;
        Scan::new(&self.inner, self.view.clone(), self.seq, keyspace, range)
    }
}
