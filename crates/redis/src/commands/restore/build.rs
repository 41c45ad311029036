//! A value being built from the elements that a payload or a file gives.

use aidb_rdb::{Element, Kind};
use serde_json::Value;

use crate::collection::expiring::INSTANT_MAX;
use crate::json::parse;
use crate::key::MetaKey;
use crate::stop::Stop;
use crate::value::{Encoding, Type, header};

use super::super::list_store::{End, List};
use super::super::members::{MEMBER_BYTES_MAX, Members};
use super::super::streams::StreamBuilder;
use super::super::{Call, hashes, json, sets, sorted_sets};
use super::Refusal;

/// Bytes at which a value's members are committed before the value is complete.
const STEP_BYTES: usize = 1 << 20;

/// Documents as Redis's module for them writes them since its version 2.
const JSON_MODULE: &str = "ReJSON-RL";
const JSON_VERSION: u16 = 3;

/// One value on its way into the store.
pub(super) struct Building {
    key: MetaKey,
    body: Body,
    /// Fields were left out because their time had passed.
    has_expired_fields: bool,
}

enum Body {
    String(Option<Vec<u8>>),
    List(List),
    Members(Members),
    Stream(Box<StreamBuilder>),
    Json(Option<Value>),
}

impl Building {
    /// A value without any element.
    pub(super) fn begin(call: &mut Call<'_>, key: &MetaKey, kind: Kind) -> Result<Self, Stop> {
        let members = |kind| Body::Members(Members::replacing(call, key.clone(), kind));
        let body = match kind {
            Kind::String => Body::String(None),
            Kind::Module => Body::Json(None),
            Kind::List => Body::List(List::replacing(call, key.clone())),
            Kind::Set => members(Type::Set),
            Kind::SortedSet => members(Type::SortedSet),
            Kind::Hash => members(Type::Hash),
            Kind::Stream => Body::Stream(Box::new(StreamBuilder::begin(call, key.clone())?)),
        };
        Ok(Self { key: key.clone(), body, has_expired_fields: false })
    }

    /// Adds an element.
    pub(super) fn add(
        &mut self,
        call: &mut Call<'_>,
        element: &Element<'_>,
    ) -> Result<(), Refusal> {
        match (&mut self.body, element) {
            (Body::String(value), Element::Text(text)) => *value = Some(text.to_vec()),
            (Body::List(list), Element::Item(item)) => list.push(call, End::Right, item)?,
            (Body::Members(set), Element::Member(member)) => {
                check_length(member)?;
                if !sets::add(set, call, member)? {
                    return Err(Refusal::damaged("a member twice"));
                }
            }
            (Body::Members(set), Element::Scored(member, value)) => {
                check_length(member)?;
                if set.presence(call, member)?.is_some() {
                    return Err(Refusal::damaged("a member twice"));
                }
                sorted_sets::write(set, call, member, *value, None)?;
            }
            (Body::Members(hash), Element::Field { field, value, expire_at_ms }) => {
                check_length(field)?;
                if call.has_passed(*expire_at_ms) {
                    self.has_expired_fields = true;
                    return Ok(());
                }
                if hash.presence(call, field)?.is_some() {
                    return Err(Refusal::damaged("a field twice"));
                }
                let ends_at = (*expire_at_ms).min(INSTANT_MAX);
                hash.write_until(call, field, value, None, ends_at)?;
                hashes::note_large(hash, [*field, *value].into_iter());
            }
            (Body::Stream(stream), element) => {
                if let Element::Group { name, .. } | Element::Consumer { name, .. } = element {
                    check_length(name)?;
                }
                stream.add(call, element)?;
            }
            (Body::Json(None), Element::Module(JSON_MODULE, JSON_VERSION)) => {}
            (Body::Json(document @ None), Element::ModuleText(text)) => {
                let parsed = parse(text).map_err(|_| Refusal::damaged("no JSON in it"))?;
                *document = Some(parsed);
            }
            (_, Element::Module(name, version)) => {
                let why = format!("a value of version {version} of the module {name}");
                return Err(Refusal::Unfit(why));
            }
            _ => return Err(Refusal::damaged("parts of another type")),
        }
        if call.scratch.batch.bytes() >= STEP_BYTES {
            self.flush(call)?;
        }
        Ok(())
    }

    /// Commits the members gathered; nobody finds them before the key names them.
    fn flush(&mut self, call: &mut Call<'_>) -> Result<(), Stop> {
        match &mut self.body {
            Body::String(_) | Body::Json(_) => return Ok(()),
            Body::List(list) => list.forget_staged(),
            Body::Members(members) => members.forget_staged(),
            Body::Stream(_) => {}
        }
        call.commit_batch()?;
        call.begin();
        Ok(())
    }

    /// Adds the key to the batch.
    pub(super) fn finish(self, call: &mut Call<'_>, expire_at_ms: u64) -> Result<(), Refusal> {
        let empty = || Refusal::damaged("nothing in it");
        match self.body {
            Body::String(value) => {
                let value = value.ok_or_else(empty)?;
                let record = [&[header(Encoding::Whole)], value.as_slice()].concat();
                let keys = call.store.keyspaces(call.session.database).keys;
                let batch = &mut call.scratch.batch;
                batch.put(keys, self.key.bytes(), &record, expire_at_ms).map_err(Stop::from)?;
            }
            Body::List(list) if list.len() == 0 => return Err(empty()),
            Body::List(mut list) => {
                list.set_expiry(expire_at_ms);
                list.stage(call)?;
            }
            Body::Members(members) if members.len() == 0 => {
                if !self.has_expired_fields {
                    return Err(empty());
                }
                // Nothing is left: no key.
                members.stage(call)?;
            }
            Body::Members(mut members) => {
                members.set_expiry(expire_at_ms);
                members.stage(call)?;
            }
            Body::Stream(stream) => stream.finish(call, expire_at_ms)?,
            Body::Json(document) => {
                json::stage_new(call, &self.key, &document.ok_or_else(empty)?, expire_at_ms)?;
            }
        }
        Ok(())
    }
}

/// Refuses what is too long for a part of an engine's key.
fn check_length(name: &[u8]) -> Result<(), Refusal> {
    if name.len() <= MEMBER_BYTES_MAX {
        return Ok(());
    }
    Err(Refusal::Unfit(format!(
        "field, member or name of {} bytes exceeds the limit of {MEMBER_BYTES_MAX} bytes",
        name.len()
    )))
}
