//! Values: from the bytes behind a type to elements.

use aidb_base::Error;

use crate::element::Element;
use crate::format::{damaged, types, unsupported};
use crate::input::Input;
use crate::listpack::{Item, Listpack, Text};
use crate::scalars::{byte, bytes, length, parse_score, score_text, string};
use crate::streams;
use crate::ziplist::{intset, ziplist, zipmap};

/// Whose line of the format: the same type byte may mean different things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Redis, and Valkey up to version 8.
    #[default]
    Redis,
    /// Valkey from version 9 on.
    Valkey,
}

/// Decodes the value of a type, which `input` has next, and gives its elements to `f`. Nothing is
/// promised about how often a member comes, nor that there is one.
///
/// # Errors
/// `Corruption` when the bytes are not such a value, `Invalid` for a type that cannot be read; those of
/// `input` and of `f`.
pub fn decode<E: From<Error>>(
    input: &mut impl Input,
    type_byte: u8,
    dialect: Dialect,
    mut f: impl FnMut(Element<'_>) -> Result<(), E>,
) -> Result<(), E> {
    use types::*;
    let f = &mut f;
    let mut text = Vec::new();
    match type_byte {
        STRING => {
            string(input, &mut text)?;
            f(Element::Text(&text))
        }
        LIST => strings(input, |item| f(Element::Item(item))),
        SET => strings(input, |member| f(Element::Member(member))),
        HASH => hash(input, f),
        ZSET | ZSET_2 => sorted_set(input, type_byte == ZSET_2, f),
        LIST_QUICKLIST | LIST_QUICKLIST_2 => quicklist(input, type_byte == LIST_QUICKLIST_2, f),
        HASH_EXPIRIES_PRE if dialect == Dialect::Valkey => valkey_hash(input, f),
        HASH_EXPIRIES | HASH_EXPIRIES_PRE => expiring_hash(input, type_byte == HASH_EXPIRIES, f),
        STREAM | STREAM_2 | STREAM_3 | STREAM_4 => streams::decode(input, form(type_byte), f),
        MODULE_2 => module(input, f),
        _ => packed(input, type_byte, f),
    }
}

fn form(type_byte: u8) -> u8 {
    match type_byte {
        types::STREAM => 1,
        types::STREAM_2 => 2,
        types::STREAM_3 => 3,
        _ => 4,
    }
}

type Sink<'f, E> = &'f mut dyn FnMut(Element<'_>) -> Result<(), E>;

fn strings<E: From<Error>>(
    input: &mut impl Input,
    mut f: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut text = Vec::new();
    for _ in 0..length(input)? {
        string(input, &mut text)?;
        f(&text)?;
    }
    Ok(())
}

fn hash<E: From<Error>>(input: &mut impl Input, f: Sink<'_, E>) -> Result<(), E> {
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..length(input)? {
        string(input, &mut field)?;
        string(input, &mut value)?;
        f(Element::Field { field: &field, value: &value, expire_at_ms: 0 })?;
    }
    Ok(())
}

fn valkey_hash<E: From<Error>>(input: &mut impl Input, f: Sink<'_, E>) -> Result<(), E> {
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..length(input)? {
        string(input, &mut field)?;
        string(input, &mut value)?;
        let expire_at_ms = i64::from_le_bytes(bytes(input)?);
        let expire_at_ms = if expire_at_ms == -1 { 0 } else { moment(expire_at_ms) };
        f(Element::Field { field: &field, value: &value, expire_at_ms })?;
    }
    Ok(())
}

/// A time that a field has; one before the epoch is as good as its first millisecond.
fn moment(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).max(1)
}

fn expiring_hash<E: From<Error>>(
    input: &mut impl Input,
    has_base: bool,
    f: Sink<'_, E>,
) -> Result<(), E> {
    let base = if has_base { u64::from_le_bytes(bytes(input)?) } else { 1 };
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..length(input)? {
        let expire_at_ms = match length(input)? {
            0 => 0,
            distance => base.saturating_add(distance - 1),
        };
        string(input, &mut field)?;
        string(input, &mut value)?;
        f(Element::Field { field: &field, value: &value, expire_at_ms })?;
    }
    Ok(())
}

fn sorted_set<E: From<Error>>(
    input: &mut impl Input,
    is_binary: bool,
    f: Sink<'_, E>,
) -> Result<(), E> {
    let mut member = Vec::new();
    for _ in 0..length(input)? {
        string(input, &mut member)?;
        let score = if is_binary { f64::from_le_bytes(bytes(input)?) } else { score_text(input)? };
        if score.is_nan() {
            return Err(damaged("a score that is no number", input.position()).into());
        }
        f(Element::Scored(&member, score))?;
    }
    Ok(())
}

const NODE_PLAIN: u64 = 1;
const NODE_PACKED: u64 = 2;

fn quicklist<E: From<Error>>(
    input: &mut impl Input,
    has_containers: bool,
    f: Sink<'_, E>,
) -> Result<(), E> {
    let (mut node, mut text) = (Vec::new(), Text::default());
    for _ in 0..length(input)? {
        let container = if has_containers { length(input)? } else { NODE_PACKED };
        string(input, &mut node)?;
        match (container, has_containers) {
            (NODE_PLAIN, _) => f(Element::Item(&node))?,
            (NODE_PACKED, true) => {
                let mut items = Listpack::open(&node)?;
                while let Some(item) = items.next()? {
                    f(Element::Item(text.of(&item)))?;
                }
            }
            (NODE_PACKED, false) => ziplist(&node, |item| f(Element::Item(text.of(&item))))?,
            _ => return Err(damaged("a node of a list", input.position()).into()),
        }
    }
    Ok(())
}

/// Values that are one string with everything in it.
fn packed<E: From<Error>>(input: &mut impl Input, type_byte: u8, f: Sink<'_, E>) -> Result<(), E> {
    use types::*;
    let mut blob = Vec::new();
    let position = input.position();
    if !matches!(type_byte, HASH_ZIPMAP..=HASH_ZIPLIST | HASH_LISTPACK | ZSET_LISTPACK)
        && !matches!(type_byte, SET_LISTPACK | HASH_LISTPACK_EXPIRIES_PRE | HASH_LISTPACK_EXPIRIES)
    {
        return Err(unsupported(&format!("a value of type {type_byte}"), position).into());
    }
    if type_byte == HASH_LISTPACK_EXPIRIES {
        bytes::<8>(input)?;
    }
    string(input, &mut blob)?;
    let mut text = Text::default();
    match type_byte {
        HASH_ZIPMAP => {
            return zipmap(&blob, |field, value| {
                f(Element::Field { field, value, expire_at_ms: 0 })
            });
        }
        LIST_ZIPLIST => return ziplist(&blob, |item| f(Element::Item(text.of(&item)))),
        SET_INTSET => {
            return intset(&blob)?.try_for_each(|number| {
                f(Element::Member(itoa::Buffer::new().format(number).as_bytes()))
            });
        }
        _ => {}
    }
    let mut group = Group { type_byte, items: Vec::new() };
    if matches!(type_byte, ZSET_ZIPLIST | HASH_ZIPLIST) {
        ziplist(&blob, |item| group.add(item, f))?;
    } else {
        let mut items = Listpack::open(&blob)?;
        while let Some(item) = items.next()? {
            group.add(item, f)?;
        }
    }
    match group.items.is_empty() {
        true => Ok(()),
        false => Err(damaged("half an entry at the end", position).into()),
    }
}

/// Items until they are an entry.
struct Group<'a> {
    type_byte: u8,
    items: Vec<Item<'a>>,
}

