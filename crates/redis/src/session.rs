//! What the data model must know of a connection.

use crate::resp::Protocol;

/// Where a client is, for whoever has to call it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Number of the client.
    pub client: u64,
    /// Thread that serves it.
    pub reactor: usize,
    /// Its connection there.
    pub token: usize,
}

/// State of one client that commands read and change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Selected logical database.
    pub database: usize,
    /// Protocol version.
    pub protocol: Protocol,
    /// Where it is.
    pub place: Place,
    /// In an import from a running source, whose clock decides about expiry: the time of day for what
    /// only notes when it happened. 0: everywhere else.
    pub import_ms: u64,
    /// The command waits for a key already, and is tried again.
    pub is_waiting: bool,
}
