//! What values are made of: a decoder gives them in this form, one after the other.

use crate::listpack;

/// Names a stream's entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Milliseconds.
    pub ms: u64,
    /// Place within the millisecond.
    pub seq: u64,
}

impl EntryId {
    pub(crate) fn from_bytes(bytes: &[u8; 16]) -> Self {
        let both = u128::from_be_bytes(*bytes);
        Self { ms: (both >> 64) as u64, seq: both as u64 }
    }

    pub(crate) fn bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }
}

/// Fields and values of a stream's entry.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    /// The fields that the entry shares with its block, when it does.
    pub(crate) shared: Option<&'a [listpack::Item<'a>]>,
    /// Values, or fields and values in turn.
    pub(crate) own: &'a [listpack::Item<'a>],
}

impl Fields<'_> {
    /// Calls `f` with each field and its value in turn.
    pub fn each(&self, mut f: impl FnMut(&[u8])) {
        let mut text = listpack::Text::default();
        for (at, item) in self.own.iter().enumerate() {
            if let Some(field) = self.shared.and_then(|fields| fields.get(at)) {
                f(text.of(field));
            }
            f(text.of(item));
        }
    }
}

/// Facts about a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamFacts {
    /// Entries, as the writer counted them.
    pub entries: u64,
    /// The greatest id so far.
    pub last: EntryId,
    /// The lowest entry; not in form 1.
    pub first: Option<EntryId>,
    /// The greatest that was removed.
    pub max_deleted: EntryId,
    /// Entries ever added; form 1: those that are there.
    pub added: u64,
}

/// A piece of a value.
#[derive(Clone, Debug)]
pub enum Element<'a> {
    /// A string, whole.
    Text(&'a [u8]),
    /// The next item of a list.
    Item(&'a [u8]),
    /// A member of a set.
    Member(&'a [u8]),
    /// A member of a sorted set; the score is a number.
    Scored(&'a [u8], f64),
    /// A field of a hash.
    Field {
        /// Name.
        field: &'a [u8],
        /// Value.
        value: &'a [u8],
        /// Milliseconds since the Unix epoch; 0 = never.
        expire_at_ms: u64,
    },
    /// An entry of a stream, in ascending order.
    Entry(EntryId, Fields<'a>),
    /// Behind a stream's entries.
    Stream(StreamFacts),
    /// A group of a stream; what follows is its.
    Group {
        /// Name.
        name: &'a [u8],
        /// The last entry delivered.
        last: EntryId,
        /// Entries read, when that is known.
        read: Option<u64>,
    },
    /// An entry that waits for its acknowledgement in the group.
    Pending {
        /// Which.
        id: EntryId,
        /// When it was delivered, in milliseconds since the Unix epoch.
        delivered_ms: u64,
        /// How often.
        deliveries: u64,
    },
    /// A consumer of the group; what follows is its.
    Consumer {
        /// Name.
        name: &'a [u8],
        /// When it was last heard of, in milliseconds since the Unix epoch.
        seen_ms: u64,
    },
    /// A pending entry of the group that was delivered to the consumer.
    Owned(EntryId),
    /// A value of a module, by its name and the version of its encoding; of what follows only the
    /// strings are given.
    Module(&'a str, u16),
    /// A string inside a module's value.
    ModuleText(&'a [u8]),
}
