//! Redis's RDB encoding: files, and the payloads of DUMP and RESTORE.
//!
//! Reading a file: [`File`] goes from record to record; the value behind a key is given piece by
//! piece as [`Element`]s to whoever wants them ([`value::decode`]), so that a large one never has to
//! be in memory whole. Reading a payload: [`payload::open`] checks its footer, then the same decoder
//! runs over the bytes in between. Writing is [`Writer`] for single values and [`Records`] for files;
//! what is written is read by redis-server 5 and newer. The bytes are specified in [`format`].
//!
//! Decoders are safe on arbitrary bytes: they fail with an error, never allocate more than a small
//! multiple of what they were given, and never panic. This crate knows no store and does no I/O of
//! its own; where to look next: `aidb-redis`, `commands::restore`.

mod crc64;
pub mod element;
mod file;
pub mod format;
mod input;
pub mod libraries;
mod listpack;
mod lzf;
pub mod payload;
mod scalars;
mod streams;
#[cfg(test)]
mod tests;
pub mod value;
mod write;
mod write_file;
mod write_stream;
mod ziplist;

pub use element::{Element, EntryId, Fields};
pub use file::{File, Key, Record};
pub use format::{Kind, VERSION_WRITTEN};
pub use input::{Input, Recording, Slice, Stream};
pub use write::Writer;
pub use write_file::{Checksum, Records};
pub use write_stream::StreamWriter;
