//! The Redis data model over the engine, and its protocol without I/O.
//!
//! One request: [`resp::Parser`] finds the arguments in the connection's buffer, [`table::lookup`]
//! the command, its handler in [`commands`] reads and writes the [`store::Store`] and appends a
//! reply with [`resp::Reply`]. A handler never waits unless told that it may ([`store::Mode`]); it
//! answers [`stop::Stop::WouldBlock`] and is run again elsewhere. This crate knows no sockets, no
//! threads and no clients beyond their [`session::Session`]; those live in `aidb-node`.

pub mod bitmap;
pub mod bloom;
pub mod collection;
pub mod commands;
pub mod geo;
pub mod glob;
pub mod hyperloglog;
pub mod json;
pub mod key;
pub mod migration;
pub mod number;
pub mod resp;
pub mod session;
pub mod stop;
pub mod store;
pub mod table;
pub mod value;

pub use session::Session;
pub use stop::{Outcome, Stop};
pub use store::Store;
