//! Hashes: fields with a value each.

use crate::number::{Extended, parse_integer};
use crate::resp::Reply;
use crate::stop::{NOT_A_FLOAT, Outcome, Stop};
use crate::store::Class;
use crate::value::Type;

use super::Call;
use super::members::{Members, remove_members};
use super::members_read::{read_one, reply_length};

/// Most fields in Redis's compact encoding.
const COMPACT_FIELDS_MAX: u64 = 128;
/// Longest field or value in Redis's compact encoding.
const COMPACT_BYTES_MAX: usize = 64;

fn open(call: &mut Call<'_>, many: bool) -> Result<Members, Stop> {
    call.begin();
    let key = call.key(1)?;
    Members::open(call, key, Type::Hash, many)
}

/// Notes what makes Redis leave its compact encoding.
pub(super) fn note_large<'b>(hash: &mut Members, mut written: impl Iterator<Item = &'b [u8]>) {
    let is_large = hash.len() > COMPACT_FIELDS_MAX;
    hash.set_large(is_large || written.any(|text| text.len() > COMPACT_BYTES_MAX));
}

/// `HSET key field value [field value …]`
pub fn hset(call: &mut Call<'_>) -> Outcome {
    let added = set_fields(call, "hset")?;
    call.reply.integer(added);
    Ok(())
}

/// `HMSET key field value [field value …]`
pub fn hmset(call: &mut Call<'_>) -> Outcome {
    set_fields(call, "hmset")?;
    call.reply.ok();
    Ok(())
}

