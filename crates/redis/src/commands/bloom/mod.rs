//! Bloom filters: the `BF.` commands of RedisBloom 2.

mod dump;
mod stored;

pub use dump::{loadchunk, scandump};

use crate::bloom::{Filter, Hashed, Spacing};
use crate::key::MetaKey;
use crate::number::parse_integer;
use crate::resp::Protocol;
use crate::stop::{Outcome, Stop};
use crate::store::Class;

use super::{Call, is_word};
use stored::{Chain, FULL, load};

const ERROR_RATE: f64 = 0.01;
const CAPACITY: u64 = 100;
const EXPANSION: u32 = 2;
const NOT_FOUND: &str = "ERR not found";
const CANNOT_EXPAND: &str = "Nonscaling filters cannot expand";
/// Bytes of RedisBloom's own records, which the size that it reports includes.
const CHAIN_OVERHEAD_BYTES: u64 = 32;
const FILTER_OVERHEAD_BYTES: u64 = 64;

/// What a new chain is made of.
struct Wish {
    error_rate: f64,
    capacity: u64,
    /// `None`: not said.
    expansion: Option<u32>,
    is_nonscaling: bool,
}

impl Default for Wish {
    fn default() -> Self {
        let (error_rate, capacity) = (ERROR_RATE, CAPACITY);
        Self { error_rate, capacity, expansion: None, is_nonscaling: false }
    }
}

impl Wish {
    fn chain(&self, call: &Call<'_>, key: &MetaKey) -> Result<Chain, Stop> {
        let first = Filter::first(self.error_rate, self.capacity, !self.is_nonscaling);
        let first = first.ok_or_else(|| Stop::fail("ERR could not create filter"))?;
        let expansion = if self.is_nonscaling { 0 } else { self.expansion.unwrap_or(EXPANSION) };
        Chain::new(call, key, vec![first], (expansion, Spacing::Growing))
    }
}

fn expansion_of(word: Option<&[u8]>, refusal: &'static str) -> Result<Option<u32>, Stop> {
    let number = word.and_then(parse_integer).and_then(|number| u32::try_from(number).ok());
    number.filter(|number| *number > 0).map(Some).ok_or_else(|| Stop::fail(refusal))
}

fn rate_of(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// `BF.RESERVE key error_rate capacity [EXPANSION expansion] [NONSCALING]`
pub fn reserve(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let error_rate = rate_of(call.args.get(2)).ok_or_else(|| Stop::fail("ERR bad error rate"))?;
    if !(error_rate > 0.0 && error_rate < 1.0) {
        return Err(Stop::fail("ERR (0 < error rate range < 1)"));
    }
    let capacity = parse_integer(call.args.get(3)).ok_or_else(|| Stop::fail("ERR bad capacity"))?;
    if capacity <= 0 {
        return Err(Stop::fail("ERR (capacity should be larger than 0)"));
    }
    let mut wish = Wish { error_rate, capacity: capacity as u64, ..Wish::default() };
    let mut options = call.args.from(4);
    while let Some(option) = options.next() {
        if is_word(option, "nonscaling") {
            wish.is_nonscaling = true;
        } else if is_word(option, "expansion") {
            wish.expansion = expansion_of(options.next(), "ERR bad expansion")?;
        } else {
            return Err(Stop::fail("ERR unrecognized option"));
        }
    }
    if wish.is_nonscaling && wish.expansion.is_some() {
        return Err(Stop::fail(CANNOT_EXPAND));
    }
    let _lock = call.lock(&key)?;
    if load(call, &key)?.is_some() {
        return Err(Stop::fail("ERR item exists"));
    }
    let chain = wish.chain(call, &key)?;
    commit(call, &key, &chain, "bf.reserve")?;
    call.reply.ok();
    Ok(())
}

fn commit(call: &mut Call<'_>, key: &MetaKey, chain: &Chain, event: &'static str) -> Outcome {
    call.begin();
    chain.stage(call, key)?;
    call.commit_batch()?;
    call.notify(Class::Module, event, call.args.get(1));
    Ok(())
}

/// `BF.ADD key item`
pub fn add(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut chain = match load(call, &key)? {
        Some(chain) => chain,
        None => Wish::default().chain(call, &key)?,
    };
    let is_new = chain.add(call, call.args.get(2))?;
    if is_new {
        commit(call, &key, &chain, "bf.add")?;
    }
    call.reply.boolean(is_new);
    Ok(())
}

/// `BF.MADD key item [item …]`
pub fn madd(call: &mut Call<'_>) -> Outcome {
    insert_items(call, &Wish::default(), true, 2)
}

/// `BF.INSERT key [CAPACITY capacity] [ERROR rate] [EXPANSION expansion] [NOCREATE] [NONSCALING] ITEMS
/// item [item …]`
pub fn insert(call: &mut Call<'_>) -> Outcome {
    let mut wish = Wish::default();
    let mut creates = true;
    let mut at = 2;
    while !is_word(call.args.get(at), "items") {
        let option = call.args.get(at);
        let value = (at + 1 < call.args.len()).then(|| call.args.get(at + 1));
        if is_word(option, "nocreate") {
            creates = false;
            at += 1;
            continue;
        } else if is_word(option, "nonscaling") {
            wish.is_nonscaling = true;
            at += 1;
            continue;
        } else if is_word(option, "capacity") {
            let capacity = value.and_then(parse_integer).filter(|capacity| *capacity > 0);
            wish.capacity = capacity.ok_or_else(|| Stop::fail("Bad capacity"))? as u64;
        } else if is_word(option, "error") {
            let rate = value.and_then(rate_of).filter(|rate| *rate > 0.0 && *rate < 1.0);
            wish.error_rate = rate.ok_or_else(|| Stop::fail("Bad error rate"))?;
        } else if is_word(option, "expansion") {
            wish.expansion = expansion_of(value, "Bad expansion")?;
        } else if at < call.args.len() {
            return Err(Stop::fail("Unknown argument received"));
        } else {
            break;
        }
        at += 2;
    }
    if at + 1 >= call.args.len() {
        return Err(Stop::fail("ERR wrong number of arguments for 'bf.insert' command"));
    }
    if wish.is_nonscaling && wish.expansion.is_some() {
        return Err(Stop::fail(CANNOT_EXPAND));
    }
    insert_items(call, &wish, creates, at + 1)
}

/// Adds the items from an argument on; an item that does not fit ends the answer with its error.
fn insert_items(call: &mut Call<'_>, wish: &Wish, creates: bool, from: usize) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut chain = match load(call, &key)? {
        Some(chain) => chain,
        None if creates => wish.chain(call, &key)?,
        None => return Err(Stop::fail(NOT_FOUND)),
    };
    let mut results = Vec::new();
    let mut is_full = false;
    let args = call.args;
    for item in args.from(from) {
        match chain.add(call, item) {
            Ok(is_new) => results.push(is_new),
            Err(stop) if stop.is_line_of(&Stop::fail(FULL)) => {
                is_full = true;
                break;
            }
            Err(stop) => return Err(stop),
        }
    }
    if results.contains(&true) {
        commit(call, &key, &chain, "bf.add")?;
    }
    call.reply.array(results.len() + usize::from(is_full));
    results.into_iter().for_each(|is_new| call.reply.boolean(is_new));
    if is_full {
        call.reply.error(FULL.as_bytes());
    }
    Ok(())
}

