//! Strings as arrays of integers: BITFIELD, BITFIELD_RO.

use crate::bitmap::field::{Field, Overflow};
use crate::resp::Reply;
use crate::stop::{Outcome, SYNTAX, Stop};

use super::bitmaps::{Bitmap, check_offset, parse_offset};
use super::{Call, is_word};

/// One operation.
struct Step {
    field: Field,
    offset: u64,
    change: Change,
}

enum Change {
    None,
    Replace(i64, Overflow),
    Add(i64, Overflow),
}

/// `BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value |
/// INCRBY type offset increment …]`
pub fn bitfield(call: &mut Call<'_>) -> Outcome {
    let steps = parse(call)?;
    let last = steps.iter().filter(|step| !matches!(step.change, Change::None));
    match last.map(|step| step.offset + u64::from(step.field.bits()) - 1).max() {
        None => read(call, &steps),
        Some(last) => write(call, &steps, last),
    }
}

/// `BITFIELD_RO key [GET type offset …]`
pub fn bitfield_ro(call: &mut Call<'_>) -> Outcome {
    let steps = parse(call)?;
    if steps.iter().any(|step| !matches!(step.change, Change::None)) {
        return Err(Stop::fail("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read(call, &steps)
}

fn parse(call: &Call<'_>) -> Result<Vec<Step>, Stop> {
    let args = call.args;
    let mut steps = Vec::new();
    let mut overflow = Overflow::default();
    let mut at = 2;
    while at < args.len() {
        let (word, left) = (args.get(at), args.len() - at - 1);
        if is_word(word, "overflow") && left >= 1 {
            overflow = parse_overflow(args.get(at + 1))?;
            at += 2;
            continue;
        }
        let (is_get, is_set) = (is_word(word, "get"), is_word(word, "set"));
        let needed = if is_get { 2 } else { 3 };
        if left < needed || !(is_get || is_set || is_word(word, "incrby")) {
            return Err(SYNTAX);
        }
        let field = Field::parse(args.get(at + 1)).ok_or_else(|| {
            Stop::fail(
                "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
                 supported but i64 is.",
            )
        })?;
        let offset = parse_place(args.get(at + 2), field)?;
        let change = match (is_get, is_set) {
            (true, _) => Change::None,
            (_, true) => Change::Replace(call.integer(at + 3)?, overflow),
            _ => Change::Add(call.integer(at + 3)?, overflow),
        };
        steps.push(Step { field, offset, change });
        at += 1 + needed;
    }
    Ok(steps)
}

fn parse_overflow(word: &[u8]) -> Result<Overflow, Stop> {
    let named = [("wrap", Overflow::Wrap), ("sat", Overflow::Saturate), ("fail", Overflow::Fail)]
        .into_iter()
        .find(|(name, _)| is_word(word, name));
    named
        .map(|(_, overflow)| overflow)
        .ok_or_else(|| Stop::fail("ERR Invalid OVERFLOW type specified"))
}

/// A bit, or `#` and the number of an integer; the product may wrap as it does in Redis.
fn parse_place(text: &[u8], field: Field) -> Result<u64, Stop> {
    match text.split_first() {
        Some((b'#', index)) => {
            let index = crate::number::parse_integer(index);
            check_offset(index.map(|index| index.wrapping_mul(i64::from(field.bits()))))
        }
        _ => parse_offset(text),
    }
}

fn read(call: &mut Call<'_>, steps: &[Step]) -> Outcome {
    let key = call.key(1)?;
    let show = |reply: &mut Reply<'_>, bytes: &[u8]| {
        reply.array(steps.len());
        steps.iter().for_each(|step| reply.integer(step.field.read(bytes, step.offset)));
    };
    if call.look_up_string(&key, |reply, bytes, _| show(reply, bytes))?.is_none() {
        show(&mut call.reply, b"");
    }
    Ok(())
}

fn write(call: &mut Call<'_>, steps: &[Step], last: u64) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut bitmap = Bitmap::open(call, &key, last)?;
    call.reply.array(steps.len());
    for Step { field, offset, change } in steps {
        let old = field.read(bitmap.bytes(), *offset);
        let (new, shown) = match *change {
            Change::None => (Some(old), old),
            Change::Replace(value, overflow) => (field.replace(value, overflow), old),
            Change::Add(value, overflow) => {
                let sum = field.add(old, value, overflow);
                (sum, sum.unwrap_or_default())
            }
        };
        match new {
            None => call.reply.null(),
            Some(new) => {
                call.reply.integer(shown);
                if new != old {
                    field.write(bitmap.change(), *offset, new);
                }
            }
        }
    }
    bitmap.commit(call, &key)
}
