//! Clients that wait for a key to get something: BLPOP and its kin.
//!
//! Whoever waits for a key stands in its line, in the order of arrival. A commit that touches the key
//! calls the first of the line; a called client tries its command again, and takes its turn from the
//! line or passes the call on to the next. So elements go to who waited longest, and no call is lost:
//! a client joins the line, and a commit calls, while holding the lock of the key's slot.

use std::collections::{HashMap, VecDeque};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use aidb_base::KeyspaceId;
use parking_lot::Mutex;

use crate::collection::stream::EntryId;
use crate::session::Place;

type Caller = Box<dyn Fn(Place) + Send + Sync>;
type Line = VecDeque<Waiter>;

/// One client in the line of one key.
struct Waiter {
    place: Place,
    is_called: bool,
}

#[derive(Default)]
struct Lines {
    by_key: HashMap<(KeyspaceId, Box<[u8]>), Line>,
    /// Keys that a client waits for.
    of_client: HashMap<u64, Vec<(KeyspaceId, Box<[u8]>)>>,
    /// Behind which entries a client reads streams, by the order of its keys.
    starts: HashMap<u64, Vec<EntryId>>,
}

/// All lines.
#[derive(Default)]
pub struct Waiters {
    waiting: AtomicUsize,
    lines: Mutex<Lines>,
    caller: OnceLock<Caller>,
}

impl Waiters {
    /// Says how clients are called; once.
    pub fn set_caller(&self, caller: impl Fn(Place) + Send + Sync + 'static) {
        // A second caller would belong to a second node over one store; there is none.
        let _ = self.caller.set(Box::new(caller));
    }

    /// Whether anybody waits for anything.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.waiting.load(Ordering::Acquire) != 0
    }

    /// Puts a client at the end of a key's line, unless it stands there. The caller holds the key's
    /// slot.
    pub(super) fn join(&self, keyspace: KeyspaceId, key: &[u8], place: Place) {
        let mut lines = self.lines.lock();
        let key = (keyspace, Box::from(key));
        let line = lines.by_key.entry(key.clone()).or_default();
        if line.iter().any(|waiter| waiter.place.client == place.client) {
            return;
        }
        line.push_back(Waiter { place, is_called: false });
        lines.of_client.entry(place.client).or_default().push(key);
        self.waiting.store(lines.by_key.len(), Ordering::Release);
    }

    /// Whether somebody who came earlier was called for a key and has not tried yet.
    pub(super) fn is_somebodys_turn(&self, keyspace: KeyspaceId, key: &[u8], place: Place) -> bool {
        if !self.any() {
            return false;
        }
        let lines = self.lines.lock();
        let Some(line) = lines.by_key.get(&(keyspace, Box::from(key))) else { return false };
        let earlier = line.iter().take_while(|waiter| waiter.place.client != place.client);
        earlier.into_iter().any(|waiter| waiter.is_called)
    }

    /// Calls the first of a key's line.
    #[cold]
    pub(super) fn call(&self, keyspace: KeyspaceId, key: &[u8]) {
        let called = {
            let mut lines = self.lines.lock();
            let Some(line) = lines.by_key.get_mut(&(keyspace, Box::from(key))) else { return };
            line.front_mut().map(|first| {
                first.is_called = true;
                first.place
            })
        };
        self.tell(called);
    }

    /// Calls everybody who waits in one of these keyspaces: they have changed places.
    pub(super) fn call_everybody(&self, keyspaces: &[KeyspaceId]) {
        let mut called = Vec::new();
        {
            let mut lines = self.lines.lock();
            for ((keyspace, _), line) in &mut lines.by_key {
                if keyspaces.contains(keyspace) {
                    called.extend(line.iter().map(|waiter| waiter.place));
                }
            }
        }
        called.into_iter().for_each(|place| self.tell(Some(place)));
    }

    /// A called client found nothing for it: those behind it are called, key by key.
    pub fn pass(&self, client: u64) {
        let mut next = Vec::new();
        {
            let lines = &mut *self.lines.lock();
            for key in lines.of_client.get(&client).into_iter().flatten() {
                let Some(line) = lines.by_key.get_mut(key) else { continue };
                let Some(at) = line.iter().position(|waiter| waiter.place.client == client) else {
                    continue;
                };
                if !std::mem::take(&mut line[at].is_called) {
                    continue;
                }
                if let Some(after) = line.get_mut(at + 1) {
                    after.is_called = true;
                    next.push(after.place);
                }
            }
        }
        next.into_iter().for_each(|place| self.tell(Some(place)));
    }

    /// Notes behind which entries a client reads the streams that it is about to wait for.
    pub fn set_starts(&self, client: u64, starts: Vec<EntryId>) {
        self.lines.lock().starts.insert(client, starts);
    }

    /// What [`Waiters::set_starts`] noted.
    pub fn starts(&self, client: u64) -> Option<Vec<EntryId>> {
        if self.any() { self.lines.lock().starts.get(&client).cloned() } else { None }
    }

    /// A client waits no more; calls it did not answer go to the next.
    pub fn leave(&self, client: u64) {
        let mut next = Vec::new();
        {
            let lines = &mut *self.lines.lock();
            lines.starts.remove(&client);
            for key in lines.of_client.remove(&client).unwrap_or_default() {
                let Some(line) = lines.by_key.get_mut(&key) else { continue };
                let at = line.iter().position(|waiter| waiter.place.client == client);
                let was_called = at.and_then(|at| line.remove(at)).is_some_and(|w| w.is_called);
                if let (true, Some(after)) = (was_called, at.and_then(|at| line.get_mut(at))) {
                    after.is_called = true;
                    next.push(after.place);
                }
                if line.is_empty() {
                    lines.by_key.remove(&key);
                }
            }
            self.waiting.store(lines.by_key.len(), Ordering::Release);
        }
        next.into_iter().for_each(|place| self.tell(Some(place)));
    }

    /// Clients that wait.
    pub fn clients(&self) -> usize {
        if self.any() { self.lines.lock().of_client.len() } else { 0 }
    }

    fn tell(&self, place: Option<Place>) {
        if let (Some(place), Some(caller)) = (place, self.caller.get()) {
            caller(place);
        }
    }
}

#[cfg(test)]
mod tests;
