//! Members of large collections when their key gets another name or a copy.

use std::collections::HashMap;

use crate::collection::expiring::{NEVER, due_of};
use crate::collection::{EXPIRING, ID_BYTES, Id, LARGE, SPREAD, header, member_of};
use crate::key::{MetaKey, tag};
use crate::stop::{Outcome, Stop};
use crate::store::{Pair, stage_due};
use crate::value::Type;

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

/// When the first field of a hash ends.
fn due_in(record: &StoredRecord) -> u64 {
    match record.bytes.split_first() {
        Some((first, rest)) if *first & !LARGE == header(Type::Hash, SPREAD | EXPIRING) => {
            due_of(rest)
        }
        _ => NEVER,
    }
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
        stage_due(&mut call.scratch.batch, pair.members, due_in(record), target.bytes())?;
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
    let ends = ends_of(call, from, &id, due_in(record))?;
    let mut scan = scan_members(call, from, id.bytes().to_vec(), Some(id.end()))?;
    let copy = Id::new(target.slot(), call.store.versions().next(call.store.db())?);
    let batch = &mut call.scratch.batch;
    while let Some((key, value)) = scan.next()? {
        let place = [copy.bytes(), &key[copy.bytes().len()..]].concat();
        let ends_at = ends.get(member_of(key)).filter(|_| is_field(key)).copied();
        batch.put(to.members, &place, value, ends_at.unwrap_or(0))?;
    }
    stage_due(batch, to.members, due_in(record), target.bytes())?;
    batch.put(to.members, &copy.owner(), target.bytes(), 0)?;
    bytes[FIRST..][..copy.bytes().len()].copy_from_slice(copy.bytes());
    Ok(bytes)
}

/// Whether a member's key is that of a hash's field.
fn is_field(member_key: &[u8]) -> bool {
    member_key.get(ID_BYTES) == Some(&tag::HASH_FIELD)
}

/// The fields that end, and when.
fn ends_of(call: &Call<'_>, pair: Pair, id: &Id, due: u64) -> Result<HashMap<Vec<u8>, u64>, Stop> {
    let mut ends = HashMap::new();
    if due == NEVER {
        return Ok(ends);
    }
    let mut walk = scan_members(call, pair, id.endings(), Some(id.behind(tag::HASH_EXPIRY)))?;
    while let Some((key, _)) = walk.next()? {
        if let Some((instant, field)) = id.read_ending(key) {
            ends.insert(field.to_vec(), instant);
        }
    }
    Ok(ends)
}
