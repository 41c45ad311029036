//! JSON.SET, JSON.MSET and JSON.MERGE.

use serde_json::Value;

use crate::commands::{Call, is_word};
use crate::json::edit::{at_mut, merge as merge_into, remove_all};
use crate::json::parse;
use crate::json::path::{Path, Step};
use crate::key::MetaKey;
use crate::stop::{Outcome, SYNTAX, Stop};
use crate::store::Class;

use super::stored::{Stored, load, stage};
use super::{NO_KEY, commit, parse_path, told};

const NOT_AT_THE_ROOT: &str = "ERR new objects must be created at the root";

/// When JSON.SET writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    /// `NX`: nothing is there.
    Absent,
    /// `XX`: something is there.
    Present,
}

/// `JSON.SET key path value [NX | XX]`
pub fn set(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = parse_path(call, 2)?;
    let value = parse(call.args.get(3))?;
    let mut condition = Condition::Always;
    for option in call.args.from(4) {
        condition = match condition {
            Condition::Always if is_word(option, "nx") => Condition::Absent,
            Condition::Always if is_word(option, "xx") => Condition::Present,
            _ => return Err(SYNTAX),
        };
    }
    let _lock = call.lock(&key)?;
    let stored = load(call, &key)?;
    let mut document = stored.as_ref().map(Stored::document).transpose()?;
    if !assign(&mut document, &path, &value, condition)? {
        call.reply.null();
        return Ok(());
    }
    let document = document.ok_or_else(|| Stop::fail(NO_KEY))?;
    commit(call, &key, &document, stored.as_ref())?;
    told(call, "json.set");
    call.reply.ok();
    Ok(())
}

/// Puts a value at the places of a path, or at the place that it names; whether it was put anywhere.
fn assign(
    document: &mut Option<Value>,
    path: &Path,
    value: &Value,
    condition: Condition,
) -> Result<bool, Stop> {
    let Some(root) = document else {
        return match condition {
            Condition::Present => Ok(false),
            _ if !path.is_root() => Err(Stop::fail(NOT_AT_THE_ROOT)),
            _ => {
                *document = Some(value.clone());
                Ok(true)
            }
        };
    };
    let places = path.locations(root)?;
    if !places.is_empty() {
        if condition == Condition::Absent {
            return Ok(false);
        }
        for place in places {
            if let Some(target) = at_mut(root, &place) {
                *target = value.clone();
            }
        }
        return Ok(true);
    }
    if condition == Condition::Present {
        return Ok(false);
    }
    add(root, path, value)
}

/// Adds a member where the path names one; whether there was an object to add it to.
fn add(root: &mut Value, path: &Path, value: &Value) -> Result<bool, Stop> {
    let (parent, step) = path.place().ok_or_else(|| Stop::fail("ERR wrong static path"))?;
    let Some(place) = parent.locations(root)?.pop() else { return Ok(false) };
    match (at_mut(root, &place), step) {
        (Some(Value::Object(members)), Step::Key(key)) => {
            members.insert(key, value.clone());
            Ok(true)
        }
        (Some(Value::Array(_)), Step::Index(_)) => Err(Stop::fail("ERR index out of bounds")),
        (_, Step::Index(_)) => Err(Stop::fail("ERR path not an array")),
        _ => Ok(false),
    }
}

/// `JSON.MSET key path value [key path value …]`
pub fn mset(call: &mut Call<'_>) -> Outcome {
    if call.args.len() % 3 != 1 {
        return Err(Stop::fail("ERR wrong number of arguments for 'json.mset' command"));
    }
    let keys = call.keys(1, 3)?;
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let mut documents: Vec<(MetaKey, Option<Stored>, Option<Value>)> = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let path = parse_path(call, 2 + 3 * index)?;
        let value = parse(call.args.get(3 + 3 * index))?;
        let at = match documents.iter().position(|(other, ..)| other == key) {
            Some(at) => at,
            None => {
                let stored = load(call, key)?;
                let document = stored.as_ref().map(Stored::document).transpose()?;
                documents.push((key.clone(), stored, document));
                documents.len() - 1
            }
        };
        assign(&mut documents[at].2, &path, &value, Condition::Always)?;
    }
    call.begin();
    for (key, stored, document) in &documents {
        if let Some(document) = document {
            stage(call, key, document, stored.as_ref())?;
        }
    }
    call.commit_batch()?;
    for index in 0..keys.len() {
        call.notify(Class::Module, "json.mset", call.args.get(1 + 3 * index));
    }
    call.reply.ok();
    Ok(())
}

/// `JSON.MERGE key path value`
pub fn merge(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = parse_path(call, 2)?;
    let patch = parse(call.args.get(3))?;
    let _lock = call.lock(&key)?;
    let Some(stored) = load(call, &key)? else {
        if !path.is_root() {
            return Err(Stop::fail(NOT_AT_THE_ROOT));
        }
        let mut document = Value::Null;
        merge_into(&mut document, &patch);
        commit(call, &key, &document, None)?;
        told(call, "json.merge");
        call.reply.ok();
        return Ok(());
    };
    if path.is_root() && patch.is_null() {
        call.delete(&key)?;
        told(call, "json.merge");
        call.reply.ok();
        return Ok(());
    }
    let mut document = stored.document()?;
    let places = path.locations(&document)?;
    let has_merged = if places.is_empty() {
        let mut value = Value::Null;
        merge_into(&mut value, &patch);
        patch.is_null() || add(&mut document, &path, &value)?
    } else if patch.is_null() {
        remove_all(&mut document, places) > 0
    } else {
        for place in places {
            if let Some(target) = at_mut(&mut document, &place) {
                merge_into(target, &patch);
            }
        }
        true
    };
    if !has_merged {
        call.reply.null();
        return Ok(());
    }
    commit(call, &key, &document, Some(&stored))?;
    told(call, "json.merge");
    call.reply.ok();
    Ok(())
}
