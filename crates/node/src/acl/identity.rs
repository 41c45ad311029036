//! Which user a connection is.

use std::sync::Arc;

use aidb_redis::resp::Args;
use aidb_redis::table::Command;

use super::{Acl, DEFAULT, Denial, User};

/// The user of a connection, as it was when the connection last looked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    user: Option<Arc<User>>,
    version: u64,
    /// It has not said who it is, and must.
    pub(crate) is_stranger: bool,
    /// There is something that the user may not do.
    is_restricted: bool,
}

impl Identity {
    /// Of a new connection.
    pub(crate) fn unnamed(acl: &Acl) -> Self {
        let version = acl.version();
        let user = acl.default_user();
        Self { is_stranger: !user.is_open(), version, ..Self::of(user) }
    }

    /// Of a connection that gave the right password. Its version is old: the user is looked up again
    /// before the next command.
    pub(crate) fn of(user: Arc<User>) -> Self {
        let is_restricted = !user.may_do_everything();
        Self { user: Some(user), version: 0, is_stranger: false, is_restricted }
    }

    /// Whether every command may be executed, as far as the user matters.
    #[inline]
    pub(crate) fn is_free(&self, version: u64) -> bool {
        self.version == version && !self.is_restricted && !self.is_stranger
    }

    /// The user, when there is something that it may not do.
    pub(crate) fn restricted(&self) -> Option<&Arc<User>> {
        self.user.as_ref().filter(|_| self.is_restricted)
    }

    /// Takes the user as it is now; whether it still is there.
    pub(crate) fn refresh(&mut self, acl: &Acl) -> bool {
        let version = acl.version();
        let Some(old) = self.user.as_ref().filter(|_| self.version != version) else { return true };
        let Some(user) = acl.find(&old.name().text) else { return false };
        if user.name() != old.name() {
            return false;
        }
        let is_default = *user.name().text == *DEFAULT;
        let is_stranger = self.is_stranger && !(is_default && user.is_open());
        *self = Self { version, is_stranger, ..Self::of(user) };
        true
    }

    /// Whether the user may send this.
    pub(crate) fn check(&self, command: &Command, args: &Args<'_>) -> Result<(), Denial> {
        self.restricted().map_or(Ok(()), |user| user.check(command, args))
    }
}
