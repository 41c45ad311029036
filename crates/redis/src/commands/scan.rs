//! SCAN with cursors that need no memory on the server.
//!
//! ```text
//! cursor 0                     start, and end
//! otherwise  bit 62            set
//!            bits 48..=61      slot where to go on
//!            bits 0..=47       hash of the last key returned from it; 0 = the slot's start
//! ```
//!
//! Keys are walked slot by slot in key order, so a key that exists during the whole scan is met
//! exactly once, and at least once whatever happens: the place of a cursor is found by its hash; when
//! that key is gone, its slot begins anew.

use aidb_base::hash::key_hash;
use aidb_base::slot::SLOTS;

use crate::glob;
use crate::key::{self, tag};
use crate::number::{parse_integer, parse_unsigned};
use crate::resp::Reply;
use crate::stop::{NOT_AN_INTEGER, Outcome, SYNTAX, Stop};
use crate::value::Value;

use super::{Call, is_word};

const COUNT_DEFAULT: usize = 10;
const MARK: u64 = 1 << 62;
const HASH_BITS: u32 = 48;
const HASH_MASK: u64 = (1 << HASH_BITS) - 1;

/// Most keys looked at by one call, so that a sparse MATCH does not hold a thread for long.
const LOOKED_AT_MAX: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    slot: u16,
    hash: u64,
}

impl Cursor {
    fn decode(number: u64) -> Option<Self> {
        if number == 0 {
            return Some(Self { slot: 0, hash: 0 });
        }
        // A number that no scan gave: Redis takes any; the scan begins at some place.
        let slot = ((number >> HASH_BITS) & u64::from(SLOTS - 1)) as u16;
        Some(Self { slot, hash: if number & MARK == 0 { 0 } else { number & HASH_MASK } })
    }

    fn encode(self) -> u64 {
        MARK | u64::from(self.slot) << HASH_BITS | self.hash
    }
}

fn short_hash(engine_key: &[u8]) -> u64 {
    (key_hash(engine_key) & HASH_MASK).max(1)
}

struct Filter<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    /// A type that no key has answers nothing.
    only_type: Option<&'a [u8]>,
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
pub fn scan(call: &mut Call<'_>) -> Outcome {
    let cursor = parse_unsigned(call.args.get(1))
        .and_then(Cursor::decode)
        .ok_or_else(|| Stop::fail("ERR invalid cursor"))?;
    let filter = options(call)?;
    let lower = place_of(call, cursor)?;
    let mut scan = call.store.scan(call.keyspace(), lower, None)?;
    let mut found = Vec::new();
    let mut elements = Reply::new(&mut found, call.reply.protocol());
    let (mut count, mut looked_at) = (0, 0);
    let mut user_key = Vec::new();
    let mut last: Option<Vec<u8>> = None;
    let next = loop {
        let Some((engine_key, record)) = scan.next()? else { break 0 };
        let Some(decoded) = key::decode(engine_key, &mut user_key) else { continue };
        if decoded.tag != tag::META {
            continue;
        }
        if filter.accepts(&user_key, record)? {
            elements.bulk(&user_key);
            count += 1;
        }
        looked_at += 1;
        if looked_at >= filter.count {
            let next = Cursor { slot: decoded.slot, hash: short_hash(engine_key) }.encode();
            last = Some(engine_key.to_vec());
            // The end is known only when nothing follows.
            break if scan.next()?.is_some() { next } else { 0 };
        }
    };
    if let (Some(engine_key), true) = (last, next != 0) {
        call.store.scan_hints().remember(next, engine_key);
    }
    call.reply.array(2);
    call.reply.bulk(next.to_string().as_bytes());
    call.reply.array(count);
    call.reply.raw(&found);
    Ok(())
}

fn options<'a>(call: &Call<'a>) -> Result<Filter<'a>, Stop> {
    let mut filter = Filter { pattern: None, count: COUNT_DEFAULT, only_type: None };
    let mut at = 2;
    while at < call.args.len() {
        let (word, value) = (call.args.get(at), call.args.get(at + 1));
        if at + 1 == call.args.len() {
            return Err(SYNTAX);
        }
        if is_word(word, "count") {
            let count = parse_integer(value).ok_or(NOT_AN_INTEGER)?;
            if count < 1 {
                return Err(SYNTAX);
            }
            filter.count = (count as u64).min(LOOKED_AT_MAX as u64) as usize;
        } else if is_word(word, "match") {
            filter.pattern = Some(value).filter(|pattern| *pattern != b"*");
        } else if is_word(word, "type") {
            filter.only_type = Some(value);
        } else {
            return Err(SYNTAX);
        }
        at += 2;
    }
    Ok(filter)
}

impl Filter<'_> {
    fn accepts(&self, user_key: &[u8], record: &[u8]) -> Result<bool, Stop> {
        if self.pattern.is_some_and(|pattern| !glob::matches(pattern, user_key, false)) {
            return Ok(false);
        }
        let Some(wanted) = self.only_type else { return Ok(true) };
        Ok(is_word(wanted, Value::decode(record)?.kind.name()))
    }
}

/// The engine key from which a cursor goes on.
fn place_of(call: &Call<'_>, cursor: Cursor) -> Result<Vec<u8>, Stop> {
    if cursor.hash == 0 {
        return Ok(key::slot_start(cursor.slot));
    }
    if let Some(last) = call.store.scan_hints().recall(cursor.encode()) {
        return Ok(after(last));
    }
    let slot_end = Some(key::slot_start(cursor.slot + 1));
    let start = key::slot_start(cursor.slot);
    let mut scan = call.store.scan(call.keyspace(), start.clone(), slot_end)?;
    while let Some((engine_key, _)) = scan.next()? {
        if short_hash(engine_key) == cursor.hash {
            return Ok(after(engine_key.to_vec()));
        }
    }
    Ok(start)
}

/// The first key behind `engine_key`.
fn after(mut engine_key: Vec<u8>) -> Vec<u8> {
    engine_key.push(0);
    engine_key
}
