//! Versions: which tables make up the database now, and the manifest that remembers it.
//!
//! A job (flush, compaction, keyspace call) describes what it did as a [`VersionEdit`]; the
//! version set appends it to the manifest as one record, then publishes the next version. Start
//! with [`edit`], then [`state`] (what edits add up to) and [`format`](mod@format) (the bytes).

pub mod edit;
mod edit_codec;
pub mod format;
pub mod manifest;
pub mod state;
pub mod wire;

pub use edit::{AddedTable, BlobMeta, KeyspaceMeta, RemovedTable, TableMeta, VersionEdit};
pub use state::{BlobState, PlacedTable, State, TreeState};

#[cfg(test)]
mod tests;
