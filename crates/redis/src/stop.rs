//! Why a command ended without a reply of its own.

use std::borrow::Cow;

use aidb_base::{Effect, Error, ErrorKind};

/// Reason to drop what a command wrote to the output and do something else.
#[derive(Debug)]
pub enum Stop {
    /// The command needs a wait; nothing happened. Run it again where waiting is allowed.
    WouldBlock,
    /// The reply is this error line.
    Fail(Cow<'static, str>),
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
        Self::Fail(Cow::Borrowed(line))
    }

    /// An error line, code first.
    #[cold]
    pub fn fail(line: impl Into<Cow<'static, str>>) -> Self {
        Self::Fail(line.into())
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
        Self::Fail(Cow::Owned(format!("{code} {error}{effect}")))
    }
}