impl<'a> Group<'a> {
    fn add<E: From<Error>>(&mut self, item: Item<'a>, f: Sink<'_, E>) -> Result<(), E> {
        use types::*;
        self.items.push(item);
        let mut texts = [Text::default(), Text::default()];
        let [first, second] = &mut texts;
        match (self.type_byte, self.items.as_slice()) {
            (SET_LISTPACK, [member]) => f(Element::Member(first.of(member)))?,
            (ZSET_ZIPLIST | ZSET_LISTPACK, [member, score]) => {
                let score = match score {
                    Item::Number(number) => Some(*number as f64),
                    Item::Text(text) => parse_score(text),
                };
                let score = score.ok_or_else(|| damaged("a score that is no number", 0))?;
                f(Element::Scored(first.of(member), score))?;
            }
            (HASH_ZIPLIST | HASH_LISTPACK, [field, value]) => {
                let (field, value) = (first.of(field), second.of(value));
                f(Element::Field { field, value, expire_at_ms: 0 })?;
            }
            (_, [field, value, expiry]) => {
                let expire_at_ms = match expiry {
                    Item::Number(0) => 0,
                    Item::Number(ms) => moment(*ms),
                    Item::Text(_) => return Err(damaged("an expiry that is no number", 0).into()),
                };
                let (field, value) = (first.of(field), second.of(value));
                f(Element::Field { field, value, expire_at_ms })?;
            }
            _ => return Ok(()),
        }
        self.items.clear();
        Ok(())
    }
}

const NAME_CHARACTERS: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The name in a module's number.
pub(crate) fn module_name(id: u64) -> String {
    (0..9)
        .rev()
        .map(|place| NAME_CHARACTERS[(id >> (10 + 6 * place)) as usize & 63] as char)
        .collect()
}

fn module<E: From<Error>>(input: &mut impl Input, f: Sink<'_, E>) -> Result<(), E> {
    let id = length(input)?;
    f(Element::Module(&module_name(id), (id & 0x3FF) as u16))?;
    module_value(input, |text| f(Element::ModuleText(text)))
}

/// Reads what a module wrote, and gives the strings in it to `f`.
pub(crate) fn module_value<E: From<Error>>(
    input: &mut impl Input,
    mut f: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut text = Vec::new();
    loop {
        match length(input)? {
            0 => return Ok(()),
            1 | 2 => drop(length(input)?),
            3 => drop(bytes::<4>(input)?),
            4 => drop(bytes::<8>(input)?),
            5 => {
                string(input, &mut text)?;
                f(&text)?;
            }
            _ => return Err(damaged("a value of a module", input.position()).into()),
        }
    }
}

/// Reads a value's type.
pub(crate) fn type_byte(input: &mut impl Input) -> aidb_base::Result<u8> {
    byte(input)
}
