//! Keys that clients watch: a commit that touches one is told to all who watch it.
//!
//! A commit looks here while it holds the locks of its slots, so whoever takes these locks
//! afterwards knows of it. As long as nobody watches anything, that costs one load.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aidb_base::KeyspaceId;
use parking_lot::Mutex;

type WatchedKey = (KeyspaceId, Box<[u8]>);

/// All watched keys, by the keys of their metadata records.
#[derive(Default)]
pub struct Watches {
    watched: AtomicUsize,
    keys: Mutex<HashMap<WatchedKey, Vec<Arc<AtomicBool>>>>,
}

impl Watches {
    /// Whether anybody watches anything.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.watched.load(Ordering::Acquire) != 0
    }

    fn add(&self, key: WatchedKey, flag: &Arc<AtomicBool>) {
        let mut keys = self.keys.lock();
        keys.entry(key).or_default().push(Arc::clone(flag));
        self.watched.store(keys.len(), Ordering::Release);
    }

    fn remove(&self, watched: &[WatchedKey], flag: &Arc<AtomicBool>) {
        let mut keys = self.keys.lock();
        for key in watched {
            if let Some(flags) = keys.get_mut(key) {
                flags.retain(|other| !Arc::ptr_eq(other, flag));
                if flags.is_empty() {
                    keys.remove(key);
                }
            }
        }
        self.watched.store(keys.len(), Ordering::Release);
    }

    /// Tells who watches `key` that it was touched.
    #[cold]
    pub(super) fn touch(&self, keyspace: KeyspaceId, key: &[u8]) {
        let keys = self.keys.lock();
        if let Some(flags) = keys.get(&(keyspace, Box::from(key))) {
            flags.iter().for_each(|flag| flag.store(true, Ordering::Release));
        }
    }

    /// The watched keys of some keyspaces.
    pub(super) fn in_keyspaces(&self, keyspaces: &[KeyspaceId]) -> Vec<(KeyspaceId, Vec<u8>)> {
        let keys = self.keys.lock();
        let watched = keys.keys().filter(|(keyspace, _)| keyspaces.contains(keyspace));
        watched.map(|(keyspace, key)| (*keyspace, key.to_vec())).collect()
    }
}

/// What one client watches. Dropping it ends the watch.
pub struct Watching {
    watches: Arc<Watches>,
    flag: Arc<AtomicBool>,
    keys: Vec<WatchedKey>,
    /// When the first watched key expires; 0 = never.
    expire_at_ms: u64,
}

impl Watching {
    pub(super) fn new(watches: &Arc<Watches>) -> Self {
        Self {
            watches: Arc::clone(watches),
            flag: Arc::default(),
            keys: Vec::new(),
            expire_at_ms: 0,
        }
    }

    /// Watches one more key; what it is now is read by the caller afterwards.
    pub(super) fn add(&mut self, keyspace: KeyspaceId, key: &[u8]) {
        let key = (keyspace, Box::from(key));
        if !self.keys.contains(&key) {
            self.watches.add(key.clone(), &self.flag);
            self.keys.push(key);
        }
    }

    /// A watched key expires then, which touches it.
    pub(super) fn expires(&mut self, at_ms: u64) {
        if at_ms != 0 && (self.expire_at_ms == 0 || at_ms < self.expire_at_ms) {
            self.expire_at_ms = at_ms;
        }
    }

    /// Slots of the watched keys.
    pub fn slots(&self) -> impl Iterator<Item = u16> + '_ {
        self.keys.iter().filter_map(|(_, key)| key.first_chunk().map(|s| u16::from_be_bytes(*s)))
    }

    /// Whether a watched key was touched. Final when the caller holds the locks of [`Self::slots`].
    pub fn is_touched(&self, now_ms: u64) -> bool {
        self.flag.load(Ordering::Acquire) || (self.expire_at_ms != 0 && self.expire_at_ms <= now_ms)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watches.remove(&self.keys, &self.flag);
    }
}
