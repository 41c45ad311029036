//! What the database must hold: every batch ever committed, and the state after any of them.

use std::collections::BTreeMap;

use aidb_base::{KeyspaceId, Seq};
use aidb_engine::WriteBatch;

/// One operation of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Store a value that expires at a time (0 = never).
    Put(KeyspaceId, Vec<u8>, Vec<u8>, u64),
    /// Remove a key.
    Delete(KeyspaceId, Vec<u8>),
    /// Remove the keys of a range.
    DeleteRange(KeyspaceId, Vec<u8>, Option<Vec<u8>>),
}

/// Keys, values and expiry times of one keyspace.
pub type Pairs = BTreeMap<Vec<u8>, (Vec<u8>, u64)>;

/// Contents of every keyspace that ever had any.
pub type State = BTreeMap<KeyspaceId, Pairs>;

/// Every batch in order. Deletes of expired records are not in it: they change nothing that a
/// reader sees.
#[derive(Clone, Debug, Default)]
pub struct Model {
    batches: Vec<(Seq, Vec<Change>)>,
}

impl Model {
    /// Adds the batch that committed, or may commit, as `seq`.
    pub fn commit(&mut self, seq: Seq, changes: Vec<Change>) {
        self.batches.push((seq, changes));
    }

    /// Takes back the last batch: it was refused without effect.
    pub fn retract(&mut self) {
        self.batches.pop();
    }

    /// The operations of batch `seq`, if it is in the model.
    pub fn batch(&self, seq: Seq) -> Option<&[Change]> {
        let index = self.batches.binary_search_by_key(&seq, |(seq, _)| *seq).ok()?;
        Some(&self.batches[index].1)
    }

    /// The state after every batch up to `seq`.
    pub fn state_at(&self, seq: Seq) -> State {
        let mut state = State::new();
        for (_, changes) in self.batches.iter().take_while(|(at, _)| *at <= seq) {
            changes.iter().for_each(|change| apply(&mut state, change));
        }
        state
    }
}

/// What a reader sees of `pairs` at a time.
pub fn visible(pairs: &Pairs, now_ms: u64) -> BTreeMap<&[u8], &[u8]> {
    let is_visible = |expire_at_ms: u64| expire_at_ms == 0 || expire_at_ms > now_ms;
    let live = pairs.iter().filter(|(_, (_, expire_at_ms))| is_visible(*expire_at_ms));
    live.map(|(key, (value, _))| (key.as_slice(), value.as_slice())).collect()
}

/// The same operations as a batch of the engine.
///
/// # Errors
/// None: histories keep within the limits.
pub fn batch_of(changes: &[Change]) -> aidb_base::Result<WriteBatch> {
    let mut batch = WriteBatch::new();
    for change in changes {
        match change {
            Change::Put(keyspace, key, value, expire) => {
                batch.put(*keyspace, key, value, *expire)?;
            }
            Change::Delete(keyspace, key) => batch.delete(*keyspace, key)?,
            Change::DeleteRange(keyspace, start, end) => {
                batch.delete_range(*keyspace, start, end.as_deref())?;
            }
        }
    }
    Ok(batch)
}

fn apply(state: &mut State, change: &Change) {
    match change {
        Change::Put(keyspace, key, value, expire) => {
            let value = (value.clone(), *expire);
            state.entry(*keyspace).or_default().insert(key.clone(), value);
        }
        Change::Delete(keyspace, key) => {
            state.entry(*keyspace).or_default().remove(key);
        }
        Change::DeleteRange(keyspace, start, end) => {
            let covered = |key: &Vec<u8>| key >= start && end.as_ref().is_none_or(|end| key < end);
            state.entry(*keyspace).or_default().retain(|key, _| !covered(key));
        }
    }
}
