//! Parts of a sorted set: by rank, by score, by member; read in either direction.

use crate::collection::Id;
use crate::collection::packed::Items;
use crate::collection::score::{self, SCORE_BYTES};
use crate::key::tag;
use crate::number::{parse_double_loosely, parse_integer};
use crate::stop::{NOT_AN_INTEGER, Stop};
use crate::store::Mode;

use super::Call;
use super::lists::range_of;
use super::members::{Members, Score};

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
    if call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let (lower, upper, page) = bounds(call, set, id, span, page)?;
    if lower >= upper || page.take == 0 {
        return Ok(());
    }
    let members = call.store.keyspaces(call.session.database).members;
    let mut walk = match page.reverse {
        false => call.store.scan(members, lower, Some(upper))?,
        true => call.store.scan_backward(members, lower, Some(upper))?,
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

/// Keys that hold a span of a spread set, and the page within them.
fn bounds(
    call: &Call<'_>,
    set: &Members,
    id: Id,
    span: &Span,
    page: Page,
) -> Result<(Vec<u8>, Vec<u8>, Page), Stop> {
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
    let members = call.store.keyspaces(call.session.database).members;
    let lower = id.key(tag::ZSET_SCORE, &[]).to_vec();
    let start = lower.len();
    let mut walk = call.store.scan(members, lower, Some(id.behind(tag::ZSET_SCORE)))?;
    let first = walk.next()?;
    Ok(first.and_then(|(key, _)| key.get(start..start + SCORE_BYTES)?.first_chunk().copied()))
}
