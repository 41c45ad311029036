//! Shortening a stream at its lower end: XTRIM, and the options that XADD shares with it.

use crate::collection::stream::EntryId;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Class;

use super::super::members::damaged;
use super::super::{Call, atomically, is_word};
use super::{Stream, ids};

/// Entries that are removed together when `~` leaves us the choice.
const BLOCK_ENTRIES: u64 = 100;
/// Most entries that one command removes with `~` unless LIMIT says otherwise.
const LIMIT_DEFAULT: u64 = 100 * BLOCK_ENTRIES;

/// What to remove.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trim {
    threshold: Threshold,
    /// Whole blocks only.
    is_approximate: bool,
    /// Most entries to remove; 0: all.
    limit: u64,
}

#[derive(Clone, Copy, Debug)]
enum Threshold {
    MaxLen(u64),
    MinId(EntryId),
}

impl Trim {
    /// Whether there may be something to remove.
    pub(super) fn applies(&self, stream: &Stream) -> bool {
        let (len, first) = (stream.len(), stream.meta.first);
        match self.threshold {
            Threshold::MaxLen(_) if self.is_approximate => self.permits(len, BLOCK_ENTRIES, first),
            Threshold::MaxLen(max) => len > max,
            Threshold::MinId(min) => len > 0 && first < min,
        }
    }

    /// Whether the first `entries` of `len`, of which `last` is the greatest, may go.
    fn permits(&self, len: u64, entries: u64, last: EntryId) -> bool {
        match self.threshold {
            Threshold::MaxLen(max) => len > max && len.saturating_sub(entries) >= max,
            Threshold::MinId(min) => last < min,
        }
    }
}

/// Reads MAXLEN, MINID and LIMIT among other options.
#[derive(Debug, Default)]
pub(super) struct OptionParser {
    threshold: Option<(Threshold, bool)>,
    limit: Option<u64>,
}

impl OptionParser {
    /// Reads the option at argument `at`, if it is one; the argument behind it.
    pub(super) fn take(&mut self, call: &Call<'_>, at: usize) -> Result<Option<usize>, Stop> {
        let (word, args) = (call.args.get(at), call.args);
        if at + 1 >= args.len() {
            return Ok(None);
        }
        if is_word(word, "limit") {
            let limit = u64::try_from(call.integer(at + 1)?)
                .map_err(|_| Stop::fail("ERR The LIMIT argument must be >= 0."))?;
            self.limit = Some(limit);
            return Ok(Some(at + 2));
        }
        let by_length = is_word(word, "maxlen");
        if !by_length && !is_word(word, "minid") {
            return Ok(None);
        }
        if self.threshold.is_some() {
            return Err(Stop::fail(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let has_sign = at + 2 < args.len() && matches!(args.get(at + 1), b"~" | b"=");
        let is_approximate = has_sign && args.get(at + 1) == b"~";
        let at = at + 1 + usize::from(has_sign);
        let threshold = if by_length {
            let max = u64::try_from(call.integer(at)?)
                .map_err(|_| Stop::fail("ERR The MAXLEN argument must be >= 0."))?;
            Threshold::MaxLen(max)
        } else {
            Threshold::MinId(ids::strict(args.get(at), 0)?)
        };
        self.threshold = Some((threshold, is_approximate));
        Ok(Some(at + 1))
    }

    /// What was asked for.
    pub(super) fn finish(self) -> Result<Option<Trim>, Stop> {
        let Some((threshold, is_approximate)) = self.threshold else {
            return match self.limit {
                None => Ok(None),
                Some(0) => Err(limit_of_nothing()),
                Some(_) => Err(Stop::fail(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
                )),
            };
        };
        let limit = match (self.limit, is_approximate) {
            (Some(_), false) => return Err(limit_of_nothing()),
            (Some(limit), true) => limit,
            (None, true) => LIMIT_DEFAULT,
            (None, false) => 0,
        };
        Ok(Some(Trim { threshold, is_approximate, limit }))
    }
}

#[cold]
fn limit_of_nothing() -> Stop {
    Stop::fail("ERR syntax error, LIMIT cannot be used without the special ~ option")
}

/// `XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]`
pub fn xtrim(call: &mut Call<'_>) -> Outcome {
    let wish = options(call)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let removed = match Stream::find(call, key)? {
        Some(mut stream) if wish.applies(&stream) => atomically(call, |call| {
            call.begin();
            let removed = trim(call, &mut stream, &wish)?;
            if removed > 0 {
                stream.stage(call)?;
            }
            call.commit_batch()?;
            Ok(removed)
        })?,
        _ => 0,
    };
    if removed > 0 {
        call.notify(Class::Stream, "xtrim", call.args.get(1));
    }
    call.reply.integer(removed as i64);
    Ok(())
}

fn options(call: &Call<'_>) -> Result<Trim, Stop> {
    let mut parser = OptionParser::default();
    let mut at = 2;
    while at < call.args.len() {
        at = parser.take(call, at)?.ok_or(SYNTAX)?;
    }
    parser.finish()?.ok_or_else(|| {
        Stop::fail("ERR syntax error, XTRIM must be called with a trimming strategy")
    })
}

/// Adds the removal of entries to the batch and to the metadata; how many.
pub(super) fn trim(call: &mut Call<'_>, stream: &mut Stream, wish: &Trim) -> Result<u64, Stop> {
    let mut walk = stream.entries(call, EntryId::ZERO, EntryId::MAX, false)?;
    let block = if wish.is_approximate { BLOCK_ENTRIES } else { 1 };
    let (mut removed, mut entries) = (0, Vec::new());
    loop {
        entries.clear();
        while (entries.len() as u64) < block {
            let Some((key, _)) = walk.next()? else { break };
            entries.push(EntryId::at_end(key).ok_or_else(damaged)?);
        }
        let count = entries.len() as u64;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            stream.meta.first = EntryId::ZERO;
            return Ok(removed);
        };
        let fits = wish.limit == 0 || removed + count <= wish.limit;
        if !fits || !wish.permits(stream.len(), count, *last) {
            stream.meta.first = *first;
            return Ok(removed);
        }
        for entry in &entries {
            call.scratch.batch.delete(stream.pair.members, &stream.id().entry(*entry))?;
        }
        stream.meta.spread.count -= count;
        removed += count;
    }
}
