//! Parts of a sorted set: by rank, by score, by member; read in either direction.

use crate::collection::Id;
use crate::collection::packed::Items;
use crate::collection::score::{self, SCORE_BYTES};
use crate::key::tag;
use crate::number::{parse_double_loosely, parse_integer};
use crate::stop::{NOT_AN_INTEGER, Stop};
use crate::store::{BLOCK_MEMBERS, Located, Mode};

use super::Call;
use super::lists::range_of;
use super::members::{Members, Score, check_effort, scan_members};
use super::sorted_ranks::{block_of, count_below};

/// A member and its score.
pub(super) type Scored = (Vec<u8>, Score);

/// Which members.
#[derive(Clone, Debug)]
pub(super) enum Span {
    /// From one place to another, which may count from the end.
    Rank(i64, i64),
    /// Ordered scores `from..to`.
    Score { from: u64, to: Option<u64> },
    /// Members of equal score.
    Lex { from: Limit, to: Limit },
}

/// An end of a span of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Lowest,
    Highest,
    Including(Vec<u8>),
    Excluding(Vec<u8>),
}

impl Span {
    /// Places of ZRANGE.
    pub(super) fn rank(start: &[u8], stop: &[u8]) -> Result<Self, Stop> {
        let integer = |text| parse_integer(text).ok_or(NOT_AN_INTEGER);
        Ok(Self::Rank(integer(start)?, integer(stop)?))
    }

    /// Scores, `(` in front of those that are not included.
    pub(super) fn score(min: &[u8], max: &[u8]) -> Result<Self, Stop> {
        let bound = |text: &[u8]| -> Result<(u64, bool), Stop> {
            let (number, is_open) = match text.strip_prefix(b"(") {
                Some(number) => (number, true),
                None => (text, false),
            };
            let value = parse_double_loosely(number)
                .ok_or_else(|| Stop::fail("ERR min or max is not a float"))?;
            Ok((u64::from_be_bytes(score::encode(value)), is_open))
        };
        let ((min, min_open), (max, max_open)) = (bound(min)?, bound(max)?);
        let from = if min_open { min.saturating_add(1) } else { min };
        Ok(Self::Score { from, to: if max_open { Some(max) } else { max.checked_add(1) } })
    }

    /// Scores below one.
    pub(super) fn below(score: Score) -> Self {
        Self::Score { from: 0, to: Some(u64::from_be_bytes(score)) }
    }

    /// One score.
    pub(super) fn at(score: Score) -> Self {
        let from = u64::from_be_bytes(score);
        Self::Score { from, to: from.checked_add(1) }
    }

    /// Members, `[` or `(` in front of them, or `-` and `+`.
    pub(super) fn lex(min: &[u8], max: &[u8]) -> Result<Self, Stop> {
        let limit = |text: &[u8]| match text {
            b"-" => Ok(Limit::Lowest),
            b"+" => Ok(Limit::Highest),
            [b'[', member @ ..] => Ok(Limit::Including(member.to_vec())),
            [b'(', member @ ..] => Ok(Limit::Excluding(member.to_vec())),
            _ => Err(Stop::fail("ERR min or max not valid string range item")),
        };
        Ok(Self::Lex { from: limit(min)?, to: limit(max)? })
    }
}

impl Limit {
    fn is_below(&self, member: &[u8]) -> bool {
        match self {
            Self::Lowest => true,
            Self::Highest => false,
            Self::Including(limit) => limit.as_slice() <= member,
            Self::Excluding(limit) => limit.as_slice() < member,
        }
    }

    fn is_above(&self, member: &[u8]) -> bool {
        match self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::Including(limit) => limit.as_slice() >= member,
            Self::Excluding(limit) => limit.as_slice() > member,
        }
    }
}

/// Which part of a span, in which direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) reverse: bool,
    pub(super) skip: u64,
    pub(super) take: u64,
}

impl Page {
    pub(super) const ALL: Self = Self { reverse: false, skip: 0, take: u64::MAX };
}

/// Reads a part of a sorted set that was opened and not changed.
pub(super) fn read(
    call: &Call<'_>,
    set: &Members,
    span: &Span,
    page: Page,
) -> Result<Vec<Scored>, Stop> {
    let mut found = Vec::new();
    visit(call, set, span, page, |member, score| found.push((member.to_vec(), score)))?;
    Ok(found)
}

