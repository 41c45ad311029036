//! Whole keys: TYPE, RENAME, COPY, MOVE, KEYS, RANDOMKEY.

use aidb_base::KeyspaceId;
use aidb_base::slot::{SLOTS, hash_tag, slot_of};

use crate::glob;
use crate::key::{self, MetaKey, tag};
use crate::number::parse_integer;
use crate::stop::{NO_SUCH_KEY, NOT_AN_INTEGER, Outcome, SYNTAX, Stop};
use crate::store::{Class, DATABASES};

use super::{Call, is_word, transfer};

/// `TYPE key`
pub fn type_of(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let name = call.look_up(&key, |_, value, _| value.kind.name())?;
    call.reply.simple(name.unwrap_or("none"));
    Ok(())
}

/// `RENAME key newkey`
pub fn rename(call: &mut Call<'_>) -> Outcome {
    rename_if(call, |_, _| Ok(true))?;
    call.reply.ok();
    Ok(())
}

/// `RENAMENX key newkey`
pub fn renamenx(call: &mut Call<'_>) -> Outcome {
    let renamed = rename_if(call, |call, target| Ok(!call.exists(target)?))?;
    call.reply.integer(i64::from(renamed));
    Ok(())
}

fn rename_if<'a>(
    call: &mut Call<'a>,
    permits: impl FnOnce(&Call<'a>, &MetaKey) -> Result<bool, Stop>,
) -> Result<bool, Stop> {
    let pair = [call.key(1)?, call.key(2)?];
    let [source, target] = &pair;
    let _locks = call.store.lock_all_of(call.mode, &pair)?;
    let value = call.record(source)?.ok_or(NO_SUCH_KEY)?;
    // RENAME to itself is fine; RENAMENX to itself finds its target present.
    if !permits(call, target)? {
        return Ok(false);
    }
    if source == target {
        return Ok(true);
    }
    call.begin();
    let pair = call.store.keyspaces(call.session.database);
    transfer::hand_over(call, &value, pair, target)?;
    let batch = &mut call.scratch.batch;
    batch.delete(pair.keys, source.bytes())?;
    // Whatever was there has gone: the target counts as new.
    batch.delete(pair.keys, target.bytes())?;
    batch.put(pair.keys, target.bytes(), &value.bytes, value.expire_at_ms)?;
    call.commit_batch()?;
    call.notify(Class::Generic, "rename_from", call.args.get(1));
    call.notify(Class::Generic, "rename_to", call.args.get(2));
    Ok(true)
}

/// `COPY source destination [DB index] [REPLACE]`
pub fn copy(call: &mut Call<'_>) -> Outcome {
    let (database, replaces) = copy_options(call)?;
    let pair = [call.key(1)?, call.key(2)?];
    let [source, target] = &pair;
    if source == target && database == call.session.database {
        return Err(Stop::fail("ERR source and destination objects are the same"));
    }
    let _locks = call.store.lock_all_of(call.mode, &pair)?;
    let to = call.store.keyspaces(database);
    let Some(value) = call.record(source)? else {
        call.reply.integer(0);
        return Ok(());
    };
    if !replaces && present_in(call, to.keys, target)? {
        call.reply.integer(0);
        return Ok(());
    }
    call.begin();
    let record = transfer::duplicate(call, &value, to, target)?;
    if replaces {
        call.scratch.batch.delete(to.keys, target.bytes())?;
    }
    call.scratch.batch.put(to.keys, target.bytes(), &record, value.expire_at_ms)?;
    call.commit_batch()?;
    call.store.notify(Class::Generic, "copy_to", database, call.args.get(2));
    call.reply.integer(1);
    Ok(())
}