fn set_fields(call: &mut Call<'_>, name: &str) -> Result<i64, Stop> {
    if call.args.len() % 2 != 0 {
        return Err(Stop::fail(format!("ERR wrong number of arguments for '{name}' command")));
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let args = call.args;
    let mut hash = open(call, args.len() > 4)?;
    let mut added = 0;
    for at in (2..args.len()).step_by(2) {
        added += i64::from(hash.put(call, args.get(at), args.get(at + 1))?);
    }
    note_large(&mut hash, args.from(2));
    hash.commit(call)?;
    call.notify(Class::Hash, "hset", args.get(1));
    Ok(added)
}

/// `HSETNX key field value`
pub fn hsetnx(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let (field, value) = (call.args.get(2), call.args.get(3));
    let mut hash = open(call, false)?;
    let is_new = hash.presence(call, field)?.is_none();
    if is_new {
        hash.write(call, field, value, None)?;
        note_large(&mut hash, [field, value].into_iter());
        hash.commit(call)?;
        call.notify(Class::Hash, "hset", call.args.get(1));
    }
    call.reply.integer(i64::from(is_new));
    Ok(())
}

/// `HDEL key field [field …]`
pub fn hdel(call: &mut Call<'_>) -> Outcome {
    remove_members(call, Type::Hash, (Class::Hash, "hdel"))
}

/// Writes a field that ends when it would have ended before; `ends_at`: `None` when it is new.
fn write_on(
    hash: &mut Members,
    call: &mut Call<'_>,
    field: &[u8],
    value: &[u8],
    ends_at: Option<u64>,
) -> Outcome {
    hash.write_until(call, field, value, ends_at.map(u64::to_be_bytes), ends_at.unwrap_or(0))
}

/// `HINCRBY key field increment`
pub fn hincrby(call: &mut Call<'_>) -> Outcome {
    let amount = call.integer(3)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let field = call.args.get(2);
    let mut hash = open(call, false)?;
    let old = hash.get_ending(call, field, |value, ends_at| (parse_integer(value), ends_at))?;
    let value = match old {
        None => 0,
        Some((Some(value), _)) => value,
        Some((None, _)) => return Err(Stop::fail("ERR hash value is not an integer")),
    };
    let sum = value
        .checked_add(amount)
        .ok_or_else(|| Stop::fail("ERR increment or decrement would overflow"))?;
    let mut text = itoa::Buffer::new();
    write_on(&mut hash, call, field, text.format(sum).as_bytes(), old.map(|(_, ends_at)| ends_at))?;
    note_large(&mut hash, std::iter::once(field));
    hash.commit(call)?;
    call.notify(Class::Hash, "hincrby", call.args.get(1));
    call.reply.integer(sum);
    Ok(())
}

/// `HINCRBYFLOAT key field increment`
pub fn hincrbyfloat(call: &mut Call<'_>) -> Outcome {
    let amount = Extended::parse(call.args.get(3)).ok_or(NOT_A_FLOAT)?;
    if !amount.is_finite() {
        return Err(Stop::fail("ERR value is NaN or Infinity"));
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let field = call.args.get(2);
    let mut hash = open(call, false)?;
    let old = hash.get_ending(call, field, |value, ends_at| (Extended::parse(value), ends_at))?;
    let value = match old {
        None => Extended::ZERO,
        Some((Some(value), _)) => value,
        Some((None, _)) => return Err(Stop::fail("ERR hash value is not a float")),
    };
    let sum = value
        .checked_add(amount)
        .ok_or_else(|| Stop::fail("ERR increment would produce NaN or Infinity"))?;
    let text = sum.to_string();
    write_on(&mut hash, call, field, text.as_bytes(), old.map(|(_, ends_at)| ends_at))?;
    note_large(&mut hash, [field, text.as_bytes()].into_iter());
    hash.commit(call)?;
    call.notify(Class::Hash, "hincrbyfloat", call.args.get(1));
    call.reply.bulk(text.as_bytes());
    Ok(())
}

/// `HGET key field`
pub fn hget(call: &mut Call<'_>) -> Outcome {
    if !read_one(call, Type::Hash, |reply, value| reply.bulk(value))? {
        call.reply.null();
    }
    Ok(())
}

/// `HEXISTS key field`
pub fn hexists(call: &mut Call<'_>) -> Outcome {
    let is_there = read_one(call, Type::Hash, |_, _| {})?;
    call.reply.integer(i64::from(is_there));
    Ok(())
}

/// `HSTRLEN key field`
pub fn hstrlen(call: &mut Call<'_>) -> Outcome {
    if !read_one(call, Type::Hash, |reply, value| reply.integer(value.len() as i64))? {
        call.reply.integer(0);
    }
    Ok(())
}

/// `HMGET key field [field …]`
pub fn hmget(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let hash = Members::open(call, key, Type::Hash, false)?;
    call.count_lookup(hash.exists());
    let args = call.args;
    call.reply.array(args.len() - 2);
    for field in args.from(2) {
        match hash.get(call, field, <[u8]>::to_vec)? {
            Some(value) => call.reply.bulk(&value),
            None => call.reply.null(),
        }
    }
    Ok(())
}

/// `HLEN key`
pub fn hlen(call: &mut Call<'_>) -> Outcome {
    reply_length(call, Type::Hash)
}

/// `HGETALL key`
pub fn hgetall(call: &mut Call<'_>) -> Outcome {
    walk(
        call,
        |reply, len| reply.map(len),
        |reply, field, value| {
            reply.bulk(field);
            reply.bulk(value);
        },
    )
}

/// `HKEYS key`
pub fn hkeys(call: &mut Call<'_>) -> Outcome {
    walk(call, |reply, len| reply.array(len), |reply, field, _| reply.bulk(field))
}

/// `HVALS key`
pub fn hvals(call: &mut Call<'_>) -> Outcome {
    walk(call, |reply, len| reply.array(len), |reply, _, value| reply.bulk(value))
}

fn walk(
    call: &mut Call<'_>,
    announce: impl Fn(&mut Reply<'_>, usize),
    show: impl Fn(&mut Reply<'_>, &[u8], &[u8]),
) -> Outcome {
    let key = call.key(1)?;
    let lock = call.lock(&key)?;
    let hash = Members::open(call, key, Type::Hash, false)?;
    call.count_lookup(hash.exists());
    let (len, is_expiring) = (hash.len() as usize, hash.is_expiring());
    let mut walk = hash.walk(call)?;
    drop(lock);
    if is_expiring {
        // Fields may have ended since they were counted.
        let mut fields = Vec::with_capacity(len);
        while let Some((field, value)) = walk.next()? {
            fields.push((field.to_vec(), value.to_vec()));
        }
        announce(&mut call.reply, fields.len());
        fields.iter().for_each(|(field, value)| show(&mut call.reply, field, value));
        return Ok(());
    }
    announce(&mut call.reply, len);
    while let Some((field, value)) = walk.next()? {
        show(&mut call.reply, field, value);
    }
    Ok(())
}
