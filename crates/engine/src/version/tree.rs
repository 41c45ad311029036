//! The tables of one keyspace in one version, and how to find a key in them.

use std::sync::Arc;

use aidb_base::{Attempt, KeyspaceId, Result};

use super::file::TableFile;
use super::level::Level;
use super::level_cursor::LevelCursor;
use super::state::TreeState;
use crate::entry::Entry;
use crate::iterator::AnyCursor;
use crate::options::KeyspaceOptions;
use crate::planted::{Bug, is_planted};
use crate::range_tombstone::RangeTombstones;

/// Tables asked, newest first, which of them is worth loading ahead.
const PREFETCHED_TABLES: usize = 4;

/// A run of level 0: one flush, or a merge of neighbouring runs.
#[derive(Clone)]
pub struct Run {
    /// Its number, higher = newer.
    pub run: u64,
    /// Its tables.
    pub level: Arc<Level>,
}

/// Tables of one keyspace; immutable.
///
/// A table holds one entry per key at most, and of all entries of a key the newest is in the first
/// source that has one, in the order: runs of level 0 newest first, levels 1 to 6. Entries may be
/// covered by [`Tree::tombstones`].
pub struct Tree {
    /// The keyspace.
    pub id: KeyspaceId,
    /// Its name.
    pub name: String,
    /// Its settings.
    pub options: KeyspaceOptions,
    /// Keys whose newest flushed record is live.
    pub live_keys: u64,
    /// Runs of level 0, newest first.
    pub l0: Vec<Run>,
    /// Levels 1 to 6.
    pub levels: [Arc<Level>; 6],
    /// Tables without entries, which only carry range tombstones.
    pub carriers: Vec<Arc<TableFile>>,
    /// Range tombstones of all tables.
    pub tombstones: Arc<RangeTombstones>,
    /// Runs and levels that are not empty, in the order above.
    sources: Vec<Arc<Level>>,
    /// Tables that carry range tombstones.
    carrying: Vec<u64>,
}

impl Tree {
    /// Arranges `files`, the tables of `state`, reusing what did not change since `before`.
    pub fn new(
        id: KeyspaceId,
        state: &TreeState,
        files: &mut dyn FnMut(u64) -> Option<Arc<TableFile>>,
        before: Option<&Self>,
    ) -> Self {
        let mut l0: Vec<(u64, Vec<Arc<TableFile>>)> = Vec::new();
        let mut levels: [Vec<Arc<TableFile>>; 6] = Default::default();
        let mut carriers = Vec::new();
        let mut carrying = Vec::new();
        for (&number, placed) in &state.tables {
            let Some(file) = files(number) else { continue };
            if !file.tombstones().is_empty() {
                carrying.push(file.clone());
            }
            match usize::from(placed.level) {
                _ if placed.meta.entries == 0 => carriers.push(file),
                0 => match l0.iter_mut().find(|(run, _)| *run == placed.run) {
                    Some((_, tables)) => tables.push(file),
                    None => l0.push((placed.run, vec![file])),
                },
                level => levels[level - 1].push(file),
            }
        }
        l0.sort_unstable_by_key(|(run, _)| std::cmp::Reverse(*run));
        if is_planted(Bug::OlderVersionWins) {
            l0.reverse();
        }
        let known = before.map_or(&[][..], |tree| &tree.sources);
        let reuse = |tables| reuse_level(known, tables);
        let l0: Vec<Run> =
            l0.into_iter().map(|(run, tables)| Run { run, level: reuse(tables) }).collect();
        let levels = levels.map(reuse);
        let sources = l0.iter().map(|run| &run.level).chain(&levels);
        let sources = sources.filter(|level| !level.is_empty()).cloned().collect();
        Self {
            id,
            name: state.name.clone(),
            options: state.options.clone(),
            live_keys: state.live_keys,
            tombstones: collect_tombstones(&carrying, before),
            carrying: carrying.iter().map(|file| file.number()).collect(),
            l0,
            levels,
            carriers,
            sources,
        }
    }

