//! JSON.ARRAPPEND, ARRINSERT, ARRPOP, ARRTRIM.

use serde_json::Value;

use crate::commands::Call;
use crate::json::{format, parse};
use crate::number::parse_integer;
use crate::stop::{Outcome, Stop};

use super::{answer, integer, parse_path, path_at, update, write_len};

const NOT_AN_ARRAY: &str = "not an array";

fn values(call: &Call<'_>, from: usize) -> Result<Vec<Value>, Stop> {
    call.args.from(from).map(parse).collect()
}

/// `JSON.ARRAPPEND key path value [value …]`
pub fn arrappend(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = parse_path(call, 2)?;
    let values = values(call, 3)?;
    let results = update(call, &key, &path, "json.arrappend", |value| {
        let Value::Array(items) = value else { return Ok(None) };
        items.extend_from_slice(&values);
        Ok(Some(items.len()))
    })?;
    answer(call, &path, results, NOT_AN_ARRAY, write_len)
}

/// `JSON.ARRINSERT key path index value [value …]`
pub fn arrinsert(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = parse_path(call, 2)?;
    let index = integer(call, 3)?;
    let values = values(call, 4)?;
    let results = update(call, &key, &path, "json.arrinsert", |value| {
        let Value::Array(items) = value else { return Ok(None) };
        let len = items.len() as i64;
        let at = if index < 0 { len.saturating_add(index) } else { index };
        if !(0..=len).contains(&at) {
            return Err(Stop::fail("ERR index out of bounds"));
        }
        let at = at as usize;
        items.splice(at..at, values.iter().cloned());
        Ok(Some(items.len()))
    })?;
    answer(call, &path, results, NOT_AN_ARRAY, write_len)
}

/// `JSON.ARRPOP key [path [index]]`
pub fn arrpop(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = path_at(call, 2)?;
    // What is no index is the last one.
    let index = parse_integer(call.args.get(3)).unwrap_or(-1);
    // The outer option says whether it was an array, the inner one whether it had an item.
    let results = update(call, &key, &path, "json.arrpop", |value| {
        let Value::Array(items) = value else { return Ok(None) };
        let len = items.len() as i64;
        if len == 0 {
            return Ok(Some(None));
        }
        let at = if index < 0 { len.saturating_add(index) } else { index };
        let popped = items.remove(at.clamp(0, len - 1) as usize);
        Ok(Some(Some(format::compact(&popped))))
    })?;
    answer(call, &path, results, NOT_AN_ARRAY, |reply, popped| match popped {
        Some(text) => reply.bulk(&text),
        None => reply.null(),
    })
}

/// `JSON.ARRTRIM key path start stop`
pub fn arrtrim(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = parse_path(call, 2)?;
    let (start, stop) = (integer(call, 3)?, integer(call, 4)?);
    let results = update(call, &key, &path, "json.arrtrim", |value| {
        let Value::Array(items) = value else { return Ok(None) };
        let len = items.len() as i64;
        let from_end = |index: i64| if index < 0 { len.saturating_add(index) } else { index };
        let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
        if start > stop {
            items.clear();
        } else {
            items.truncate(stop as usize + 1);
            items.drain(..start as usize);
        }
        Ok(Some(items.len()))
    })?;
    answer(call, &path, results, NOT_AN_ARRAY, write_len)
}
