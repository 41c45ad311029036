//! Several sets at once: intersection, union, difference.

use std::collections::HashSet;

use crate::number::parse_integer;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Class;
use crate::value::Type;

use super::members::Members;
use super::sets::add;
use super::{Call, is_word};

/// What becomes of several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

impl Operation {
    fn store_event(self) -> &'static str {
        match self {
            Self::Intersection => "sinterstore",
            Self::Union => "sunionstore",
            Self::Difference => "sdiffstore",
        }
    }
}

/// `SINTER key [key …]`
pub fn sinter(call: &mut Call<'_>) -> Outcome {
    answer(call, Operation::Intersection)
}

/// `SUNION key [key …]`
pub fn sunion(call: &mut Call<'_>) -> Outcome {
    answer(call, Operation::Union)
}

/// `SDIFF key [key …]`
pub fn sdiff(call: &mut Call<'_>) -> Outcome {
    answer(call, Operation::Difference)
}

fn answer(call: &mut Call<'_>, operation: Operation) -> Outcome {
    let keys = call.keys(1, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let sets = open_all(call, keys)?;
    let members = combine(call, sets, operation, usize::MAX)?;
    call.reply.set(members.len());
    members.iter().for_each(|member| call.reply.bulk(member));
    Ok(())
}

/// `SINTERSTORE destination key [key …]`
pub fn sinterstore(call: &mut Call<'_>) -> Outcome {
    store(call, Operation::Intersection)
}

/// `SUNIONSTORE destination key [key …]`
pub fn sunionstore(call: &mut Call<'_>) -> Outcome {
    store(call, Operation::Union)
}

/// `SDIFFSTORE destination key [key …]`
pub fn sdiffstore(call: &mut Call<'_>) -> Outcome {
    store(call, Operation::Difference)
}

fn store(call: &mut Call<'_>, operation: Operation) -> Outcome {
    let mut keys = call.keys(1, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let destination = keys.remove(0);
    let sets = open_all(call, keys)?;
    let members = combine(call, sets, operation, usize::MAX)?;
    call.begin();
    let is_needless = members.is_empty() && !call.exists(&destination)?;
    let mut set = Members::replacing(call, destination, Type::Set);
    for member in &members {
        add(&mut set, call, member)?;
    }
    if !is_needless {
        set.commit(call)?;
        let event = operation.store_event();
        call.notify_stored(Class::Set, event, call.args.get(1), members.is_empty());
    }
    call.reply.integer(members.len() as i64);
    Ok(())
}

/// `SINTERCARD numkeys key [key …] [LIMIT limit]`
pub fn sintercard(call: &mut Call<'_>) -> Outcome {
    let count = key_count(call, 1)?;
    let mut limit = usize::MAX;
    let mut at = 2 + count;
    while at < call.args.len() {
        if !is_word(call.args.get(at), "limit") || at + 1 == call.args.len() {
            return Err(SYNTAX);
        }
        let value = parse_integer(call.args.get(at + 1)).and_then(|n| usize::try_from(n).ok());
        limit = match value.ok_or_else(|| Stop::fail("ERR LIMIT can't be negative"))? {
            0 => usize::MAX,
            limit => limit,
        };
        at += 2;
    }
    let keys = call.counted_keys(2, count)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let sets = open_all(call, keys)?;
    let members = combine(call, sets, Operation::Intersection, limit)?;
    call.reply.integer(members.len() as i64);
    Ok(())
}

/// The number of keys that an argument says and that follow it.
pub(super) fn key_count(call: &Call<'_>, index: usize) -> Result<usize, Stop> {
    let count = parse_integer(call.args.get(index))
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| Stop::fail("ERR numkeys should be greater than 0"))?;
    if count > call.args.len() - index - 1 {
        return Err(Stop::fail("ERR Number of keys can't be greater than number of args"));
    }
    Ok(count)
}

fn open_all(call: &mut Call<'_>, keys: Vec<crate::key::MetaKey>) -> Result<Vec<Members>, Stop> {
    let mut sets = Vec::with_capacity(keys.len());
    for key in keys {
        let set = Members::open(call, key, Type::Set, false)?;
        call.count_lookup(set.exists());
        sets.push(set);
    }
    Ok(sets)
}

fn combine(
    call: &Call<'_>,
    sets: Vec<Members>,
    operation: Operation,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Stop> {
    match operation {
        Operation::Intersection => intersection(call, sets, limit),
        Operation::Union => union(call, sets),
        Operation::Difference => difference(call, sets),
    }
}

/// Walks the smallest set and asks the others.
fn intersection(
    call: &Call<'_>,
    mut sets: Vec<Members>,
    limit: usize,
) -> Result<Vec<Vec<u8>>, Stop> {
    sets.sort_by_key(Members::len);
    let mut found = Vec::new();
    if sets.first().is_none_or(|smallest| smallest.len() == 0) {
        return Ok(found);
    }
    let others = sets.split_off(1);
    let Some(smallest) = sets.pop() else { return Ok(found) };
    let mut walk = smallest.walk(call)?;
    'members: while let Some((member, _)) = walk.next()? {
        for other in &others {
            if other.presence(call, member)?.is_none() {
                continue 'members;
            }
        }
        found.push(member.to_vec());
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

fn union(call: &Call<'_>, sets: Vec<Members>) -> Result<Vec<Vec<u8>>, Stop> {
    let mut seen = HashSet::new();
    for set in sets {
        let mut walk = set.walk(call)?;
        while let Some((member, _)) = walk.next()? {
            if !seen.contains(member) {
                seen.insert(member.to_vec());
            }
        }
    }
    Ok(seen.into_iter().collect())
}

/// Walks the first set and asks the others.
fn difference(call: &Call<'_>, mut sets: Vec<Members>) -> Result<Vec<Vec<u8>>, Stop> {
    let others = sets.split_off(1);
    let mut found = Vec::new();
    let Some(first) = sets.pop() else { return Ok(found) };
    let mut walk = first.walk(call)?;
    'members: while let Some((member, _)) = walk.next()? {
        for other in &others {
            if other.presence(call, member)?.is_some() {
                continue 'members;
            }
        }
        found.push(member.to_vec());
    }
    Ok(found)
}
