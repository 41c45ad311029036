//! What the database must hold: every batch ever committed, and the state after any of them.

use std::collections::BTreeMap;

use aidb_base::{KeyspaceId, Seq};
use aidb_engine::WriteBatch;

/// One operation of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Store a value.
    Put(KeyspaceId, Vec<u8>, Vec<u8>),
    /// Remove a key.
    Delete(KeyspaceId, Vec<u8>),
    /// Remove the keys of a range.
    DeleteRange(KeyspaceId, Vec<u8>, Option<Vec<u8>>),
}

/// Keys and values of one keyspace.
pub type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// Keys and values of every keyspace that ever held one.
pub type State = BTreeMap<KeyspaceId, Pairs>;

/// Every batch in order.
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

    /// The state after every batch up to `seq`.
    pub fn state_at(&self, seq: Seq) -> State {
        let mut state = State::new();
        for (_, changes) in self.batches.iter().take_while(|(at, _)| *at <= seq) {
            changes.iter().for_each(|change| apply(&mut state, change));
        }
        state
    }
}

/// The same operations as a batch of the engine.
pub fn batch_of(changes: &[Change]) -> aidb_base::Result<WriteBatch> {
    let mut batch = WriteBatch::new();
    for change in changes {
        match change {
            Change::Put(keyspace, key, value) => batch.put(*keyspace, key, value, 0)?,
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
        Change::Put(keyspace, key, value) => {
            state.entry(*keyspace).or_default().insert(key.clone(), value.clone());
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
