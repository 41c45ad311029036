//! Whose members are written: for those who watch their keys.

use aidb_engine::batch::{Operation, WriteBatch};

use super::Store;
use crate::collection::Id;

impl Store {
    /// Tells who watches a key whose members `batch`, just committed, writes. What adds or removes
    /// members also writes the metadata; this is for what only changes them.
    #[cold]
    pub(super) fn touch_owners(&self, batch: &WriteBatch) {
        let mut last = None;
        for operation in batch.operations().flatten() {
            let (Operation::Put { keyspace, key, .. } | Operation::Delete { keyspace, key }) =
                operation
            else {
                continue;
            };
            let Some(keys) = self.databases.keys_of(keyspace) else { continue };
            let Some(id) = Id::of(key).filter(|id| last != Some((keyspace, *id))) else { continue };
            last = Some((keyspace, id));
            // Without an owner the metadata is gone, and whoever removed it has told.
            if let Ok(Some(owner)) = self.db.get(keyspace, &id.owner()) {
                self.watches.touch(keys, &owner);
            }
        }
    }
}