/// Reads a chain for a command that only reads.
fn look_up(call: &mut Call<'_>, key: &MetaKey) -> Result<Option<Chain>, Stop> {
    let chain = load(call, key)?;
    call.count_lookup(chain.is_some());
    Ok(chain)
}

/// `BF.EXISTS key item`
pub fn exists(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let chain = look_up(call, &key)?;
    let is_there = match chain {
        Some(mut chain) => chain.contains(call, Hashed::new(call.args.get(2)))?,
        None => false,
    };
    call.reply.boolean(is_there);
    Ok(())
}

/// `BF.MEXISTS key item [item …]`
pub fn mexists(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let mut chain = look_up(call, &key)?;
    let args = call.args;
    call.reply.array(args.len() - 2);
    for item in args.from(2) {
        let is_there = match &mut chain {
            Some(chain) => chain.contains(call, Hashed::new(item))?,
            None => false,
        };
        call.reply.boolean(is_there);
    }
    Ok(())
}

/// `BF.CARD key`
pub fn card(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let items = look_up(call, &key)?.map_or(0, |chain| chain.items());
    call.reply.integer(items as i64);
    Ok(())
}

/// What BF.INFO can be asked for, what it answers and how it names that.
const FIELDS: [(&str, &str); 5] = [
    ("capacity", "Capacity"),
    ("size", "Size"),
    ("filters", "Number of filters"),
    ("items", "Number of items inserted"),
    ("expansion", "Expansion rate"),
];

/// `BF.INFO key [CAPACITY | SIZE | FILTERS | ITEMS | EXPANSION]`
pub fn info(call: &mut Call<'_>) -> Outcome {
    if call.args.len() > 3 {
        return Err(Stop::fail("ERR wrong number of arguments for 'bf.info' command"));
    }
    let key = call.key(1)?;
    let chain = look_up(call, &key)?.ok_or_else(|| Stop::fail(NOT_FOUND))?;
    let asked = (call.args.len() > 2).then(|| call.args.get(2));
    let fields: Vec<_> =
        FIELDS.iter().filter(|(word, _)| asked.is_none_or(|asked| is_word(asked, word))).collect();
    if fields.is_empty() {
        return Err(Stop::fail("Invalid information value"));
    }
    let is_bare = asked.is_some() && call.reply.protocol() == Protocol::Resp2;
    if is_bare {
        call.reply.array(1);
    } else {
        call.reply.map(fields.len());
    }
    for (word, name) in fields {
        if !is_bare {
            call.reply.simple(name);
        }
        match (*word, chain.expansion) {
            ("expansion", 0) => call.reply.null(),
            (word, _) => call.reply.integer(field(&chain, word) as i64),
        }
    }
    Ok(())
}

fn field(chain: &Chain, word: &str) -> u64 {
    match word {
        "capacity" => chain.filters.iter().map(|filter| filter.capacity).sum(),
        "size" => {
            let sizes = chain.filters.iter().map(|f| FILTER_OVERHEAD_BYTES + f.bytes());
            CHAIN_OVERHEAD_BYTES + sizes.sum::<u64>()
        }
        "filters" => chain.filters.len() as u64,
        "items" => chain.items(),
        _ => u64::from(chain.expansion),
    }
}
