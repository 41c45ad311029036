//! Identifiers that appear in file formats and messages.

/// Sequence number of an atomic batch: log order = sequence order = visibility order. 0 = none.
pub type Seq = u64;

/// Number of a file in a database directory; never reused.
pub type FileNumber = u64;

/// Number of a keyspace (namespace or logical Redis database); never reused.
pub type KeyspaceId = u32;

/// Ownership epoch of a shard; raised by every promotion.
pub type Epoch = u64;

/// Place in a shard's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Epoch in which the batch was committed.
    pub epoch: Epoch,
    /// Sequence number of the batch.
    pub seq: Seq,
}
