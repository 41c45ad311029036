//! Keyspace notifications: what happens to keys, told to who asked for its class.
//!
//! A handler tells right after its commit, while it holds the slots of its keys, so the events of a
//! key come in the order of its commits. Inside a transaction they wait for its commit. As long as
//! nobody asked for a class, an event of it costs one load.

mod classes;
mod creation;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use aidb_base::KeyspaceId;

use super::{Access, Databases, Mode, Store};
use crate::key::{self, MetaKey};
use crate::stop::Stop;

pub use classes::{Class, Classes};

/// Something that happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which classes it goes to.
    pub class: Class,
    /// Redis's name of it.
    pub name: &'static str,
    /// The logical database.
    pub database: usize,
    /// The key as clients know it.
    pub key: Vec<u8>,
}

type Listener = Box<dyn Fn(&Event) + Send + Sync>;

/// Who is told, and of what.
#[derive(Default)]
pub struct Notifications {
    wanted: AtomicU16,
    expired: AtomicU64,
    listener: OnceLock<Listener>,
}

impl Notifications {
    /// Says who is told; once.
    pub fn set_listener(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        // A second listener would belong to a second node over one store; there is none.
        let _ = self.listener.set(Box::new(listener));
    }

    /// The classes asked for: the setting `notify-keyspace-events`.
    pub fn classes(&self) -> Classes {
        Classes::from_bits(self.wanted.load(Ordering::Relaxed))
    }

    /// Changes the classes asked for.
    pub fn set_classes(&self, classes: Classes) {
        self.wanted.store(classes.bits(), Ordering::Relaxed);
    }

    /// Whether events of a class go anywhere.
    #[inline]
    pub fn wants(&self, class: Class) -> bool {
        self.wanted.load(Ordering::Relaxed) & class as u16 != 0
    }

    #[cold]
    pub(super) fn tell(&self, event: &Event) {
        if let Some(listener) = self.listener.get() {
            listener(event);
        }
    }

    pub(super) fn count_expired(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells that the sweeper removed a record.
    pub(super) fn tell_expired(&self, databases: &Databases, keyspace: KeyspaceId, key: &[u8]) {
        if !self.wants(Class::Expired) {
            return;
        }
        let Some(database) = databases.index_of(keyspace) else { return };
        if let Some(event) = event_of(Class::Expired, "expired", database, key) {
            self.tell(&event);
        }
    }
}

/// The event of an engine's key, when that is one of the data model.
fn event_of(class: Class, name: &'static str, database: usize, engine_key: &[u8]) -> Option<Event> {
    let mut user_key = Vec::new();
    key::decode(engine_key, &mut user_key)?;
    Some(Event { class, name, database, key: user_key })
}

impl Store {
    /// Records removed since the start because their time had come.
    pub fn expired_keys(&self) -> u64 {
        self.notifications.expired.load(Ordering::Relaxed)
    }

    /// Keyspace notifications.
    pub fn notifications(&self) -> &Notifications {
        &self.notifications
    }

    /// Removes a record whose time has come, which tells of it; nothing when it is another.
    ///
    /// # Errors
    /// Those of the engine.
    #[cold]
    pub(super) fn expire(&self, keyspace: KeyspaceId, key: &[u8]) -> Result<(), Stop> {
        Ok(self.db.remove_due(keyspace, key)?)
    }
}

impl Access<'_> {
    /// Tells of an event: at once, or when the transaction is committed. The caller has committed and
    /// holds the key's slot.
    #[inline]
    pub fn notify(self, class: Class, name: &'static str, database: usize, user_key: &[u8]) {
        if self.notifications.wants(class) {
            self.tell(Event { class, name, database, key: user_key.to_vec() });
        }
    }

    #[cold]
    pub(super) fn tell(self, event: Event) {
        match self.transaction {
            Some(transaction) => transaction.note(event),
            None => self.notifications.tell(&event),
        }
    }

    /// A reader has found nothing: if there is a record whose time has come, it is removed now.
    ///
    /// # Errors
    /// Those of the engine.
    #[inline]
    pub(super) fn missed(self, keyspace: KeyspaceId, key: &MetaKey) -> Result<(), Stop> {
        match self.notifications.wants(Class::Expired) || self.changes.any() {
            true => self.store.expire(keyspace, key.bytes()),
            false => Ok(()),
        }
    }

    /// Whether a write must first look at what it replaces.
    #[inline]
    pub(super) fn looks_before_writes(self) -> bool {
        self.notifications.wants(Class::New) || self.notifications.wants(Class::Expired)
    }

    /// Looks at a key that is about to be written; whether it is new.
    #[cold]
    pub(super) fn is_new(self, mode: Mode, keyspace: KeyspaceId, key: &[u8]) -> Result<bool, Stop> {
        if self.read_record(mode, keyspace, key, |_, _| ())?.is_some() {
            return Ok(false);
        }
        self.store.expire(keyspace, key)?;
        Ok(true)
    }
}