/// Number of members in a span.
pub(super) fn count(call: &Call<'_>, set: &Members, span: &Span) -> Result<u64, Stop> {
    if let (Some(id), Span::Score { .. } | Span::Lex { .. }) = (set.id(), span) {
        let (lower, upper, _) = bounds(call, set, id, span, Page::ALL)?;
        if lower >= upper {
            return Ok(0);
        }
        if let Some(few) = count_few(call, &lower, &upper)? {
            return Ok(few);
        }
        let edges = (rank_of(call, set, id, &lower)?, rank_of(call, set, id, &upper)?);
        if let (Some(from), Some(to)) = edges {
            return Ok(to - from);
        }
    }
    let mut found = 0;
    visit(call, set, span, Page::ALL, |_, _| found += 1)?;
    Ok(found)
}

fn visit(
    call: &Call<'_>,
    set: &Members,
    span: &Span,
    page: Page,
    mut f: impl FnMut(&[u8], Score),
) -> Result<(), Stop> {
    let Some(id) = set.id() else {
        let items = packed(set);
        let part = packed_part(&items, span, page.reverse);
        let mut wanted: Vec<_> = items[part].to_vec();
        if page.reverse {
            wanted.reverse();
        }
        let wanted = wanted.into_iter().skip(page.skip as usize);
        wanted.take(page.take as usize).for_each(|(member, score)| f(member, score));
        return Ok(());
    };
    let (lower, upper, page) = jump(call, set, id, bounds(call, set, id, span, page)?)?;
    if lower >= upper || page.take == 0 {
        return Ok(());
    }
    check_effort(call, page.skip)?;
    let pair = call.store.keyspaces(call.session.database);
    let mut walk = match (page.reverse, call.mode) {
        (false, _) => scan_members(call, pair, lower, Some(upper))?,
        (true, Mode::Wait) => call.store.scan_backward(pair.members, lower, Some(upper))?,
        (true, Mode::Try) => return Err(Stop::WouldBlock),
    };
    let prefix = id.bytes().len() + 1;
    let (mut skipped, mut taken) = (0, 0);
    while let Some((key, _)) = walk.next()? {
        if skipped < page.skip {
            skipped += 1;
            continue;
        }
        let scored = key.get(prefix..).and_then(|rest| rest.split_first_chunk());
        if let Some((score, member)) = scored {
            f(member, *score);
        }
        taken += 1;
        if taken >= page.take {
            break;
        }
    }
    Ok(())
}

fn packed(set: &Members) -> Vec<(&[u8], Score)> {
    let mut items = Items::new(set.packed().unwrap_or_default());
    let mut entries = Vec::new();
    while let (Some(member), Some(score)) = (items.next(), items.next()) {
        entries.push((member, score.first_chunk().copied().unwrap_or_default()));
    }
    entries
}

/// Places of a span in a packed set.
fn packed_part(items: &[(&[u8], Score)], span: &Span, reverse: bool) -> std::ops::Range<usize> {
    let ordered = |score: &Score| u64::from_be_bytes(*score);
    let (from, to) = match span {
        Span::Rank(start, stop) => {
            let range = range_of(items.len() as u64, *start, *stop);
            let (start, end) = (range.start as usize, range.end as usize);
            return match reverse {
                false => start..end,
                true => items.len() - end..items.len() - start,
            };
        }
        Span::Score { from, to } => (
            items.partition_point(|(_, score)| ordered(score) < *from),
            items.partition_point(|(_, score)| to.is_none_or(|to| ordered(score) < to)),
        ),
        Span::Lex { from, to } => (
            items.iter().position(|(member, _)| from.is_below(member)).unwrap_or(items.len()),
            items.iter().position(|(member, _)| !to.is_above(member)).unwrap_or(items.len()),
        ),
    };
    from..to.max(from)
}

