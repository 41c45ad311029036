//! Sets: members, each once.

use crate::number::parse_integer;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Class;
use crate::value::Type;

use super::members::{Members, remove_members};
use super::members_random::{Wish, draw};
use super::members_read::{read_one, reply_length};
use super::{Call, atomically};

/// Most integers in Redis's encoding for sets of integers.
const INTEGERS_MAX: u64 = 512;

fn open(call: &mut Call<'_>, many: bool) -> Result<Members, Stop> {
    call.begin();
    let key = call.key(1)?;
    Members::open(call, key, Type::Set, many)
}

/// Adds a member, noting what makes Redis leave its encoding for integers.
pub(super) fn add(set: &mut Members, call: &mut Call<'_>, member: &[u8]) -> Result<bool, Stop> {
    let is_new = set.presence(call, member)?.is_none();
    if is_new {
        set.write(call, member, b"", None)?;
        set.set_large(set.len() > INTEGERS_MAX || parse_integer(member).is_none());
    }
    Ok(is_new)
}

/// `SADD key member [member …]`
pub fn sadd(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let args = call.args;
    let mut set = open(call, args.len() > 3)?;
    let mut added = 0;
    for member in args.from(2) {
        added += i64::from(add(&mut set, call, member)?);
    }
    set.commit(call)?;
    if added > 0 {
        call.notify(Class::Set, "sadd", args.get(1));
    }
    call.reply.integer(added);
    Ok(())
}

/// `SREM key member [member …]`
pub fn srem(call: &mut Call<'_>) -> Outcome {
    remove_members(call, Type::Set, (Class::Set, "srem"))
}

/// `SMOVE source destination member`
pub fn smove(call: &mut Call<'_>) -> Outcome {
    let pair = [call.key(1)?, call.key(2)?];
    let _locks = call.store.lock_all_of(call.mode, &pair)?;
    let [source, destination] = pair;
    let member = call.args.get(3);
    call.begin();
    let is_same = source == destination;
    let mut from = Members::open(call, source, Type::Set, false)?;
    if !from.exists() {
        call.reply.integer(0);
        return Ok(());
    }
    let mut to = Members::open(call, destination, Type::Set, false)?;
    let is_there = from.presence(call, member)?.is_some();
    if is_there && !is_same {
        atomically(call, |call| {
            from.remove(call, member)?;
            let is_gone = from.len() == 0;
            from.commit(call)?;
            call.notify_shrunk(Class::Set, "srem", call.args.get(1), is_gone);
            call.begin();
            if add(&mut to, call, member)? {
                to.commit(call)?;
                call.notify(Class::Set, "sadd", call.args.get(2));
            }
            Ok(())
        })?;
    }
    call.reply.integer(i64::from(is_there));
    Ok(())
}

/// `SISMEMBER key member`
pub fn sismember(call: &mut Call<'_>) -> Outcome {
    let is_there = read_one(call, Type::Set, |_, _| {})?;
    call.reply.integer(i64::from(is_there));
    Ok(())
}

/// `SMISMEMBER key member [member …]`
pub fn smismember(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let set = Members::open(call, key, Type::Set, false)?;
    call.count_lookup(set.exists());
    let args = call.args;
    call.reply.array(args.len() - 2);
    for member in args.from(2) {
        let is_there = set.presence(call, member)?.is_some();
        call.reply.integer(i64::from(is_there));
    }
    Ok(())
}

/// `SCARD key`
pub fn scard(call: &mut Call<'_>) -> Outcome {
    reply_length(call, Type::Set)
}

/// `SMEMBERS key`
pub fn smembers(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let lock = call.lock(&key)?;
    let set = Members::open(call, key, Type::Set, false)?;
    call.count_lookup(set.exists());
    call.reply.set(set.len() as usize);
    let mut walk = set.walk(call)?;
    drop(lock);
    while let Some((member, _)) = walk.next()? {
        call.reply.bulk(member);
    }
    Ok(())
}

/// `SPOP key [count]`
pub fn spop(call: &mut Call<'_>) -> Outcome {
    let has_count = call.args.len() > 2;
    if call.args.len() > 3 {
        return Err(SYNTAX);
    }
    let wish = match has_count {
        true => Wish { count: count_of(call.args.get(2))?, repeats: false },
        false => Wish { count: 1, repeats: false },
    };
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let mut set = open(call, true)?;
    call.count_lookup(set.exists());
    let drawn = draw(call, &set, Type::Set, wish)?;
    if drawn.len() as u64 == set.len() {
        set.abandon();
    } else {
        for (member, _) in &drawn {
            set.remove(call, member)?;
        }
    }
    let is_gone = set.len() == 0;
    set.commit(call)?;
    if !drawn.is_empty() {
        call.notify_shrunk(Class::Set, "spop", call.args.get(1), is_gone);
    }
    if has_count {
        call.reply.set(drawn.len());
    } else if drawn.is_empty() {
        call.reply.null();
    }
    drawn.iter().for_each(|(member, _)| call.reply.bulk(member));
    Ok(())
}

/// A count that must not be negative.
pub(super) fn count_of(text: &[u8]) -> Result<u64, Stop> {
    parse_integer(text)
        .and_then(|count| u64::try_from(count).ok())
        .ok_or_else(|| Stop::fail("ERR value is out of range, must be positive"))
}

/// `SRANDMEMBER key [count]`
pub fn srandmember(call: &mut Call<'_>) -> Outcome {
    let has_count = call.args.len() > 2;
    if call.args.len() > 3 {
        return Err(SYNTAX);
    }
    let wish = match has_count {
        true => Wish::parse(call.args.get(2))?,
        false => Wish { count: 1, repeats: true },
    };
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let set = Members::open(call, key, Type::Set, false)?;
    call.count_lookup(set.exists());
    let drawn = draw(call, &set, Type::Set, wish)?;
    if has_count {
        call.reply.array(drawn.len());
    } else if drawn.is_empty() {
        call.reply.null();
    }
    drawn.iter().for_each(|(member, _)| call.reply.bulk(member));
    Ok(())
}
