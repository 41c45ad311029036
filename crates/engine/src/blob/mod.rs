//! Blob files: large values apart from their keys, written once by a flush or a compaction.
//!
//! A [`BlobWriter`] appends values and returns a [`BlobRef`] for each, which becomes the value of
//! an entry of kind [`crate::Kind::Blob`]. A [`BlobFile`] reads them back, in place where the file
//! is mapped and the value raw. [`BlobFiles`] keeps the open files of a database.

pub mod format;
mod reader;
mod registry;
#[cfg(test)]
mod tests;
mod writer;

pub use format::BlobRef;
pub use reader::BlobFile;
pub use registry::BlobFiles;
pub use writer::{BlobSummary, BlobWriter};
