//! Several sorted sets at once, sets among them: union, intersection, difference.

use std::collections::HashMap;

use crate::collection::score;
use crate::key::MetaKey;
use crate::number::{parse_double, parse_integer};
use crate::stop::{NOT_AN_INTEGER, Outcome, SYNTAX, Stop, WRONG_TYPE};
use crate::value::Type;

use super::members::{Members, Score};
use super::sorted_ranges::{replace, reply_scored};
use super::sorted_span::Scored;
use super::{Call, is_word};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Least,
    Greatest,
}

impl Aggregate {
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            // Infinity and its opposite are 0 together.
            Self::Sum => number_or_zero(a + b),
            Self::Least => a.min(b),
            Self::Greatest => a.max(b),
        }
    }
}

fn number_or_zero(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value }
}

/// One input: which collection, and what its scores are multiplied by.
struct Input {
    set: Members,
    is_scored: bool,
    weight: f64,
}

impl Input {
    /// The weighted score of a member; what is no number stays so and does not count.
    fn get(&self, call: &Call<'_>, member: &[u8]) -> Result<Option<f64>, Stop> {
        self.set.get(call, member, |bytes| {
            self.weight * if self.is_scored { score::decode(bytes) } else { 1.0 }
        })
    }
}

/// What the arguments say.
struct Request {
    keys: Vec<MetaKey>,
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: usize,
}

/// `ZUNION numkeys key [key …] [WEIGHTS …] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`
pub fn zunion(call: &mut Call<'_>) -> Outcome {
    answer(call, Operation::Union, "zunion")
}

/// `ZINTER numkeys key [key …] [WEIGHTS …] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]`
pub fn zinter(call: &mut Call<'_>) -> Outcome {
    answer(call, Operation::Intersection, "zinter")
}

/// `ZDIFF numkeys key [key …] [WITHSCORES]`
pub fn zdiff(call: &mut Call<'_>) -> Outcome {
    answer(call, Operation::Difference, "zdiff")
}

fn answer(call: &mut Call<'_>, operation: Operation, name: &str) -> Outcome {
    let request = Request::parse(call, Form { operation, name, at: 1, output: Output::Reply })?;
    let _locks = call.store.lock_all_of(call.mode, &request.keys)?;
    let with_scores = request.with_scores;
    let found = combine(call, request, operation)?;
    reply_scored(call, &found, with_scores);
    Ok(())
}

/// `ZUNIONSTORE destination numkeys key [key …] [WEIGHTS …] [AGGREGATE SUM | MIN | MAX]`
pub fn zunionstore(call: &mut Call<'_>) -> Outcome {
    store(call, Operation::Union, "zunionstore")
}

/// `ZINTERSTORE destination numkeys key [key …] [WEIGHTS …] [AGGREGATE SUM | MIN | MAX]`
pub fn zinterstore(call: &mut Call<'_>) -> Outcome {
    store(call, Operation::Intersection, "zinterstore")
}

/// `ZDIFFSTORE destination numkeys key [key …]`
pub fn zdiffstore(call: &mut Call<'_>) -> Outcome {
    store(call, Operation::Difference, "zdiffstore")
}

fn store(call: &mut Call<'_>, operation: Operation, name: &'static str) -> Outcome {
    let request = Request::parse(call, Form { operation, name, at: 2, output: Output::Store })?;
    let destination = call.key(1)?;
    let mut all = request.keys.clone();
    all.push(destination.clone());
    let _locks = call.store.lock_all_of(call.mode, &all)?;
    let found = combine(call, request, operation)?;
    replace(call, destination, &found, name)?;
    call.reply.integer(found.len() as i64);
    Ok(())
}

/// `ZINTERCARD numkeys key [key …] [LIMIT limit]`
pub fn zintercard(call: &mut Call<'_>) -> Outcome {
    let operation = Operation::Intersection;
    let form = Form { operation, name: "zintercard", at: 1, output: Output::Count };
    let request = Request::parse(call, form)?;
    let _locks = call.store.lock_all_of(call.mode, &request.keys)?;
    let limit = request.limit;
    let found = combine(call, request, operation)?;
    call.reply.integer(found.len().min(limit) as i64);
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Reply,
    Store,
    Count,
}

#[derive(Clone, Copy)]
struct Form<'n> {
    operation: Operation,
    name: &'n str,
    /// Argument that says how many keys there are.
    at: usize,
    output: Output,
}