fn copy_options(call: &Call<'_>) -> Result<(usize, bool), Stop> {
    let (mut database, mut replaces) = (call.session.database, false);
    let mut at = 3;
    while at < call.args.len() {
        let word = call.args.get(at);
        if is_word(word, "replace") {
            replaces = true;
        } else if is_word(word, "db") && at + 1 < call.args.len() {
            at += 1;
            let index = call.integer(at)?;
            database =
                database_index(index).ok_or_else(|| Stop::fail("ERR DB index is out of range"))?;
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    Ok((database, replaces))
}

fn present_in(call: &Call<'_>, keyspace: KeyspaceId, key: &MetaKey) -> Result<bool, Stop> {
    Ok(call.store.read(call.mode, keyspace, key, |_, _| ())?.is_some())
}

/// The logical database of an index, when there is one.
pub(super) fn database_index(index: i64) -> Option<usize> {
    usize::try_from(index).ok().filter(|index| *index < DATABASES)
}

/// `MOVE key db`
pub fn move_key(call: &mut Call<'_>) -> Outcome {
    let index = parse_integer(call.args.get(2)).ok_or(NOT_AN_INTEGER)?;
    let database =
        database_index(index).ok_or_else(|| Stop::fail("ERR DB index is out of range"))?;
    if database == call.session.database {
        return Err(Stop::fail("ERR source and destination objects are the same"));
    }
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let (from, to) = (call.store.keyspaces(call.session.database), call.store.keyspaces(database));
    let value = call.record(&key)?;
    let Some(value) = value else {
        call.reply.integer(0);
        return Ok(());
    };
    if present_in(call, to.keys, &key)? {
        call.reply.integer(0);
        return Ok(());
    }
    call.begin();
    let record = transfer::duplicate(call, &value, to, &key)?;
    let batch = &mut call.scratch.batch;
    batch.delete(from.keys, key.bytes())?;
    batch.put(to.keys, key.bytes(), &record, value.expire_at_ms)?;
    call.commit_batch()?;
    call.notify(Class::Generic, "move_from", call.args.get(1));
    call.store.notify(Class::Generic, "move_to", database, call.args.get(1));
    call.reply.integer(1);
    Ok(())
}

/// `KEYS pattern`
pub fn keys(call: &mut Call<'_>) -> Outcome {
    let pattern = call.args.get(1);
    let (lower, upper) = match only_slot(pattern) {
        Some(slot) => (key::slot_start(slot), Some(key::slot_start(slot + 1))),
        None => (Vec::new(), None),
    };
    let mut scan = call.store.scan(call.keyspace(), lower, upper)?;
    let mut found = Vec::new();
    let mut count = 0;
    let mut user_key = Vec::new();
    let protocol = call.reply.protocol();
    let mut elements = crate::resp::Reply::new(&mut found, protocol);
    while let Some((engine_key, _)) = scan.next()? {
        let is_meta =
            key::decode(engine_key, &mut user_key).is_some_and(|key| key.tag == tag::META);
        if is_meta && (pattern == b"*" || glob::matches(pattern, &user_key, false)) {
            elements.bulk(&user_key);
            count += 1;
        }
    }
    call.reply.array(count);
    call.reply.raw(&found);
    Ok(())
}

/// The slot of all keys that can match: known when the pattern fixes a whole hash tag.
pub(super) fn only_slot(pattern: &[u8]) -> Option<u16> {
    let prefix = glob::literal_prefix(pattern);
    if prefix.len() == pattern.len() {
        return Some(slot_of(pattern));
    }
    let open = memchr::memchr(b'{', prefix)?;
    let closed = memchr::memchr(b'}', &prefix[open..])?;
    (closed > 1).then(|| slot_of(hash_tag(prefix)))
}

/// Keys among which RANDOMKEY chooses.
const RANDOM_CANDIDATES: usize = 32;

/// `RANDOMKEY`
///
/// Goes to a random place of the slot space and chooses among the keys that follow.
pub fn randomkey(call: &mut Call<'_>) -> Outcome {
    let mut random = aidb_base::Rng::from_entropy();
    let slot = random.below(u64::from(SLOTS)) as u16;
    let start = key::lower_bound(slot, &random.next_u64().to_be_bytes()[..2]);
    let mut candidates = candidates_from(call, start)?;
    if candidates.len() < RANDOM_CANDIDATES {
        candidates.extend(candidates_from(call, Vec::new())?);
    }
    match candidates.len() {
        0 => call.reply.null(),
        count => call.reply.bulk(&candidates[random.below(count as u64) as usize]),
    }
    Ok(())
}

fn candidates_from(call: &Call<'_>, lower: Vec<u8>) -> Result<Vec<Vec<u8>>, Stop> {
    let mut scan = call.store.scan(call.keyspace(), lower, None)?;
    let mut keys = Vec::new();
    let mut user_key = Vec::new();
    while let Some((engine_key, _)) = scan.next()? {
        if key::decode(engine_key, &mut user_key).is_some_and(|key| key.tag == tag::META) {
            keys.push(user_key.clone());
        }
        if keys.len() == RANDOM_CANDIDATES {
            break;
        }
    }
    Ok(keys)
}
