//! The write-ahead log: a chain of segments holding one checksummed record per atomic batch.
//!
//! [`log::Log`] appends and rolls, [`recovery::recover`] replays after a stop, [`reader`] walks the
//! records of one segment (recovery, change feed, inspection), [`format`] specifies the bytes.
//!
//! Invariants: log order is sequence order; a sync of a segment happens after the syncs of all
//! earlier ones; a segment is removed only when everything in it is in tables whose manifest edit
//! was synced, and nobody pinned it.

pub mod format;
pub mod log;
pub mod reader;
pub mod recovery;
pub mod segment;

#[cfg(test)]
mod tests;
