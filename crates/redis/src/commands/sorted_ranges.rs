//! ZRANGE in all its forms, ZRANGESTORE, ZREMRANGEBY….

use crate::collection::score;
use crate::resp::Protocol;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Class;
use crate::value::Type;

use super::members::Members;
use super::sorted_pops::reply_pairs;
use super::sorted_sets::{open, open_to_read, write};
use super::sorted_span::{Page, Scored, Span, read};
use super::{Call, is_word};

/// How the ends of a range are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

impl By {
    fn removal_event(self) -> &'static str {
        match self {
            Self::Rank => "zremrangebyrank",
            Self::Score => "zremrangebyscore",
            Self::Lex => "zremrangebylex",
        }
    }

    fn span(self, from: &[u8], to: &[u8]) -> Result<Span, Stop> {
        match self {
            Self::Rank => Span::rank(from, to),
            Self::Score => Span::score(from, to),
            Self::Lex => Span::lex(from, to),
        }
    }
}

/// What a command fixes by its name; `None`: options say it.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// Argument that is the key to read.
    key: usize,
    by: Option<By>,
    reverse: Option<bool>,
    stores: bool,
}

/// `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`
pub fn zrange(call: &mut Call<'_>) -> Outcome {
    range(call, Form { key: 1, by: None, reverse: None, stores: false })
}

/// `ZRANGESTORE destination key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count]`
pub fn zrangestore(call: &mut Call<'_>) -> Outcome {
    range(call, Form { key: 2, by: None, reverse: None, stores: true })
}

/// `ZREVRANGE key start stop [WITHSCORES]`
pub fn zrevrange(call: &mut Call<'_>) -> Outcome {
    by_name(call, By::Rank, true)
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`
pub fn zrangebyscore(call: &mut Call<'_>) -> Outcome {
    by_name(call, By::Score, false)
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`
pub fn zrevrangebyscore(call: &mut Call<'_>) -> Outcome {
    by_name(call, By::Score, true)
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`
pub fn zrangebylex(call: &mut Call<'_>) -> Outcome {
    by_name(call, By::Lex, false)
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`
pub fn zrevrangebylex(call: &mut Call<'_>) -> Outcome {
    by_name(call, By::Lex, true)
}

fn by_name(call: &mut Call<'_>, by: By, reverse: bool) -> Outcome {
    range(call, Form { key: 1, by: Some(by), reverse: Some(reverse), stores: false })
}

/// A request for a range, read from its arguments.
struct Request {
    span: Span,
    page: Page,
    with_scores: bool,
}

impl Request {
    fn parse(call: &Call<'_>, form: Form) -> Result<Self, Stop> {
        let (mut by, mut reverse) = (form.by, form.reverse);
        let (mut with_scores, mut limit) = (false, None);
        let mut at = form.key + 3;
        while at < call.args.len() {
            let word = call.args.get(at);
            if !form.stores && is_word(word, "withscores") {
                with_scores = true;
            } else if is_word(word, "limit") && at + 2 < call.args.len() {
                limit = Some((call.integer(at + 1)?, call.integer(at + 2)?));
                at += 2;
            } else if reverse.is_none() && is_word(word, "rev") {
                reverse = Some(true);
            } else if by.is_none() && is_word(word, "bylex") {
                by = Some(By::Lex);
            } else if by.is_none() && is_word(word, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(SYNTAX);
            }
            at += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        // A count of -1 is as good as no LIMIT.
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(Stop::fail(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or \
                 BYLEX",
            ));
        }
        if by == By::Lex && with_scores {
            return Err(Stop::fail(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (from, to) = (call.args.get(form.key + 1), call.args.get(form.key + 2));
        let span = match reverse && by != By::Rank {
            true => by.span(to, from)?,
            false => by.span(from, to)?,
        };
        let page = match limit {
            Some((skip, take)) if by != By::Rank => page_of(reverse, skip, take),
            _ => Page { reverse, ..Page::ALL },
        };
        Ok(Self { span, page, with_scores })
    }
}

/// A negative offset leaves nothing, a negative count everything.
fn page_of(reverse: bool, skip: i64, take: i64) -> Page {
    let take = if skip < 0 { 0 } else { u64::try_from(take).unwrap_or(u64::MAX) };
    Page { reverse, skip: u64::try_from(skip).unwrap_or(0), take }
}

fn range(call: &mut Call<'_>, form: Form) -> Outcome {
    let request = Request::parse(call, form)?;
    if form.stores {
        return store(call, &request);
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let set = open_to_read(call, 1)?;
    let found = read(call, &set, &request.span, request.page)?;
    reply_scored(call, &found, request.with_scores);
    Ok(())
}

/// Members, with or without scores, as ranges and unions answer them.
pub(super) fn reply_scored(call: &mut Call<'_>, found: &[Scored], with_scores: bool) {
    let is_nested = call.reply.protocol() == Protocol::Resp3;
    if with_scores {
        call.reply.array(found.len() * if is_nested { 1 } else { 2 });
        reply_pairs(call, found, is_nested);
    } else {
        call.reply.array(found.len());
        found.iter().for_each(|(member, _)| call.reply.bulk(member));
    }
}

fn store(call: &mut Call<'_>, request: &Request) -> Outcome {
    let pair = [call.key(1)?, call.key(2)?];
    let _locks = call.store.lock_all_of(call.mode, &pair)?;
    let set = open_to_read(call, 2)?;
    let found = read(call, &set, &request.span, request.page)?;
    let [destination, _] = pair;
    replace(call, destination, &found, "zrangestore")?;
    call.reply.integer(found.len() as i64);
    Ok(())
}

/// Stores members at a key, which argument 1 names, instead of what it holds; tells of `event`.
pub(super) fn replace(
    call: &mut Call<'_>,
    key: crate::key::MetaKey,
    members: &[Scored],
    event: &'static str,
) -> Outcome {
    call.begin();
    if members.is_empty() && !call.exists(&key)? {
        return Ok(());
    }
    let mut set = Members::replacing(call, key, Type::SortedSet);
    for (member, score) in members {
        write(&mut set, call, member, score::decode(score), None)?;
    }
    set.commit(call)?;
    call.notify_stored(Class::SortedSet, event, call.args.get(1), members.is_empty());
    Ok(())
}

/// `ZREMRANGEBYRANK key start stop`
pub fn zremrangebyrank(call: &mut Call<'_>) -> Outcome {
    remove(call, By::Rank)
}

/// `ZREMRANGEBYSCORE key min max`
pub fn zremrangebyscore(call: &mut Call<'_>) -> Outcome {
    remove(call, By::Score)
}

/// `ZREMRANGEBYLEX key min max`
pub fn zremrangebylex(call: &mut Call<'_>) -> Outcome {
    remove(call, By::Lex)
}

fn remove(call: &mut Call<'_>, by: By) -> Outcome {
    let span = by.span(call.args.get(2), call.args.get(3))?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut set = open(call, false)?;
    let found = read(call, &set, &span, Page::ALL)?;
    if found.len() as u64 == set.len() {
        set.abandon();
    } else {
        for (member, score) in &found {
            set.take(call, member, *score)?;
        }
    }
    let is_gone = set.len() == 0;
    set.commit(call)?;
    if !found.is_empty() {
        call.notify_shrunk(Class::SortedSet, by.removal_event(), call.args.get(1), is_gone);
    }
    call.reply.integer(found.len() as i64);
    Ok(())
}
