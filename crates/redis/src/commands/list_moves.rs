//! LMOVE, RPOPLPUSH, LMPOP: items from one list to another, or from the first that has some.

use crate::key::MetaKey;
use crate::number::parse_integer;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Class;

use super::list_store::{End, List};
use super::lists::{commit_popped, pop_many};
use super::set_algebra::key_count;
use super::{Call, is_word};

/// LEFT or RIGHT.
pub(super) fn end_of(word: &[u8]) -> Result<End, Stop> {
    match () {
        () if is_word(word, "left") => Ok(End::Left),
        () if is_word(word, "right") => Ok(End::Right),
        () => Err(SYNTAX),
    }
}

/// `LMOVE source destination LEFT | RIGHT LEFT | RIGHT`
pub fn lmove(call: &mut Call<'_>) -> Outcome {
    let (from, to) = (end_of(call.args.get(3))?, end_of(call.args.get(4))?);
    if !move_item(call, from, to)? {
        call.reply.null();
    }
    Ok(())
}

/// `RPOPLPUSH source destination`
pub fn rpoplpush(call: &mut Call<'_>) -> Outcome {
    if !move_item(call, End::Right, End::Left)? {
        call.reply.null();
    }
    Ok(())
}

fn move_item(call: &mut Call<'_>, from: End, to: End) -> Result<bool, Stop> {
    let pair = [call.key(1)?, call.key(2)?];
    let _locks = call.store.lock_all_of(call.mode, &pair)?;
    move_locked(call, pair, (from, to))
}

/// Moves an item between lists whose slots are held; whether there was one.
pub(super) fn move_locked(
    call: &mut Call<'_>,
    [source, destination]: [MetaKey; 2],
    (from, to): (End, End),
) -> Result<bool, Stop> {
    call.begin();
    let is_same = source == destination;
    let mut list = List::open(call, source)?;
    call.count_lookup(list.exists());
    if !list.exists() {
        return Ok(false);
    }
    let mut target = List::open(call, destination)?;
    let item = list.pop(call, from)?.unwrap_or_default();
    if is_same {
        list.push(call, to, &item)?;
    } else {
        target.push(call, to, &item)?;
        target.stage(call)?;
    }
    let is_gone = list.len() == 0;
    list.commit(call)?;
    call.notify(Class::List, to.push_event(), call.args.get(2));
    call.notify_shrunk(Class::List, from.pop_event(), call.args.get(1), is_gone);
    call.reply.bulk(&item);
    Ok(true)
}

/// `LMPOP numkeys key [key …] LEFT | RIGHT [COUNT count]`
pub fn lmpop(call: &mut Call<'_>) -> Outcome {
    let (names, end, count) = lmpop_arguments(call, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &names)?;
    for (index, key) in names.into_iter().enumerate() {
        if pop_first(call, key, 2 + index, end, count)? {
            return Ok(());
        }
    }
    call.reply.null_array();
    Ok(())
}

/// Keys, end and count of LMPOP and BLMPOP, whose number of keys is argument `at`.
pub(super) fn lmpop_arguments(
    call: &Call<'_>,
    at: usize,
) -> Result<(Vec<MetaKey>, End, u64), Stop> {
    let keys = pop_key_count(call, at)?;
    let end = end_of(call.args.get(at + 1 + keys))?;
    let count = pop_count(call, at + 2 + keys)?;
    Ok((call.counted_keys(at + 1, keys)?, end, count))
}

/// Pops from a list whose slot is held and whose name is argument `name`; whether there was one.
pub(super) fn pop_first(
    call: &mut Call<'_>,
    key: MetaKey,
    name: usize,
    end: End,
    count: u64,
) -> Result<bool, Stop> {
    call.begin();
    let mut list = List::open(call, key)?;
    call.count_lookup(list.exists());
    if !list.exists() {
        return Ok(false);
    }
    let count = count.min(list.len());
    call.reply.array(2);
    call.reply.bulk(call.args.get(name));
    call.reply.array(count as usize);
    pop_many(call, &mut list, end, count)?;
    commit_popped(call, list, end, name, count)?;
    Ok(true)
}

/// The number of keys of LMPOP and ZMPOP, behind which an end must follow.
pub(super) fn pop_key_count(call: &Call<'_>, index: usize) -> Result<usize, Stop> {
    match key_count(call, index) {
        Ok(count) if index + 1 + count < call.args.len() => Ok(count),
        Err(refusal) if parse_integer(call.args.get(index)).is_none_or(|count| count < 1) => {
            Err(refusal)
        }
        _ => Err(SYNTAX),
    }
}

/// `[COUNT count]` at the end of LMPOP and ZMPOP.
pub(super) fn pop_count(call: &Call<'_>, at: usize) -> Result<u64, Stop> {
    if at == call.args.len() {
        return Ok(1);
    }
    if !is_word(call.args.get(at), "count") || at + 1 == call.args.len() {
        return Err(SYNTAX);
    }
    let count = parse_integer(call.args.get(at + 1))
        .and_then(|count| u64::try_from(count).ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| Stop::fail("ERR count should be greater than 0"))?;
    if at + 2 < call.args.len() { Err(SYNTAX) } else { Ok(count) }
}
