//! Exact numbers of live keys without reading before writing.
//!
//! A key is live when its newest record is a value that no range tombstone covers, whatever its
//! expiry: expired keys leave when the sweeper deletes them. For one generation
//!
//! ```text
//! change = sum over its keys of (live now) - (live before the generation)
//! ```
//!
//! *Live now* is kept up to date by the writer, which learns from the memtable whether it held the
//! key already. *Live before* is looked up later, once per key, when somebody asks for the length
//! or when the generation is flushed; the manifest then keeps the sum. A generation with range
//! tombstones is recounted as a whole ([`recount`]), because they also end keys below it; where that
//! is much work, the next count begins another generation and the recount is done for good.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use aidb_base::{KeyspaceId, Result, Seq, hash};
use parking_lot::Mutex;

use super::read::{Sources, newest_live};
use super::scan::merged;
use super::view::Generation;
use crate::entry::{Kind, RangeTombstone};
use crate::iterator::{Bounds, ViewCursor};
use crate::memtable::Previous;
use crate::planted::{Bug, is_planted};
use crate::range_tombstone::RangeTombstones;
use crate::table::SortedKeys;
use crate::version::Tree;

const DIRECT: usize = 32;
/// A recount of more keys is worth a generation of its own.
const RECOUNTED_KEYS_MAX: usize = 1000;
/// Keys looked up together.
const KEYS_AT_ONCE: usize = 8192;

/// Counters of one generation.
#[derive(Default)]
pub(crate) struct Counts {
    live_now: [AtomicI64; DIRECT],
    live_now_others: Mutex<HashMap<KeyspaceId, i64>>,
    firsts: AtomicUsize,
    /// Keys that the last recount walked over.
    recounted_keys: AtomicUsize,
    before: Mutex<Before>,
}

#[derive(Default)]
struct Before {
    resolved: usize,
    next_record: usize,
    live: HashMap<KeyspaceId, i64>,
    recounted: HashMap<KeyspaceId, (Seq, i64)>,
}

/// What the writer knew of a generation at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    live_now: i64,
    firsts: usize,
    last_seq: Seq,
}

