//! Fields that end at times of their own: HEXPIRE and its kin, HTTL and its kin, HPERSIST.

#[cfg(test)]
mod tests;

use crate::collection::expiring::INSTANT_MAX;
use crate::key::MetaKey;
use crate::number::parse_integer;
use crate::stop::{NOT_AN_INTEGER, Outcome, Stop};
use crate::store::Class;
use crate::value::Type;

use super::members::Members;
use super::set_options::{
    MILLISECONDS, SECONDS, TimeUnit, UNIX_MILLISECONDS, UNIX_SECONDS, invalid_expiry,
};
use super::{Call, is_word};

/// There is no such field, or no such hash.
const NO_FIELD: i64 = -2;
/// The field does not end.
const NO_END: i64 = -1;
/// The condition was not met.
const REFUSED: i64 = 0;
/// The field has a new end, or none any more.
const DONE: i64 = 1;
/// The time had passed: the field was removed.
const REMOVED: i64 = 2;

/// Fields that a command names: arguments `first..first + count * step`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) step: usize,
}

impl Fields {
    /// Reads `FIELDS count field …`, the word at argument `at`. `refusal`: what a bad count is told.
    pub(super) fn parse(
        call: &Call<'_>,
        at: usize,
        step: usize,
        refusal: &'static str,
    ) -> Result<Self, Stop> {
        if at + 1 >= call.args.len() || !is_word(call.args.get(at), "fields") {
            return Err(Stop::fail(
                "ERR Mandatory argument FIELDS is missing or not at the right position",
            ));
        }
        let count = parse_integer(call.args.get(at + 1))
            .and_then(|count| usize::try_from(count).ok())
            .filter(|count| *count > 0)
            .ok_or_else(|| Stop::fail(refusal))?;
        if count.checked_mul(step) != Some(call.args.len() - at - 2) {
            return Err(Stop::fail(
                "ERR The `numfields` parameter must match the number of arguments",
            ));
        }
        Ok(Self { first: at + 2, count, step })
    }

    /// The fields' names.
    pub(super) fn names<'a>(self, call: &Call<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        call.args.from(self.first).step_by(self.step).take(self.count)
    }
}

const COUNT_REFUSAL: &str = "ERR Parameter `numFields` should be greater than 0";

/// When a field may get another end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    IfNone,
    IfSome,
    IfGreater,
    IfLess,
}

impl Condition {
    fn parse(word: &[u8]) -> Option<Self> {
        match () {
            () if is_word(word, "nx") => Some(Self::IfNone),
            () if is_word(word, "xx") => Some(Self::IfSome),
            () if is_word(word, "gt") => Some(Self::IfGreater),
            () if is_word(word, "lt") => Some(Self::IfLess),
            () => None,
        }
    }

    /// Whether `new` may take the place of `old`; 0 is no end, later than every other.
    fn permits(self, old: u64, new: u64) -> bool {
        match self {
            Self::Always => true,
            Self::IfNone => old == 0,
            Self::IfSome => old != 0,
            Self::IfGreater => old != 0 && new > old,
            Self::IfLess => old == 0 || new < old,
        }
    }
}

/// `HEXPIRE key seconds [NX | XX | GT | LT] FIELDS count field [field …]`
pub fn hexpire(call: &mut Call<'_>) -> Outcome {
    expire(call, SECONDS, "hexpire")
}

/// `HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS count field [field …]`
pub fn hpexpire(call: &mut Call<'_>) -> Outcome {
    expire(call, MILLISECONDS, "hpexpire")
}

/// `HEXPIREAT key unix-seconds [NX | XX | GT | LT] FIELDS count field [field …]`
pub fn hexpireat(call: &mut Call<'_>) -> Outcome {
    expire(call, UNIX_SECONDS, "hexpireat")
}

/// `HPEXPIREAT key unix-milliseconds [NX | XX | GT | LT] FIELDS count field [field …]`
pub fn hpexpireat(call: &mut Call<'_>) -> Outcome {
    expire(call, UNIX_MILLISECONDS, "hpexpireat")
}

/// The instant that an argument names.
pub(super) fn instant(
    call: &Call<'_>,
    text: &[u8],
    unit: TimeUnit,
    command: &str,
) -> Result<u64, Stop> {
    let amount = parse_integer(text).ok_or(NOT_AN_INTEGER)?;
    let amount =
        u64::try_from(amount).map_err(|_| Stop::fail("ERR invalid expire time, must be >= 0"))?;
    let base = if unit.relative { call.store.now_ms() } else { 0 };
    amount
        .checked_mul(unit.scale.unsigned_abs())
        .and_then(|amount| amount.checked_add(base))
        .filter(|instant| *instant <= INSTANT_MAX)
        .ok_or_else(|| invalid_expiry(command))
}