impl Request {
    fn parse(call: &Call<'_>, form: Form<'_>) -> Result<Self, Stop> {
        let count = parse_integer(call.args.get(form.at)).ok_or(NOT_AN_INTEGER)?;
        let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
            Stop::fail(format!("ERR at least 1 input key is needed for '{}' command", form.name))
        })?;
        let first = form.at + 1;
        if count > call.args.len() - first {
            return Err(SYNTAX);
        }
        let mut request = Self {
            keys: call.counted_keys(first, count)?,
            weights: vec![1.0; count],
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: usize::MAX,
        };
        request.check_types(call)?;
        request.options(call, form, first + count)?;
        Ok(request)
    }

    /// Wrong types come before wrong options.
    fn check_types(&self, call: &Call<'_>) -> Outcome {
        for key in &self.keys {
            let kind = call.read(key, |value, _| value.kind)?;
            if !matches!(kind, None | Some(Type::Set | Type::SortedSet)) {
                return Err(WRONG_TYPE);
            }
        }
        Ok(())
    }

    fn options(&mut self, call: &Call<'_>, form: Form<'_>, mut at: usize) -> Outcome {
        let combines = form.operation != Operation::Difference && form.output != Output::Count;
        while at < call.args.len() {
            let word = call.args.get(at);
            let left = call.args.len() - at - 1;
            if combines && is_word(word, "weights") && left >= self.keys.len() {
                for (weight, text) in self.weights.iter_mut().zip(call.args.from(at + 1)) {
                    *weight = parse_double(text)
                        .ok_or_else(|| Stop::fail("ERR weight value is not a float"))?;
                }
                at += self.keys.len();
            } else if combines && is_word(word, "aggregate") && left >= 1 {
                self.aggregate = aggregate(call.args.get(at + 1))?;
                at += 1;
            } else if form.output == Output::Reply && is_word(word, "withscores") {
                self.with_scores = true;
            } else if form.output == Output::Count && is_word(word, "limit") && left >= 1 {
                let limit = parse_integer(call.args.get(at + 1)).and_then(|n| n.try_into().ok());
                self.limit = match limit.ok_or_else(|| Stop::fail("ERR LIMIT can't be negative"))? {
                    0 => usize::MAX,
                    limit => limit,
                };
                at += 1;
            } else {
                return Err(SYNTAX);
            }
            at += 1;
        }
        Ok(())
    }
}

fn aggregate(word: &[u8]) -> Result<Aggregate, Stop> {
    match () {
        () if is_word(word, "sum") => Ok(Aggregate::Sum),
        () if is_word(word, "min") => Ok(Aggregate::Least),
        () if is_word(word, "max") => Ok(Aggregate::Greatest),
        () => Err(SYNTAX),
    }
}

fn combine(
    call: &mut Call<'_>,
    request: Request,
    operation: Operation,
) -> Result<Vec<Scored>, Stop> {
    let mut inputs = Vec::with_capacity(request.keys.len());
    for (key, weight) in request.keys.into_iter().zip(request.weights) {
        let kind = call.read(&key, |value, _| value.kind)?.unwrap_or(Type::SortedSet);
        let set = Members::open(call, key, kind, false)?;
        call.count_lookup(set.exists());
        inputs.push(Input { set, is_scored: kind == Type::SortedSet, weight });
    }
    if operation != Operation::Difference {
        inputs.sort_by_key(|input| input.set.len());
    }
    let mut found = match operation {
        Operation::Union => union(call, inputs, request.aggregate)?,
        Operation::Intersection => intersection(call, inputs, request.aggregate)?,
        Operation::Difference => difference(call, inputs)?,
    };
    found.sort_unstable_by(|(a, x), (b, y)| (x, a).cmp(&(y, b)));
    Ok(found)
}

fn scored(member: &[u8], value: f64) -> (Vec<u8>, Score) {
    (member.to_vec(), score::encode(value))
}

fn union(call: &Call<'_>, inputs: Vec<Input>, aggregate: Aggregate) -> Result<Vec<Scored>, Stop> {
    let mut joined: HashMap<Vec<u8>, f64> = HashMap::new();
    for Input { set, is_scored, weight } in inputs {
        let mut walk = set.walk(call)?;
        while let Some((member, bytes)) = walk.next()? {
            let value = if is_scored { score::decode(bytes) } else { 1.0 };
            let value = number_or_zero(weight * value);
            match joined.get_mut(member) {
                Some(known) => *known = aggregate.join(*known, value),
                None => drop(joined.insert(member.to_vec(), value)),
            }
        }
    }
    Ok(joined.into_iter().map(|(member, value)| (member, score::encode(value))).collect())
}

/// Walks the smallest input and asks the others.
fn intersection(
    call: &Call<'_>,
    mut inputs: Vec<Input>,
    aggregate: Aggregate,
) -> Result<Vec<Scored>, Stop> {
    let mut found = Vec::new();
    let others = inputs.split_off(1);
    let Some(Input { set, is_scored, weight }) = inputs.pop() else { return Ok(found) };
    let mut walk = set.walk(call)?;
    'members: while let Some((member, bytes)) = walk.next()? {
        let value = if is_scored { score::decode(bytes) } else { 1.0 };
        let mut value = number_or_zero(weight * value);
        for other in &others {
            let Some(more) = other.get(call, member)? else { continue 'members };
            value = aggregate.join(value, more);
        }
        found.push(scored(member, value));
    }
    Ok(found)
}

/// Walks the first input and asks the others.
fn difference(call: &Call<'_>, mut inputs: Vec<Input>) -> Result<Vec<Scored>, Stop> {
    let mut found = Vec::new();
    let others = inputs.split_off(1);
    let Some(Input { set, is_scored, .. }) = inputs.pop() else { return Ok(found) };
    let mut walk = set.walk(call)?;
    'members: while let Some((member, bytes)) = walk.next()? {
        for other in &others {
            if other.get(call, member)?.is_some() {
                continue 'members;
            }
        }
        found.push(scored(member, if is_scored { score::decode(bytes) } else { 1.0 }));
    }
    Ok(found)
}
