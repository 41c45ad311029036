//! Sorted sets: members with a score each, in the order of scores.

use crate::collection::score;
use crate::number::parse_double;
use crate::resp::Reply;
use crate::stop::{NOT_A_FLOAT, Outcome, SYNTAX, Stop};
use crate::store::Class;
use crate::value::Type;

use super::members::{Members, Score, remove_members};
use super::members_random::draw_command;
use super::members_read::{read_one, reply_length};
use super::sorted_ranks::count_below;
use super::sorted_span::{Page, Span, count, read};
use super::{Call, is_word};

/// Most members in Redis's compact encoding.
const COMPACT_MEMBERS_MAX: u64 = 128;
/// Longest member in Redis's compact encoding.
const COMPACT_BYTES_MAX: usize = 64;

/// Writes a member, noting what makes Redis leave its compact encoding.
pub(super) fn write(
    set: &mut Members,
    call: &mut Call<'_>,
    member: &[u8],
    value: f64,
    old: Option<Score>,
) -> Outcome {
    set.write(call, member, &score::encode(value), old)?;
    set.set_large(set.len() > COMPACT_MEMBERS_MAX || member.len() > COMPACT_BYTES_MAX);
    Ok(())
}

/// Opens a sorted set for writing.
pub(super) fn open(call: &mut Call<'_>, many: bool) -> Result<Members, Stop> {
    call.begin();
    let key = call.key(1)?;
    Members::open(call, key, Type::SortedSet, many)
}

/// Opens a sorted set for reading.
pub(super) fn open_to_read(call: &mut Call<'_>, index: usize) -> Result<Members, Stop> {
    let key = call.key(index)?;
    let set = Members::open(call, key, Type::SortedSet, false)?;
    call.count_lookup(set.exists());
    Ok(set)
}

/// A score as a reply.
pub(super) fn show(reply: &mut Reply<'_>, score: &[u8]) {
    reply.double(score::decode(score));
}

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    only_new: bool,
    only_present: bool,
    only_greater: bool,
    only_less: bool,
    changed: bool,
    increment: bool,
}

impl Options {
    /// The options and where the scores begin.
    fn parse(call: &Call<'_>) -> Result<(Self, usize), Stop> {
        let mut options = Self::default();
        let mut at = 2;
        while at < call.args.len() {
            let word = call.args.get(at);
            match () {
                () if is_word(word, "nx") => options.only_new = true,
                () if is_word(word, "xx") => options.only_present = true,
                () if is_word(word, "gt") => options.only_greater = true,
                () if is_word(word, "lt") => options.only_less = true,
                () if is_word(word, "ch") => options.changed = true,
                () if is_word(word, "incr") => options.increment = true,
                () => break,
            }
            at += 1;
        }
        options.check(call.args.len() - at)?;
        Ok((options, at))
    }

