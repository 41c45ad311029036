//! The storage engine: an LSM tree of bytes in, bytes out. It knows no Redis, network or Python.
//!
//! A write is encoded ([`batch`]), appended to the log ([`wal`]), put into the [`memtable`] and
//! made visible; a flush turns a full memtable into a [`table`], recorded in the manifest
//! ([`version`]); [`compaction`] keeps tables few and sorted. A read asks memtables newest first,
//! then tables. Start with [`db::Db`].

pub mod batch;
pub mod blob;
pub mod block;
pub mod cache;
pub mod compaction;
pub mod compress;
pub mod db;
pub mod entry;
pub mod events;
pub mod file_header;
pub mod file_names;
pub mod filter;
pub mod index;
pub mod ingest;
pub mod inspect;
pub mod iterator;
pub mod memtable;
pub mod options;
pub mod planted;
pub mod range_tombstone;
pub mod repair;
pub mod scrub;
pub mod table;
pub mod varint;
pub mod version;
pub mod vfs;
pub mod wal;

pub use batch::{Operation, PairBatch, WriteBatch};
pub use db::{Db, WriteOptions};
pub use entry::{Entry, Kind, RangeTombstone};
pub use options::{Codec, Durability, Env, KeyspaceOptions, LogMode, Options};
