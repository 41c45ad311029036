//! How streams are stored. Part of the storage format.
//!
//! ```text
//! metadata   byte 0 (type, SPREAD), id, then 96 bytes:
//!            count u64 LE             entries
//!            last entry id            the greatest ever added, or set by XSETID
//!            first entry id           no entry is lower; exact unless entries were removed
//!            max deleted entry id     the greatest that XDEL removed
//!            added u64 LE             entries ever added
//!            groups u64 LE            consumer groups
//!            numbers u64 LE           numbers given to groups and consumers
//!            zero u64                 reserved
//! entry id   milliseconds u64 BE, sequence u64 BE
//!
//! in the keyspace of members, behind the owner record of every collection:
//! entry      id 50 entry id                    -> fields and values in turn, as packed items
//! group      id 51 name                        -> number u64, last entry id, read i64,
//!                                                 pending u64, consumers u64
//! consumer   id 52 group u64 BE name           -> number u64, seen ms u64, pending u64
//! pending    id 53 group u64 BE entry id       -> delivered ms u64, deliveries u64,
//!                                                 consumer number u64, consumer name
//! of one     id 54 group u64 BE consumer u64 BE entry id  -> nothing
//! ```
//!
//! Numbers in values are little-endian. A group or consumer that is made again gets another number,
//! so what an earlier one left behind never becomes its own. A stream is never packed, and exists
//! without entries.

#[cfg(test)]
mod tests;

use super::{Id, MemberKey, SPREAD_BYTES, Spread};
use crate::key::tag;

const ENTRY_ID_BYTES: usize = 16;
const NUMBER_BYTES: usize = 8;
/// Bytes in front of what distinguishes the records of one tag.
const PREFIX_BYTES: usize = 11;

/// Names an entry: its time and its place among those of that millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Milliseconds since the Unix epoch, by whoever chose it.
    pub ms: u64,
    /// Place within the millisecond.
    pub seq: u64,
}

impl EntryId {
    /// `0-0`, lower than every entry.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };
    /// The greatest.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// As in keys.
    pub fn bytes(self) -> [u8; ENTRY_ID_BYTES] {
        ((u128::from(self.ms) << 64) | u128::from(self.seq)).to_be_bytes()
    }

    /// Reads [`EntryId::bytes`] from the front; `None`: too short.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let both = u128::from_be_bytes(*bytes.first_chunk()?);
        Some(Self { ms: (both >> 64) as u64, seq: both as u64 })
    }

    /// The entry id at the end of a key.
    pub fn at_end(key: &[u8]) -> Option<Self> {
        Self::read(key.last_chunk::<ENTRY_ID_BYTES>()?)
    }

    /// The next one.
    pub fn next(self) -> Option<Self> {
        Self::from_number(self.number().checked_add(1)?)
    }

    /// The one before.
    pub fn previous(self) -> Option<Self> {
        Self::from_number(self.number().checked_sub(1)?)
    }

    fn number(self) -> u128 {
        (u128::from(self.ms) << 64) | u128::from(self.seq)
    }

    fn from_number(number: u128) -> Option<Self> {
        Some(Self { ms: (number >> 64) as u64, seq: number as u64 })
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Metadata of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamMeta {
    /// Whose records, and how many entries.
    pub spread: Spread,
    /// The greatest entry id so far.
    pub last: EntryId,
    /// No entry is lower.
    pub first: EntryId,
    /// The greatest that XDEL removed.
    pub max_deleted: EntryId,
    /// Entries ever added.
    pub added: u64,
    /// Consumer groups.
    pub groups: u64,
    /// Numbers given to groups and consumers.
    pub numbers: u64,
}

impl StreamMeta {
    /// An empty stream.
    pub fn new(id: Id) -> Self {
        Self {
            spread: Spread { id, count: 0 },
            last: EntryId::ZERO,
            first: EntryId::ZERO,
            max_deleted: EntryId::ZERO,
            added: 0,
            groups: 0,
            numbers: 0,
        }
    }

    /// Reads what follows the first byte; `None`: damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let spread = Spread::decode(bytes)?;
        let mut rest = Reader(bytes.get(SPREAD_BYTES..)?);
        Some(Self {
            spread,
            last: rest.entry_id()?,
            first: rest.entry_id()?,
            max_deleted: rest.entry_id()?,
            added: rest.number()?,
            groups: rest.number()?,
            numbers: rest.number()?,
        })
    }

    /// Appends what [`StreamMeta::decode`] reads.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.spread.encode(out);
        for id in [self.last, self.first, self.max_deleted] {
            out.extend_from_slice(&id.bytes());
        }
        for number in [self.added, self.groups, self.numbers, 0] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// Entries that a group has read, when that is not known.
pub const READ_UNKNOWN: i64 = -1;

/// A consumer group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number among the stream's groups and consumers.
    pub number: u64,
    /// The last entry delivered.
    pub last: EntryId,
    /// How many entries were read, or [`READ_UNKNOWN`].
    pub read: i64,
    /// Entries delivered and not acknowledged.
    pub pending: u64,
    /// Consumers.
    pub consumers: u64,
}

