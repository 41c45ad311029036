//! SORT and SORT_RO: elements of a list, set or sorted set in the order of a weight.
//!
//! Weights and what is shown instead of the elements come from keys that patterns name. They are
//! read at one moment, while source and destination are locked.

use std::cmp::Ordering;

use crate::key::MetaKey;
use crate::number::parse_double;
use crate::resp::Reply;
use crate::stop::{Outcome, SYNTAX, Stop, WRONG_TYPE};
use crate::store::{Class, Moment};
use crate::value::{Type, Value};

use super::list_store::{End, List};
use super::members::Members;
use super::members_read::field_at;
use super::sorted_span::{Page, Span, read};
use super::{Call, is_word};

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA] [STORE key]`
pub fn sort(call: &mut Call<'_>) -> Outcome {
    let request = Request::parse(call, true)?;
    run(call, &request)
}

/// `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA]`
pub fn sort_ro(call: &mut Call<'_>) -> Outcome {
    let request = Request::parse(call, false)?;
    run(call, &request)
}

/// The options.
struct Request<'a> {
    by: Option<Pattern<'a>>,
    get: Vec<Pattern<'a>>,
    limit: (i64, i64),
    descending: bool,
    alpha: bool,
    /// Argument and key of STORE.
    destination: Option<(usize, MetaKey)>,
}

impl<'a> Request<'a> {
    fn parse(call: &Call<'a>, may_store: bool) -> Result<Self, Stop> {
        let mut request = Self {
            by: None,
            get: Vec::new(),
            limit: (0, -1),
            descending: false,
            alpha: false,
            destination: None,
        };
        let args = call.args;
        let mut at = 2;
        while at < args.len() {
            let (word, left) = (args.get(at), args.len() - at - 1);
            match () {
                () if is_word(word, "asc") => request.descending = false,
                () if is_word(word, "desc") => request.descending = true,
                () if is_word(word, "alpha") => request.alpha = true,
                () if is_word(word, "limit") && left >= 2 => {
                    request.limit = (call.integer(at + 1)?, call.integer(at + 2)?);
                    at += 2;
                }
                () if may_store && is_word(word, "store") && left >= 1 => {
                    request.destination = Some((at + 1, call.key(at + 1)?));
                    at += 1;
                }
                () if is_word(word, "by") && left >= 1 => {
                    request.by = Some(Pattern::parse(args.get(at + 1)));
                    at += 1;
                }
                () if is_word(word, "get") && left >= 1 => {
                    request.get.push(Pattern::parse(args.get(at + 1)));
                    at += 1;
                }
                () => return Err(SYNTAX),
            }
            at += 1;
        }
        Ok(request)
    }

    /// Whether the elements stay in the order they have: BY names one key for all.
    fn keeps_order(&self) -> bool {
        self.by.as_ref().is_some_and(|by| !by.varies())
    }

    /// The part of so many elements that LIMIT leaves.
    fn part(&self, len: usize) -> std::ops::Range<usize> {
        let most = len as i64;
        let start = self.limit.0.clamp(0, most);
        let end = match self.limit.1 {
            ..0 => most,
            count => start + count.min(most - start),
        };
        start as usize..end as usize
    }
}

/// Names a key, or a field of a hash, for every element.
enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// No `*`: nothing.
    Fixed,
    /// The element goes between prefix and suffix.
    Around { prefix: &'a [u8], suffix: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Self::Element;
        }
        let Some(star) = memchr::memchr(b'*', text) else { return Self::Fixed };
        let (prefix, suffix) = (&text[..star], &text[star + 1..]);
        let arrow = memchr::memmem::find(suffix, b"->");
        match arrow.map(|at| (&suffix[..at], &suffix[at + 2..])) {
            Some((suffix, field)) if !field.is_empty() => {
                Self::Around { prefix, suffix, field: Some(field) }
            }
            _ => Self::Around { prefix, suffix, field: None },
        }
    }

    fn varies(&self) -> bool {
        matches!(self, Self::Around { .. })
    }

    /// What the pattern names for an element, when it is there.
    fn find(
        &self,
        call: &Call<'_>,
        moment: &Moment<'_>,
        element: &[u8],
    ) -> Result<Option<Vec<u8>>, Stop> {
        let (prefix, suffix, field) = match self {
            Self::Element => return Ok(Some(element.to_vec())),
            Self::Fixed => return Ok(None),
            Self::Around { prefix, suffix, field } => (*prefix, *suffix, *field),
        };
        let key = MetaKey::encode(&[prefix, element, suffix].concat())?;
        match field {
            Some(field) => field_at(call, moment, &key, field),
            None => {
                let string = |value: Value<'_>, _| value.string().ok().map(<[u8]>::to_vec);
                Ok(moment.read(call.mode, call.keyspace(), &key, string)?.flatten())
            }
        }
    }
}

/// An element and what it is sorted by.
struct Sortable {
    element: Vec<u8>,
    weight: Weight,
}

enum Weight {
    Number(f64),
    /// `None`: the key that BY names is not there.
    Text(Option<Vec<u8>>),
    Element,
}

impl Sortable {
    fn order(&self, other: &Self) -> Ordering {
        match (&self.weight, &other.weight) {
            (Weight::Number(one), Weight::Number(two)) => {
                // Equal numbers are told apart, so that the result is always the same.
                one.total_cmp(two).then_with(|| self.element.cmp(&other.element))
            }
            (Weight::Text(one), Weight::Text(two)) => one.cmp(two),
            _ => self.element.cmp(&other.element),
        }
    }
}

fn run(call: &mut Call<'_>, request: &Request<'_>) -> Outcome {
    let source = call.key(1)?;
    let mut keys = vec![source.clone()];
    keys.extend(request.destination.iter().map(|(_, key)| key.clone()));
    let _locks = call.store.lock_all_of(call.mode, &keys)?;
    let kind = call.look_up(&source, |_, value, _| value.kind)?;
    let mut elements = match kind {
        Some(kind) => elements(call, source, kind)?,
        None => Vec::new(),
    };
    let moment = call.store.moment()?;
    // The order of a set is nobody's: its elements are sorted to be the same every time.
    if request.keeps_order() && kind != Some(Type::Set) {
        if request.descending {
            elements.reverse();
        }
    } else {
        elements = sorted(call, &moment, request, elements)?;
    }
    let part = request.part(elements.len());
    let shown = shown(call, &moment, request, &elements[part])?;
    match &request.destination {
        None => {
            call.reply.array(shown.len());
            shown.iter().for_each(|element| show(&mut call.reply, element.as_deref()));
            Ok(())
        }
        Some((at, destination)) => store(call, destination.clone(), *at, &shown),
    }
}

fn show(reply: &mut Reply<'_>, element: Option<&[u8]>) {
    match element {
        Some(element) => reply.bulk(element),
        None => reply.null(),
    }
}

/// The elements in the order they have.
fn elements(call: &mut Call<'_>, key: MetaKey, kind: Type) -> Result<Vec<Vec<u8>>, Stop> {
    let mut elements = Vec::new();
    match kind {
        Type::List => {
            let list = List::open(call, key)?;
            super::lists::check_effort(call, list.len())?;
            list.visit(call.reader(), 0, list.len(), |item| {
                elements.push(item.to_vec());
                true
            })?;
        }
        Type::Set => {
            let mut walk = Members::open(call, key, kind, false)?.walk(call)?;
            while let Some((member, _)) = walk.next()? {
                elements.push(member.to_vec());
            }
        }
        Type::SortedSet => {
            let set = Members::open(call, key, kind, false)?;
            let all = read(call, &set, &Span::Rank(0, -1), Page::ALL)?;
            elements.extend(all.into_iter().map(|(member, _)| member));
        }
        _ => return Err(WRONG_TYPE),
    }
    Ok(elements)
}

fn sorted(
    call: &Call<'_>,
    moment: &Moment<'_>,
    request: &Request<'_>,
    elements: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Stop> {
    let mut sortable = Vec::with_capacity(elements.len());
    for element in elements {
        let weight = weight(call, moment, request, &element)?;
        sortable.push(Sortable { element, weight });
    }
    sortable.sort_by(|one, two| match request.descending {
        false => one.order(two),
        true => two.order(one),
    });
    Ok(sortable.into_iter().map(|sortable| sortable.element).collect())
}

fn weight(
    call: &Call<'_>,
    moment: &Moment<'_>,
    request: &Request<'_>,
    element: &[u8],
) -> Result<Weight, Stop> {
    let by = request.by.as_ref().filter(|by| by.varies());
    let Some(by) = by else {
        let is_text = request.alpha || request.keeps_order();
        return if is_text { Ok(Weight::Element) } else { number(Some(element)) };
    };
    let found = by.find(call, moment, element)?;
    if request.alpha { Ok(Weight::Text(found)) } else { number(found.as_deref()) }
}

/// A weight as `strtod` reads it, up to a zero byte; what is absent or empty weighs nothing.
fn number(text: Option<&[u8]>) -> Result<Weight, Stop> {
    let text = text.and_then(|text| text.split(|byte| *byte == 0).next());
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Weight::Number(0.0)) };
    let digits = text.trim_ascii_start();
    // Adding 0 makes -0 what it is equal to.
    let value = parse_double(digits).map(|value| Weight::Number(value + 0.0));
    value.ok_or_else(|| Stop::fail("ERR One or more scores can't be converted into double"))
}

/// What is answered: the elements, or what GET names for each.
fn shown(
    call: &Call<'_>,
    moment: &Moment<'_>,
    request: &Request<'_>,
    elements: &[Vec<u8>],
) -> Result<Vec<Option<Vec<u8>>>, Stop> {
    if request.get.is_empty() {
        return Ok(elements.iter().cloned().map(Some).collect());
    }
    let mut shown = Vec::with_capacity(elements.len() * request.get.len());
    for element in elements {
        for pattern in &request.get {
            shown.push(pattern.find(call, moment, element)?);
        }
    }
    Ok(shown)
}

/// Stores a list at a key instead of what it holds.
fn store(call: &mut Call<'_>, key: MetaKey, name: usize, items: &[Option<Vec<u8>>]) -> Outcome {
    call.begin();
    if !items.is_empty() {
        let mut list = List::replacing(call, key);
        for item in items {
            list.push(call, End::Right, item.as_deref().unwrap_or_default())?;
        }
        list.commit(call)?;
        call.notify(Class::List, "sortstore", call.args.get(name));
    } else if call.exists(&key)? {
        call.delete(&key)?;
        call.notify(Class::Generic, "del", call.args.get(name));
    }
    call.reply.integer(items.len() as i64);
    Ok(())
}
