//! LINSERT, LREM, LPOS: commands that look for an item.
//!
//! What changes the middle of a large list moves the items between there and the nearer end.

use crate::number::parse_integer;
use crate::stop::{NOT_AN_INTEGER, Outcome, SYNTAX, Stop};
use crate::store::Class;

use super::list_store::{End, List};
use super::lists::{check_effort, open_to_read};
use super::{Call, is_word};

/// `LINSERT key BEFORE | AFTER pivot element`
pub fn linsert(call: &mut Call<'_>) -> Outcome {
    let word = call.args.get(2);
    let is_after = match () {
        () if is_word(word, "after") => true,
        () if is_word(word, "before") => false,
        () => return Err(SYNTAX),
    };
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let mut list = List::open(call, key)?;
    if !list.exists() {
        call.reply.integer(0);
        return Ok(());
    }
    check_effort(call, list.len())?;
    let pivot = call.args.get(3);
    let mut place = 0;
    let mut is_found = false;
    list.visit(call.reader(), 0, list.len(), |item| {
        is_found = item == pivot;
        place += u64::from(!is_found);
        !is_found
    })?;
    if !is_found {
        call.reply.integer(-1);
        return Ok(());
    }
    let item = call.args.get(4);
    insert(call, &mut list, place + u64::from(is_after), item)?;
    let length = list.len();
    list.commit(call)?;
    call.notify(Class::List, "linsert", call.args.get(1));
    call.reply.integer(length as i64);
    Ok(())
}

/// Puts an item in front of the one at `place`.
fn insert(call: &mut Call<'_>, list: &mut List, place: u64, item: &[u8]) -> Outcome {
    let (end, far) = match place < list.len() / 2 {
        true => (End::Left, place),
        false => (End::Right, list.len() - place),
    };
    let mut moved = Vec::with_capacity(far as usize);
    for _ in 0..far {
        moved.extend(list.pop(call, end)?);
    }
    list.push(call, end, item)?;
    while let Some(item) = moved.pop() {
        list.push(call, end, &item)?;
    }
    Ok(())
}

/// `LREM key count element`
pub fn lrem(call: &mut Call<'_>) -> Outcome {
    let count = call.integer(2)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let mut list = List::open(call, key)?;
    check_effort(call, list.len())?;
    let wanted = call.args.get(3);
    let mut places = Vec::new();
    let mut place = 0u64;
    list.visit(call.reader(), 0, list.len(), |item| {
        if item == wanted {
            places.push(place);
        }
        place += 1;
        count <= 0 || places.len() < count as usize
    })?;
    if count < 0 {
        let spared = places.len().saturating_sub(count.unsigned_abs() as usize);
        places.drain(..spared);
    }
    remove(call, &mut list, &places)?;
    let is_gone = list.len() == 0;
    list.commit(call)?;
    if !places.is_empty() {
        call.notify_shrunk(Class::List, "lrem", call.args.get(1), is_gone);
    }
    call.reply.integer(places.len() as i64);
    Ok(())
}

/// Removes the items at ascending places.
fn remove(call: &mut Call<'_>, list: &mut List, places: &[u64]) -> Outcome {
    let (Some(&first), Some(&last)) = (places.first(), places.last()) else { return Ok(()) };
    let (end, reach) = match last < list.len() - first {
        true => (End::Left, last + 1),
        false => (End::Right, list.len() - first),
    };
    let len = list.len();
    let mut kept = Vec::new();
    for step in 0..reach {
        let place = if end == End::Left { step } else { len - 1 - step };
        let item = list.pop(call, end)?;
        if places.binary_search(&place).is_err() {
            kept.extend(item);
        }
    }
    while let Some(item) = kept.pop() {
        list.push(call, end, &item)?;
    }
    Ok(())
}

struct Search {
    rank: u64,
    from_end: bool,
    count: Option<u64>,
    compared_max: u64,
}

/// `LPOS key element [RANK rank] [COUNT count] [MAXLEN len]`
pub fn lpos(call: &mut Call<'_>) -> Outcome {
    let search = search_options(call)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let list = open_to_read(call, key)?;
    let found = match list.exists() {
        true => places_of(call, &list, &search)?,
        false => Vec::new(),
    };
    match (search.count, found.first()) {
        (Some(_), _) => {
            call.reply.array(found.len());
            found.iter().for_each(|place| call.reply.integer(*place as i64));
        }
        (None, Some(place)) => call.reply.integer(*place as i64),
        (None, None) => call.reply.null(),
    }
    Ok(())
}

fn search_options(call: &Call<'_>) -> Result<Search, Stop> {
    let mut search = Search { rank: 1, from_end: false, count: None, compared_max: u64::MAX };
    let mut at = 3;
    while at < call.args.len() {
        let (word, value) = (call.args.get(at), call.args.get(at + 1));
        if at + 1 == call.args.len() {
            return Err(SYNTAX);
        }
        if is_word(word, "rank") {
            let rank = parse_integer(value).ok_or(NOT_AN_INTEGER)?;
            if rank == 0 {
                return Err(Stop::fail(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                     second ... or use negative to start from the end of the list",
                ));
            }
            // The lowest number has no positive counterpart; Redis ends at the first match then.
            let distance = rank.checked_abs().unwrap_or(1);
            (search.rank, search.from_end) = (distance as u64, rank < 0);
        } else if is_word(word, "count") {
            search.count = Some(natural(value, "ERR COUNT can't be negative")?);
        } else if is_word(word, "maxlen") {
            let most = natural(value, "ERR MAXLEN can't be negative")?;
            search.compared_max = if most == 0 { u64::MAX } else { most };
        } else {
            return Err(SYNTAX);
        }
        at += 2;
    }
    Ok(search)
}

fn natural(text: &[u8], refusal: &'static str) -> Result<u64, Stop> {
    let value = parse_integer(text).and_then(|value| u64::try_from(value).ok());
    value.ok_or_else(|| Stop::fail(refusal))
}

fn places_of(call: &Call<'_>, list: &List, search: &Search) -> Result<Vec<u64>, Stop> {
    let len = list.len();
    let compared = len.min(search.compared_max);
    check_effort(call, compared)?;
    let from = if search.from_end { len - compared } else { 0 };
    let wanted = call.args.get(2);
    let skipped = (search.rank - 1) as usize;
    let most = match search.count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let mut places = Vec::new();
    let mut place = from;
    list.visit(call.reader(), from, from + compared, |item| {
        if item == wanted {
            places.push(place);
        }
        place += 1;
        search.from_end || places.len() < skipped.saturating_add(most)
    })?;
    if search.from_end {
        places.reverse();
    }
    Ok(places.into_iter().skip(skipped).take(most).collect())
}
