//! Users: who may connect, and which commands, keys and channels each may use.
//!
//! A [`User`] is a value that never changes. Changing one puts another value in its place and raises
//! the [`Acl`]'s version. Every connection keeps its user in an [`Identity`] and compares versions
//! before each command, so a client whose user may do everything pays for one comparison. A user
//! consists of selectors ([`selector::Selector`]), sets of commands, keys and channels; a command
//! is allowed when one selector allows all of it. [`rules`] reads the language of ACL SETUSER,
//! [`describe`] writes it, [`file`] keeps users in a file.

mod commands;
mod describe;
mod file;
mod identity;
mod log;
mod patterns;
mod rules;
mod selector;
#[cfg(test)]
mod tests;
mod user;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aidb_base::{Error, Result};
use parking_lot::Mutex;

pub(crate) use identity::Identity;
pub(crate) use log::{Context, Entry, Log};
pub(crate) use patterns::Patterns;
pub(crate) use rules::{RuleError, merge_selectors};
pub(crate) use selector::{Denial, Denied, Selector};
pub(crate) use user::{Name, User};

/// The user of connections that named none.
pub(crate) const DEFAULT: &[u8] = b"default";

/// Names of all categories, in Redis's order.
pub(crate) const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

type Users = BTreeMap<Box<[u8]>, Arc<User>>;

/// All users.
///
/// **Concurrency**: any thread; changes are rare and serialized by a lock.
pub(crate) struct Acl {
    /// Changes with every change of a user.
    version: AtomicU64,
    users: Mutex<Users>,
    next_id: AtomicU64,
    /// New users may use every channel.
    opens_channels: AtomicBool,
    file: Option<PathBuf>,
    pub(crate) log: Log,
}

impl Acl {
    /// The user `default` alone, who may do everything; with a password unless it is empty.
    pub(crate) fn new(password: &str, file: Option<PathBuf>) -> Self {
        let acl = Self {
            version: AtomicU64::new(1),
            users: Mutex::new(BTreeMap::new()),
            next_id: AtomicU64::new(1),
            opens_channels: AtomicBool::new(false),
            file,
            log: Log::default(),
        };
        let default = User::everything(acl.new_name(DEFAULT));
        acl.put(&mut acl.users.lock(), default);
        acl.set_password(password);
        acl
    }

    /// Adds users as the configuration names them: `name rule …`.
    ///
    /// # Errors
    /// `Invalid`, with the line that is wrong.
    pub(crate) fn configure(&self, lines: &[String]) -> Result<()> {
        if !lines.is_empty() && self.file.is_some() {
            return Err(Error::invalid(
                "users are in the settings and in an ACL file as well; put all of them into one",
            ));
        }
        let mut seen = Vec::new();
        for line in lines {
            let mut words = line.split_ascii_whitespace();
            let name = words.next().unwrap_or_default().as_bytes();
            let refuse = |why: &str| Err(Error::invalid(format!("user {line:?}: {why}")));
            if name.is_empty() {
                return refuse("the name is missing");
            }
            if seen.contains(&name) {
                return refuse("the name is there twice");
            }
            seen.push(name);
            let mut rules: Vec<&[u8]> = vec![b"reset"];
            rules.extend(words.map(str::as_bytes));
            if let Err((rule, why)) = self.set_user(name, rules.into_iter()) {
                return refuse(&format!("{}: {}", String::from_utf8_lossy(&rule), why.text()));
            }
        }
        Ok(())
    }

