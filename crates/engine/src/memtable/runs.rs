//! Sorted access to a memtable, built only when somebody asks for it.
//!
//! Records that came since the last request are sorted into a run; runs of similar size are merged
//! like a binary counter, but never into more than 64 Ki records, so that no cursor waits long.
//! Records that came in order are not sorted, and runs that follow each other are only copied.
//! A frozen memtable can be given one run over everything, which then serves every cursor.

use std::collections::BTreeMap;
use std::sync::Arc;

use aidb_base::KeyspaceId;
use parking_lot::Mutex;

use super::arena::{Arena, RecordRef};
use super::list::RecordList;
use super::sort::Sorted;

const RUN_RECORDS_MAX: usize = 64 << 10;

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
    runs: Vec<Arc<Sorted>>,
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
        let records = (0..list.len()).filter_map(|index| list.get(index));
        let own = records.filter(|&at| arena.record(at).keyspace() == keyspace);
        let whole = Arc::new(Sorted::new(arena, own));
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
        for records in self.unsorted.chunks(RUN_RECORDS_MAX) {
            let run = Sorted::new(arena, records.iter().copied());
            push_run(arena, &mut self.runs, run);
        }
        self.unsorted = Vec::new();
        self.runs.clone()
    }
}

/// Adds a run and merges the last ones while they are of similar size.
fn push_run(arena: &Arena, runs: &mut Vec<Arc<Sorted>>, mut run: Sorted) {
    while let Some(before) = runs.pop_if(|before| {
        before.items.len() <= run.items.len() * 2
            && before.items.len() + run.items.len() <= RUN_RECORDS_MAX
    }) {
        run = Sorted::merged(arena, &before, &run);
    }
    if !run.items.is_empty() {
        runs.push(Arc::new(run));
    }
}
