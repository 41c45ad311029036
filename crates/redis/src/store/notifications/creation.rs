//! Events of keys that a write brings into being, or finds expired: told for every command alike.

use aidb_base::KeyspaceId;
use aidb_engine::batch::{Operation, WriteBatch};

use super::{Access, Class, Event, Mode, event_of};
use crate::stop::{Outcome, Stop};

impl Access<'_> {
    /// Writes a record that may be new, and tells when it is.
    #[cold]
    pub(in crate::store) fn put_observed(
        self,
        mode: Mode,
        (keyspace, key): (KeyspaceId, &[u8]),
        write: impl FnOnce() -> Outcome,
    ) -> Outcome {
        let is_new = self.is_new(mode, keyspace, key)?;
        write()?;
        if is_new {
            self.created(keyspace, key).into_iter().for_each(|event| self.tell(event));
        }
        Ok(())
    }

    /// Commits a batch that may make keys, and tells of them.
    #[cold]
    pub(in crate::store) fn commit_observed(
        self,
        mode: Mode,
        batch: &WriteBatch,
        write: impl FnOnce() -> Outcome,
    ) -> Outcome {
        let events = self.creations(mode, batch)?;
        write()?;
        events.into_iter().for_each(|event| self.tell(event));
        Ok(())
    }

    fn creations(self, mode: Mode, batch: &WriteBatch) -> Result<Vec<Event>, Stop> {
        let mut events = Vec::new();
        // Keys that the batch removes before it writes them, and those it has written.
        let (mut removed, mut written) = (Vec::new(), Vec::new());
        for operation in batch.operations() {
            match operation? {
                Operation::Delete { keyspace, key } => removed.push((keyspace, key)),
                Operation::Put { keyspace, key, .. } => {
                    let place = (keyspace, key);
                    if self.databases.index_of(keyspace).is_none() || written.contains(&place) {
                        continue;
                    }
                    written.push(place);
                    if removed.contains(&place) || self.is_new(mode, keyspace, key)? {
                        events.extend(self.created(keyspace, key));
                    }
                }
                Operation::DeleteRange { .. } | Operation::Annotation(_) => {}
            }
        }
        Ok(events)
    }

    fn created(self, keyspace: KeyspaceId, key: &[u8]) -> Option<Event> {
        if !self.notifications.wants(Class::New) {
            return None;
        }
        event_of(Class::New, "new", self.databases.index_of(keyspace)?, key)
    }
}