fn expire(call: &mut Call<'_>, unit: TimeUnit, name: &str) -> Outcome {
    let ends_at = instant(call, call.args.get(2), unit, name)?;
    let condition = Condition::parse(call.args.get(3));
    let fields = Fields::parse(call, 3 + usize::from(condition.is_some()), 1, COUNT_REFUSAL)?;
    let condition = condition.unwrap_or(Condition::Always);
    let has_passed = call.has_passed(ends_at.max(1));
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut hash = open(call, key)?;
    let (mut ended, mut removed) = (0, 0);
    call.reply.array(fields.count);
    for field in fields.names(call) {
        let old = hash.get_ending(call, field, |value, old| (value.to_vec(), old))?;
        let answer = match old {
            None => NO_FIELD,
            Some((_, old)) if !condition.permits(old, ends_at) => REFUSED,
            Some((_, old)) if has_passed => {
                hash.take(call, field, old.to_be_bytes())?;
                removed += 1;
                REMOVED
            }
            Some((value, old)) => {
                hash.write_until(call, field, &value, Some(old.to_be_bytes()), ends_at)?;
                ended += 1;
                DONE
            }
        };
        call.reply.integer(answer);
    }
    let is_gone = hash.len() == 0;
    hash.commit(call)?;
    if ended > 0 {
        call.notify(Class::Hash, "hexpire", call.args.get(1));
    }
    if removed > 0 {
        call.notify_shrunk(Class::Hash, "hdel", call.args.get(1), is_gone);
    }
    Ok(())
}

/// Opens a hash of which fields may be named twice. The caller holds the key's lock.
pub(super) fn open(call: &mut Call<'_>, key: MetaKey) -> Result<Members, Stop> {
    call.begin();
    Members::open(call, key, Type::Hash, true)
}

/// `HPERSIST key FIELDS count field [field …]`
pub fn hpersist(call: &mut Call<'_>) -> Outcome {
    let fields = Fields::parse(call, 2, 1, COUNT_REFUSAL)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut hash = open(call, key)?;
    let mut persisted = 0;
    call.reply.array(fields.count);
    for field in fields.names(call) {
        let old = hash.get_ending(call, field, |value, old| (value.to_vec(), old))?;
        let answer = match old {
            None => NO_FIELD,
            Some((_, 0)) => NO_END,
            Some((value, old)) => {
                hash.write(call, field, &value, Some(old.to_be_bytes()))?;
                persisted += 1;
                DONE
            }
        };
        call.reply.integer(answer);
    }
    hash.commit(call)?;
    if persisted > 0 {
        call.notify(Class::Hash, "hpersist", call.args.get(1));
    }
    Ok(())
}

/// `HTTL key FIELDS count field [field …]`
pub fn httl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.store.now_ms();
    show_ends(call, |at| at.saturating_sub(now_ms).div_ceil(1000))
}

/// `HPTTL key FIELDS count field [field …]`
pub fn hpttl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.store.now_ms();
    show_ends(call, |at| at.saturating_sub(now_ms))
}

/// `HEXPIRETIME key FIELDS count field [field …]`
pub fn hexpiretime(call: &mut Call<'_>) -> Outcome {
    show_ends(call, |at| at.div_ceil(1000))
}

/// `HPEXPIRETIME key FIELDS count field [field …]`
pub fn hpexpiretime(call: &mut Call<'_>) -> Outcome {
    show_ends(call, |at| at)
}

fn show_ends(call: &mut Call<'_>, shown: impl Fn(u64) -> u64) -> Outcome {
    let fields = Fields::parse(call, 2, 1, COUNT_REFUSAL)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let hash = Members::open(call, key, Type::Hash, false)?;
    call.count_lookup(hash.exists());
    call.reply.array(fields.count);
    for field in fields.names(call) {
        let answer = match hash.get_ending(call, field, |_, ends_at| ends_at)? {
            None => NO_FIELD,
            Some(0) => NO_END,
            Some(at) => shown(at) as i64,
        };
        call.reply.integer(answer);
    }
    Ok(())
}
