//! Strings of one key: GET, SET and their kin, ranges, APPEND.

use crate::key::MetaKey;
use crate::number::parse_integer;
use crate::stop::{NOT_AN_INTEGER, Outcome, Stop};
use crate::store::Class;
use crate::value::Encoding;

use super::Call;
use super::set_options::{self, ExpiryOption, Family, SetCondition, SetOptions, TimeUnit};

/// Longest string, the limit of Redis.
pub(super) const STRING_BYTES_MAX: usize = 512 << 20;

/// `GET key`
#[inline]
pub fn get(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    if call.look_up_string(&key, |reply, value, _| reply.bulk(value))?.is_none() {
        call.reply.null();
    }
    Ok(())
}

/// `SET key value [NX | XX | IFEQ value | IFNE value | IFDEQ digest | IFDNE digest] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`
#[inline]
pub fn set(call: &mut Call<'_>) -> Outcome {
    if call.args.len() > 3 {
        return set_with_options(call);
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.put_string(&key, Encoding::Whole, call.args.get(2), 0)?;
    notify_set(call, 0);
    call.reply.ok();
    Ok(())
}

fn set_with_options(call: &mut Call<'_>) -> Outcome {
    let options = set_options::parse(&call.args, 3, Family::Set)?;
    let options = options.resolve(&call.args, Family::Set, call.store.now_ms())?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mark = call.reply.mark();
    let old = old_of_set(call, &key, &options)?;
    if options.get && old.is_none() {
        call.reply.null();
    }
    let (old_expiry, permitted) = match old {
        Some((expiry, permitted)) => (Some(expiry), permitted),
        None => (None, options.condition.permits_absence()),
    };
    if !permitted {
        if call.reply.mark() == mark {
            call.reply.null();
        }
        return Ok(());
    }
    let expire_at_ms = match options.expiry {
        ExpiryOption::At(at) => at,
        ExpiryOption::Keep => old_expiry.unwrap_or(0),
        ExpiryOption::Unsaid | ExpiryOption::Persist => 0,
    };
    call.put_string(&key, Encoding::Whole, call.args.get(2), expire_at_ms)?;
    let given = if options.expiry == ExpiryOption::Keep { 0 } else { expire_at_ms };
    notify_set(call, given);
    if !options.get {
        call.reply.ok();
    }
    Ok(())
}

/// Tells of a string that was set with an expiry of its own, unless that is 0.
#[inline]
fn notify_set(call: &Call<'_>, expire_at_ms: u64) {
    let key = call.args.get(1);
    call.notify(Class::String, "set", key);
    if expire_at_ms == 0 {
        return;
    }
    call.notify(Class::Generic, "expire", key);
    if call.has_passed(expire_at_ms) {
        call.notify(Class::Expired, "expired", key);
    }
}

/// What SET must know of a key: its expiry, and whether the condition permits to write it. With GET
/// the string is answered.
fn old_of_set(
    call: &mut Call<'_>,
    key: &MetaKey,
    options: &SetOptions,
) -> Result<Option<(u64, bool)>, Stop> {
    let (args, condition) = (call.args, options.condition);
    if options.get || matches!(condition, SetCondition::If(..)) {
        let shows = options.get;
        return call.look_up_string(key, |reply, value, expiry| {
            if shows {
                reply.bulk(value);
            }
            (expiry, condition.permits(&args, value))
        });
    }
    if condition == SetCondition::Always && options.expiry != ExpiryOption::Keep {
        return Ok(None);
    }
    call.read(key, |value, expiry| (expiry, condition.permits(&args, value.bytes)))
}

/// `SETNX key value`
pub fn setnx(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    if call.exists(&key)? {
        call.reply.integer(0);
        return Ok(());
    }
    call.put_string(&key, Encoding::Whole, call.args.get(2), 0)?;
    notify_set(call, 0);
    call.reply.integer(1);
    Ok(())
}

/// `SETEX key seconds value`
pub fn setex(call: &mut Call<'_>) -> Outcome {
    set_expiring(call, set_options::SECONDS, "setex")
}

/// `PSETEX key milliseconds value`
pub fn psetex(call: &mut Call<'_>) -> Outcome {
    set_expiring(call, set_options::MILLISECONDS, "psetex")
}

fn set_expiring(call: &mut Call<'_>, unit: TimeUnit, name: &str) -> Outcome {
    let expire_at_ms = set_options::expire_at(call.args.get(2), unit, name, call.store.now_ms())?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.put_string(&key, Encoding::Whole, call.args.get(3), expire_at_ms)?;
    notify_set(call, expire_at_ms);
    call.reply.ok();
    Ok(())
}

/// `GETSET key value`
pub fn getset(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    if call.look_up_string(&key, |reply, value, _| reply.bulk(value))?.is_none() {
        call.reply.null();
    }
    call.put_string(&key, Encoding::Whole, call.args.get(2), 0)?;
    notify_set(call, 0);
    Ok(())
}

/// `GETDEL key`
pub fn getdel(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    if call.look_up_string(&key, |reply, value, _| reply.bulk(value))?.is_none() {
        call.reply.null();
        return Ok(());
    }
    call.delete(&key)?;
    call.notify(Class::Generic, "del", call.args.get(1));
    Ok(())
}

/// `GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]`
pub fn getex(call: &mut Call<'_>) -> Outcome {
    let options = set_options::parse(&call.args, 2, Family::GetEx)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let Some(old) = call.string(&key)? else {
        call.scratch.counters.misses += 1;
        call.reply.null();
        return Ok(());
    };
    call.scratch.counters.hits += 1;
    let options = options.resolve(&call.args, Family::GetEx, call.store.now_ms())?;
    let expire_at_ms = match options.expiry {
        ExpiryOption::At(at) => at,
        ExpiryOption::Persist => 0,
        ExpiryOption::Unsaid | ExpiryOption::Keep => old.expire_at_ms,
    };
    if expire_at_ms != old.expire_at_ms {
        call.put_string(&key, old.encoding, &old.bytes, expire_at_ms)?;
    }
    let event = match options.expiry {
        ExpiryOption::At(at) if call.has_passed(at) => Some("del"),
        ExpiryOption::At(_) => Some("expire"),
        ExpiryOption::Persist if old.expire_at_ms != 0 => Some("persist"),
        _ => None,
    };
    if let Some(event) = event {
        call.notify(Class::Generic, event, call.args.get(1));
    }
    call.reply.bulk(&old.bytes);
    Ok(())
}

/// `STRLEN key`
pub fn strlen(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let length = call.look_up_string(&key, |_, value, _| value.len())?.unwrap_or(0);
    call.reply.integer(length as i64);
    Ok(())
}

/// `APPEND key value`
pub fn append(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let tail = call.args.get(2);
    let length = match call.string(&key)? {
        None => {
            call.put_string(&key, Encoding::Whole, tail, 0)?;
            tail.len()
        }
        Some(mut old) => {
            check_length(old.bytes.len() + tail.len())?;
            old.bytes.extend_from_slice(tail);
            call.put_string(&key, Encoding::Pieces, &old.bytes, old.expire_at_ms)?;
            old.bytes.len()
        }
    };
    call.notify(Class::String, "append", call.args.get(1));
    call.reply.integer(length as i64);
    Ok(())
}

/// `SETRANGE key offset value`
pub fn setrange(call: &mut Call<'_>) -> Outcome {
    let offset = call.integer(2)?;
    let piece = call.args.get(3);
    if offset < 0 {
        return Err(Stop::fail("ERR offset is out of range"));
    }
    let offset = offset as usize;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let old = call.string(&key)?;
    if piece.is_empty() {
        call.reply.integer(old.map_or(0, |old| old.bytes.len()) as i64);
        return Ok(());
    }
    check_length(offset.saturating_add(piece.len()))?;
    let mut string = old.unwrap_or_default();
    let end = offset + piece.len();
    if string.bytes.len() < end {
        string.bytes.resize(end, 0);
    }
    string.bytes[offset..end].copy_from_slice(piece);
    call.put_string(&key, Encoding::Pieces, &string.bytes, string.expire_at_ms)?;
    call.notify(Class::String, "setrange", call.args.get(1));
    call.reply.integer(string.bytes.len() as i64);
    Ok(())
}

fn check_length(bytes: usize) -> Outcome {
    if bytes > STRING_BYTES_MAX {
        return Err(Stop::fail("ERR string exceeds maximum allowed size (proto-max-bulk-len)"));
    }
    Ok(())
}

/// `GETRANGE key start end`, `SUBSTR key start end`
pub fn getrange(call: &mut Call<'_>) -> Outcome {
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    let key = call.key(1)?;
    let found = call.look_up_string(&key, |reply, value, _| {
        reply.bulk(range(value, start, end));
    })?;
    if found.is_none() {
        call.reply.bulk(b"");
    }
    Ok(())
}

/// The bytes from `start` to `end` inclusive, negative numbers counting from the end.
fn range(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let len = bytes.len() as i64;
    let from_end = |index: i64| if index < 0 { (len + index).max(0) } else { index };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if start > end || len == 0 {
        return &[];
    }
    &bytes[start as usize..=end as usize]
}

/// `INCR key`
pub fn incr(call: &mut Call<'_>) -> Outcome {
    add(call, 1)
}

/// `DECR key`
pub fn decr(call: &mut Call<'_>) -> Outcome {
    add(call, -1)
}

/// `INCRBY key increment`
pub fn incrby(call: &mut Call<'_>) -> Outcome {
    let amount = call.integer(2)?;
    add(call, amount)
}

/// `DECRBY key decrement`
pub fn decrby(call: &mut Call<'_>) -> Outcome {
    let amount = call.integer(2)?;
    let negated = amount.checked_neg().ok_or_else(|| Stop::fail("ERR decrement would overflow"))?;
    add(call, negated)
}

fn add(call: &mut Call<'_>, amount: i64) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let old = call.read(&key, |value, expiry| (value.string().map(parse_integer), expiry))?;
    let old = old.map(|(number, expiry)| number.map(|number| (number, expiry))).transpose()?;
    let (value, expire_at_ms) = match old {
        None => (0, 0),
        Some((Some(value), expiry)) => (value, expiry),
        Some((None, _)) => return Err(NOT_AN_INTEGER),
    };
    let sum = value
        .checked_add(amount)
        .ok_or_else(|| Stop::fail("ERR increment or decrement would overflow"))?;
    let mut text = itoa::Buffer::new();
    call.put_string(&key, Encoding::Whole, text.format(sum).as_bytes(), expire_at_ms)?;
    call.notify(Class::String, "incrby", call.args.get(1));
    call.reply.integer(sum);
    Ok(())
}
