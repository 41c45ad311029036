//! Lists: items in an order of their own, cheap at both ends.

use crate::collection::list::SpreadList;
use crate::collection::{SPREAD, packed};
use crate::number::parse_integer;
use crate::stop::{NO_SUCH_KEY, NOT_AN_INTEGER, Outcome, Stop, WRONG_TYPE};
use crate::store::{Class, Mode};
use crate::value::{Type, Value};

use super::Call;
use super::list_store::{End, List, Reader};
use super::members::damaged;
use super::sets::count_of;

/// Items that a command may go through on a reactor.
const QUICK_ITEMS_MAX: u64 = 4096;

/// Asks for another thread when so many items would hold up other clients.
pub(super) fn check_effort(call: &Call<'_>, items: u64) -> Outcome {
    if call.mode == Mode::Try && items > QUICK_ITEMS_MAX {
        return Err(Stop::WouldBlock);
    }
    Ok(())
}

/// `LPUSH key element [element …]`
pub fn lpush(call: &mut Call<'_>) -> Outcome {
    push(call, End::Left, false)
}

/// `RPUSH key element [element …]`
pub fn rpush(call: &mut Call<'_>) -> Outcome {
    push(call, End::Right, false)
}

/// `LPUSHX key element [element …]`
pub fn lpushx(call: &mut Call<'_>) -> Outcome {
    push(call, End::Left, true)
}

/// `RPUSHX key element [element …]`
pub fn rpushx(call: &mut Call<'_>) -> Outcome {
    push(call, End::Right, true)
}

fn push(call: &mut Call<'_>, end: End, only_present: bool) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let mut list = List::open(call, key)?;
    if only_present && !list.exists() {
        call.reply.integer(0);
        return Ok(());
    }
    let args = call.args;
    for item in args.from(2) {
        list.push(call, end, item)?;
    }
    let length = list.len();
    list.commit(call)?;
    call.notify(Class::List, end.push_event(), args.get(1));
    call.reply.integer(length as i64);
    Ok(())
}

/// `LPOP key [count]`
pub fn lpop(call: &mut Call<'_>) -> Outcome {
    pop(call, End::Left, "lpop")
}

/// `RPOP key [count]`
pub fn rpop(call: &mut Call<'_>) -> Outcome {
    pop(call, End::Right, "rpop")
}

fn pop(call: &mut Call<'_>, end: End, name: &str) -> Outcome {
    let has_count = call.args.len() > 2;
    if call.args.len() > 3 {
        return Err(Stop::fail(format!("ERR wrong number of arguments for '{name}' command")));
    }
    let count = if has_count { count_of(call.args.get(2))? } else { 1 };
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let mut list = List::open(call, key)?;
    call.count_lookup(list.exists());
    if !list.exists() {
        if has_count {
            call.reply.null_array()
        } else {
            call.reply.null()
        }
        return Ok(());
    }
    let count = count.min(list.len());
    if has_count {
        call.reply.array(count as usize);
    }
    pop_many(call, &mut list, end, count)?;
    commit_popped(call, list, end, 1, count)
}

/// Commits and tells of `count` items popped from the list named by an argument.
pub(super) fn commit_popped(
    call: &mut Call<'_>,
    list: List,
    end: End,
    name: usize,
    count: u64,
) -> Outcome {
    let is_gone = list.len() == 0;
    list.commit(call)?;
    if count > 0 {
        call.notify_shrunk(Class::List, end.pop_event(), call.args.get(name), is_gone);
    }
    Ok(())
}

/// Pops and replies.
pub(super) fn pop_many(call: &mut Call<'_>, list: &mut List, end: End, count: u64) -> Outcome {
    check_effort(call, count)?;
    for _ in 0..count {
        let item = list.pop(call, end)?.unwrap_or_default();
        call.reply.bulk(&item);
    }
    Ok(())
}

