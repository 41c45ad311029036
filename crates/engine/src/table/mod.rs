//! Tables: immutable sorted files of one keyspace, one entry per key.
//!
//! [`TableBuilder`] writes one from entries in key order. [`Table`] reads it: a lookup asks the
//! filter, finds the block in the index, and the entry in the block by its hash tag. Filter, index
//! and raw blocks are used in place in the mapped file, checked once; compressed blocks go through
//! the [`crate::cache::BlockCache`]. [`TableCursor`] walks in both directions. The bytes are
//! specified in [`format`].

mod ahead;
pub mod builder;
mod cursor;
pub mod expiry;
pub mod format;
mod inspect;
mod position;
mod probe;
pub mod properties;
mod reader;
mod section;
mod stretch;
#[cfg(test)]
mod tests;

pub use builder::{TableBuilder, TableOptions};
pub use cursor::TableCursor;
pub use inspect::{Due, DueRecord};
pub use probe::SortedKeys;
pub use properties::TableProperties;
pub use reader::Table;
