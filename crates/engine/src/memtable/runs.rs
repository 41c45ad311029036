//! Sorted access to a memtable, built only when somebody asks for it.
//!
//! Records that came since the last request are sorted into a run; records that came in order are
//! only checked. Runs of similar size are merged like a binary counter: small ones at once, large
//! ones a bounded number of steps with every request, so that no cursor waits for a large merge.
//! Meanwhile cursors use the two runs. A frozen memtable can be given one run over everything, which
//! then serves every cursor.

use std::collections::BTreeMap;
use std::sync::Arc;

use aidb_base::KeyspaceId;
use parking_lot::Mutex;

use super::arena::{Arena, RecordRef};
use super::list::RecordList;
use super::sort::{Merging, Sorted};

/// Most records of a merged run.
const MERGED_RECORDS_MAX: usize = 256 << 10;
/// Merges into up to this many records are done at once.
const MERGED_AT_ONCE_MAX: usize = 1 << 10;
/// Steps of a large merge per request and per record that is new in it. A record goes through at
/// most eight large merges, so that they keep up with inserts.
const STEPS_PER_REQUEST: usize = 512;
const STEPS_PER_RECORD: usize = 10;

/// Runs of all keyspaces. The mutex is shared by cursors and never taken by inserts.
#[derive(Default)]
pub(super) struct Runs {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Length of the record list when it was last looked at.
    seen: usize,
    keyspaces: BTreeMap<KeyspaceId, KeyspaceRuns>,
}

#[derive(Default)]
struct KeyspaceRuns {
    unsorted: Vec<RecordRef>,
    /// Largest first.
    runs: Vec<Arc<Sorted>>,
    /// A large merge in progress and the runs it is made of.
    merging: Option<(Merging, [Arc<Sorted>; 2])>,
    /// One run over all records of a frozen memtable.
    whole: Option<Arc<Sorted>>,
}

impl Runs {
    /// Runs that together hold every record of `keyspace` inserted before the call.
    pub(super) fn current(
        &self,
        arena: &Arena,
        list: &RecordList,
        keyspace: KeyspaceId,
    ) -> Vec<Arc<Sorted>> {
        let mut state = self.state.lock();
        state.catch_up(arena, list);
        match state.keyspaces.get_mut(&keyspace) {
            Some(runs) => runs.sorted(arena),
            None => Vec::new(),
        }
    }

    /// One run with every record of `keyspace`. Nothing may be inserted any more.
    pub(super) fn whole(
        &self,
        arena: &Arena,
        list: &RecordList,
        keyspace: KeyspaceId,
    ) -> Arc<Sorted> {
        let mut state = self.state.lock();
        state.catch_up(arena, list);
        if let Some(whole) = state.keyspaces.get(&keyspace).and_then(|runs| runs.whole.clone()) {
            return whole;
        }
        // Sorted outside the lock: cursors go on with the runs there are.
        drop(state);
        let (len, mut own) = (list.len(), Vec::with_capacity(list.len()));
        own.extend((0..len).filter_map(|index| list.get(index)));
        if list.only_keyspace() != Some(keyspace) {
            own.retain(|&at| arena.record(at).keyspace() == keyspace);
        }
        let whole = Arc::new(Sorted::new(arena, &own));
        if let Some(runs) = self.state.lock().keyspaces.get_mut(&keyspace) {
            *runs = KeyspaceRuns { whole: Some(whole.clone()), ..KeyspaceRuns::default() };
        }
        whole
    }

    /// Keyspaces with records, ascending.
    pub(super) fn keyspaces(&self, arena: &Arena, list: &RecordList) -> Vec<KeyspaceId> {
        let mut state = self.state.lock();
        state.catch_up(arena, list);
        state.keyspaces.keys().copied().collect()
    }
}

impl State {
    /// Hands new records to their keyspaces.
    fn catch_up(&mut self, arena: &Arena, list: &RecordList) {
        let len = list.len();
        if let Some(keyspace) = list.only_keyspace().filter(|_| self.seen < len) {
            let unsorted = &mut self.keyspaces.entry(keyspace).or_default().unsorted;
            unsorted.extend((self.seen..len).filter_map(|index| list.get(index)));
            self.seen = len;
        }
        while let Some(first) = (self.seen < len).then(|| list.get(self.seen)).flatten() {
            let keyspace = arena.record(first).keyspace();
            let unsorted = &mut self.keyspaces.entry(keyspace).or_default().unsorted;
            while let Some(at) = (self.seen < len).then(|| list.get(self.seen)).flatten() {
                if arena.record(at).keyspace() != keyspace {
                    break;
                }
                unsorted.push(at);
                self.seen += 1;
            }
        }
    }
}

impl KeyspaceRuns {
    fn sorted(&mut self, arena: &Arena) -> Vec<Arc<Sorted>> {
        if let Some(whole) = &self.whole {
            debug_assert!(self.unsorted.is_empty(), "inserted into a frozen memtable");
            return vec![whole.clone()];
        }
        let fresh = std::mem::take(&mut self.unsorted);
        if !fresh.is_empty() {
            self.add(Sorted::new(arena, &fresh));
            self.merge_small(arena);
        }
        self.merge_large(arena, STEPS_PER_REQUEST + STEPS_PER_RECORD * fresh.len());
        let merging = self.merging.iter().flat_map(|(_, parts)| parts);
        self.runs.iter().chain(merging).cloned().collect()
    }

    fn add(&mut self, run: Sorted) {
        if !run.items.is_empty() {
            let at = self.runs.partition_point(|other| other.items.len() >= run.items.len());
            self.runs.insert(at, Arc::new(run));
        }
    }

    fn merge_small(&mut self, arena: &Arena) {
        while let [.., left, right] = self.runs.as_slice() {
            if !are_similar(left, right) || total(left, right) > MERGED_AT_ONCE_MAX {
                return;
            }
            let mut merging = Merging::new(arena, left.clone(), right.clone());
            self.runs.truncate(self.runs.len() - 2);
            if let Some(merged) = merging.advance(arena, usize::MAX) {
                self.add(merged);
            }
        }
    }

    fn merge_large(&mut self, arena: &Arena, steps: usize) {
        if self.merging.is_none() {
            let pair = self.runs.windows(2).rposition(|pair| {
                are_similar(&pair[0], &pair[1]) && total(&pair[0], &pair[1]) <= MERGED_RECORDS_MAX
            });
            let Some(at) = pair else { return };
            let (left, right) = (self.runs.remove(at), self.runs.remove(at));
            let merging = Merging::new(arena, left.clone(), right.clone());
            self.merging = Some((merging, [left, right]));
        }
        let merged = self.merging.as_mut().and_then(|(merging, _)| merging.advance(arena, steps));
        if let Some(merged) = merged {
            self.merging = None;
            self.add(merged);
        }
    }
}

/// Whether merging the smaller `right` into `left` is worth the copying.
fn are_similar(left: &Sorted, right: &Sorted) -> bool {
    left.items.len() <= right.items.len() * 2
}

fn total(left: &Sorted, right: &Sorted) -> usize {
    left.items.len() + right.items.len()
}