/// `LLEN key`
pub fn llen(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let read = |value: Value<'_>| -> Result<u64, Stop> {
        match (value.kind, value.flags & SPREAD != 0) {
            (Type::List, false) => Ok(packed::count(value.bytes) as u64),
            (Type::List, true) => {
                SpreadList::decode(value.bytes).map(|list| list.count).ok_or_else(damaged)
            }
            _ => Err(WRONG_TYPE),
        }
    };
    let length = call.look_up(&key, |_, value, _| read(value))?.transpose()?;
    call.reply.integer(length.unwrap_or(0) as i64);
    Ok(())
}

/// Opens a list for reading.
pub(super) fn open_to_read(call: &mut Call<'_>, key: crate::key::MetaKey) -> Result<List, Stop> {
    let list = List::open(call, key)?;
    call.count_lookup(list.exists());
    Ok(list)
}

/// The place of an index that may count from the end.
fn place(list: &List, index: i64) -> Option<u64> {
    let index = if index < 0 { index.checked_add_unsigned(list.len())? } else { index };
    u64::try_from(index).ok().filter(|place| *place < list.len())
}

/// `LINDEX key index`
pub fn lindex(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let list = open_to_read(call, key)?;
    if !list.exists() {
        call.reply.null();
        return Ok(());
    }
    let index = call.integer(2)?;
    let Some(place) = place(&list, index) else {
        call.reply.null();
        return Ok(());
    };
    let mut found = Vec::new();
    list.visit(call.reader(), place, place + 1, |item| {
        found.extend_from_slice(item);
        true
    })?;
    call.reply.bulk(&found);
    Ok(())
}

/// `LSET key index element`
pub fn lset(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let mut list = List::open(call, key)?;
    if !list.exists() {
        return Err(NO_SUCH_KEY);
    }
    let index = call.integer(2)?;
    let place = place(&list, index).ok_or_else(|| Stop::fail("ERR index out of range"))?;
    let item = call.args.get(3);
    list.set(call, place, item)?;
    list.commit(call)?;
    call.notify(Class::List, "lset", call.args.get(1));
    call.reply.ok();
    Ok(())
}

/// First and behind the last of a range that may count from the end; empty ones are `0..0`.
pub(super) fn range_of(len: u64, start: i64, stop: i64) -> std::ops::Range<u64> {
    let len = len as i64;
    let from_end = |index: i64| if index < 0 { len.saturating_add(index) } else { index };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    if start > stop { 0..0 } else { start as u64..stop as u64 + 1 }
}

/// `LRANGE key start stop`
pub fn lrange(call: &mut Call<'_>) -> Outcome {
    let (start, stop) = (call.integer(2)?, call.integer(3)?);
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let list = open_to_read(call, key)?;
    let range = range_of(list.len(), start, stop);
    check_effort(call, range.end - range.start)?;
    call.reply.array((range.end - range.start) as usize);
    let reply = &mut call.reply;
    list.visit(Reader { store: call.store, mode: call.mode }, range.start, range.end, |item| {
        reply.bulk(item);
        true
    })
}

/// `LTRIM key start stop`
pub fn ltrim(call: &mut Call<'_>) -> Outcome {
    let integer = |text| parse_integer(text).ok_or(NOT_AN_INTEGER);
    let (start, stop) = (integer(call.args.get(2))?, integer(call.args.get(3))?);
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let mut list = List::open(call, key)?;
    let range = range_of(list.len(), start, stop);
    let (left, right) = match range.is_empty() {
        true => (list.len(), 0),
        false => (range.start, list.len() - range.end),
    };
    if left < list.len() {
        check_effort(call, left + right)?;
    }
    list.trim(call, End::Left, left)?;
    if right > 0 {
        list.trim(call, End::Right, right)?;
    }
    let (existed, is_gone) = (list.exists(), range.is_empty());
    list.commit(call)?;
    if existed {
        call.notify_shrunk(Class::List, "ltrim", call.args.get(1), is_gone);
    }
    call.reply.ok();
    Ok(())
}
