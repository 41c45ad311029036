//! HyperLogLogs: PFADD, PFCOUNT, PFMERGE.

use crate::hyperloglog::{Damaged, HyperLogLog, REGISTERS, Registers, estimate};
use crate::key::MetaKey;
use crate::stop::{Outcome, Stop};
use crate::store::Class;
use crate::value::Encoding;

use super::Call;

impl From<Damaged> for Stop {
    #[cold]
    fn from(_: Damaged) -> Self {
        Self::fail("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// Reads a key and its expiry.
fn open(call: &Call<'_>, key: &MetaKey) -> Result<Option<(HyperLogLog, u64)>, Stop> {
    let Some(string) = call.string(key)? else { return Ok(None) };
    match HyperLogLog::from_bytes(string.bytes) {
        Some(log) => Ok(Some((log, string.expire_at_ms))),
        None => Err(Stop::fail("WRONGTYPE Key is not a valid HyperLogLog string value.")),
    }
}

/// `PFADD key [element …]`
pub fn pfadd(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let found = open(call, &key)?;
    let mut is_changed = found.is_none();
    let (mut log, expire_at_ms) = found.unwrap_or_default();
    for element in call.args.from(2) {
        is_changed |= log.add(element)?;
    }
    if is_changed {
        log.forget_cached();
        call.put_string(&key, Encoding::Pieces, log.bytes(), expire_at_ms)?;
        call.notify(Class::String, "pfadd", call.args.get(1));
    }
    call.reply.integer(i64::from(is_changed));
    Ok(())
}

/// `PFCOUNT key [key …]`
///
/// The estimate of one key is kept in it, as Redis does: this writes.
pub fn pfcount(call: &mut Call<'_>) -> Outcome {
    let keys = call.keys(1, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let mut registers = Box::new([0; REGISTERS]);
    if let [key] = keys.as_slice() {
        return count_one(call, key, &mut registers);
    }
    merge(call, &keys, &mut registers)?;
    call.reply.integer(estimate(&registers) as i64);
    Ok(())
}

fn count_one(call: &mut Call<'_>, key: &MetaKey, registers: &mut Registers) -> Outcome {
    let found = open(call, key)?;
    call.count_lookup(found.is_some());
    let count = match found {
        None => 0,
        Some((mut log, expire_at_ms)) => match log.cached() {
            Some(count) => count,
            None => {
                log.merge_into(registers)?;
                let count = estimate(registers);
                log.set_cached(count);
                call.put_string(key, Encoding::Pieces, log.bytes(), expire_at_ms)?;
                count
            }
        },
    };
    call.reply.integer(count as i64);
    Ok(())
}

/// Raises registers to those of all keys; whether one of these is dense.
fn merge(call: &Call<'_>, keys: &[MetaKey], registers: &mut Registers) -> Result<bool, Stop> {
    let mut any_dense = false;
    for key in keys {
        if let Some((log, _)) = open(call, key)? {
            any_dense |= log.is_dense();
            log.merge_into(registers)?;
        }
    }
    Ok(any_dense)
}

/// `PFMERGE destkey [sourcekey …]`
pub fn pfmerge(call: &mut Call<'_>) -> Outcome {
    let keys = call.keys(1, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let mut registers = Box::new([0; REGISTERS]);
    let any_dense = merge(call, &keys, &mut registers)?;
    let (mut log, expire_at_ms) = open(call, &keys[0])?.unwrap_or_default();
    if any_dense {
        log.make_dense()?;
    }
    for (index, value) in registers.iter().enumerate().filter(|(_, value)| **value > 0) {
        log.raise(index, *value)?;
    }
    log.forget_cached();
    call.put_string(&keys[0], Encoding::Pieces, log.bytes(), expire_at_ms)?;
    call.notify(Class::String, "pfadd", call.args.get(1));
    call.reply.ok();
    Ok(())
}
