//! Point reads: memtables newest first, then the tables of the version.

use std::sync::Arc;

use aidb_base::{Attempt, KeyspaceId, Result, Seq, hash};

use super::latency::SAMPLE;
use super::view::{Generation, ReadView};
use super::{Db, Inner};
use crate::blob::BlobRef;
use crate::entry::{Entry, Kind};
use crate::planted::{Bug, is_planted};
use crate::range_tombstone::RangeTombstones;
use crate::version::Version;

/// Memtables (newest first) over a version.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) generations: &'a [Arc<Generation>],
    pub(crate) version: &'a Version,
    pub(crate) hash_seed: u64,
}

impl Sources<'_> {
    /// Whether nothing was ever written to the keyspace here; may be false for an empty one.
    pub(crate) fn is_empty(&self, keyspace: KeyspaceId) -> bool {
        self.generations.iter().all(|generation| generation.memtable.entries() == 0)
            && self.version.tree(keyspace).is_none_or(|tree| tree.sources().is_empty())
    }

    /// Range tombstones of every source.
    pub(crate) fn tombstones(&self, keyspace: KeyspaceId) -> Vec<Arc<RangeTombstones>> {
        let memtables = self.generations.iter().map(|g| g.memtable.range_tombstones(keyspace));
        let tables = self.version.tree(keyspace).map(|tree| tree.tombstones.clone());
        memtables.chain(tables).filter(|set| !set.is_empty()).collect()
    }
}

/// What a point read found.
enum Found<R> {
    Value(R),
    Blob(BlobRef, u64),
    Gone,
}

/// Whether the newest record of a key is a value, whatever its expiry.
pub(crate) fn newest_live(
    sources: &Sources<'_>,
    keyspace: KeyspaceId,
    key: &[u8],
    hash: u64,
) -> Result<bool> {
    let place = Place { keyspace, key, hash, max_seq: Seq::MAX };
    let mut covering = 0;
    if let Some(kind) =
        in_memtables(sources.generations.iter(), &place, &mut covering, |entry| entry.kind)
    {
        return Ok(kind.is_some_and(|kind| kind != Kind::Delete));
    }
    let kind = in_tables(sources.version, &place, sources.hash_seed, covering, |e| e.kind)?;
    Ok(kind.is_some_and(|kind| kind != Kind::Delete))
}

/// Measures a read when it is one of the sample.
struct Timer<'a>(Option<(&'a Inner, u64)>);

impl<'a> Timer<'a> {
    #[inline]
    fn start(inner: &'a Inner, hash: u64) -> Self {
        Self((hash % SAMPLE == 0).then(|| (inner, inner.now_ns())))
    }
}

impl Drop for Timer<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some((inner, started)) = self.0 {
            inner.counters.read_latency.record(inner.now_ns() - started);
        }
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    keyspace: KeyspaceId,
    key: &'a [u8],
    hash: u64,
    max_seq: Seq,
}

/// `Some(None)`: covered by a range tombstone. `None`: not in memtables; `covering` then holds the
/// highest covering tombstone.
#[inline]
fn in_memtables<'g, R>(
    generations: impl Iterator<Item = &'g Arc<Generation>>,
    place: &Place<'_>,
    covering: &mut Seq,
    f: impl FnOnce(Entry<'_>) -> R,
) -> Option<Option<R>> {
    for generation in generations {
        let memtable = &generation.memtable;
        if memtable.has_range_tombstones() {
            let seq = memtable.seq_covering(place.keyspace, place.key, place.max_seq);
            *covering = (*covering).max(seq);
        }
        if let Some(entry) = memtable.get(place.keyspace, place.key, place.hash, place.max_seq) {
            return Some((entry.seq >= *covering).then(|| f(entry)));
        }
    }
    None
}

