//! HSCAN, SSCAN, ZSCAN.
//!
//! ```text
//! cursor 0    start, and end
//! otherwise   2^32 + digest of the first member not yet returned
//! ```
//!
//! Members lie in the order of their digest, so a cursor is a place and needs no memory; a member
//! that is there during the whole scan is returned exactly once. Packed collections are returned
//! whole, as Redis does with its compact ones.

use crate::collection::{Id, digest_of, member_of, member_tag, score};
use crate::glob;
use crate::number::{double_text, parse_integer, parse_unsigned};
use crate::resp::Reply;
use crate::stop::{NOT_AN_INTEGER, Outcome, SYNTAX, Stop};
use crate::value::Type;

use super::members::{Members, scan_members};
use super::{Call, is_word};

const COUNT_DEFAULT: u64 = 10;
const MARK: u64 = 1 << 32;

struct Filter<'a> {
    pattern: Option<&'a [u8]>,
    count: u64,
}

impl Filter<'_> {
    fn accepts(&self, member: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, member, false))
    }
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn hscan(call: &mut Call<'_>) -> Outcome {
    scan(call, Type::Hash)
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn sscan(call: &mut Call<'_>) -> Outcome {
    scan(call, Type::Set)
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`
pub fn zscan(call: &mut Call<'_>) -> Outcome {
    scan(call, Type::SortedSet)
}

fn scan(call: &mut Call<'_>, kind: Type) -> Outcome {
    let cursor =
        parse_unsigned(call.args.get(2)).ok_or_else(|| Stop::fail("ERR invalid cursor"))?;
    let key = call.key(1)?;
    let lock = call.lock(&key)?;
    let members = Members::open(call, key, kind, false)?;
    call.count_lookup(members.exists());
    if !members.exists() {
        write_page(call, 0, 0, &[]);
        return Ok(());
    }
    let filter = options(call)?;
    let mut found = Vec::new();
    let mut page = Page { reply: Reply::new(&mut found, call.reply.protocol()), kind, items: 0 };
    let next = match members.id() {
        Some(id) => {
            let lower = id.members_from(kind, cursor as u32);
            let pair = call.store.keyspaces(call.session.database);
            let mut scan = scan_members(call, pair, lower, Some(behind(&id, kind)))?;
            drop(lock);
            page.fill(&mut scan, &filter)?
        }
        None => {
            let mut walk = members.walk(call)?;
            while let Some((member, value)) = walk.next()? {
                page.add(&filter, member, value);
            }
            0
        }
    };
    let items = page.items;
    write_page(call, next, items, &found);
    Ok(())
}

fn behind(id: &Id, kind: Type) -> Vec<u8> {
    id.behind(member_tag(kind))
}

fn write_page(call: &mut Call<'_>, next: u64, items: usize, found: &[u8]) {
    call.reply.array(2);
    call.reply.bulk(next.to_string().as_bytes());
    call.reply.array(items);
    call.reply.raw(found);
}

fn options<'a>(call: &Call<'a>) -> Result<Filter<'a>, Stop> {
    let mut filter = Filter { pattern: None, count: COUNT_DEFAULT };
    let mut at = 3;
    while at < call.args.len() {
        if at + 1 == call.args.len() {
            return Err(SYNTAX);
        }
        let (word, value) = (call.args.get(at), call.args.get(at + 1));
        if is_word(word, "count") {
            let count = parse_integer(value).ok_or(NOT_AN_INTEGER)?;
            filter.count = u64::try_from(count).ok().filter(|count| *count > 0).ok_or(SYNTAX)?;
        } else if is_word(word, "match") {
            filter.pattern = Some(value);
        } else {
            return Err(SYNTAX);
        }
        at += 2;
    }
    Ok(filter)
}

/// What one call returns.
struct Page<'a> {
    reply: Reply<'a>,
    kind: Type,
    items: usize,
}

impl Page<'_> {
    fn add(&mut self, filter: &Filter<'_>, member: &[u8], value: &[u8]) {
        if !filter.accepts(member) {
            return;
        }
        self.reply.bulk(member);
        self.items += 1;
        match self.kind {
            Type::SortedSet => self.reply.bulk(double_text(score::decode(value)).as_bytes()),
            Type::Hash => self.reply.bulk(value),
            _ => return,
        }
        self.items += 1;
    }

    /// Adds members until `count` were looked at and the digest changes; gives the next cursor.
    fn fill(&mut self, scan: &mut crate::store::Walk, filter: &Filter<'_>) -> Result<u64, Stop> {
        let (mut looked_at, mut last) = (0, 0);
        while let Some((key, value)) = scan.next()? {
            let digest = digest_of(key);
            if looked_at >= filter.count && digest != last {
                return Ok(MARK | u64::from(digest));
            }
            self.add(filter, member_of(key), value);
            looked_at += 1;
            last = digest;
        }
        Ok(0)
    }
}