    /// Calls `f` with the newest entry of `key`, deletes and expired entries included; the caller
    /// checks it against range tombstones. `hash` is the key's hash under `hash_seed`.
    ///
    /// # Errors
    /// `Corruption`, and those of the file system.
    #[inline]
    pub fn get<R>(
        &self,
        key: &[u8],
        hash: u64,
        hash_seed: u64,
        f: impl FnOnce(Entry<'_>) -> R,
    ) -> Result<Option<R>> {
        let mut f = Some(f);
        for source in &self.sources {
            let Some(table) = source.table_for(key) else { continue };
            let call = |entry: Entry<'_>| f.take().map(|f| f(entry));
            if let Some(found) = table.get(key, hash, hash_seed, call)? {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Starts loading what a lookup of `key` will read, see [`Table::prefetch`].
    #[inline]
    pub fn prefetch(&self, key: &[u8], hash: u64, hash_seed: u64) {
        let tables = self.sources.iter().filter_map(|source| source.table_for(key));
        let mut nearest = tables.take(PREFETCHED_TABLES);
        let _ = nearest.any(|table| table.prefetch(key, hash, hash_seed));
    }

    /// As [`Tree::get`], but gives up where it would have to wait for the disk.
    ///
    /// # Errors
    /// As [`Tree::get`].
    #[inline]
    pub fn try_get<R>(
        &self,
        key: &[u8],
        hash: u64,
        hash_seed: u64,
        f: impl FnOnce(Entry<'_>) -> R,
    ) -> Result<Attempt<Option<R>>> {
        let mut f = Some(f);
        for source in &self.sources {
            let Some(table) = source.table_for(key) else { continue };
            let call = |entry: Entry<'_>| f.take().map(|f| f(entry));
            match table.try_get(key, hash, hash_seed, call)? {
                Attempt::WouldBlock => return Ok(Attempt::WouldBlock),
                Attempt::Done(Some(found)) => return Ok(Attempt::Done(found)),
                Attempt::Done(None) => {}
            }
        }
        Ok(Attempt::Done(None))
    }

    /// Cursors over the sources that may hold keys in `lower..upper`, newest source first. They
    /// are not bounded themselves.
    pub fn cursors(
        &self,
        lower: Option<&[u8]>,
        upper: Option<&[u8]>,
        fill_cache: bool,
    ) -> Vec<AnyCursor> {
        let in_range = |level: &&Arc<Level>| {
            let tables = level.tables();
            let ends_before = |lower: &[u8]| {
                tables.last().is_none_or(|table| table.meta().largest.as_slice() < lower)
            };
            let starts_after = |upper: &[u8]| {
                tables.first().is_none_or(|table| table.meta().smallest.as_slice() >= upper)
            };
            !lower.is_some_and(ends_before) && !upper.is_some_and(starts_after)
        };
        let open = |level: &Arc<Level>| match level.tables() {
            [table] => AnyCursor::from(table.table().cursor(fill_cache)),
            _ => AnyCursor::from(LevelCursor::new(level.clone(), fill_cache)),
        };
        self.sources.iter().filter(in_range).map(open).collect()
    }

    /// Runs and levels that are not empty, newest data first.
    pub fn sources(&self) -> &[Arc<Level>] {
        &self.sources
    }

    /// Every table.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableFile>> {
        self.sources.iter().flat_map(|level| level.tables()).chain(&self.carriers)
    }

    /// Table `number`.
    pub fn table(&self, number: u64) -> Option<&Arc<TableFile>> {
        self.tables().find(|table| table.number() == number)
    }
}

fn reuse_level(known: &[Arc<Level>], tables: Vec<Arc<TableFile>>) -> Arc<Level> {
    let level = Level::new(tables);
    let is_same = |other: &&Arc<Level>| {
        let numbers = |level: &Level| level.tables().len();
        numbers(other) == numbers(&level)
            && other.tables().iter().zip(level.tables()).all(|(a, b)| Arc::ptr_eq(a, b))
    };
    known.iter().find(is_same).cloned().unwrap_or_else(|| Arc::new(level))
}

/// All range tombstones of `files`; those of `before` when the same tables carry them.
fn collect_tombstones(files: &[Arc<TableFile>], before: Option<&Tree>) -> Arc<RangeTombstones> {
    let numbers = || files.iter().map(|file| file.number());
    if let Some(tree) = before.filter(|tree| tree.carrying.iter().copied().eq(numbers())) {
        return tree.tombstones.clone();
    }
    let all: Vec<_> = files.iter().flat_map(|file| file.tombstones().iter().cloned()).collect();
    Arc::new(RangeTombstones::new(all))
}

#[cfg(test)]
mod tests;
