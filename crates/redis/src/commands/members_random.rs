//! Random members: HRANDFIELD, and what SRANDMEMBER, SPOP and ZRANDMEMBER share.
//!
//! In a spread collection a draw goes to a random digest and chooses among the members that follow,
//! which is fair to within a few percent: digests are random, and the gap in front of one member
//! weighs little among those of several.

use std::collections::HashMap;

use aidb_base::Rng;

use crate::collection::packed::Items;
use crate::collection::{Id, member_of, member_tag};
use crate::number::parse_integer;
use crate::resp::Protocol;
use crate::stop::{NOT_AN_INTEGER, Outcome, SYNTAX, Stop};
use crate::value::Type;

use super::members::{Members, scan_members};
use super::{Call, is_word};

/// Members among which one is drawn.
const CANDIDATES: usize = 16;
/// Draws of one command: a reply of more helps nobody.
const DRAWS_MAX: u64 = 1 << 24;
/// A collection at most this many times larger than the draws is read whole.
const WHOLE_FACTOR: u64 = 8;

/// A member and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// How many, and whether the same may come again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) count: u64,
    pub(super) repeats: bool,
}

impl Wish {
    /// A count as HRANDFIELD and its like take it: negative ones may repeat.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Stop> {
        let count = parse_integer(text).ok_or(NOT_AN_INTEGER)?;
        if count == i64::MIN {
            return Err(out_of_range(-i64::MAX, i64::MAX));
        }
        let wish = Self { count: count.unsigned_abs(), repeats: count < 0 };
        if wish.repeats && wish.count > DRAWS_MAX {
            return Err(Stop::fail("ERR value is out of range"));
        }
        Ok(wish)
    }
}

fn out_of_range(from: i64, to: i64) -> Stop {
    Stop::fail(format!("ERR value is out of range, value must between {from} and {to}"))
}

/// Draws members of a collection that was opened and not changed.
pub(super) fn draw(
    call: &Call<'_>,
    members: &Members,
    kind: Type,
    wish: Wish,
) -> Result<Vec<Entry>, Stop> {
    if members.len() == 0 || wish.count == 0 {
        return Ok(Vec::new());
    }
    let mut random = Rng::from_entropy();
    let whole = match (members.packed(), members.id()) {
        (Some(items), _) => entries(items, kind),
        (None, Some(id)) if wish.count.saturating_mul(WHOLE_FACTOR) < members.len() => {
            return draw_spread(call, id, kind, wish, &mut random);
        }
        (None, id) => read_all(call, id, kind)?,
    };
    Ok(choose(whole, wish, &mut random))
}

fn entries(items: &[u8], kind: Type) -> Vec<Entry> {
    let mut items = Items::new(items);
    let mut entries = Vec::new();
    while let Some(member) = items.next() {
        let value = if kind == Type::Set { b"" } else { items.next().unwrap_or_default() };
        entries.push((member.to_vec(), value.to_vec()));
    }
    entries
}

fn read_all(call: &Call<'_>, id: Option<Id>, kind: Type) -> Result<Vec<Entry>, Stop> {
    let mut entries = Vec::new();
    let Some(id) = id else { return Ok(entries) };
    let pair = call.store.keyspaces(call.session.database);
    let upper = Some(id.behind(member_tag(kind)));
    let mut scan = scan_members(call, pair, id.members_from(kind, 0), upper)?;
    while let Some((key, value)) = scan.next()? {
        entries.push((member_of(key).to_vec(), value.to_vec()));
    }
    Ok(entries)
}

fn choose(mut entries: Vec<Entry>, wish: Wish, random: &mut Rng) -> Vec<Entry> {
    let len = entries.len() as u64;
    if wish.repeats {
        return (0..wish.count).map(|_| entries[random.below(len) as usize].clone()).collect();
    }
    if wish.count < len {
        for place in 0..wish.count {
            entries.swap(place as usize, (place + random.below(len - place)) as usize);
        }
        entries.truncate(wish.count as usize);
    }
    entries
}

/// Few draws from many members.
fn draw_spread(
    call: &Call<'_>,
    id: Id,
    kind: Type,
    wish: Wish,
    random: &mut Rng,
) -> Result<Vec<Entry>, Stop> {
    let mut drawn = Vec::new();
    let mut distinct: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    while ((drawn.len() + distinct.len()) as u64) < wish.count {
        let Some((member, value)) = draw_one(call, id, kind, random)? else { break };
        if wish.repeats {
            drawn.push((member, value));
        } else {
            distinct.insert(member, value);
        }
    }
    drawn.extend(distinct);
    Ok(drawn)
}

fn draw_one(call: &Call<'_>, id: Id, kind: Type, random: &mut Rng) -> Result<Option<Entry>, Stop> {
    let pair = call.store.keyspaces(call.session.database);
    let upper = id.behind(member_tag(kind));
    let mut candidates: Vec<Entry> = Vec::with_capacity(CANDIDATES);
    // From the random place to the end, and on from the start.
    for start in [random.next_u64() as u32, 0] {
        let lower = id.members_from(kind, start);
        let mut scan = scan_members(call, pair, lower, Some(upper.clone()))?;
        while candidates.len() < CANDIDATES {
            let Some((key, value)) = scan.next()? else { break };
            candidates.push((member_of(key).to_vec(), value.to_vec()));
        }
    }
    if candidates.is_empty() {
        return Ok(None);
    }
    let chosen = random.below(candidates.len() as u64) as usize;
    Ok(Some(candidates.swap_remove(chosen)))
}

/// `HRANDFIELD key [count [WITHVALUES]]`
pub fn hrandfield(call: &mut Call<'_>) -> Outcome {
    draw_command(call, Type::Hash, "withvalues", |reply, value| reply.bulk(value))
}

/// HRANDFIELD and ZRANDMEMBER.
pub(super) fn draw_command(
    call: &mut Call<'_>,
    kind: Type,
    word: &str,
    show: impl Fn(&mut crate::resp::Reply<'_>, &[u8]),
) -> Outcome {
    let has_count = call.args.len() > 2;
    let wish = match has_count {
        true => Wish::parse(call.args.get(2))?,
        false => Wish { count: 1, repeats: true },
    };
    let with_values = call.args.len() > 3;
    if call.args.len() > 4 || (with_values && !is_word(call.args.get(3), word)) {
        return Err(SYNTAX);
    }
    if with_values && wish.count > i64::MAX as u64 / 2 {
        return Err(Stop::fail("ERR value is out of range"));
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let members = Members::open(call, key, kind, false)?;
    call.count_lookup(members.exists());
    let drawn = draw(call, &members, kind, wish)?;
    if !has_count {
        match drawn.first() {
            Some((member, _)) => call.reply.bulk(member),
            None => call.reply.null(),
        }
        return Ok(());
    }
    let is_nested = call.reply.protocol() == Protocol::Resp3;
    let flat = if with_values && !is_nested { 2 } else { 1 };
    call.reply.array(drawn.len() * flat);
    for (member, value) in &drawn {
        if with_values && is_nested {
            call.reply.array(2);
        }
        call.reply.bulk(member);
        if with_values {
            show(&mut call.reply, value);
        }
    }
    Ok(())
}
