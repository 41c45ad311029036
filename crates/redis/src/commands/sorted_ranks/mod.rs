//! Places in large sorted sets, by the blocks that [`crate::store::Ranks`] keeps.

#[cfg(test)]
mod tests;

use crate::collection::Id;
use crate::key::tag;
use crate::stop::Stop;
use crate::store::{BLOCK_MEMBERS, BLOCK_MEMBERS_MAX, Block, Located, Mode, Walk};

use super::Call;
use super::members::{Members, scan_members};

/// A set with fewer members is walked over.
const COUNTED_MIN: u64 = 2048;

/// The set's id, when its places are found by blocks. Inside a transaction they are not: its own
/// writes are not counted before the commit.
fn counted(call: &Call<'_>, set: &Members) -> Option<Id> {
    set.id().filter(|_| set.len() >= COUNTED_MIN && !call.store.is_transaction())
}

/// Members whose ordered score and member are lower than `key`; `None`: walk.
pub(super) fn count_below(call: &Call<'_>, set: &Members, key: &[u8]) -> Result<Option<u64>, Stop> {
    let Some(id) = counted(call, set) else { return Ok(None) };
    let located = locate(call, &id, |ranks| ranks.by_key(&id, key))?;
    let Some(located) = located else { return Ok(None) };
    let upper = id.key(tag::ZSET_SCORE, &[key]).to_vec();
    let mut walk = walk(call, &id, &located.block.first, Some(upper))?;
    let mut within = 0;
    while walk.next()?.is_some() {
        within += 1;
    }
    Ok(Some(located.before + within))
}

/// The block of the member that has `rank` in front of it; `None`: walk.
pub(super) fn block_of(call: &Call<'_>, set: &Members, rank: u64) -> Result<Option<Located>, Stop> {
    match counted(call, set) {
        Some(id) => locate(call, &id, |ranks| ranks.by_rank(&id, rank)),
        None => Ok(None),
    }
}

/// Asks for a block, and cuts the set, or the block, first when that is needed.
fn locate(
    call: &Call<'_>,
    id: &Id,
    ask: impl Fn(&crate::store::Ranks) -> Option<Located>,
) -> Result<Option<Located>, Stop> {
    let ranks = call.store.ranks();
    let found = ask(ranks);
    if let Some(located) = found.filter(|found| found.block.members <= BLOCK_MEMBERS_MAX) {
        return Ok(Some(located));
    }
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    match ask(ranks) {
        Some(Located { block, next, .. }) => {
            let upper = next.map(|next| id.key(tag::ZSET_SCORE, &[&next]).to_vec());
            let parts = cut(call, id, &block.first, upper)?;
            ranks.cut(id, &block, parts);
        }
        None => ranks.keep(*id, cut(call, id, &[], None)?),
    }
    // Others may have pushed its blocks out already.
    Ok(ask(ranks))
}

/// Blocks of the members from `first` on.
fn cut(call: &Call<'_>, id: &Id, first: &[u8], upper: Option<Vec<u8>>) -> Result<Vec<Block>, Stop> {
    let mut walk = walk(call, id, first, upper)?;
    let mut blocks = vec![Block { first: first.to_vec(), members: 0 }];
    let start = id.key(tag::ZSET_SCORE, &[]).len();
    while let Some((key, _)) = walk.next()? {
        match blocks.last_mut() {
            Some(block) if block.members < BLOCK_MEMBERS => block.members += 1,
            _ => blocks.push(Block { first: key[start..].to_vec(), members: 1 }),
        }
    }
    Ok(blocks)
}

fn walk(call: &Call<'_>, id: &Id, first: &[u8], upper: Option<Vec<u8>>) -> Result<Walk, Stop> {
    let pair = call.store.keyspaces(call.session.database);
    let lower = id.key(tag::ZSET_SCORE, &[first]).to_vec();
    scan_members(call, pair, lower, Some(upper.unwrap_or_else(|| id.behind(tag::ZSET_SCORE))))
}
