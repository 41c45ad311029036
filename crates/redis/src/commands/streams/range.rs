//! XRANGE, XREVRANGE.

use crate::stop::{Outcome, SYNTAX, Stop};

use super::super::{Call, is_word};
use super::{Gathered, Stream, ids};

/// `XRANGE key start end [COUNT count]`
pub fn xrange(call: &mut Call<'_>) -> Outcome {
    range(call, false)
}

/// `XREVRANGE key end start [COUNT count]`
pub fn xrevrange(call: &mut Call<'_>) -> Outcome {
    range(call, true)
}

fn range(call: &mut Call<'_>, reverse: bool) -> Outcome {
    let (from, to) = if reverse { (3, 2) } else { (2, 3) };
    let start = ids::interval_start(call.args.get(from))?;
    let end = ids::interval_end(call.args.get(to))?;
    let count = count_option(call)?;
    let key = call.key(1)?;
    let lock = call.lock(&key)?;
    let mut found = Gathered::new(call);
    let Some(stream) = Stream::look_up(call, key)? else {
        found.write(&mut call.reply);
        return Ok(());
    };
    if count == 0 {
        call.reply.null_array();
        return Ok(());
    }
    if start <= end && stream.len() > 0 {
        let mut walk = stream.entries(call, start, end, reverse)?;
        drop(lock);
        found.add_entries(&mut walk, count)?;
    }
    found.write(&mut call.reply);
    Ok(())
}

fn count_option(call: &Call<'_>) -> Result<u64, Stop> {
    let mut count = u64::MAX;
    let mut at = 4;
    while at < call.args.len() {
        if !is_word(call.args.get(at), "count") || at + 1 == call.args.len() {
            return Err(SYNTAX);
        }
        count = u64::try_from(call.integer(at + 1)?).unwrap_or(0);
        at += 2;
    }
    Ok(count)
}
