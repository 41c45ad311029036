//! JSON.DEL, CLEAR, TOGGLE, NUMINCRBY, NUMMULTBY, STRAPPEND.

use serde_json::{Number, Value};

use crate::commands::Call;
use crate::json::edit::{at_mut, remove_all};
use crate::json::path::Path;
use crate::json::{format, parse};
use crate::resp::Protocol;
use crate::stop::{Outcome, Stop};

use super::stored::load;
use super::{
    answer, commit, load_present, parse_path, path_at, told, unexpected, update, write_len,
};

/// `JSON.DEL key [path]`, `JSON.FORGET key [path]`
pub fn del(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = path_at(call, 2)?;
    let _lock = call.lock(&key)?;
    let Some(stored) = load(call, &key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    if path.is_root() {
        call.delete(&key)?;
        told(call, "json.del");
        call.reply.integer(1);
        return Ok(());
    }
    let mut document = stored.document()?;
    let places = path.locations(&document)?;
    let removed = remove_all(&mut document, places);
    if removed > 0 {
        commit(call, &key, &document, Some(&stored))?;
        told(call, "json.del");
    }
    write_len(&mut call.reply, removed);
    Ok(())
}

/// `JSON.CLEAR key [path]`
pub fn clear(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = path_at(call, 2)?;
    let _lock = call.lock(&key)?;
    let stored = load_present(call, &key)?;
    let mut document = stored.document()?;
    let mut cleared = 0;
    for place in path.locations(&document)? {
        cleared += usize::from(at_mut(&mut document, &place).is_some_and(clear_one));
    }
    if cleared > 0 {
        commit(call, &key, &document, Some(&stored))?;
        told(call, "json.clear");
    }
    write_len(&mut call.reply, cleared);
    Ok(())
}

/// Empties a container, makes a number 0; whether that was a change.
fn clear_one(value: &mut Value) -> bool {
    match value {
        Value::Array(items) if !items.is_empty() => items.clear(),
        Value::Object(members) if !members.is_empty() => members.clear(),
        Value::Number(number) if number.as_f64() != Some(0.0) => *value = Value::from(0),
        _ => return false,
    }
    true
}

/// `JSON.TOGGLE key [path]`
pub fn toggle(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = path_at(call, 2)?;
    let results = update(call, &key, &path, "json.toggle", |value| {
        let Value::Bool(flag) = value else { return Ok(None) };
        *flag = !*flag;
        Ok(Some(*flag))
    })?;
    let is_legacy = path.is_legacy();
    answer(call, &path, results, "not a bool", |reply, flag| match (is_legacy, flag) {
        (true, true) => reply.bulk(b"true"),
        (true, false) => reply.bulk(b"false"),
        (false, flag) => reply.integer(i64::from(flag)),
    })
}

/// `JSON.NUMINCRBY key path number`
pub fn numincrby(call: &mut Call<'_>) -> Outcome {
    calculate(call, "json.numincrby", |a, b| a.checked_add(b), |a, b| a + b)
}

/// `JSON.NUMMULTBY key path number`
pub fn nummultby(call: &mut Call<'_>) -> Outcome {
    calculate(call, "json.nummultby", |a, b| a.checked_mul(b), |a, b| a * b)
}

/// Integers stay integers while they fit into 64 bits.
fn calculate(
    call: &mut Call<'_>,
    event: &'static str,
    exact: fn(i128, i128) -> Option<i128>,
    rounded: fn(f64, f64) -> f64,
) -> Outcome {
    let key = call.key(1)?;
    let path = parse_path(call, 2)?;
    let operand = parse(call.args.get(3))?;
    let Value::Number(operand) = operand else { return Err(unexpected("number", &operand)) };
    let results = update(call, &key, &path, event, |value| {
        let Value::Number(number) = value else { return Ok(None) };
        let result = match (number.as_i128(), operand.as_i128()) {
            (Some(a), Some(b)) => exact(a, b).and_then(Number::from_i128),
            _ => None,
        };
        let result = result.or_else(|| {
            let result = rounded(number.as_f64()?, operand.as_f64()?);
            Number::from_f64(result)
        });
        *number = result.ok_or_else(|| Stop::fail("ERR result is an infinite number"))?;
        Ok(Some(number.clone()))
    })?;
    if call.reply.protocol() == Protocol::Resp2 && !path.is_legacy() {
        let results = results.into_iter().map(|result| result.map_or(Value::Null, Value::Number));
        call.reply.bulk(&format::compact(&results.collect()));
        return Ok(());
    }
    let is_wrapped = path.is_legacy() && call.reply.protocol() == Protocol::Resp3;
    if is_wrapped {
        call.reply.array(1);
    }
    answer(call, &path, results, "does not contains a number", |reply, number| {
        match (reply.protocol(), number.as_i64()) {
            (Protocol::Resp2, _) => reply.bulk(format::text_of(&number).as_bytes()),
            (_, Some(integer)) => reply.integer(integer),
            _ => reply.double(number.as_f64().unwrap_or(0.0)),
        }
    })
}

/// `JSON.STRAPPEND key [path] text`
pub fn strappend(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let (path, text) = match call.args.len() {
        3 => (Path::root(), parse(call.args.get(2))?),
        _ => (parse_path(call, 2)?, parse(call.args.get(3))?),
    };
    let Value::String(tail) = text else { return Err(unexpected("string", &text)) };
    let results = update(call, &key, &path, "json.strappend", |value| {
        let Value::String(text) = value else { return Ok(None) };
        text.push_str(&tail);
        Ok(Some(text.len()))
    })?;
    answer(call, &path, results, "not a string", write_len)
}
