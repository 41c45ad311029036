//! Whose members are written: for those who watch their keys, or keep copies of them.

use aidb_base::KeyspaceId;
use aidb_engine::batch::{Operation, WriteBatch};

use super::Store;
use crate::collection::Id;

impl Store {
    /// The keys whose members `batch`, just committed, writes. What adds or removes members also
    /// writes the metadata; this is for what only changes them.
    #[cold]
    pub(super) fn owners_of(&self, batch: &WriteBatch) -> Vec<(KeyspaceId, Vec<u8>)> {
        let mut owners = Vec::new();
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
                owners.push((keys, owner));
            }
        }
        owners
    }
}
