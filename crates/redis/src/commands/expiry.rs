//! Expiry: EXPIRE and its kin, TTL and its kin, PERSIST.

use crate::stop::{NOT_AN_INTEGER, Outcome, Stop};
use crate::store::Class;

use super::set_options::{
    MILLISECONDS, SECONDS, TimeUnit, UNIX_MILLISECONDS, UNIX_SECONDS, absolute, invalid_expiry,
};
use super::{Call, is_word};

/// Condition of EXPIRE.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    if_none: bool,
    if_some: bool,
    if_greater: bool,
    if_less: bool,
}

impl Condition {
    fn parse(call: &Call<'_>) -> Result<Self, Stop> {
        let mut condition = Self::default();
        for word in call.args.from(3) {
            match () {
                () if is_word(word, "nx") => condition.if_none = true,
                () if is_word(word, "xx") => condition.if_some = true,
                () if is_word(word, "gt") => condition.if_greater = true,
                () if is_word(word, "lt") => condition.if_less = true,
                () => {
                    return Err(Stop::quoting(&[b"ERR Unsupported option ", word]));
                }
            }
        }
        if condition.if_none && (condition.if_some || condition.if_greater || condition.if_less) {
            return Err(Stop::fail(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if condition.if_greater && condition.if_less {
            return Err(Stop::fail("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// Whether `new` may replace `old` (0 = no expiry, which counts as infinitely late).
    fn permits(self, old: u64, new: i64) -> bool {
        let has_expiry = old != 0;
        !(self.if_none && has_expiry
            || self.if_some && !has_expiry
            || self.if_greater && (!has_expiry || new <= old as i64)
            || self.if_less && has_expiry && new >= old as i64)
    }
}

/// `EXPIRE key seconds [NX | XX | GT | LT]`
pub fn expire(call: &mut Call<'_>) -> Outcome {
    expire_generic(call, SECONDS, "expire")
}

/// `PEXPIRE key milliseconds [NX | XX | GT | LT]`
pub fn pexpire(call: &mut Call<'_>) -> Outcome {
    expire_generic(call, MILLISECONDS, "pexpire")
}

/// `EXPIREAT key unix-seconds [NX | XX | GT | LT]`
pub fn expireat(call: &mut Call<'_>) -> Outcome {
    expire_generic(call, UNIX_SECONDS, "expireat")
}

/// `PEXPIREAT key unix-milliseconds [NX | XX | GT | LT]`
pub fn pexpireat(call: &mut Call<'_>) -> Outcome {
    expire_generic(call, UNIX_MILLISECONDS, "pexpireat")
}

fn expire_generic(call: &mut Call<'_>, unit: TimeUnit, name: &str) -> Outcome {
    let condition = Condition::parse(call)?;
    let amount = crate::number::parse_integer(call.args.get(2)).ok_or(NOT_AN_INTEGER)?;
    let at = absolute(amount, unit, call.store.now_ms()).ok_or_else(|| invalid_expiry(name))?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let Some(old) = call.record(&key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    if !condition.permits(old.expire_at_ms, at) {
        call.reply.integer(0);
        return Ok(());
    }
    // A time before the epoch is in the past like any other.
    let at = at.max(1) as u64;
    call.put_record(&key, &old.bytes, at)?;
    let event = if call.has_passed(at) { "del" } else { "expire" };
    call.notify(Class::Generic, event, call.args.get(1));
    call.reply.integer(1);
    Ok(())
}

/// `PERSIST key`
pub fn persist(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    match call.record(&key)? {
        Some(old) if old.expire_at_ms != 0 => {
            call.put_record(&key, &old.bytes, 0)?;
            call.notify(Class::Generic, "persist", call.args.get(1));
            call.reply.integer(1);
        }
        _ => call.reply.integer(0),
    }
    Ok(())
}

/// `TTL key`
pub fn ttl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.store.now_ms();
    remaining(call, |at| (at.saturating_sub(now_ms) + 500) / 1000)
}

/// `PTTL key`
pub fn pttl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.store.now_ms();
    remaining(call, |at| at.saturating_sub(now_ms))
}

/// `EXPIRETIME key`
pub fn expiretime(call: &mut Call<'_>) -> Outcome {
    remaining(call, |at| (at + 500) / 1000)
}

/// `PEXPIRETIME key`
pub fn pexpiretime(call: &mut Call<'_>) -> Outcome {
    remaining(call, |at| at)
}

/// -2: no key, -1: no expiry.
fn remaining(call: &mut Call<'_>, shown: impl FnOnce(u64) -> u64) -> Outcome {
    let key = call.key(1)?;
    let answer = match call.look_up(&key, |_, _, expiry| expiry)? {
        None => -2,
        Some(0) => -1,
        Some(at) => shown(at) as i64,
    };
    call.reply.integer(answer);
    Ok(())
}
