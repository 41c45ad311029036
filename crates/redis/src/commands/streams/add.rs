//! XADD, XDEL, XSETID, XLEN.

use crate::collection::packed;
use crate::collection::stream::EntryId;
use crate::stop::{NO_SUCH_KEY, Outcome, SYNTAX, Stop};
use crate::store::Class;

use super::super::{Call, atomically, is_word};
use super::ids::{self, Given};
use super::trim::{self, Trim};
use super::{Stream, write_id};

/// What XADD was told.
struct Wish {
    /// `None`: `*`.
    id: Option<Given>,
    creates: bool,
    trim: Option<Trim>,
    /// First of the fields.
    fields: usize,
}

/// `XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value …`
pub fn xadd(call: &mut Call<'_>) -> Outcome {
    let wish = options(call)?;
    if call.args.len() < wish.fields + 2 || (call.args.len() - wish.fields) % 2 != 0 {
        return Err(Stop::fail("ERR wrong number of arguments for 'xadd' command"));
    }
    if wish.id == Some(Given { id: EntryId::ZERO, chooses_seq: false }) {
        return Err(Stop::fail("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    call.begin();
    let mut stream = match Stream::find(call, key.clone())? {
        Some(stream) => stream,
        None if wish.creates => Stream::create(call, key)?,
        None => {
            call.reply.null();
            return Ok(());
        }
    };
    let id = choose(call, &stream, wish.id)?;
    append(call, &mut stream, id, wish.fields)?;
    let trimmed = match wish.trim.filter(|trim| trim.applies(&stream)) {
        None => {
            stream.stage(call)?;
            call.commit_batch()?;
            0
        }
        Some(trim) => atomically(call, |call| {
            call.commit_batch()?;
            call.begin();
            let trimmed = trim::trim(call, &mut stream, &trim)?;
            stream.stage(call)?;
            call.commit_batch()?;
            Ok(trimmed)
        })?,
    };
    call.notify(Class::Stream, "xadd", call.args.get(1));
    if trimmed > 0 {
        call.notify(Class::Stream, "xtrim", call.args.get(1));
    }
    write_id(&mut call.reply, id);
    Ok(())
}

fn options(call: &Call<'_>) -> Result<Wish, Stop> {
    let mut creates = true;
    let mut parser = trim::OptionParser::default();
    let mut at = 2;
    let mut id = None;
    while at < call.args.len() {
        let word = call.args.get(at);
        if word == b"*" {
            break;
        }
        if let Some(next) = parser.take(call, at)? {
            at = next;
            continue;
        }
        if !is_word(word, "nomkstream") {
            id = Some(ids::given(word)?);
            break;
        }
        creates = false;
        at += 1;
    }
    Ok(Wish { id, creates, trim: parser.finish()?, fields: at + 1 })
}

/// The id of a new entry.
fn choose(call: &Call<'_>, stream: &Stream, wish: Option<Given>) -> Result<EntryId, Stop> {
    let last = stream.meta.last;
    let Some(after_last) = last.next() else {
        return Err(Stop::fail(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    };
    let id = match wish {
        None => {
            let now_ms = call.store.now_ms();
            Some(if now_ms > last.ms { EntryId { ms: now_ms, seq: 0 } } else { after_last })
        }
        Some(Given { id, chooses_seq: false }) => Some(id),
        Some(Given { id, .. }) if id.ms == last.ms => {
            last.seq.checked_add(1).map(|seq| EntryId { seq, ..id })
        }
        Some(Given { id, .. }) => Some(id),
    };
    id.filter(|id| *id > last).ok_or_else(|| {
        Stop::fail(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        )
    })
}

/// Adds the entry to the batch and to the metadata.
fn append(call: &mut Call<'_>, stream: &mut Stream, id: EntryId, fields: usize) -> Outcome {
    let mut items = std::mem::take(&mut call.scratch.items);
    items.clear();
    call.args.from(fields).for_each(|text| packed::push(&mut items, text));
    let key = stream.id().entry(id);
    call.scratch.batch.put(stream.pair.members, &key, &items, 0)?;
    call.scratch.items = items;
    let meta = &mut stream.meta;
    if meta.spread.count == 0 {
        meta.first = id;
    }
    meta.spread.count += 1;
    meta.added += 1;
    meta.last = id;
    Ok(())
}

/// `XDEL key id [id …]`
pub fn xdel(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let Some(mut stream) = Stream::find(call, key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let mut wanted =
        call.args.from(2).map(|text| ids::strict(text, 0)).collect::<Result<Vec<_>, _>>()?;
    wanted.sort_unstable();
    wanted.dedup();
    call.begin();
    let mut removed = 0;
    for id in wanted {
        if !stream.has_entry(call, id)? {
            continue;
        }
        call.scratch.batch.delete(stream.pair.members, &stream.id().entry(id))?;
        let meta = &mut stream.meta;
        meta.spread.count -= 1;
        meta.max_deleted = meta.max_deleted.max(id);
        if id == meta.first {
            meta.first = id.next().unwrap_or(id);
        }
        removed += 1;
    }
    if removed > 0 {
        if stream.len() == 0 {
            stream.meta.first = EntryId::ZERO;
        }
        stream.stage(call)?;
        call.commit_batch()?;
        call.notify(Class::Stream, "xdel", call.args.get(1));
    }
    call.reply.integer(removed);
    Ok(())
}

/// `XLEN key`
pub fn xlen(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let stream = Stream::look_up(call, key)?;
    call.reply.integer(stream.map_or(0, |stream| stream.len() as i64));
    Ok(())
}

/// `XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]`
pub fn xsetid(call: &mut Call<'_>) -> Outcome {
    let id = ids::strict(call.args.get(2), 0)?;
    let (added, max_deleted) = set_options(call, id)?;
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut stream = Stream::find(call, key)?.ok_or(NO_SUCH_KEY)?;
    if stream.len() > 0 {
        if id < stream.meta.last && stream.edge(call, true)?.is_some_and(|top| id < top) {
            return Err(Stop::fail(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if added.is_some_and(|added| added < stream.len()) {
            return Err(Stop::fail(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
    }
    let meta = &mut stream.meta;
    meta.last = id;
    meta.added = added.unwrap_or(meta.added);
    if max_deleted != EntryId::ZERO {
        meta.max_deleted = max_deleted;
    }
    stream.save(call)?;
    call.notify(Class::Stream, "xsetid", call.args.get(1));
    call.reply.ok();
    Ok(())
}

fn set_options(call: &Call<'_>, id: EntryId) -> Result<(Option<u64>, EntryId), Stop> {
    let (mut added, mut max_deleted) = (None, EntryId::ZERO);
    for at in (3..call.args.len()).step_by(2) {
        let word = call.args.get(at);
        if at + 1 == call.args.len() {
            return Err(SYNTAX);
        }
        if is_word(word, "entriesadded") {
            let count = u64::try_from(call.integer(at + 1)?)
                .map_err(|_| Stop::fail("ERR entries_added must be positive"))?;
            added = Some(count);
        } else if is_word(word, "maxdeletedid") {
            max_deleted = ids::strict(call.args.get(at + 1), 0)?;
            if id < max_deleted {
                return Err(Stop::fail(
                    "ERR The ID specified in XSETID is smaller than the provided \
                     max_deleted_entry_id",
                ));
            }
        } else {
            return Err(SYNTAX);
        }
    }
    Ok((added, max_deleted))
}
