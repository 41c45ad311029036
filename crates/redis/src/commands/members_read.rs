//! Reading one member, and lengths, without a lock and without a copy.

use std::cell::Cell;

use crate::collection::expiring::due_of;
use crate::collection::packed::{Items, find};
use crate::collection::{EXPIRING, Id, Spread};
use crate::key::MetaKey;
use crate::resp::Reply;
use crate::stop::{Outcome, Stop};
use crate::store::Moment;
use crate::value::{Type, Value};

use super::Call;
use super::members::{Members, View, view};

/// Reads the member that is argument 2; `found` replies. Whether it was there.
pub(super) fn read_one(
    call: &mut Call<'_>,
    kind: Type,
    found: impl Fn(&mut Reply<'_>, &[u8]),
) -> Result<bool, Stop> {
    let key = call.key(1)?;
    let member = call.args.get(2);
    let is_there = Cell::new(false);
    let answer = |reply: &mut Reply<'_>, value: &[u8]| {
        is_there.set(true);
        found(reply, value);
    };
    let read = |reply: &mut Reply<'_>, value: Value<'_>| -> Result<Option<Spread>, Stop> {
        match view(&value, kind)? {
            View::Spread(spread) => return Ok(Some(spread)),
            View::Packed(items) => {
                if let Some(place) = find(items, kind != Type::Set, member) {
                    answer(reply, &items[place.value]);
                }
            }
        }
        Ok(None)
    };
    loop {
        let spread = call.look_up(&key, |reply, value, _| read(reply, value))?.transpose()?;
        let Some(spread) = spread.flatten() else { return Ok(is_there.get()) };
        let members = call.store.keyspaces(call.session.database).members;
        let place = spread.id.member(kind, member);
        let reply = &mut call.reply;
        call.store.read_record(call.mode, members, &place, |value, _| answer(reply, value))?;
        if is_there.get() || is_current(call, &key, kind, &spread)? {
            return Ok(is_there.get());
        }
    }
}

/// Whether a collection is still the one that was read: if not, its members may be gone already.
fn is_current(call: &Call<'_>, key: &MetaKey, kind: Type, read: &Spread) -> Result<bool, Stop> {
    let now = call.read(key, |value, _| match view(&value, kind) {
        Ok(View::Spread(now)) => now.id == read.id,
        _ => false,
    })?;
    Ok(now == Some(true))
}

/// A field of a hash as of a moment; `None` when the key holds no hash, or the hash no such field.
pub(super) fn field_at(
    call: &Call<'_>,
    moment: &Moment<'_>,
    key: &MetaKey,
    field: &[u8],
) -> Result<Option<Vec<u8>>, Stop> {
    let pair = call.store.keyspaces(call.session.database);
    let found = moment.read(call.mode, pair.keys, key, |value, _| {
        Some(match view(&value, Type::Hash).ok()? {
            View::Packed(items) => Place::Value(items[find(items, true, field)?.value].to_vec()),
            View::Spread(spread) => Place::Record(spread.id),
        })
    })?;
    match found.flatten() {
        None => Ok(None),
        Some(Place::Value(value)) => Ok(Some(value)),
        Some(Place::Record(id)) => {
            let place = id.member(Type::Hash, field);
            moment.read_record(call.mode, pair.members, &place, |value, _| value.to_vec())
        }
    }
}

/// Where a field's value is.
enum Place {
    Value(Vec<u8>),
    Record(Id),
}

/// Whether fields of a spread hash may have ended that its count still counts.
fn has_due(value: &Value<'_>, now_ms: u64) -> bool {
    value.flags & EXPIRING != 0 && due_of(value.bytes) <= now_ms
}

/// HLEN, SCARD, ZCARD.
pub(super) fn reply_length(call: &mut Call<'_>, kind: Type) -> Outcome {
    let key = call.key(1)?;
    let per_item = 1 + u64::from(kind != Type::Set);
    let now_ms = call.store.now_ms();
    let read = |value: Value<'_>| -> Result<Option<u64>, Stop> {
        Ok(match view(&value, kind)? {
            View::Packed(items) => Some(Items::new(items).count() as u64 / per_item),
            View::Spread(_) if has_due(&value, now_ms) => None,
            View::Spread(spread) => Some(spread.count),
        })
    };
    let length = match call.look_up(&key, |_, value, _| read(value))?.transpose()? {
        None => 0,
        Some(Some(length)) => length,
        Some(None) => {
            let _lock = call.lock(&key)?;
            Members::open(call, key, kind, false)?.len()
        }
    };
    call.reply.integer(length as i64);
    Ok(())
}