    fn check(&self, words: usize) -> Outcome {
        if words == 0 || words % 2 != 0 {
            return Err(SYNTAX);
        }
        if self.only_new && self.only_present {
            return Err(Stop::fail("ERR XX and NX options at the same time are not compatible"));
        }
        let bounds = self.only_greater || self.only_less;
        if (self.only_new && bounds) || (self.only_greater && self.only_less) {
            return Err(Stop::fail(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.increment && words > 2 {
            return Err(Stop::fail("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// The score that a member gets; `None`: nothing happens.
    fn decide(&self, old: Option<f64>, given: f64) -> Result<Option<f64>, Stop> {
        let Some(old) = old else { return Ok((!self.only_present).then_some(given)) };
        if self.only_new {
            return Ok(None);
        }
        let new = if self.increment { old + given } else { given };
        if new.is_nan() {
            return Err(Stop::fail("ERR resulting score is not a number (NaN)"));
        }
        let refused = (self.only_greater && new <= old) || (self.only_less && new >= old);
        Ok((!refused).then_some(new))
    }
}

/// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member …]`
pub fn zadd(call: &mut Call<'_>) -> Outcome {
    let (options, at) = Options::parse(call)?;
    add(call, options, at)
}

/// `ZINCRBY key increment member`
pub fn zincrby(call: &mut Call<'_>) -> Outcome {
    add(call, Options { increment: true, ..Options::default() }, 2)
}

fn add(call: &mut Call<'_>, options: Options, at: usize) -> Outcome {
    let args = call.args;
    let scores = args.from(at).step_by(2).map(|text| parse_double(text).ok_or(NOT_A_FLOAT));
    let scores: smallvec::SmallVec<[f64; 4]> = scores.collect::<Result<_, Stop>>()?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut set = open(call, scores.len() > 1)?;
    let (mut added, mut updated, mut result) = (0, 0, None);
    for (index, given) in scores.into_iter().enumerate() {
        let member = args.get(at + 2 * index + 1);
        let old = set.presence(call, member)?;
        let old_score = old.map(|bytes| score::decode(&bytes));
        let Some(new) = options.decide(old_score, given)? else { continue };
        result = Some(new);
        if old_score == Some(new) {
            continue;
        }
        write(&mut set, call, member, new, old)?;
        *(if old.is_none() { &mut added } else { &mut updated }) += 1;
    }
    set.commit(call)?;
    if added + updated > 0 {
        let event = if options.increment { "zincr" } else { "zadd" };
        call.notify(Class::SortedSet, event, args.get(1));
    }
    match (options.increment, result) {
        (true, Some(new)) => call.reply.double(new),
        (true, None) => call.reply.null(),
        (false, _) => call.reply.integer(added + if options.changed { updated } else { 0 }),
    }
    Ok(())
}

/// `ZREM key member [member …]`
pub fn zrem(call: &mut Call<'_>) -> Outcome {
    remove_members(call, Type::SortedSet, (Class::SortedSet, "zrem"))
}

/// `ZCARD key`
pub fn zcard(call: &mut Call<'_>) -> Outcome {
    reply_length(call, Type::SortedSet)
}

/// `ZSCORE key member`
pub fn zscore(call: &mut Call<'_>) -> Outcome {
    if !read_one(call, Type::SortedSet, show)? {
        call.reply.null();
    }
    Ok(())
}

/// `ZMSCORE key member [member …]`
pub fn zmscore(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let set = open_to_read(call, 1)?;
    let args = call.args;
    call.reply.array(args.len() - 2);
    for member in args.from(2) {
        match set.presence(call, member)? {
            Some(score) => show(&mut call.reply, &score),
            None => call.reply.null(),
        }
    }
    Ok(())
}

/// `ZRANK key member [WITHSCORE]`
pub fn zrank(call: &mut Call<'_>) -> Outcome {
    rank(call, false)
}

/// `ZREVRANK key member [WITHSCORE]`
pub fn zrevrank(call: &mut Call<'_>) -> Outcome {
    rank(call, true)
}

fn rank(call: &mut Call<'_>, reverse: bool) -> Outcome {
    let with_score = call.args.len() > 3;
    if call.args.len() > 4 || (with_score && !is_word(call.args.get(3), "withscore")) {
        return Err(SYNTAX);
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let set = open_to_read(call, 1)?;
    let member = call.args.get(2);
    let Some(score) = set.presence(call, member)? else {
        match with_score {
            true => call.reply.null_array(),
            false => call.reply.null(),
        }
        return Ok(());
    };
    let rank = match count_below(call, &set, &[&score[..], member].concat())? {
        Some(rank) => rank,
        None => {
            let below = count(call, &set, &Span::below(score))?;
            let same = read(call, &set, &Span::at(score), Page::ALL)?;
            below + same.iter().take_while(|(other, _)| other.as_slice() < member).count() as u64
        }
    };
    if with_score {
        call.reply.array(2);
    }
    call.reply.integer(if reverse { set.len() - 1 - rank } else { rank } as i64);
    if with_score {
        show(&mut call.reply, &score);
    }
    Ok(())
}

/// `ZCOUNT key min max`
pub fn zcount(call: &mut Call<'_>) -> Outcome {
    let span = Span::score(call.args.get(2), call.args.get(3))?;
    reply_count(call, &span)
}

/// `ZLEXCOUNT key min max`
pub fn zlexcount(call: &mut Call<'_>) -> Outcome {
    let span = Span::lex(call.args.get(2), call.args.get(3))?;
    reply_count(call, &span)
}

fn reply_count(call: &mut Call<'_>, span: &Span) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let set = open_to_read(call, 1)?;
    let members = count(call, &set, span)?;
    call.reply.integer(members as i64);
    Ok(())
}

/// `ZRANDMEMBER key [count [WITHSCORES]]`
pub fn zrandmember(call: &mut Call<'_>) -> Outcome {
    draw_command(call, Type::SortedSet, "withscores", show)
}
