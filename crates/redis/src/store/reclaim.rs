//! Removes the members of collections that are gone.
//!
//! A collection ends with its metadata: deleted, overwritten, expired. Its members stay behind and are
//! found here: each collection has an owner record, which names the key whose metadata must name
//! the collection in turn. One pass looks at one record per large collection.

use aidb_base::{KeyspaceId, Result};
use aidb_engine::batch::WriteBatch;
use aidb_engine::db::ScanRange;

use super::{DATABASES, Mode, Pair, Store};
use crate::collection::expiring::read_due;
use crate::collection::{Id, SPREAD};
use crate::stop::Stop;

/// Records of a collection that are removed one by one; more are removed as a range.
const SINGLE_MAX: usize = 1024;

/// A collection and the metadata key of its owner.
type Owned = (Id, Vec<u8>);

impl Store {
    /// One pass over all large collections; number of those whose members were removed.
    ///
    /// **Concurrency**: holds the slot of one collection at a time, for one commit. May wait.
    ///
    /// # Errors
    /// Those of the engine; what was removed until then stays removed.
    pub fn reclaim(&self) -> std::result::Result<usize, Stop> {
        let mut reclaimed = 0;
        for database in 0..DATABASES {
            let pair = self.keyspaces(database);
            let mut from = Vec::new();
            while let Some((id, owner)) = self.next_owned(pair.members, from)? {
                reclaimed += usize::from(self.reclaim_one(pair, &id, &owner)?);
                from = id.end();
            }
        }
        Ok(reclaimed)
    }

    /// The first collection with an owner at or behind a key.
    fn next_owned(&self, members: KeyspaceId, mut from: Vec<u8>) -> Result<Option<Owned>> {
        loop {
            let range = ScanRange { lower: Some(from), upper: None, reverse: false };
            let mut scan = self.db().scan(members, range)?;
            let Some((key, value)) = scan.next()? else { return Ok(None) };
            let id = Id::of(key).filter(|_| read_due(key).is_none());
            let Some(id) = id else { return Ok(None) };
            if key == id.owner().as_slice() {
                return Ok(Some((id, value.to_vec())));
            }
            from = id.end();
        }
    }

    fn reclaim_one(&self, pair: Pair, id: &Id, owner: &[u8]) -> std::result::Result<bool, Stop> {
        let slot = owner.first_chunk().map_or(0, |slot| u16::from_be_bytes(*slot));
        let _lock = self.lock_slots(Mode::Wait, std::iter::once(slot))?;
        // RENAME may have given it to another key since.
        if self.db().get(pair.members, &id.owner())?.as_deref() != Some(owner) {
            return Ok(false);
        }
        let is_named = self.db().get_with(pair.keys, owner, |record, _| names(record, id))?;
        if is_named == Some(true) {
            return Ok(false);
        }
        let batch = self.removal(pair.members, id)?;
        self.commit(Mode::Wait, &batch)?;
        Ok(true)
    }

    fn removal(&self, members: KeyspaceId, id: &Id) -> Result<WriteBatch> {
        let (lower, upper) = (id.bytes().to_vec(), id.end());
        let range = ScanRange { lower: Some(lower), upper: Some(upper), reverse: false };
        let mut scan = self.db().scan(members, range)?;
        let mut batch = WriteBatch::new();
        while let Some((key, _)) = scan.next()? {
            if batch.len() == SINGLE_MAX {
                batch.clear();
                batch.delete_range(members, id.bytes(), Some(&id.end()))?;
                break;
            }
            batch.delete(members, key)?;
        }
        Ok(batch)
    }
}

/// Whether a metadata record names the collection.
fn names(record: &[u8], id: &Id) -> bool {
    let Some((first, rest)) = record.split_first() else { return false };
    first >> 4 != 0 && first & SPREAD != 0 && Id::of(rest).as_ref() == Some(id)
}
