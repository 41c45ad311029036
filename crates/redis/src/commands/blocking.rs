//! Commands that wait until a key has something: BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP, BZPOPMIN,
//! BZPOPMAX, BZMPOP.
//!
//! Each tries what its plain form does. When there is nothing, the client joins the lines of its keys
//! while their slots are held, so that no commit slips between, and [`Stop::Wait`] ends the attempt.
//! Inside a transaction nobody waits.

use crate::key::MetaKey;
use crate::number::parse_double;
use crate::stop::{Outcome, Stop, WRONG_TYPE, Wait};

use super::Call;
use super::list_moves::{end_of, lmpop_arguments, move_locked, pop_first};
use super::list_store::{End, List};
use super::lists::commit_popped;
use super::sorted_pops::{pop_one, pop_some, zmpop_arguments};

/// When a command stops waiting, from its argument: seconds, maybe with a fraction; 0 = never.
pub(super) fn deadline(call: &Call<'_>, index: usize) -> Result<Wait, Stop> {
    let seconds = parse_double(call.args.get(index))
        .ok_or_else(|| Stop::fail("ERR timeout is not a float or out of range"))?;
    if seconds < 0.0 {
        return Err(Stop::fail("ERR timeout is negative"));
    }
    let wait_ms = (seconds * 1000.0).ceil();
    let now_ms = call.store.now_ms();
    if wait_ms >= (i64::MAX as u64 - now_ms) as f64 {
        return Err(Stop::fail("ERR timeout is out of range"));
    }
    Ok(Wait { until_ms: if wait_ms == 0.0 { 0 } else { now_ms + wait_ms as u64 } })
}

/// Ends an attempt that found nothing. The slots of `keys` are held.
pub(super) fn wait_for(call: &mut Call<'_>, keys: &[MetaKey], wait: Wait) -> Outcome {
    if call.store.is_transaction() {
        call.reply.null_array();
        return Ok(());
    }
    call.store.join_lines(call.keyspace(), keys, call.session.place);
    Err(Stop::Wait(wait))
}

/// Whether to try a key: not when an earlier client was called for it. Type errors are for the first
/// attempt only; later a key of another type is one that has nothing.
pub(super) fn tries(
    call: &mut Call<'_>,
    key: &MetaKey,
    attempt: impl FnOnce(&mut Call<'_>) -> Result<bool, Stop>,
) -> Result<bool, Stop> {
    let place = call.session.place;
    if call.store.is_somebodys_turn(call.keyspace(), key, place) {
        return Ok(false);
    }
    match attempt(call) {
        Err(stop) if call.session.is_waiting && stop.is_line_of(&WRONG_TYPE) => Ok(false),
        tried => tried,
    }
}

/// `BLPOP key [key …] timeout`
pub fn blpop(call: &mut Call<'_>) -> Outcome {
    pop(call, End::Left)
}

/// `BRPOP key [key …] timeout`
pub fn brpop(call: &mut Call<'_>) -> Outcome {
    pop(call, End::Right)
}

fn pop(call: &mut Call<'_>, end: End) -> Outcome {
    let last = call.args.len() - 1;
    let wait = deadline(call, last)?;
    let keys = call.counted_keys(1, last - 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    for (index, key) in keys.iter().enumerate() {
        if tries(call, key, |call| pop_pair(call, key, 1 + index, end))? {
            return Ok(());
        }
    }
    wait_for(call, &keys, wait)
}

/// Answers the key's name and its popped item.
fn pop_pair(call: &mut Call<'_>, key: &MetaKey, name: usize, end: End) -> Result<bool, Stop> {
    call.begin();
    let mut list = List::open(call, key.clone())?;
    call.count_lookup(list.exists());
    if !list.exists() {
        return Ok(false);
    }
    let item = list.pop(call, end)?.unwrap_or_default();
    commit_popped(call, list, end, name, 1)?;
    call.reply.array(2);
    call.reply.bulk(call.args.get(name));
    call.reply.bulk(&item);
    Ok(true)
}

/// `BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout`
pub fn blmove(call: &mut Call<'_>) -> Outcome {
    let ends = (end_of(call.args.get(3))?, end_of(call.args.get(4))?);
    let wait = deadline(call, 5)?;
    move_or_wait(call, ends, wait)
}

/// `BRPOPLPUSH source destination timeout`
pub fn brpoplpush(call: &mut Call<'_>) -> Outcome {
    let wait = deadline(call, 3)?;
    move_or_wait(call, (End::Right, End::Left), wait)
}

fn move_or_wait(call: &mut Call<'_>, ends: (End, End), wait: Wait) -> Outcome {
    let pair = [call.key(1)?, call.key(2)?];
    let _locks = call.store.lock_all_of(call.mode, &pair)?;
    let [source, destination] = pair.clone();
    if tries(call, &pair[0], |call| move_locked(call, [source, destination], ends))? {
        return Ok(());
    }
    if call.store.is_transaction() {
        call.reply.null();
        return Ok(());
    }
    wait_for(call, &pair[..1], wait)
}

/// `BLMPOP timeout numkeys key [key …] LEFT | RIGHT [COUNT count]`
pub fn blmpop(call: &mut Call<'_>) -> Outcome {
    let (keys, end, count) = lmpop_arguments(call, 2)?;
    let wait = deadline(call, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    for (index, key) in keys.iter().enumerate() {
        if tries(call, key, |call| pop_first(call, key.clone(), 3 + index, end, count))? {
            return Ok(());
        }
    }
    wait_for(call, &keys, wait)
}

/// `BZPOPMIN key [key …] timeout`
pub fn bzpopmin(call: &mut Call<'_>) -> Outcome {
    pop_scored(call, false)
}

/// `BZPOPMAX key [key …] timeout`
pub fn bzpopmax(call: &mut Call<'_>) -> Outcome {
    pop_scored(call, true)
}

fn pop_scored(call: &mut Call<'_>, reverse: bool) -> Outcome {
    let last = call.args.len() - 1;
    let wait = deadline(call, last)?;
    let keys = call.counted_keys(1, last - 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    for (index, key) in keys.iter().enumerate() {
        if tries(call, key, |call| pop_one(call, key.clone(), 1 + index, reverse))? {
            return Ok(());
        }
    }
    wait_for(call, &keys, wait)
}

/// `BZMPOP timeout numkeys key [key …] MIN | MAX [COUNT count]`
pub fn bzmpop(call: &mut Call<'_>) -> Outcome {
    let (keys, reverse, count) = zmpop_arguments(call, 2)?;
    let wait = deadline(call, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    for (index, key) in keys.iter().enumerate() {
        if tries(call, key, |call| pop_some(call, key.clone(), 3 + index, (reverse, count)))? {
            return Ok(());
        }
    }
    wait_for(call, &keys, wait)
}
