//! Whether two sides hold the same value, told by one number of each.
//!
//! Elements that have an order are hashed in it; fields and members, whose order differs between
//! stores, are hashed one by one and added up. Not part of it: how long a key or a field lives, when a consumer was last
//! heard of, how many entries a group has read, and consumers that have no entry: Redis does not tell
//! its replicas of each.

use aidb_base::hash::key_hash;
use aidb_base::{Error, Result};
use aidb_rdb::element::StreamFacts;
use aidb_rdb::value::decode;
use aidb_rdb::{Element, EntryId, Writer, payload};

use super::{encode_key, error};
use crate::commands::Call;
use crate::commands::dump::{dump_value, kind_of};

/// Fingerprint of a key's value; `None` without the key.
///
/// # Errors
/// Those of the engine.
pub fn fingerprint(call: &mut Call<'_>, key: &[u8]) -> Result<Option<u64>> {
    let Ok(place) = encode_key(key) else { return Ok(None) };
    let found = call.read_type(&place).map_err(error)?;
    let Some(kind) = found else { return Ok(None) };
    let mut bytes = Vec::new();
    let Some(written) = kind_of(kind) else { return Ok(None) };
    Writer::new(&mut bytes, false).kind(written);
    dump_value(call, &place, kind, &mut bytes, &mut |_| Ok(())).map_err(error)?;
    payload::close(&mut bytes);
    payload_fingerprint(&bytes).map(Some)
}

/// Fingerprint of the value in a payload of DUMP.
///
/// # Errors
/// `Corruption` and `Invalid` for bytes that cannot be read.
pub fn payload_fingerprint(bytes: &[u8]) -> Result<u64> {
    let payload = payload::open(bytes)?;
    let mut print = Print::default();
    decode(&mut payload.input(), payload.type_byte, payload.dialect, |element| {
        print.add(&element);
        Ok::<_, Error>(())
    })?;
    Ok(print.sum)
}

#[derive(Default)]
struct Print {
    sum: u64,
    /// Room for an element's parts.
    parts: Vec<u8>,
    /// Whose entries are coming.
    consumer: Vec<u8>,
}

impl Print {
    fn add(&mut self, element: &Element<'_>) {
        self.parts.clear();
        match element {
            Element::Member(member) => self.unordered(1, &[member]),
            Element::Scored(member, score) => {
                // -0 is 0.
                self.unordered(2, &[member, &(score + 0.0).to_le_bytes()]);
            }
            Element::Field { field, value, .. } => self.unordered(3, &[field, value]),
            Element::Text(text) | Element::Item(text) => self.ordered(4, &[text]),
            Element::ModuleText(text) => self.ordered(5, &[text]),
            Element::Module(name, _) => self.ordered(6, &[name.as_bytes()]),
            Element::Entry(id, fields) => {
                let mut texts = Vec::new();
                fields.each(|text| texts.push(text.to_vec()));
                let mut parts = vec![bytes_of(*id)];
                parts.append(&mut texts);
                self.ordered(7, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            }
            Element::Stream(StreamFacts { entries, last, added, max_deleted, .. }) => {
                let numbers = [entries.to_le_bytes(), added.to_le_bytes()].concat();
                self.ordered(8, &[&numbers, &bytes_of(*last), &bytes_of(*max_deleted)]);
            }
            Element::Group { name, last, .. } => self.ordered(9, &[name, &bytes_of(*last)]),
            Element::Pending { id, delivered_ms, deliveries } => {
                let numbers = [delivered_ms.to_le_bytes(), deliveries.to_le_bytes()].concat();
                self.ordered(10, &[&bytes_of(*id), &numbers]);
            }
            Element::Consumer { name, .. } => self.consumer = name.to_vec(),
            Element::Owned(id) => {
                let consumer = std::mem::take(&mut self.consumer);
                self.ordered(11, &[&consumer, &bytes_of(*id)]);
                self.consumer = consumer;
            }
        }
    }

    fn hash(&mut self, tag: u8, parts: &[&[u8]]) -> u64 {
        self.parts.push(tag);
        for part in parts {
            self.parts.extend_from_slice(&(part.len() as u64).to_le_bytes());
            self.parts.extend_from_slice(part);
        }
        key_hash(&self.parts)
    }

    fn unordered(&mut self, tag: u8, parts: &[&[u8]]) {
        self.sum = self.sum.wrapping_add(self.hash(tag, parts));
    }

    fn ordered(&mut self, tag: u8, parts: &[&[u8]]) {
        self.parts.extend_from_slice(&self.sum.to_le_bytes());
        self.sum = self.hash(tag, parts);
    }
}

fn bytes_of(id: EntryId) -> Vec<u8> {
    [id.ms.to_le_bytes(), id.seq.to_le_bytes()].concat()
}
