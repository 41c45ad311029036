//! Error kinds shared by every layer, and whether a failed operation may have had an effect.
//!
//! A kind answers one question: *what should the caller do now?* The kinds map one to one to
//! Python exception classes, RESP error prefixes and gRPC status codes.

use std::fmt;
use std::path::Path;

/// Result of every fallible aidb operation.
pub type Result<T> = std::result::Result<T, Error>;

/// What the caller should do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The call is wrong: fix it.
    Invalid,
    /// Somebody else changed the data first: read again, retry.
    Conflict,
    /// Another node owns the key: refresh the topology.
    NotOwner,
    /// Temporarily impossible: back off, retry.
    Unavailable,
    /// Out of room or over a limit: an operator must act.
    Exhausted,
    /// The handle or the database is closed: stop using it.
    Closed,
    /// Stored bytes are damaged: stop, keep evidence, restore.
    Corruption,
    /// A bug in aidb.
    Internal,
}

/// Whether a failed write may have taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing happened.
    None,
    /// It may or may not have happened; only a read can tell.
    Unknown,
}

/// A failure: kind, effect and a message that says what, where and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    effect: Effect,
    message: String,
}

impl Error {
    /// Builds an error of `kind` without effect.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, effect: Effect::None, message: message.into() }))
    }

    /// The call is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Somebody else changed the data first.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// Temporarily impossible.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Out of room or over a limit.
    pub fn exhausted(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Exhausted, message)
    }

    /// The handle is closed.
    pub fn closed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Closed, message)
    }

    /// Stored bytes at `path` from `offset` on are damaged.
    pub fn corruption(path: &Path, offset: u64, what: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Corruption,
            format!(
                "{} at offset {offset}: {what}; keep the file, run `aidb check`, then restore from \
                 a backup or run `aidb repair`",
                path.display()
            ),
        )
    }

    /// A bug in aidb.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// An operating system error of `action` on `path`, with the kind that fits its code.
    pub fn io(action: &str, path: &Path, error: &std::io::Error) -> Self {
        let (kind, remedy) = match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => (ErrorKind::Exhausted, "free disk space"),
            Some(libc::EMFILE | libc::ENFILE) => {
                (ErrorKind::Exhausted, "raise the open file limit")
            }
            Some(libc::EACCES | libc::EPERM) => (ErrorKind::Invalid, "check the permissions"),
            Some(libc::EROFS) => (ErrorKind::Invalid, "the file system is read-only"),
            Some(libc::ENOENT) => (ErrorKind::Invalid, "check the path"),
            Some(libc::ENOTDIR | libc::EISDIR | libc::EEXIST | libc::ENAMETOOLONG) => {
                (ErrorKind::Invalid, "check the path")
            }
            _ => (ErrorKind::Unavailable, "check the disk"),
        };
        Self::new(kind, format!("cannot {action} {}: {error}; {remedy}", path.display()))
    }

    /// The same error, saying that the write may have happened.
    #[must_use]
    pub fn with_unknown_effect(mut self) -> Self {
        self.0.effect = Effect::Unknown;
        self
    }

    /// The same error with `context` in front of its message.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the failed write may have happened.
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// The message without kind.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// Outcome of a `try_*` call, which never blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt<T> {
    /// Finished without blocking.
    Done(T),
    /// Would have to wait for a lock, the disk or back-pressure: make the blocking call elsewhere.
    WouldBlock,
}
