//! Streams: entries in listpacks, groups, consumers.

use aidb_base::{Error, Result as BaseResult};

use crate::element::{Element, EntryId, Fields, StreamFacts};
use crate::format::damaged;
use crate::input::Input;
use crate::listpack::{Item, Listpack};
use crate::scalars::{bytes, length, string};

/// Flag of an entry that was removed.
pub(crate) const DELETED: i64 = 1;
/// Flag of an entry with the fields of its block.
pub(crate) const SAME_FIELDS: i64 = 2;

type Sink<'f, E> = &'f mut dyn FnMut(Element<'_>) -> Result<(), E>;

pub(crate) fn decode<E: From<Error>>(
    input: &mut impl Input,
    form: u8,
    f: Sink<'_, E>,
) -> Result<(), E> {
    let (mut id, mut block) = (Vec::new(), Vec::new());
    let mut seen = Seen::default();
    for _ in 0..length(input)? {
        string(input, &mut id)?;
        let first = id.as_slice().try_into().map(EntryId::from_bytes);
        let first = first.map_err(|_| damaged("the id of a block", input.position()))?;
        string(input, &mut block)?;
        entries(&block, first, &mut seen, f)?;
    }
    let facts = facts(input, form, &seen)?;
    f(Element::Stream(facts))?;
    for _ in 0..length(input)? {
        group(input, form, f)?;
    }
    if form >= 4 {
        skip_producer_ids(input)?;
    }
    Ok(())
}

/// What the entries have shown.
#[derive(Default)]
struct Seen {
    count: u64,
    last: Option<EntryId>,
}

fn entries<E: From<Error>>(
    block: &[u8],
    first: EntryId,
    seen: &mut Seen,
    f: Sink<'_, E>,
) -> Result<(), E> {
    let mut items = Listpack::open(block)?;
    let valid = items.number()?;
    let deleted = items.number()?;
    let mut shared = Vec::new();
    for _ in 0..count(&mut items)? {
        shared.push(items.item()?);
    }
    items.number()?;
    let mut own = Vec::new();
    let total = valid.checked_add(deleted).filter(|_| valid >= 0 && deleted >= 0);
    for _ in 0..total.ok_or_else(|| damaged("the counts of a block", 0))? {
        let flags = items.number()?;
        let id = EntryId {
            ms: first.ms.wrapping_add_signed(items.number()?),
            seq: first.seq.wrapping_add_signed(items.number()?),
        };
        let has_same_fields = flags & SAME_FIELDS != 0;
        let wanted = match has_same_fields {
            true => shared.len(),
            false => count(&mut items)?.checked_mul(2).ok_or_else(|| damaged("an entry", 0))?,
        };
        own.clear();
        for _ in 0..wanted {
            own.push(items.item()?);
        }
        items.number()?;
        if flags & DELETED != 0 {
            continue;
        }
        if seen.last.is_some_and(|last| last >= id) || id == EntryId::default() {
            return Err(damaged("entries out of order", 0).into());
        }
        *seen = Seen { count: seen.count + 1, last: Some(id) };
        let shared = has_same_fields.then_some(shared.as_slice());
        f(Element::Entry(id, Fields { shared, own: &own }))?;
    }
    match items.next()? {
        None => Ok(()),
        Some(_) => Err(damaged("a block with more than its entries", 0).into()),
    }
}

/// A number of items; more than there are show when they are read.
fn count(items: &mut Listpack<'_>) -> BaseResult<usize> {
    usize::try_from(items.number()?).map_err(|_| damaged("a number of fields", 0))
}

fn entry_id(input: &mut impl Input) -> BaseResult<EntryId> {
    Ok(EntryId { ms: length(input)?, seq: length(input)? })
}

fn raw_id(input: &mut impl Input) -> BaseResult<EntryId> {
    Ok(EntryId::from_bytes(&bytes(input)?))
}

fn facts(input: &mut impl Input, form: u8, seen: &Seen) -> BaseResult<StreamFacts> {
    let entries = length(input)?;
    let last = entry_id(input)?;
    if entries != seen.count || seen.last.is_some_and(|entry| entry > last) {
        return Err(damaged("a stream that is not as it says", input.position()));
    }
    if form == 1 {
        return Ok(StreamFacts { entries, last, added: entries, ..StreamFacts::default() });
    }
    let (first, max_deleted) = (Some(entry_id(input)?), entry_id(input)?);
    Ok(StreamFacts { entries, last, first, max_deleted, added: length(input)? })
}

fn group<E: From<Error>>(input: &mut impl Input, form: u8, f: Sink<'_, E>) -> Result<(), E> {
    let mut name = Vec::new();
    string(input, &mut name)?;
    let last = entry_id(input)?;
    let read = if form >= 2 { Some(length(input)?).filter(|read| *read != u64::MAX) } else { None };
    f(Element::Group { name: &name, last, read })?;
    for _ in 0..length(input)? {
        let id = raw_id(input)?;
        let delivered_ms = milliseconds(input)?;
        let deliveries = length(input)?;
        f(Element::Pending { id, delivered_ms, deliveries })?;
    }
    for _ in 0..length(input)? {
        string(input, &mut name)?;
        let seen_ms = milliseconds(input)?;
        if form >= 3 {
            // When it last got something: not kept.
            milliseconds(input)?;
        }
        f(Element::Consumer { name: &name, seen_ms })?;
        for _ in 0..length(input)? {
            let id = raw_id(input)?;
            f(Element::Owned(id))?;
        }
    }
    Ok(())
}

fn milliseconds(input: &mut impl Input) -> BaseResult<u64> {
    Ok(u64::try_from(i64::from_le_bytes(bytes(input)?)).unwrap_or(0))
}

/// Ids by which producers may say that they send an entry again: not kept.
fn skip_producer_ids(input: &mut impl Input) -> BaseResult<()> {
    let mut id = Vec::new();
    length(input)?;
    length(input)?;
    for _ in 0..length(input)? {
        string(input, &mut id)?;
        raw_id(input)?;
    }
    length(input)?;
    length(input)?;
    Ok(())
}

/// An item that is text when it is not the shortest form of a number.
pub(crate) fn item_of(text: &[u8]) -> Item<'_> {
    match number_of(text) {
        Some(number) => Item::Number(number),
        None => Item::Text(text),
    }
}

fn number_of(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (itoa::Buffer::new().format(number).as_bytes() == text).then_some(number)
}
