//! Fields of hashes read, written and removed together with their ends: HGETDEL, HGETEX, HSETEX.

use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Class;

use super::hash_expiry::{Fields, instant, open};
use super::hashes::note_large;
use super::set_options::time_unit;
use super::{Call, is_word};

const COUNT_REFUSAL: &str = "ERR Number of fields must be a positive integer";

/// What happens to the ends of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Unsaid,
    Keep,
    Persist,
    At(u64),
}

/// When HSETEX writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    IfNone,
    IfAll,
}

/// Options in front of the fields.
struct Options {
    end: End,
    condition: Condition,
    fields: Fields,
}

impl Options {
    /// `step`: arguments of each field.
    fn parse(call: &Call<'_>, step: usize, command: &str) -> Result<Self, Stop> {
        let (mut end, mut condition) = (End::Unsaid, Condition::Always);
        let is_write = step == 2;
        let mut at = 2;
        while at < call.args.len() && !is_word(call.args.get(at), "fields") {
            let word = call.args.get(at);
            let is_unsaid = end == End::Unsaid;
            if let (Some(unit), true, true) = (time_unit(word), is_unsaid, at + 1 < call.args.len())
            {
                end = End::At(instant(call, call.args.get(at + 1), unit, command)?);
                at += 1;
            } else if is_unsaid && is_write && is_word(word, "keepttl") {
                end = End::Keep;
            } else if is_unsaid && !is_write && is_word(word, "persist") {
                end = End::Persist;
            } else if is_write && condition == Condition::Always && is_word(word, "fnx") {
                condition = Condition::IfNone;
            } else if is_write && condition == Condition::Always && is_word(word, "fxx") {
                condition = Condition::IfAll;
            } else {
                return Err(SYNTAX);
            }
            at += 1;
        }
        let fields = Fields::parse(call, at, step, COUNT_REFUSAL)?;
        Ok(Self { end, condition, fields })
    }
}

/// `HGETDEL key FIELDS count field [field …]`
pub fn hgetdel(call: &mut Call<'_>) -> Outcome {
    let fields = Fields::parse(call, 2, 1, COUNT_REFUSAL)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut hash = open(call, key)?;
    call.count_lookup(hash.exists());
    let mut removed = 0;
    call.reply.array(fields.count);
    for field in fields.names(call) {
        let found = hash.get_ending(call, field, |value, ends_at| (value.to_vec(), ends_at))?;
        let Some((value, ends_at)) = found else {
            call.reply.null();
            continue;
        };
        call.reply.bulk(&value);
        hash.take(call, field, ends_at.to_be_bytes())?;
        removed += 1;
    }
    let is_gone = hash.len() == 0;
    hash.commit(call)?;
    if removed > 0 {
        call.notify_shrunk(Class::Hash, "hdel", call.args.get(1), is_gone);
    }
    Ok(())
}

/// `HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS count field [field …]`
pub fn hgetex(call: &mut Call<'_>) -> Outcome {
    let Options { end, fields, .. } = Options::parse(call, 1, "hgetex")?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut hash = open(call, key)?;
    call.count_lookup(hash.exists());
    let (mut removed, mut changed) = (0, 0);
    call.reply.array(fields.count);
    for field in fields.names(call) {
        let found = hash.get_ending(call, field, |value, ends_at| (value.to_vec(), ends_at))?;
        let Some((value, ends_at)) = found else {
            call.reply.null();
            continue;
        };
        call.reply.bulk(&value);
        let old = ends_at.to_be_bytes();
        match end {
            End::At(at) if call.has_passed(at.max(1)) => {
                hash.take(call, field, old)?;
                removed += 1;
            }
            End::At(at) => {
                hash.write_until(call, field, &value, Some(old), at)?;
                changed += 1;
            }
            End::Persist if ends_at != 0 => {
                hash.write(call, field, &value, Some(old))?;
                changed += 1;
            }
            End::Persist | End::Unsaid | End::Keep => {}
        }
    }
    let is_gone = hash.len() == 0;
    hash.commit(call)?;
    if changed > 0 {
        let event = if end == End::Persist { "hpersist" } else { "hexpire" };
        call.notify(Class::Hash, event, call.args.get(1));
    }
    if removed > 0 {
        call.notify_shrunk(Class::Hash, "hdel", call.args.get(1), is_gone);
    }
    Ok(())
}

/// `HSETEX key [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS count field value [field value …]`
pub fn hsetex(call: &mut Call<'_>) -> Outcome {
    let Options { end, condition, fields } = Options::parse(call, 2, "hsetex")?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut hash = open(call, key)?;
    for field in fields.names(call) {
        let is_there = hash.presence(call, field)?.is_some();
        let refused = match condition {
            Condition::Always => false,
            Condition::IfNone => is_there,
            Condition::IfAll => !is_there,
        };
        if refused {
            call.reply.integer(0);
            return Ok(());
        }
    }
    let has_passed = matches!(end, End::At(at) if call.has_passed(at.max(1)));
    let args = call.args;
    for at in (fields.first..).step_by(2).take(fields.count) {
        let (field, value) = (args.get(at), args.get(at + 1));
        let old = hash.presence(call, field)?;
        match (end, old) {
            (End::At(_), Some(old)) if has_passed => hash.take(call, field, old)?,
            (End::At(_), None) if has_passed => {}
            (End::At(ends_at), _) => hash.write_until(call, field, value, old, ends_at)?,
            (End::Keep, Some(ends_at)) => {
                hash.write_until(call, field, value, old, u64::from_be_bytes(ends_at))?;
            }
            _ => hash.write(call, field, value, old)?,
        }
    }
    note_large(&mut hash, args.from(fields.first));
    let is_gone = hash.len() == 0;
    hash.commit(call)?;
    call.notify(Class::Hash, "hset", args.get(1));
    match (has_passed, end) {
        (true, _) => call.notify_shrunk(Class::Hash, "hdel", args.get(1), is_gone),
        (false, End::At(_)) => call.notify(Class::Hash, "hexpire", args.get(1)),
        _ => {}
    }
    call.reply.integer(1);
    Ok(())
}
