//! Development only: worlds that fail on purpose, and histories that must survive them.
//!
//! [`FaultVfs`] is a file system in memory that knows what is durable and what is only in the page
//! cache ([`disk`]), numbers every call, fails the ones it is told to fail and keeps the state
//! before each call. [`crash`] runs a seeded history of database operations on it, boots a new
//! world from every moment of that history and checks what the database recovers against a model.

pub mod crash;
pub mod disk;
pub mod fuzz;
pub mod vfs;

pub use disk::{Disk, Loss};
pub use vfs::{CallKind, Fault, FaultVfs};
