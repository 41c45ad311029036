//! JSON.ARRINDEX.

use serde_json::Value;

use crate::commands::Call;
use crate::json::parse;
use crate::stop::Outcome;

use super::stored::load;
use super::{integer, no_path, parse_path, unexpected};

/// Which part of an array is searched.
#[derive(Clone, Copy)]
struct Range {
    start: i64,
    /// Exclusive; 0: the end.
    stop: i64,
}

impl Range {
    /// The first place of a value of the same type and content; -1: none.
    fn find(self, items: &[Value], wanted: &Value) -> i64 {
        let len = items.len() as i64;
        let within = |index: i64| {
            (if index < 0 { len.saturating_add(index) } else { index }).clamp(0, len) as usize
        };
        let start = within(self.start);
        let stop = if self.stop == 0 { items.len() } else { within(self.stop) };
        let found = items.get(start..stop).and_then(|items| items.iter().position(|i| i == wanted));
        found.map_or(-1, |at| (start + at) as i64)
    }
}

/// `JSON.ARRINDEX key path value [start [stop]]`
pub fn arrindex(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1)?;
    let path = parse_path(call, 2)?;
    let wanted = parse(call.args.get(3))?;
    let start = if call.args.len() > 4 { integer(call, 4)? } else { 0 };
    let stop = if call.args.len() > 5 { integer(call, 5)? } else { 0 };
    let range = Range { start, stop };
    let _lock = call.lock(&key)?;
    let stored = load(call, &key)?;
    call.count_lookup(stored.is_some());
    let document = stored.ok_or_else(|| no_path(&path))?.document()?;
    let values = path.values(&document)?;
    if path.is_legacy() {
        let first = values.first().ok_or_else(|| no_path(&path))?;
        let Value::Array(items) = first else { return Err(unexpected("array", first)) };
        call.reply.integer(range.find(items, &wanted));
        return Ok(());
    }
    call.reply.array(values.len());
    for value in values {
        match value {
            Value::Array(items) => call.reply.integer(range.find(items, &wanted)),
            _ => call.reply.null(),
        }
    }
    Ok(())
}
