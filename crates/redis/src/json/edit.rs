//! Changes at places of a document.

use serde_json::Value;

use super::path::{Location, Step};

/// The value at a place.
pub fn at_mut<'d>(document: &'d mut Value, place: &[Step]) -> Option<&'d mut Value> {
    place.iter().try_fold(document, |value, step| match (value, step) {
        (Value::Object(members), Step::Key(key)) => members.get_mut(key),
        (Value::Array(items), Step::Index(index)) => items.get_mut(*index),
        _ => None,
    })
}

/// Removes the value at a place that is not the root; whether there was one.
pub fn remove(document: &mut Value, place: &[Step]) -> bool {
    let Some((last, parent)) = place.split_last() else { return false };
    match (at_mut(document, parent), last) {
        (Some(Value::Object(members)), Step::Key(key)) => members.shift_remove(key).is_some(),
        (Some(Value::Array(items)), Step::Index(index)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

/// Removes the values at some places; how many. What lies within another one counts with it.
pub fn remove_all(document: &mut Value, mut places: Vec<Location>) -> usize {
    places.sort();
    let mut kept: Vec<Location> = Vec::new();
    for place in places {
        // In this order whatever holds a place comes right before it.
        if kept.last().is_none_or(|outer| !place.starts_with(outer)) {
            kept.push(place);
        }
    }
    // From the end, so that indexes stay right.
    kept.iter().rev().filter(|place| remove(document, place)).count()
}

/// Merges as RFC 7396 says: members of objects one by one, `null` removes, all else replaces.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(members) = target else { return };
    for (key, change) in changes {
        if change.is_null() {
            members.shift_remove(key);
        } else {
            merge(members.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}
