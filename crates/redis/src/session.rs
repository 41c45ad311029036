//! What the data model must know of a connection.

use crate::resp::Protocol;

/// State of one client that commands read and change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Selected logical database.
    pub database: usize,
    /// Protocol version.
    pub protocol: Protocol,
}
