//! ZPOPMIN, ZPOPMAX, ZMPOP: the first or last members, removed and answered.

use crate::key::MetaKey;
use crate::resp::Protocol;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::{Class, Mode};
use crate::value::Type;

use super::list_moves::{pop_count, pop_key_count};
use super::members::Members;
use super::sets::count_of;
use super::sorted_sets::show;
use super::sorted_span::{Page, Scored, Span, read};
use super::{Call, is_word};

/// `ZPOPMIN key [count]`
pub fn zpopmin(call: &mut Call<'_>) -> Outcome {
    pop(call, false)
}

/// `ZPOPMAX key [count]`
pub fn zpopmax(call: &mut Call<'_>) -> Outcome {
    pop(call, true)
}

fn pop(call: &mut Call<'_>, reverse: bool) -> Outcome {
    let has_count = call.args.len() > 2;
    if call.args.len() > 3 {
        return Err(SYNTAX);
    }
    let count = if has_count { count_of(call.args.get(2))? } else { 1 };
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let mut set = Members::open(call, key, Type::SortedSet, false)?;
    call.count_lookup(set.exists());
    let popped = take(call, &mut set, reverse, count)?;
    commit_popped(call, set, (reverse, popped.len()), 1)?;
    let is_nested = has_count && call.reply.protocol() == Protocol::Resp3;
    call.reply.array(popped.len() * if is_nested { 1 } else { 2 });
    reply_pairs(call, &popped, is_nested);
    Ok(())
}

/// Commits and tells of so many members popped from the sorted set that argument `name` names.
fn commit_popped(
    call: &mut Call<'_>,
    set: Members,
    (reverse, popped): (bool, usize),
    name: usize,
) -> Outcome {
    let is_gone = set.len() == 0;
    set.commit(call)?;
    if popped > 0 {
        let event = if reverse { "zpopmax" } else { "zpopmin" };
        call.notify_shrunk(Class::SortedSet, event, call.args.get(name), is_gone);
    }
    Ok(())
}

/// Removes the members at an end.
fn take(
    call: &mut Call<'_>,
    set: &mut Members,
    reverse: bool,
    count: u64,
) -> Result<Vec<Scored>, Stop> {
    let page = Page { reverse, skip: 0, take: count };
    if call.mode == Mode::Try && set.id().is_some() {
        // What was popped before may lie in front of the first member, as tombstones without number.
        return Err(Stop::WouldBlock);
    }
    let popped = read(call, set, &Span::Rank(0, -1), page)?;
    for (member, score) in &popped {
        set.take(call, member, *score)?;
    }
    Ok(popped)
}

/// Members with their scores, in arrays of two or one behind the other.
pub(super) fn reply_pairs(call: &mut Call<'_>, pairs: &[Scored], is_nested: bool) {
    for (member, score) in pairs {
        if is_nested {
            call.reply.array(2);
        }
        call.reply.bulk(member);
        show(&mut call.reply, score);
    }
}

/// `ZMPOP numkeys key [key …] MIN | MAX [COUNT count]`
pub fn zmpop(call: &mut Call<'_>) -> Outcome {
    let (names, reverse, count) = zmpop_arguments(call, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &names)?;
    for (index, key) in names.into_iter().enumerate() {
        if pop_some(call, key, 2 + index, (reverse, count))? {
            return Ok(());
        }
    }
    call.reply.null_array();
    Ok(())
}

/// Keys, end (whether the highest) and count of ZMPOP and BZMPOP, whose number of keys is argument
/// `at`.
pub(super) fn zmpop_arguments(
    call: &Call<'_>,
    at: usize,
) -> Result<(Vec<MetaKey>, bool, u64), Stop> {
    let keys = pop_key_count(call, at)?;
    let reverse = match call.args.get(at + 1 + keys) {
        word if is_word(word, "min") => false,
        word if is_word(word, "max") => true,
        _ => return Err(SYNTAX),
    };
    let count = pop_count(call, at + 2 + keys)?;
    Ok((call.counted_keys(at + 1, keys)?, reverse, count))
}

/// Pops from a sorted set whose slot is held and whose name is argument `name`; whether there was
/// one.
pub(super) fn pop_some(
    call: &mut Call<'_>,
    key: MetaKey,
    name: usize,
    (reverse, count): (bool, u64),
) -> Result<bool, Stop> {
    let Some(popped) = pop_members(call, key, name, (reverse, count))? else { return Ok(false) };
    call.reply.array(2);
    call.reply.bulk(call.args.get(name));
    call.reply.array(popped.len());
    reply_pairs(call, &popped, true);
    Ok(true)
}

/// As [`pop_some`], of one member: name, member and score in one array.
pub(super) fn pop_one(
    call: &mut Call<'_>,
    key: MetaKey,
    name: usize,
    reverse: bool,
) -> Result<bool, Stop> {
    let Some(popped) = pop_members(call, key, name, (reverse, 1))? else { return Ok(false) };
    call.reply.array(1 + 2 * popped.len());
    call.reply.bulk(call.args.get(name));
    reply_pairs(call, &popped, false);
    Ok(true)
}

fn pop_members(
    call: &mut Call<'_>,
    key: MetaKey,
    name: usize,
    (reverse, count): (bool, u64),
) -> Result<Option<Vec<Scored>>, Stop> {
    call.begin();
    let mut set = Members::open(call, key, Type::SortedSet, false)?;
    call.count_lookup(set.exists());
    if !set.exists() {
        return Ok(None);
    }
    let popped = take(call, &mut set, reverse, count)?;
    commit_popped(call, set, (reverse, popped.len()), name)?;
    Ok(Some(popped))
}