impl Group {
    /// Reads a record's value; `None`: damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        Some(Self {
            number: rest.number()?,
            last: rest.entry_id()?,
            read: rest.number()? as i64,
            pending: rest.number()?,
            consumers: rest.number()?,
        })
    }

    /// What [`Group::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.number.to_le_bytes().to_vec();
        out.extend_from_slice(&self.last.bytes());
        for number in [self.read as u64, self.pending, self.consumers] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out
    }
}

/// A consumer of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its number among the stream's groups and consumers.
    pub number: u64,
    /// When it was last heard of, in milliseconds since the Unix epoch.
    pub seen_ms: u64,
    /// Entries delivered to it and not acknowledged.
    pub pending: u64,
}

impl Consumer {
    /// Reads a record's value; `None`: damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        Some(Self { number: rest.number()?, seen_ms: rest.number()?, pending: rest.number()? })
    }

    /// What [`Consumer::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        [self.number, self.seen_ms, self.pending].iter().flat_map(|n| n.to_le_bytes()).collect()
    }
}

/// An entry delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was delivered, in milliseconds since the Unix epoch.
    pub delivered_ms: u64,
    /// How often.
    pub deliveries: u64,
    /// To whom: the number.
    pub consumer: u64,
    /// To whom: the name.
    pub name: Vec<u8>,
}

impl Pending {
    /// Reads a record's value; `None`: damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        Some(Self {
            delivered_ms: rest.number()?,
            deliveries: rest.number()?,
            consumer: rest.number()?,
            name: rest.0.to_vec(),
        })
    }

    /// What [`Pending::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        let numbers = [self.delivered_ms, self.deliveries, self.consumer];
        let mut out: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        out.extend_from_slice(&self.name);
        out
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<NUMBER_BYTES>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn entry_id(&mut self) -> Option<EntryId> {
        let (id, rest) = self.0.split_first_chunk::<ENTRY_ID_BYTES>()?;
        self.0 = rest;
        EntryId::read(id)
    }
}

/// Keys of a stream's records.
impl Id {
    /// An entry.
    pub fn entry(&self, entry: EntryId) -> MemberKey {
        self.key(tag::STREAM_ENTRY, &[&entry.bytes()])
    }

    /// A consumer group; of the empty name: the lowest key of all.
    pub fn group(&self, name: &[u8]) -> MemberKey {
        self.key(tag::STREAM_GROUP, &[name])
    }

    /// A consumer of a group; of the empty name: the lowest key of all.
    pub fn consumer(&self, group: u64, name: &[u8]) -> MemberKey {
        self.key(tag::STREAM_CONSUMER, &[&group.to_be_bytes(), name])
    }

    /// A pending entry of a group.
    pub fn pending(&self, group: u64, entry: EntryId) -> MemberKey {
        self.key(tag::STREAM_PENDING, &[&group.to_be_bytes(), &entry.bytes()])
    }

    /// A pending entry of a consumer.
    pub fn pending_of(&self, group: u64, consumer: u64, entry: EntryId) -> MemberKey {
        let parts: [&[u8]; 3] = [&group.to_be_bytes(), &consumer.to_be_bytes(), &entry.bytes()];
        self.key(tag::STREAM_PENDING_OF, &parts)
    }
}

/// The name in a key that [`Id::group`] made.
pub fn group_name(key: &[u8]) -> &[u8] {
    key.get(PREFIX_BYTES..).unwrap_or_default()
}

/// The name in a key that [`Id::consumer`] made.
pub fn consumer_name(key: &[u8]) -> &[u8] {
    key.get(PREFIX_BYTES + NUMBER_BYTES..).unwrap_or_default()
}
