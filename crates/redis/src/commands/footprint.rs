//! How many bytes a key takes: MEMORY USAGE.

use crate::collection::{Id, SPREAD, Spread};
use crate::key::MetaKey;
use crate::stop::Stop;
use crate::store::{Access, Mode};
use crate::value::Type;

/// What the engine keeps beside a record's key and value, about.
const RECORD_BYTES: u64 = 32;

/// Bytes of a key, its value and its members as records of the engine; `samples` members are looked at,
/// the others are taken to be like them.
///
/// # Errors
/// As for reads; [`Stop::WouldBlock`] for a large collection in [`Mode::Try`].
pub fn footprint(
    store: Access<'_>,
    mode: Mode,
    database: usize,
    user_key: &[u8],
    samples: u64,
) -> Result<Option<u64>, Stop> {
    let key = MetaKey::encode(user_key)?;
    let _lock = store.lock(mode, &key)?;
    let pair = store.keyspaces(database);
    let found = store.read(mode, pair.keys, &key, |value, _| {
        let bytes = RECORD_BYTES + (key.bytes().len() + 1 + value.bytes.len()) as u64;
        let is_spread = value.kind != Type::String && value.flags & SPREAD != 0;
        let id = is_spread.then(|| Id::of(value.bytes)).flatten();
        (bytes, id, Spread::decode(value.bytes).map_or(0, |spread| spread.count))
    })?;
    let Some((bytes, id, members)) = found else { return Ok(None) };
    let Some(id) = id else { return Ok(Some(bytes)) };
    if mode == Mode::Try {
        return Err(Stop::WouldBlock);
    }
    let mut walk = store.scan(pair.members, id.bytes().to_vec(), Some(id.end()))?;
    let (mut seen, mut seen_bytes) = (0, 0);
    while let Some((key, value)) = walk.next()? {
        seen += 1;
        seen_bytes += RECORD_BYTES + (key.len() + value.len()) as u64;
        if seen >= samples {
            // The records of a collection are at least its members.
            return Ok(Some(bytes + seen_bytes / seen * members.max(seen)));
        }
    }
    Ok(Some(bytes + seen_bytes))
}
