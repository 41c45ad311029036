//! Why a command ended without a reply of its own.

use std::borrow::Cow;

use aidb_base::{Effect, Error, ErrorKind};

/// Reason to drop what a command wrote to the output and do something else.
#[derive(Debug)]
pub enum Stop {
    /// The command needs a wait; nothing happened. Run it again where waiting is allowed.
    WouldBlock,
    /// The command touches a slot that its transaction does not hold; nothing happened. Run the
    /// transaction again with every slot held.
    Beyond,
    /// The client waits for a key to get something; nothing happened. Run the command again when it
    /// is called.
    Wait(Wait),
    /// The reply is this error line; it may quote bytes that are not text.
    Fail(Cow<'static, [u8]>),
}

/// How long a client waits; when nothing came it is answered a null array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Milliseconds since the Unix epoch; 0 = for ever.
    pub until_ms: u64,
}

/// Result of a command.
pub type Outcome = Result<(), Stop>;

/// `ERR syntax error`.
pub const SYNTAX: Stop = Stop::constant("ERR syntax error");
/// The text is not a 64-bit integer.
pub const NOT_AN_INTEGER: Stop = Stop::constant("ERR value is not an integer or out of range");
/// The text is not a number.
pub const NOT_A_FLOAT: Stop = Stop::constant("ERR value is not a valid float");
/// RENAME, OBJECT and others on an absent key.
pub const NO_SUCH_KEY: Stop = Stop::constant("ERR no such key");
/// The key holds another type.
pub const WRONG_TYPE: Stop =
    Stop::constant("WRONGTYPE Operation against a key holding the wrong kind of value");

impl Stop {
    const fn constant(line: &'static str) -> Self {
        Self::Fail(Cow::Borrowed(line.as_bytes()))
    }

    /// Whether both are the same error line.
    pub fn is_line_of(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Fail(line), Self::Fail(other)) if line == other)
    }

    /// An error line, code first.
    #[cold]
    pub fn fail(line: impl Into<Cow<'static, str>>) -> Self {
        Self::Fail(match line.into() {
            Cow::Borrowed(line) => Cow::Borrowed(line.as_bytes()),
            Cow::Owned(line) => Cow::Owned(line.into_bytes()),
        })
    }

    /// An error line that quotes a client's bytes.
    #[cold]
    pub fn quoting(parts: &[&[u8]]) -> Self {
        Self::Fail(Cow::Owned(parts.concat()))
    }
}

impl From<Error> for Stop {
    #[cold]
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Invalid | ErrorKind::Closed | ErrorKind::Internal => "ERR",
            ErrorKind::Conflict | ErrorKind::Unavailable => "TRYAGAIN",
            ErrorKind::NotOwner => "READONLY",
            ErrorKind::Exhausted | ErrorKind::Corruption => "MISCONF",
        };
        let effect = match error.effect() {
            Effect::None => "",
            Effect::Unknown => " (the write may have happened)",
        };
        Self::fail(format!("{code} {error}{effect}"))
    }
}
