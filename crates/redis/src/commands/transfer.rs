//! Members of large collections when their key gets another name or a copy.

use crate::collection::{Id, SPREAD};
use crate::key::MetaKey;
use crate::stop::{Outcome, Stop};
use crate::store::Pair;

use super::members::scan_members;
use super::{Call, StoredRecord};

/// Bytes of a metadata record in front of the collection's id.
const FIRST: usize = 1;

/// The members that a record names, when it names any.
fn members_of(record: &StoredRecord) -> Option<Id> {
    let first = *record.bytes.first()?;
    let is_spread = first >> 4 != 0 && first & SPREAD != 0;
    is_spread.then(|| Id::of(&record.bytes[FIRST..])).flatten()
}

/// Adds to the batch that `target` is now the owner of the record's members.
pub(super) fn hand_over(
    call: &mut Call<'_>,
    record: &StoredRecord,
    pair: Pair,
    target: &MetaKey,
) -> Outcome {
    if let Some(id) = members_of(record) {
        call.scratch.batch.put(pair.members, &id.owner(), target.bytes(), 0)?;
    }
    Ok(())
}

/// Adds to the batch a copy of the record's members for `target` in the logical database `to`; the
/// record that names them. The original's are in the call's database.
pub(super) fn duplicate(
    call: &mut Call<'_>,
    record: &StoredRecord,
    to: Pair,
    target: &MetaKey,
) -> Result<Vec<u8>, Stop> {
    let mut bytes = record.bytes.clone();
    let Some(id) = members_of(record) else { return Ok(bytes) };
    let from = call.store.keyspaces(call.session.database);
    let mut scan = scan_members(call, from, id.bytes().to_vec(), Some(id.end()))?;
    let copy = Id::new(target.slot(), call.store.versions().next(call.store.db())?);
    let batch = &mut call.scratch.batch;
    while let Some((key, value)) = scan.next()? {
        let place = [copy.bytes(), &key[copy.bytes().len()..]].concat();
        batch.put(to.members, &place, value, 0)?;
    }
    batch.put(to.members, &copy.owner(), target.bytes(), 0)?;
    bytes[FIRST..][..copy.bytes().len()].copy_from_slice(copy.bytes());
    Ok(bytes)
}
