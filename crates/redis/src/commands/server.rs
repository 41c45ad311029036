//! The databases as a whole, time, and PING, ECHO, SELECT.

use crate::number::parse_integer;
use crate::resp::Protocol;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::DATABASES;

use super::keys::database_index;
use super::{Call, is_word};

/// `PING [message]`
#[inline]
pub fn ping(call: &mut Call<'_>) -> Outcome {
    match call.args.len() {
        1 => call.reply.simple("PONG"),
        2 => call.reply.bulk(call.args.get(1)),
        _ => return Err(Stop::fail("ERR wrong number of arguments for 'ping' command")),
    }
    Ok(())
}

/// `ECHO message`
pub fn echo(call: &mut Call<'_>) -> Outcome {
    call.reply.bulk(call.args.get(1));
    Ok(())
}

/// `SELECT index`
pub fn select(call: &mut Call<'_>) -> Outcome {
    let index = parse_integer(call.args.get(1))
        .ok_or_else(|| Stop::fail("ERR value is not an integer or out of range"))?;
    call.session.database =
        database_index(index).ok_or_else(|| Stop::fail("ERR DB index is out of range"))?;
    call.reply.ok();
    Ok(())
}

/// `TIME`
pub fn time(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.store.now_ms();
    let micros = (now_ms % 1000) * 1000 + call.store.clock().monotonic_ns() / 1000 % 1000;
    call.reply.array(2);
    call.reply.bulk((now_ms / 1000).to_string().as_bytes());
    call.reply.bulk(micros.to_string().as_bytes());
    Ok(())
}

/// `DBSIZE`
pub fn dbsize(call: &mut Call<'_>) -> Outcome {
    let keys = call.store.len(call.session.database)?;
    call.reply.integer(keys as i64);
    Ok(())
}

/// `FLUSHDB [ASYNC | SYNC]`
pub fn flushdb(call: &mut Call<'_>) -> Outcome {
    check_flush_option(call)?;
    let database = call.session.database;
    clear(call, database..database + 1)
}

/// `FLUSHALL [ASYNC | SYNC]`
pub fn flushall(call: &mut Call<'_>) -> Outcome {
    check_flush_option(call)?;
    clear(call, 0..DATABASES)
}

fn clear(call: &mut Call<'_>, databases: std::ops::Range<usize>) -> Outcome {
    let wrote = call.store.clear(databases)?;
    call.scratch.counters.commits += u64::from(wrote);
    call.reply.ok();
    Ok(())
}

/// Both ways take the same constant time here.
fn check_flush_option(call: &Call<'_>) -> Outcome {
    let option = call.args.get(1);
    match call.args.len() {
        1 => Ok(()),
        2 if is_word(option, "async") || is_word(option, "sync") => Ok(()),
        _ => Err(SYNTAX),
    }
}

/// `SWAPDB index index`
pub fn swapdb(call: &mut Call<'_>) -> Outcome {
    let first = swap_index(call, 1, "first")?;
    let second = swap_index(call, 2, "second")?;
    let range = || Stop::fail("ERR DB index is out of range");
    let first = database_index(first).ok_or_else(range)?;
    let second = database_index(second).ok_or_else(range)?;
    if first != second {
        call.store.swap(first, second)?;
        call.scratch.counters.commits += 1;
    }
    call.reply.ok();
    Ok(())
}

fn swap_index(call: &Call<'_>, index: usize, which: &str) -> Result<i64, Stop> {
    parse_integer(call.args.get(index))
        .filter(|value| i32::try_from(*value).is_ok())
        .ok_or_else(|| Stop::fail(format!("ERR invalid {which} DB index")))
}

/// `HELLO`'s version argument.
pub fn protocol_version(text: &[u8]) -> Option<Protocol> {
    match parse_integer(text)? {
        2 => Some(Protocol::Resp2),
        3 => Some(Protocol::Resp3),
        _ => None,
    }
}
