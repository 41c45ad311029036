//! Commands on several keys at once: MGET, MSET, MSETNX, DEL, UNLINK, EXISTS, TOUCH.

use aidb_engine::db::KEYS_AHEAD;

use crate::key::MetaKey;
use crate::stop::{Outcome, Stop};
use crate::store::Class;
use crate::value::{Encoding, header};

use super::{Call, atomically};

/// `MGET key [key …]`: one consistent view of all keys.
pub fn mget(call: &mut Call<'_>) -> Outcome {
    let keys = call.keys(1, 1)?;
    let keyspace = call.keyspace();
    let moment = call.store.moment()?;
    call.reply.array(keys.len());
    keys.iter().take(KEYS_AHEAD).for_each(|key| moment.prefetch(keyspace, key));
    for (index, key) in keys.iter().enumerate() {
        if let Some(coming) = keys.get(index + KEYS_AHEAD) {
            moment.prefetch(keyspace, coming);
        }
        // What is no string is as good as absent here.
        let reply = &mut call.reply;
        let found = moment.read(call.mode, keyspace, key, |value, _| {
            value.string().map(|string| reply.bulk(string)).is_ok()
        })?;
        call.count_lookup(found.is_some());
        if found != Some(true) {
            call.reply.null();
        }
    }
    Ok(())
}

/// `MSET key value [key value …]`
pub fn mset(call: &mut Call<'_>) -> Outcome {
    let keys = pairs(call, "mset")?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    store_pairs(call, &keys)?;
    call.reply.ok();
    Ok(())
}

/// `MSETNX key value [key value …]`
pub fn msetnx(call: &mut Call<'_>) -> Outcome {
    let keys = pairs(call, "msetnx")?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    for key in &keys {
        if call.exists(key)? {
            call.reply.integer(0);
            return Ok(());
        }
    }
    store_pairs(call, &keys)?;
    call.reply.integer(1);
    Ok(())
}

fn pairs(call: &Call<'_>, name: &str) -> Result<Vec<MetaKey>, Stop> {
    if call.args.len() % 2 == 0 {
        return Err(Stop::fail(format!("ERR wrong number of arguments for '{name}' command")));
    }
    call.keys(1, 2)
}

fn store_pairs(call: &mut Call<'_>, keys: &[MetaKey]) -> Outcome {
    let args = call.args;
    if call.store.notifications().wants(Class::New) {
        return atomically(call, |call| store_one_by_one(call, keys));
    }
    let mut record = std::mem::take(&mut call.scratch.record);
    let outcome = call.commit(|batch, keyspace| {
        for (index, key) in keys.iter().enumerate() {
            record.clear();
            record.push(header(Encoding::Whole));
            record.extend_from_slice(args.get(2 + 2 * index));
            batch.put(keyspace, key.bytes(), &record, 0)?;
        }
        Ok(())
    });
    call.scratch.record = record;
    outcome?;
    for index in 0..keys.len() {
        call.notify(Class::String, "set", args.get(1 + 2 * index));
    }
    Ok(())
}

/// As [`store_pairs`]: keys that come to be are told of each in its turn.
fn store_one_by_one(call: &mut Call<'_>, keys: &[MetaKey]) -> Outcome {
    let args = call.args;
    for (index, key) in keys.iter().enumerate() {
        call.put_string(key, Encoding::Whole, args.get(2 + 2 * index), 0)?;
        call.notify(Class::String, "set", args.get(1 + 2 * index));
    }
    Ok(())
}

/// `DEL key [key …]`, `UNLINK key [key …]`
pub fn del(call: &mut Call<'_>) -> Outcome {
    if call.args.len() == 2 {
        return del_one(call);
    }
    let keys = call.keys(1, 1)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|index| keys[*index].bytes());
    order.dedup_by_key(|index| keys[*index].bytes());
    let mut present = Vec::with_capacity(keys.len());
    for index in order {
        if call.exists(&keys[index])? {
            present.push(index);
        }
    }
    if !present.is_empty() {
        call.commit(|batch, keyspace| {
            for index in &present {
                batch.delete(keyspace, keys[*index].bytes())?;
            }
            Ok(())
        })?;
        present.sort_unstable();
        for index in &present {
            call.notify(Class::Generic, "del", call.args.get(1 + index));
        }
    }
    call.reply.integer(present.len() as i64);
    Ok(())
}

fn del_one(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let present = call.exists(&key)?;
    if present {
        call.delete(&key)?;
        call.notify(Class::Generic, "del", call.args.get(1));
    }
    call.reply.integer(i64::from(present));
    Ok(())
}

/// `EXISTS key [key …]`, `TOUCH key [key …]`
pub fn exists(call: &mut Call<'_>) -> Outcome {
    let keys = call.keys(1, 1)?;
    let _locks = match keys.len() {
        1 => None,
        _ => Some(call.store.lock_all_of(call.mode, &keys)?),
    };
    let mut present = 0;
    for key in &keys {
        present += i64::from(call.look_up(key, |_, _, _| ())?.is_some());
    }
    call.reply.integer(present);
    Ok(())
}
