//! What commits change, told to whoever keeps copies of values elsewhere.
//!
//! Told under the slots' locks after the commit, so that a copy read afterwards is of the new value.
//! As long as nobody listens, a commit costs one load.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use aidb_base::KeyspaceId;
use aidb_engine::batch::{Operation, WriteBatch};

use super::{Databases, Store};
use crate::key;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Keys as clients know them, sorted, of any logical database.
    Keys(&'a [Vec<u8>]),
    /// Every key of a logical database or of all.
    Everything,
}

type Listener = Box<dyn Fn(Change<'_>) + Send + Sync>;

/// Who is told.
#[derive(Default)]
pub struct Changes {
    is_on: AtomicBool,
    listener: OnceLock<Listener>,
}

impl Changes {
    /// Says who is told while it is switched on; once.
    pub fn set_listener(&self, listener: impl Fn(Change<'_>) + Send + Sync + 'static) {
        // A second listener would belong to a second node over one store; there is none.
        let _ = self.listener.set(Box::new(listener));
    }

    /// Begins or ends to tell.
    pub fn switch(&self, on: bool) {
        self.is_on.store(on, Ordering::Release);
    }

    /// Whether anybody is told.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    #[cold]
    pub(super) fn tell(&self, change: Change<'_>) {
        if let Some(listener) = self.listener.get() {
            listener(change);
        }
    }

    /// Tells of one engine key, when it is one of a logical database.
    pub(super) fn tell_of(&self, databases: &Databases, keyspace: KeyspaceId, key: &[u8]) {
        let mut user_key = Vec::new();
        if databases.index_of(keyspace).is_some() && key::decode(key, &mut user_key).is_some() {
            self.tell(Change::Keys(&[user_key]));
        }
    }
}

impl Store {
    /// What commits change.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Tells of the keys that `batch`, just committed, writes; `owners` are keys whose members it
    /// writes.
    #[cold]
    pub(super) fn tell_batch(&self, batch: &WriteBatch, owners: &[(KeyspaceId, Vec<u8>)]) {
        let written = batch.operations().flatten().filter_map(|operation| match operation {
            Operation::Put { keyspace, key, .. } | Operation::Delete { keyspace, key } => {
                self.databases.index_of(keyspace).map(|_| key)
            }
            Operation::DeleteRange { .. } | Operation::Annotation(_) => None,
        });
        let mut keys = BTreeSet::new();
        for key in written.chain(owners.iter().map(|(_, owner)| owner.as_slice())) {
            let mut user_key = Vec::new();
            if key::decode(key, &mut user_key).is_some() {
                keys.insert(user_key);
            }
        }
        let keys: Vec<Vec<u8>> = keys.into_iter().collect();
        if !keys.is_empty() {
            self.changes.tell(Change::Keys(&keys));
        }
    }
}
