//! How documents are stored. Part of the storage format.
//!
//! ```text
//! metadata  byte 0: type 6, flags         at the key itself
//! packed    text                          flag SPREAD clear
//! spread    id, bytes of the text u64 LE  flag SPREAD set: as of other collections
//!
//! in the keyspace of members:
//! chunk     id 70 number u32 BE           -> 16 KiB of the text; the last one less
//! ```
//!
//! The text is compact JSON. A change writes the metadata and the chunks that became different, so
//! that a change behind the first chunks, or one that keeps lengths, does not write a large document.

use aidb_base::Error;
use serde_json::Value;

use crate::collection::{Id, SPREAD, Spread, header};
use crate::commands::Call;
use crate::json::{DEPTH_MAX, depth, format, parse};
use crate::key::{MetaKey, tag};
use crate::stop::{Outcome, Stop};
use crate::store::Mode;
use crate::value::Type;

/// Bytes of a chunk, and the longest text that needs none.
const CHUNK_BYTES: usize = 16 << 10;
/// Longer documents are handled where waiting is allowed: reading one takes a millisecond and more.
const QUICK_BYTES_MAX: u64 = 64 << 10;

/// The key holds something else.
pub(super) const NO_DOCUMENT: &str = "Existing key has wrong Redis type";

/// A document as it was found.
pub(super) struct Stored {
    pub(super) text: Vec<u8>,
    spread: Option<Spread>,
    expire_at_ms: u64,
}

impl Stored {
    /// The document.
    ///
    /// # Errors
    /// When what is stored is no document.
    pub(super) fn document(&self) -> Result<Value, Stop> {
        parse(&self.text).map_err(|_| damaged())
    }
}

#[cold]
fn damaged() -> Stop {
    Error::internal("a stored JSON document cannot be read; run `aidb check`").into()
}

/// Reads a document. The caller holds the key's lock.
///
/// # Errors
/// When the key holds something else; those of the store.
pub(super) fn load(call: &Call<'_>, key: &MetaKey) -> Result<Option<Stored>, Stop> {
    let found = call.read(key, |value, expire_at_ms| -> Result<Stored, Stop> {
        if value.kind != Type::Json {
            return Err(Stop::fail(NO_DOCUMENT));
        }
        if value.flags & SPREAD == 0 {
            return Ok(Stored { text: value.bytes.to_vec(), spread: None, expire_at_ms });
        }
        let spread = Spread::decode(value.bytes).ok_or_else(damaged)?;
        Ok(Stored { text: Vec::new(), spread: Some(spread), expire_at_ms })
    })?;
    let Some(mut stored) = found.transpose()? else { return Ok(None) };
    if let Some(spread) = stored.spread {
        stored.text = load_chunks(call, &spread)?;
    }
    Ok(Some(stored))
}

fn load_chunks(call: &Call<'_>, spread: &Spread) -> Result<Vec<u8>, Stop> {
    if spread.count > QUICK_BYTES_MAX && call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let members = call.store.keyspaces(call.session.database).members;
    let mut text = Vec::new();
    let mut number = 0u32;
    while (text.len() as u64) < spread.count {
        let key = chunk_key(&spread.id, number);
        let found = call.store.read_record(call.mode, members, &key, |chunk, _| {
            text.extend_from_slice(chunk);
        })?;
        found.ok_or_else(damaged)?;
        number += 1;
    }
    Ok(text)
}

fn chunk_key(id: &Id, number: u32) -> crate::collection::MemberKey {
    id.key(tag::JSON_CHUNK, &[&number.to_be_bytes()])
}

/// Adds a document to the call's batch. The caller holds the key's lock; `before` is what is there.
///
/// # Errors
/// When the document is too deep; those of the store.
pub(super) fn stage(
    call: &mut Call<'_>,
    key: &MetaKey,
    document: &Value,
    before: Option<&Stored>,
) -> Outcome {
    if depth(document) > DEPTH_MAX {
        return Err(Stop::fail(format!(
            "ERR a document of more than {DEPTH_MAX} levels; store the inner ones under other keys"
        )));
    }
    let text = format::compact(document);
    if text.len() as u64 > QUICK_BYTES_MAX && call.mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let expire_at_ms = before.map_or(0, |before| before.expire_at_ms);
    let pair = call.store.keyspaces(call.session.database);
    if text.len() <= CHUNK_BYTES {
        let mut record = vec![header(Type::Json, 0)];
        record.extend_from_slice(&text);
        return Ok(call.scratch.batch.put(pair.keys, key.bytes(), &record, expire_at_ms)?);
    }
    let (id, old) = match before.and_then(|before| Some((before.spread?.id, &*before.text))) {
        Some(found) => found,
        None => (Id::new(key.slot(), call.store.versions().next(call.store.db())?), &[][..]),
    };
    let batch = &mut call.scratch.batch;
    let mut old_chunks = old.chunks(CHUNK_BYTES);
    let mut number = 0;
    for chunk in text.chunks(CHUNK_BYTES) {
        if old_chunks.next() != Some(chunk) {
            batch.put(pair.members, &chunk_key(&id, number), chunk, 0)?;
        }
        number += 1;
    }
    for gone in number..number + old_chunks.count() as u32 {
        batch.delete(pair.members, &chunk_key(&id, gone))?;
    }
    if old.is_empty() {
        batch.put(pair.members, &id.owner(), key.bytes(), 0)?;
    }
    let mut record = vec![header(Type::Json, SPREAD)];
    Spread { id, count: text.len() as u64 }.encode(&mut record);
    Ok(batch.put(pair.keys, key.bytes(), &record, expire_at_ms)?)
}

/// Adds a document to the call's batch in place of whatever the key holds.
///
/// # Errors
/// As [`stage`].
pub(in crate::commands) fn stage_new(
    call: &mut Call<'_>,
    key: &MetaKey,
    document: &Value,
    expire_at_ms: u64,
) -> Outcome {
    let before = Stored { text: Vec::new(), spread: None, expire_at_ms };
    stage(call, key, document, Some(&before))
}

/// The text of a document; empty without one.
///
/// # Errors
/// As [`load`].
pub(in crate::commands) fn text(call: &Call<'_>, key: &MetaKey) -> Result<Vec<u8>, Stop> {
    Ok(load(call, key)?.map(|stored| stored.text).unwrap_or_default())
}