    /// Changes with every change of a user.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// The user of a name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users.lock().get(name).cloned()
    }

    /// The user of connections that named none.
    pub(crate) fn default_user(&self) -> Arc<User> {
        // It is always there; whoever took it away would lock everybody out.
        self.find(DEFAULT).unwrap_or_else(|| Arc::new(User::nobody(self.new_name(DEFAULT), false)))
    }

    /// Whether the user `default` needs no password, on or off.
    pub(crate) fn asks_no_password(&self) -> bool {
        self.default_user().asks_no_password()
    }

    /// All users, sorted by name.
    pub(crate) fn all(&self) -> Vec<Arc<User>> {
        self.users.lock().values().cloned().collect()
    }

    /// Changes a user, or creates it, by rules; all of them or none.
    ///
    /// # Errors
    /// The first rule that is wrong, and why.
    pub(crate) fn set_user<'a>(
        &self,
        name: &[u8],
        rules: impl Iterator<Item = &'a [u8]>,
    ) -> std::result::Result<Change, (Vec<u8>, RuleError)> {
        let rules = merge_selectors(rules).map_err(|start| (start, RuleError::Unmatched))?;
        let opens_channels = self.opens_channels();
        let mut users = self.users.lock();
        let before = users.get(name).cloned();
        let mut user = match &before {
            Some(user) => User::clone(user),
            None => User::nobody(self.new_name(name), opens_channels),
        };
        for rule in rules {
            user.apply(&rule, opens_channels).map_err(|why| (rule, why))?;
        }
        let after = self.put(&mut users, user);
        Ok(Change { before, after })
    }

    /// Deletes a user; gives its name.
    pub(crate) fn delete(&self, name: &[u8]) -> Option<Arc<Name>> {
        let user = self.users.lock().remove(name)?;
        self.version.fetch_add(1, Ordering::Release);
        Some(Arc::clone(user.name()))
    }

    /// Puts these users in place of all; users that stay as they were, and `default`, keep their
    /// connections. Gives the names of the others that were there.
    pub(crate) fn replace(&self, fresh: Vec<User>) -> Vec<Arc<Name>> {
        let mut users = self.users.lock();
        let mut before = std::mem::take(&mut *users);
        for mut user in fresh {
            let text: Box<[u8]> = user.name().text.clone();
            let is_same = before.get(&text).filter(|old| *text == *DEFAULT || old.is_like(&user));
            if let Some(old) = is_same {
                user.take_name(old);
                before.remove(&text);
            }
            users.insert(text, Arc::new(user));
        }
        if !users.contains_key(DEFAULT) {
            let mut default = User::everything(self.new_name(DEFAULT));
            if let Some(old) = before.remove(DEFAULT) {
                default.take_name(&old);
            }
            users.insert(DEFAULT.into(), Arc::new(default));
        }
        self.version.fetch_add(1, Ordering::Release);
        before.values().map(|user| Arc::clone(user.name())).collect()
    }

    /// The user of a name and password, if both fit and the user is on.
    pub(crate) fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<Arc<User>> {
        self.find(name).filter(|user| user.accepts(password))
    }

    /// Gives `default` one password; an empty one lets anybody in.
    pub(crate) fn set_password(&self, password: &str) {
        let rule = match password {
            "" => b"nopass".to_vec(),
            password => [b">", password.as_bytes()].concat(),
        };
        let rules: [&[u8]; 2] = [b"resetpass", &rule];
        // These rules are always right.
        let _ = self.set_user(DEFAULT, rules.into_iter());
    }

    pub(crate) fn opens_channels(&self) -> bool {
        self.opens_channels.load(Ordering::Relaxed)
    }

    pub(crate) fn set_opens_channels(&self, opens: bool) {
        self.opens_channels.store(opens, Ordering::Relaxed);
    }

    /// A name that no earlier user had, even one of the same text.
    fn new_name(&self, text: &[u8]) -> Arc<Name> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Arc::new(Name { text: text.into(), id })
    }

    fn put(&self, users: &mut Users, user: User) -> Arc<User> {
        let user = Arc::new(user);
        users.insert(user.name().text.clone(), Arc::clone(&user));
        self.version.fetch_add(1, Ordering::Release);
        user
    }
}

/// A user before and after a change.
pub(crate) struct Change {
    before: Option<Arc<User>>,
    after: Arc<User>,
}

impl Change {
    /// Whether connections of the user may listen to what they must not hear any more.
    pub(crate) fn takes_channels(&self) -> bool {
        self.before.as_ref().is_some_and(|before| !self.after.has_channels_of(before))
    }
}