fn in_tables<R>(
    version: &Version,
    place: &Place<'_>,
    hash_seed: u64,
    covering: Seq,
    f: impl FnOnce(Entry<'_>) -> R,
) -> Result<Option<R>> {
    let Some(tree) = version.tree(place.keyspace) else { return Ok(None) };
    let covering = covering.max(tree.tombstones.seq_covering(place.key, Seq::MAX));
    let pick = |entry: Entry<'_>| (entry.seq >= covering).then(|| f(entry));
    Ok(tree.get(place.key, place.hash, hash_seed, pick)?.flatten())
}

fn try_in_tables<R>(
    version: &Version,
    place: &Place<'_>,
    hash_seed: u64,
    covering: Seq,
    f: impl FnOnce(Entry<'_>) -> R,
) -> Result<Attempt<Option<R>>> {
    let Some(tree) = version.tree(place.keyspace) else { return Ok(Attempt::Done(None)) };
    let covering = covering.max(tree.tombstones.seq_covering(place.key, Seq::MAX));
    let pick = |entry: Entry<'_>| (entry.seq >= covering).then(|| f(entry));
    Ok(match tree.try_get(place.key, place.hash, hash_seed, pick)? {
        Attempt::Done(found) => Attempt::Done(found.flatten()),
        Attempt::WouldBlock => Attempt::WouldBlock,
    })
}

impl Inner {
    /// Turns an entry into what the caller gets; `deliver` is used for values in the record only.
    #[inline]
    fn judge<R>(
        &self,
        entry: Entry<'_>,
        deliver: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Found<R>> {
        let is_lost = is_planted(Bug::EmptyValueIsAbsence) && entry.value.is_empty();
        if entry.kind == Kind::Delete || is_lost {
            return Ok(Found::Gone);
        }
        let is_shown = is_planted(Bug::ExpiredRecordShown);
        if entry.expire_at_ms != 0 && !is_shown && entry.is_expired(self.now_ms()) {
            return Ok(Found::Gone);
        }
        Ok(match entry.kind {
            Kind::Blob => Found::Blob(BlobRef::decode(entry.value)?, entry.expire_at_ms),
            _ => Found::Value(deliver(entry.value, entry.expire_at_ms)),
        })
    }

    /// The newest visible value of `key` in `view`, given to `f` with its expiry.
    ///
    /// # Errors
    /// `Corruption` for damaged tables, others as the file system says.
    pub(super) fn read<R>(
        &self,
        view: &ReadView,
        (keyspace, key, max_seq): (KeyspaceId, &[u8], Seq),
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>> {
        let place = Place { keyspace, key, hash: self.key_hash(key), max_seq };
        let _timer = Timer::start(self, place.hash);
        let mut f = Some(f);
        let mut covering = 0;
        let mut judge = |entry: Entry<'_>| {
            self.judge(entry, |value, expire| f.take().map(|f| f(value, expire)))
        };
        let found = match in_memtables(view.generations(), &place, &mut covering, &mut judge) {
            Some(found) => found,
            None => in_tables(&view.version, &place, self.hash_seed, covering, judge)?,
        };
        match found.transpose()? {
            Some(Found::Value(value)) => Ok(value),
            Some(Found::Blob(reference, expire)) => {
                let Some(f) = f.take() else { return Ok(None) };
                self.blobs.read_with(&reference, |value| f(value, expire)).map(Some)
            }
            Some(Found::Gone) | None => Ok(None),
        }
    }

    /// As [`Inner::read`], but never waits for the disk.
    pub(super) fn try_read<R>(
        &self,
        view: &ReadView,
        (keyspace, key, max_seq): (KeyspaceId, &[u8], Seq),
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Attempt<Option<R>>> {
        let place = Place { keyspace, key, hash: self.key_hash(key), max_seq };
        let _timer = Timer::start(self, place.hash);
        let mut f = Some(f);
        let mut covering = 0;
        let mut judge = |entry: Entry<'_>| {
            self.judge(entry, |value, expire| f.take().map(|f| f(value, expire)))
        };
        let found = match in_memtables(view.generations(), &place, &mut covering, &mut judge) {
            Some(found) => found,
            None => match try_in_tables(&view.version, &place, self.hash_seed, covering, judge)? {
                Attempt::Done(found) => found,
                Attempt::WouldBlock => return Ok(Attempt::WouldBlock),
            },
        };
        Ok(match found.transpose()? {
            Some(Found::Value(value)) => Attempt::Done(value),
            Some(Found::Blob(reference, expire)) => {
                let Some(f) = f.take() else { return Ok(Attempt::Done(None)) };
                match self.blobs.try_read_with(&reference, |value| f(value, expire))? {
                    Attempt::Done(value) => Attempt::Done(Some(value)),
                    Attempt::WouldBlock => Attempt::WouldBlock,
                }
            }
            Some(Found::Gone) | None => Attempt::Done(None),
        })
    }

    /// The newest record of a key, whatever its kind and expiry: its batch and kind.
    pub(super) fn newest(
        &self,
        view: &ReadView,
        keyspace: KeyspaceId,
        key: &[u8],
    ) -> Result<Option<(Seq, Kind, u64)>> {
        let max_seq = self.visible_seq();
        let place = Place { keyspace, key, hash: self.key_hash(key), max_seq };
        let mut covering = 0;
        let shape = |entry: Entry<'_>| (entry.seq, entry.kind, entry.expire_at_ms);
        match in_memtables(view.generations(), &place, &mut covering, shape) {
            Some(found) => Ok(found),
            None => in_tables(&view.version, &place, self.hash_seed, covering, shape),
        }
    }

    /// Hash of a key as memtables and tables of this database use it.
    #[inline]
    pub(super) fn key_hash(&self, key: &[u8]) -> u64 {
        hash::key_hash_seeded(key, self.hash_seed)
    }
}

impl Db {
    /// Calls `f` with the value of `key` and its expiry (ms since the epoch, 0 = never).
    ///
    /// **Concurrency**: any thread; takes no lock. May read the disk.
    ///
    /// # Errors
    /// `Closed`, `Corruption` with path and offset, others as the file system says.
    pub fn get_with<R>(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
        f: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>> {
        self.inner.state.check_open()?;
        let view = self.inner.view.load();
        self.inner.read(&view, (keyspace, key, self.inner.visible_seq()), f)
    }

    /// As [`Db::get_with`], but gives `WouldBlock` instead of waiting for the disk.
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
        let view = self.inner.view.load();
        self.inner.try_read(&view, (keyspace, key, self.inner.visible_seq()), f)
    }

    /// The value of `key`, copied.
    ///
    /// # Errors
    /// As [`Db::get_with`].
    pub fn get(&self, keyspace: KeyspaceId, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.get_with(keyspace, key, |value, _| value.to_vec())
    }

    /// Whether `key` has a value.
    ///
    /// # Errors
    /// As [`Db::get_with`].
    pub fn contains(&self, keyspace: KeyspaceId, key: &[u8]) -> Result<bool> {
        Ok(self.get_with(keyspace, key, |_, _| ())?.is_some())
    }

    /// The batch that wrote the value of `key`, the value and its expiry; for [`Db::write_if`].
    ///
    /// # Errors
    /// As [`Db::get_with`].
    pub fn get_versioned(
        &self,
        keyspace: KeyspaceId,
        key: &[u8],
    ) -> Result<Option<(Seq, Vec<u8>, u64)>> {
        self.inner.state.check_open()?;
        loop {
            let view = self.inner.view.load_full();
            let before = self.inner.newest(&view, keyspace, key)?;
            let found = self.get_with(keyspace, key, |value, expire| (value.to_vec(), expire))?;
            let view = self.inner.view.load_full();
            if self.inner.newest(&view, keyspace, key)? == before {
                let seq = before.map_or(0, |(seq, _, _)| seq);
                return Ok(found.map(|(value, expire)| (seq, value, expire)));
            }
        }
    }

    /// Calls `f` with the index and value of each key, in any order, all of one moment.
    ///
    /// # Errors
    /// As [`Db::get_with`]; `f` may have been called for some keys.
    pub fn multi_get(
        &self,
        keyspace: KeyspaceId,
        keys: &[&[u8]],
        f: impl FnMut(usize, Option<(&[u8], u64)>),
    ) -> Result<()> {
        self.snapshot()?.multi_get(keyspace, keys, f)
    }
}