/// Members between two keys of the order of scores; `None`: there are more than a block has.
fn count_few(call: &Call<'_>, lower: &[u8], upper: &[u8]) -> Result<Option<u64>, Stop> {
    let pair = call.store.keyspaces(call.session.database);
    let mut walk = scan_members(call, pair, lower.to_vec(), Some(upper.to_vec()))?;
    let mut found = 0;
    while walk.next()?.is_some() {
        found += 1;
        if found > BLOCK_MEMBERS {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// First key, first key behind, and the page within them.
type Bounds = (Vec<u8>, Vec<u8>, Page);

/// Members in front of a key of the order of scores; `None`: somebody has to walk.
fn rank_of(call: &Call<'_>, set: &Members, id: Id, key: &[u8]) -> Result<Option<u64>, Stop> {
    match key.strip_prefix(id.key(tag::ZSET_SCORE, &[]).as_slice()) {
        Some(key) => count_below(call, set, key),
        None => Ok(Some(set.len())),
    }
}

/// Brings the end where the walk begins nearer to the first member that is wanted.
fn jump(call: &Call<'_>, set: &Members, id: Id, bounds: Bounds) -> Result<Bounds, Stop> {
    let (lower, upper, page) = bounds;
    if page.skip <= BLOCK_MEMBERS || page.take == 0 {
        return Ok((lower, upper, page));
    }
    let edge = if page.reverse { &upper } else { &lower };
    let Some(edge) = rank_of(call, set, id, edge)? else { return Ok((lower, upper, page)) };
    let rank = match page.reverse {
        true => edge.checked_sub(page.skip + 1),
        false => edge.checked_add(page.skip),
    };
    let Some(rank) = rank.filter(|rank| *rank < set.len()) else {
        return Ok((lower, upper, Page { take: 0, ..page }));
    };
    let Some(Located { block, next, before }) = block_of(call, set, rank)? else {
        return Ok((lower, upper, page));
    };
    let key = |first: &[u8]| id.key(tag::ZSET_SCORE, &[first]).to_vec();
    if !page.reverse {
        let first = key(&block.first);
        return Ok(match first > lower {
            true => (first, upper, Page { skip: rank - before, ..page }),
            false => (lower, upper, page),
        });
    }
    let behind = next.map(|next| key(&next)).filter(|behind| *behind < upper);
    Ok(match behind {
        Some(behind) => {
            let skip = (before + block.members).saturating_sub(rank + 1);
            (lower, behind, Page { skip, ..page })
        }
        None => (lower, upper, page),
    })
}

/// Keys that hold a span of a spread set, and the page within them.
fn bounds(call: &Call<'_>, set: &Members, id: Id, span: &Span, page: Page) -> Result<Bounds, Stop> {
    let at = |parts: &[&[u8]]| id.key(tag::ZSET_SCORE, parts).to_vec();
    let end = || id.behind(tag::ZSET_SCORE);
    match span {
        Span::Rank(start, stop) => {
            let range = range_of(set.len(), *start, *stop);
            let most = range.end - range.start;
            let page = Page {
                reverse: page.reverse,
                skip: range.start + page.skip,
                take: page.take.min(most.saturating_sub(page.skip)),
            };
            Ok((at(&[]), end(), page))
        }
        Span::Score { from, to } => {
            let upper = to.map_or_else(end, |to| at(&[&to.to_be_bytes()]));
            Ok((at(&[&from.to_be_bytes()]), upper, page))
        }
        Span::Lex { from, to } => {
            let Some(score) = first_score(call, id)? else { return Ok((end(), end(), page)) };
            let next = u64::from_be_bytes(score).checked_add(1);
            let behind = || next.map_or_else(end, |next| at(&[&next.to_be_bytes()]));
            let key = |limit: &Limit, after: &[u8], otherwise: &[u8]| match limit {
                Limit::Lowest => at(&[&score]),
                Limit::Highest => behind(),
                Limit::Including(member) => at(&[&score, member, after]),
                Limit::Excluding(member) => at(&[&score, member, otherwise]),
            };
            Ok((key(from, b"", b"\0"), key(to, b"\0", b""), page))
        }
    }
}

/// Score of the first member.
fn first_score(call: &Call<'_>, id: Id) -> Result<Option<Score>, Stop> {
    let pair = call.store.keyspaces(call.session.database);
    let lower = id.key(tag::ZSET_SCORE, &[]).to_vec();
    let start = lower.len();
    let mut walk = scan_members(call, pair, lower, Some(id.behind(tag::ZSET_SCORE)))?;
    let first = walk.next()?;
    Ok(first.and_then(|(key, _)| key.get(start..start + SCORE_BYTES)?.first_chunk().copied()))
}
