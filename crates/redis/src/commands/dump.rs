//! DUMP: a key's value as Redis encodes it.

use aidb_rdb::{Kind, Writer, payload};

use crate::collection::{EXPIRING, score};
use crate::key::MetaKey;
use crate::stop::{Outcome, Stop};
use crate::value::Type;

use super::list_store::List;
use super::members::Members;
use super::{Call, json, streams};

/// Longest payload: what a client can send back.
const PAYLOAD_BYTES_MAX: usize = 512 << 20;

/// Version of payloads with fields that expire.
const VERSION_OF_FIELD_EXPIRY: u16 = 12;

/// Takes bytes out of a buffer when there are many; a value is written on behind them.
pub(crate) type Drain<'d> = &'d mut dyn FnMut(&mut Vec<u8>) -> Outcome;

/// `DUMP key`
pub fn dump(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let _lock = call.lock(&key)?;
    let found = call.look_up(&key, |_, value, _| (value.kind, value.flags))?;
    let Some((kind, flags)) = found else {
        call.reply.null();
        return Ok(());
    };
    let mut out = Vec::new();
    if kind == Type::Hash && flags & EXPIRING != 0 {
        write_expiring_hash(call, &key, &mut out)?;
        payload::close_as(&mut out, VERSION_OF_FIELD_EXPIRY);
        call.reply.bulk(&out);
        return Ok(());
    }
    let written = kind_of(kind).ok_or_else(|| {
        Stop::fail(format!("ERR a value of {} cannot be dumped; use BF.SCANDUMP", kind.name()))
    })?;
    Writer::new(&mut out, true).kind(written);
    dump_value(call, &key, kind, &mut out, &mut |out| check_size(out.len()))?;
    payload::close(&mut out);
    check_size(out.len())?;
    call.reply.bulk(&out);
    Ok(())
}

/// A hash whose fields expire, in the form that Redis has for it since 7.4.
fn write_expiring_hash(call: &mut Call<'_>, key: &MetaKey, out: &mut Vec<u8>) -> Outcome {
    let mut walk = Members::open(call, key.clone(), Type::Hash, false)?.walk(call)?;
    let mut fields = Vec::new();
    while let Some((field, value)) = walk.next()? {
        fields.push((field.to_vec(), value.to_vec()));
    }
    let hash = Members::open(call, key.clone(), Type::Hash, false)?;
    let mut ends = Vec::with_capacity(fields.len());
    for (field, _) in &fields {
        ends.push(hash.get_ending(call, field, |_, ends_at| ends_at)?.unwrap_or(0));
    }
    let earliest_ms = ends.iter().copied().filter(|ends_at| *ends_at != 0).min().unwrap_or(0);
    let mut writer = Writer::new(out, true);
    writer.expiring_hash(earliest_ms);
    writer.length(fields.len() as u64);
    for ((field, value), ends_at) in fields.iter().zip(ends) {
        writer.field_expiry(ends_at, earliest_ms);
        writer.string(field);
        writer.string(value);
    }
    check_size(out.len())
}

fn check_size(bytes: usize) -> Outcome {
    if bytes <= PAYLOAD_BYTES_MAX {
        return Ok(());
    }
    Err(Stop::fail(format!(
        "ERR a payload of more than {PAYLOAD_BYTES_MAX} bytes; use `aidb export`"
    )))
}

/// What a type is called in RDB bytes; `None`: it has no place there.
pub(crate) fn kind_of(kind: Type) -> Option<Kind> {
    Some(match kind {
        Type::String => Kind::String,
        Type::List => Kind::List,
        Type::Set => Kind::Set,
        Type::SortedSet => Kind::SortedSet,
        Type::Hash => Kind::Hash,
        Type::Stream => Kind::Stream,
        Type::Json => Kind::Module,
        Type::Bloom => return None,
    })
}

/// Appends the value of a key, which is there and has type `kind`. The caller holds the key's lock.
/// Large values need a call that may wait.
pub(crate) fn dump_value(
    call: &mut Call<'_>,
    key: &MetaKey,
    kind: Type,
    out: &mut Vec<u8>,
    drain: Drain<'_>,
) -> Outcome {
    match kind {
        Type::String => {
            call.read(key, |value, _| Writer::new(out, true).string(value.bytes))?;
        }
        Type::List => write_list(call, key.clone(), out, drain)?,
        Type::Set | Type::SortedSet | Type::Hash => {
            write_members(call, key.clone(), kind, out, drain)?;
        }
        Type::Bloom => {}
        Type::Json => Writer::new(out, true).json(&json::text(call, key)?),
        Type::Stream => streams::write_stream(call, key.clone(), &mut Writer::new(out, true))?,
    }
    drain(out)
}

fn write_list(call: &mut Call<'_>, key: MetaKey, out: &mut Vec<u8>, drain: Drain<'_>) -> Outcome {
    let list = List::open(call, key)?;
    Writer::new(out, true).length(list.len());
    let mut outcome = Ok(());
    list.visit(call.reader(), 0, list.len(), |item| {
        Writer::new(out, true).string(item);
        outcome = drain(out);
        outcome.is_ok()
    })?;
    outcome
}

fn write_members(
    call: &mut Call<'_>,
    key: MetaKey,
    kind: Type,
    out: &mut Vec<u8>,
    drain: Drain<'_>,
) -> Outcome {
    let members = Members::open(call, key, kind, false)?;
    Writer::new(out, true).length(members.len());
    let mut walk = members.walk(call)?;
    while let Some((member, value)) = walk.next()? {
        let mut writer = Writer::new(out, true);
        writer.string(member);
        match kind {
            Type::SortedSet => writer.score(score::decode(value)),
            Type::Hash => writer.string(value),
            _ => {}
        }
        drain(out)?;
    }
    Ok(())
}
