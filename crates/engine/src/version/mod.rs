//! Versions: which tables make up the database now, and the manifest that remembers it.
//!
//! A job (flush, compaction, keyspace call) describes what it did as a [`VersionEdit`]; the
//! version set appends it to the manifest as one record, then publishes the next version. Start
//! with [`edit`], then [`state`] (what edits add up to) and [`format`](mod@format) (the bytes).

pub mod edit;
mod edit_codec;
mod file;
pub mod format;
mod level;
mod level_cursor;
pub mod manifest;
mod open;
mod probe;
mod set;
mod snapshot;
pub mod state;
mod tree;
pub mod wire;

pub use edit::{AddedTable, BlobMeta, KeyspaceMeta, RemovedTable, TableMeta, VersionEdit};
pub use file::{BlobPin, FileContext, FileNumbers, TableFile};
pub use level::Level;
pub use level_cursor::LevelCursor;
pub use open::Identity;
pub use set::VersionSet;
pub use snapshot::Version;
pub use state::{BlobState, PlacedTable, State, TreeState};
pub use tree::{Run, Tree};

#[cfg(test)]
mod tests;
