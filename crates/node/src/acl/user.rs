//! One user: a name, passwords, and selectors.

use std::fmt;
use std::sync::Arc;

use aidb_redis::resp::Args;
use aidb_redis::table::Command;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::patterns::Patterns;
use super::{Denial, Selector};

/// A user's name. A user that is deleted and created again has another `id`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: Box<[u8]>,
    pub(crate) id: u64,
}

/// SHA-256 of a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Secret(pub(super) [u8; 32]);

impl Secret {
    pub(super) fn of(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }

    /// From 64 lower case hexadecimal digits.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != 64 || text.iter().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut digest = [0; 32];
        for (byte, digits) in digest.iter_mut().zip(text.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A user as it is at one moment.
#[derive(Clone, Debug)]
pub(crate) struct User {
    name: Arc<Name>,
    pub(super) is_on: bool,
    pub(super) needs_no_password: bool,
    /// What was said about payloads of RESTORE; they are always checked.
    pub(super) sanitizes: Option<bool>,
    pub(super) secrets: Vec<Secret>,
    pub(super) root: Selector,
    /// Further sets, any of which may allow a call as a whole.
    pub(super) selectors: Vec<Selector>,
}

impl User {
    /// May do nothing, not even connect.
    pub(crate) fn nobody(name: Arc<Name>, opens_channels: bool) -> Self {
        Self {
            name,
            is_on: false,
            needs_no_password: false,
            sanitizes: None,
            secrets: Vec::new(),
            root: Selector::nothing(opens_channels),
            selectors: Vec::new(),
        }
    }

    /// May do everything, without a password.
    pub(crate) fn everything(name: Arc<Name>) -> Self {
        let root = Selector::everything();
        Self { is_on: true, needs_no_password: true, root, ..Self::nobody(name, false) }
    }

    pub(crate) fn name(&self) -> &Arc<Name> {
        &self.name
    }

    /// Stands for another user's connections from now on.
    pub(super) fn take_name(&mut self, other: &Self) {
        self.name = Arc::clone(&other.name);
    }

    /// Whether connections may be of this user without saying so.
    pub(crate) fn is_open(&self) -> bool {
        self.is_on && self.needs_no_password
    }

    pub(crate) fn asks_no_password(&self) -> bool {
        self.needs_no_password
    }

    /// Whether a password lets in, in a time that says nothing about how near it comes.
    pub(crate) fn accepts(&self, password: &[u8]) -> bool {
        let given = Secret::of(password);
        let fits = self
            .secrets
            .iter()
            .fold(Choice::from(0), |fits, secret| fits | secret.0.as_slice().ct_eq(&given.0));
        self.is_on && (self.needs_no_password || bool::from(fits))
    }

    /// Whether there is nothing that it may not do.
    pub(crate) fn may_do_everything(&self) -> bool {
        self.every_selector().any(Selector::allows_everything)
    }

    /// Whether a call is allowed by one of the selectors.
    ///
    /// # Errors
    /// The denial of the selector that came furthest.
    pub(crate) fn check(&self, command: &Command, args: &Args<'_>) -> Result<(), Denial> {
        let mut furthest: Option<Denial> = None;
        for selector in self.every_selector() {
            match selector.check(command, args) {
                Ok(()) => return Ok(()),
                Err(denial) => furthest = furthest.max(Some(denial)),
            }
        }
        furthest.map_or(Ok(()), Err)
    }

    /// Whether a channel, or pattern of channels, may be listened to.
    pub(crate) fn may_hear(&self, name: &[u8], is_pattern: bool) -> bool {
        self.every_selector().any(|selector| selector.channels.allows_channel(name, is_pattern))
    }

    /// Whether every channel of `other` may still be heard.
    pub(super) fn has_channels_of(&self, other: &Self) -> bool {
        let covers = |theirs: &Patterns| {
            self.every_selector().any(|selector| selector.channels.covers(theirs))
        };
        other.every_selector().all(|selector| covers(&selector.channels))
    }

    /// Whether both differ in nothing but their identity.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.describe() == other.describe()
    }

    pub(super) fn every_selector(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }
}
