//! The Redis serialization protocol, versions 2 and 3, without I/O.
//!
//! [`Parser`] turns bytes of a connection into commands without copying or allocating per argument;
//! [`Reply`] appends answers to an output buffer in the version that the connection speaks.

mod inline;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use inline::words;
pub use reply::{Protocol, Reply};
pub use request::{Args, ArgsBuffer, Parser, ProtocolError, RequestLimits, Span, Status};
