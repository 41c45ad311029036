//! A keyspace as the picker sees it: metadata in levels, borrowed.

use aidb_base::KeyspaceId;

use crate::entry::RangeTombstone;
use crate::options::KeyspaceOptions;
use crate::version::{TableMeta, TreeState};

/// A run of level 0.
#[derive(Clone, Debug)]
pub struct RunShape<'a> {
    /// Its number, higher = newer.
    pub run: u64,
    /// Its tables by key.
    pub tables: Vec<&'a TableMeta>,
}

impl RunShape<'_> {
    /// Bytes of its tables.
    pub fn bytes(&self) -> u64 {
        bytes_of(&self.tables)
    }

    /// Records of its tables.
    pub fn entries(&self) -> u64 {
        entries_of(&self.tables)
    }
}

/// A range tombstone and the table that carries it.
#[derive(Clone, Copy, Debug)]
pub struct Carried<'a> {
    /// The tombstone.
    pub tombstone: &'a RangeTombstone,
    /// Its carrier.
    pub carrier: &'a TableMeta,
}

/// Tables of one keyspace.
#[derive(Clone, Debug)]
pub struct TreeShape<'a> {
    /// The keyspace.
    pub keyspace: KeyspaceId,
    /// Its settings.
    pub options: &'a KeyspaceOptions,
    /// Runs of level 0, newest first.
    pub l0: Vec<RunShape<'a>>,
    /// Levels 1 to 6 by key.
    pub levels: [Vec<&'a TableMeta>; 6],
    /// Tables without entries: they only carry range tombstones.
    pub carriers: Vec<(u8, &'a TableMeta)>,
    /// Every range tombstone.
    pub tombstones: Vec<Carried<'a>>,
    /// Keys with a value.
    pub live_keys: u64,
}

impl<'a> TreeShape<'a> {
    /// Sorts the tables of `state` into levels; `tombstones` are those they carry.
    pub fn new(keyspace: KeyspaceId, state: &'a TreeState, tombstones: Vec<Carried<'a>>) -> Self {
        let mut shape = Self {
            keyspace,
            options: &state.options,
            l0: Vec::new(),
            levels: Default::default(),
            carriers: Vec::new(),
            tombstones,
            live_keys: state.live_keys,
        };
        let mut placed: Vec<_> = state.tables.values().collect();
        placed.sort_unstable_by(|a, b| a.meta.smallest.cmp(&b.meta.smallest));
        for table in placed {
            let meta: &TableMeta = &table.meta;
            match table.level {
                level if meta.entries == 0 => shape.carriers.push((level, meta)),
                0 => shape.push_to_run(table.run, meta),
                level => shape.levels[usize::from(level) - 1].push(meta),
            }
        }
        shape.l0.sort_unstable_by_key(|run| std::cmp::Reverse(run.run));
        shape
    }

    fn push_to_run(&mut self, run: u64, meta: &'a TableMeta) {
        match self.l0.iter_mut().find(|existing| existing.run == run) {
            Some(existing) => existing.tables.push(meta),
            None => self.l0.push(RunShape { run, tables: vec![meta] }),
        }
    }

    /// Tables of `level`, which must not be 0.
    pub fn level(&self, level: u8) -> &[&'a TableMeta] {
        &self.levels[usize::from(level) - 1]
    }

    /// Every sorted run from newest to oldest with its level: L0 runs, then levels.
    pub fn runs(&self) -> impl Iterator<Item = (u8, u64, &[&'a TableMeta])> {
        let l0 = self.l0.iter().map(|run| (0, run.run, run.tables.as_slice()));
        let levels = self.levels.iter().zip(1u8..);
        l0.chain(levels.map(|(tables, level)| (level, 0, tables.as_slice())))
    }

    /// Records of all tables.
    pub fn entries(&self) -> u64 {
        self.runs().map(|(_, _, tables)| entries_of(tables)).sum()
    }

    /// Bytes of level 0.
    pub fn l0_bytes(&self) -> u64 {
        self.l0.iter().map(RunShape::bytes).sum()
    }
}

/// Bytes of `tables`.
pub(super) fn bytes_of(tables: &[&TableMeta]) -> u64 {
    tables.iter().map(|table| table.bytes).sum()
}

fn entries_of(tables: &[&TableMeta]) -> u64 {
    tables.iter().map(|table| table.entries).sum()
}

/// The part of a sorted run that overlaps `smallest..=largest`.
pub(super) fn overlapping<'s, 'a>(
    tables: &'s [&'a TableMeta],
    smallest: &[u8],
    largest: &[u8],
) -> &'s [&'a TableMeta] {
    let from = tables.partition_point(|table| table.largest.as_slice() < smallest);
    let count = tables[from..].partition_point(|table| table.smallest.as_slice() <= largest);
    &tables[from..from + count]
}

/// First and last key of `tables`, which must not be empty.
pub(super) fn bounds<'a>(tables: &[&'a TableMeta]) -> (&'a [u8], &'a [u8]) {
    let smallest = tables.iter().map(|table| table.smallest.as_slice()).min();
    let largest = tables.iter().map(|table| table.largest.as_slice()).max();
    (smallest.unwrap_or_default(), largest.unwrap_or_default())
}