impl Counts {
    /// Notes an insert; called under the writer's lock.
    #[inline]
    pub(crate) fn note(&self, keyspace: KeyspaceId, previous: Previous, is_live: bool) {
        if previous == Previous::None {
            self.firsts.store(self.firsts.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
        let change = i64::from(is_live) - i64::from(previous == Previous::Live);
        if change == 0 {
            return;
        }
        match self.live_now.get(keyspace as usize) {
            Some(live) => live.store(live.load(Ordering::Relaxed) + change, Ordering::Release),
            None => *self.live_now_others.lock().entry(keyspace).or_default() += change,
        }
    }

    /// Whether counting again after every write costs more than starting another generation, whose
    /// changes are counted one by one.
    pub(crate) fn is_costly(&self) -> bool {
        self.recounted_keys.load(Ordering::Relaxed) > RECOUNTED_KEYS_MAX
    }

    /// Forgets what was looked up below, because it changed.
    pub(crate) fn forget(&self) {
        *self.before.lock() = Before::default();
    }

    /// The counters now; exact when called under the writer's lock or on a frozen generation.
    pub(crate) fn moment(&self, keyspace: KeyspaceId, last_seq: Seq) -> Moment {
        let live_now = match self.live_now.get(keyspace as usize) {
            Some(live) => live.load(Ordering::Acquire),
            None => self.live_now_others.lock().get(&keyspace).copied().unwrap_or(0),
        };
        Moment { live_now, firsts: self.firsts.load(Ordering::Acquire), last_seq }
    }
}

/// By how much `generation` changes the number of live keys of `keyspace` in what is `below` it.
///
/// # Errors
/// Those of reading tables.
pub(crate) fn change(
    generation: &Generation,
    moment: Moment,
    below: &Sources<'_>,
    keyspace: KeyspaceId,
) -> Result<i64> {
    let tombstones = generation.memtable.range_tombstones(keyspace);
    let mut before = generation.counts.before.lock();
    if !tombstones.is_empty() {
        if let Some(&(seq, change)) = before.recounted.get(&keyspace)
            && seq == moment.last_seq
        {
            return Ok(change);
        }
        let change = recount(generation, moment, &tombstones, below, keyspace)?;
        before.recounted.insert(keyspace, (moment.last_seq, change));
        return Ok(change);
    }
    if is_whole(generation, &before, below) {
        resolve_whole(generation, below, &mut before)?;
    }
    resolve(generation, moment.firsts, below, &mut before)?;
    Ok(moment.live_now - before.live.get(&keyspace).copied().unwrap_or(0))
}

/// Whether all keys of a full memtable are to be looked up in tables alone.
fn is_whole(generation: &Generation, before: &Before, below: &Sources<'_>) -> bool {
    let is_new = before.resolved == 0 && generation.memtable.is_frozen();
    is_new && below.generations.is_empty() && !is_planted(Bug::OverwritesCounted)
}

/// As [`resolve`], in the order of keys: neighbours are found together.
fn resolve_whole(generation: &Generation, below: &Sources<'_>, before: &mut Before) -> Result<()> {
    let mut live = HashMap::new();
    for keyspace in generation.memtable.keyspaces() {
        let Some(tree) = below.version.tree(keyspace) else { continue };
        if tree.sources().is_empty() {
            continue;
        }
        let mut keys = SortedKeys::default();
        let mut count = 0;
        let mut cursor = generation.memtable.sorted_cursor(keyspace);
        crate::iterator::Cursor::seek_to_first(&mut cursor)?;
        while let Some(entry) = crate::iterator::Cursor::entry(&cursor) {
            if keys.is_empty() || entry.key != keys.key(keys.len() - 1) {
                if keys.len() == KEYS_AT_ONCE {
                    count += live_among(tree, &keys, below.hash_seed)?;
                    keys.clear();
                }
                keys.push(entry.key, hash::key_hash_seeded(entry.key, below.hash_seed));
            }
            crate::iterator::Cursor::next(&mut cursor)?;
        }
        count += live_among(tree, &keys, below.hash_seed)?;
        live.insert(keyspace, count);
    }
    before.live = live;
    before.resolved = generation.counts.firsts.load(Ordering::Acquire);
    before.next_record = generation.memtable.entries();
    Ok(())
}

fn live_among(tree: &Tree, keys: &SortedKeys, hash_seed: u64) -> Result<i64> {
    let mut live = 0;
    tree.probe(keys, hash_seed, &mut |index, seq, kind| {
        let is_covered = !tree.tombstones.is_empty()
            && seq < tree.tombstones.seq_covering(keys.key(index), Seq::MAX);
        live += i64::from(kind != Kind::Delete && !is_covered);
    })?;
    Ok(live)
}

fn resolve(
    generation: &Generation,
    firsts: usize,
    below: &Sources<'_>,
    before: &mut Before,
) -> Result<()> {
    let wanted = firsts.saturating_sub(before.resolved);
    let from = before.next_record;
    for (index, keyspace, entry) in generation.memtable.first_versions(from).take(wanted) {
        let is_live = !is_planted(Bug::OverwritesCounted) && !below.is_empty(keyspace) && {
            let hash = hash::key_hash_seeded(entry.key, below.hash_seed);
            newest_live(below, keyspace, entry.key, hash)?
        };
        if is_live {
            *before.live.entry(keyspace).or_default() += 1;
        }
        before.resolved += 1;
        before.next_record = index + 1;
    }
    Ok(())
}

/// Live keys of the generation and below, less live keys below, by walking both.
fn recount(
    generation: &Generation,
    moment: Moment,
    tombstones: &RangeTombstones,
    below: &Sources<'_>,
    keyspace: KeyspaceId,
) -> Result<i64> {
    let mut change = 0;
    let mut keys = 0;
    let mut last_key: Option<Vec<u8>> = None;
    let mut cursor = generation.memtable.cursor(keyspace, moment.last_seq);
    crate::iterator::Cursor::seek_to_first(&mut cursor)?;
    while let Some(entry) = crate::iterator::Cursor::entry(&cursor) {
        if last_key.as_deref() != Some(entry.key) {
            let hash = hash::key_hash_seeded(entry.key, below.hash_seed);
            let covered = tombstones.seq_covering(entry.key, moment.last_seq) > entry.seq;
            change += i64::from(entry.kind != Kind::Delete && !covered);
            change -= i64::from(newest_live(below, keyspace, entry.key, hash)?);
            last_key = Some(entry.key.to_vec());
            keys += 1;
        }
        crate::iterator::Cursor::next(&mut cursor)?;
    }
    let ended = ended_below(generation, moment, tombstones, below, keyspace)?;
    generation.counts.recounted_keys.store(keys + ended as usize, Ordering::Relaxed);
    Ok(change - ended)
}

/// Live keys below that the generation's tombstones cover and that it does not hold itself.
fn ended_below(
    generation: &Generation,
    moment: Moment,
    tombstones: &RangeTombstones,
    below: &Sources<'_>,
    keyspace: KeyspaceId,
) -> Result<i64> {
    let mut ended = 0;
    for range in disjoint(tombstones.iter()) {
        let merge = merged(below, keyspace, Seq::MAX);
        let hidden = below.tombstones(keyspace);
        let bounds = Bounds { lower: Some(range.start), upper: range.end };
        let mut view = ViewCursor::new(merge, hidden, Seq::MAX, 0, bounds);
        view.seek_to_first()?;
        while let Some(key) = view.key() {
            let hash = hash::key_hash_seeded(key, below.hash_seed);
            let own = generation.memtable.get(keyspace, key, hash, moment.last_seq);
            ended += i64::from(own.is_none());
            view.next()?;
        }
    }
    Ok(ended)
}

/// The ranges of `tombstones` joined where they overlap.
fn disjoint<'a>(tombstones: impl Iterator<Item = &'a RangeTombstone>) -> Vec<RangeTombstone> {
    let mut ranges: Vec<RangeTombstone> = tombstones.cloned().collect();
    ranges.sort();
    let mut joined: Vec<RangeTombstone> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end.as_ref().is_none_or(|end| *end >= range.start) => {
                if last.end.is_some() && (range.end.is_none() || range.end > last.end) {
                    last.end = range.end;
                }
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// Live keys of `keyspace` in a consistent set of generations (newest first) over a version.
///
/// # Errors
/// Those of reading tables.
pub(crate) fn total(
    generations: &[(Arc<Generation>, Moment)],
    sources: &Sources<'_>,
    keyspace: KeyspaceId,
) -> Result<u64> {
    let mut total = sources.version.tree(keyspace).map_or(0, |tree| tree.live_keys as i64);
    let all: Vec<Arc<Generation>> = generations.iter().map(|(g, _)| g.clone()).collect();
    for (i, (generation, moment)) in generations.iter().enumerate().rev() {
        let below = Sources { generations: &all[i + 1..], ..*sources };
        total += change(generation, *moment, &below, keyspace)?;
    }
    Ok(total.max(0) as u64)
}
