//! Who has read which keys, and who wants to hear of which prefixes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::{Notice, Outgoing, Wish};
use crate::clients::Client;

/// Forgotten keys that may wait in the order of arrival before it is cleaned.
const STALE_MAX: usize = 1024;

/// Sizes of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) clients: usize,
    pub(crate) keys: usize,
    /// Clients of keys.
    pub(crate) items: usize,
    pub(crate) prefixes: usize,
}

struct Follower {
    client: Arc<Client>,
    broadcasts: bool,
    prefixes: Vec<Vec<u8>>,
    no_loop: bool,
    redirect: Option<u64>,
}

impl Follower {
    fn message(&self, notice: &Arc<Notice>) -> Outgoing {
        (Arc::clone(&self.client), self.redirect, Arc::clone(notice))
    }
}

#[derive(Default)]
pub(super) struct Table {
    followers: HashMap<u64, Follower>,
    /// Clients that have read a key since they were last told of it. They may be gone.
    readers: HashMap<Arc<[u8]>, Vec<u64>>,
    /// The keys as they came, some of them forgotten.
    order: VecDeque<Arc<[u8]>>,
    items: usize,
    prefixes: BTreeMap<Vec<u8>, Vec<u64>>,
}

impl Table {
    pub(super) fn totals(&self) -> Totals {
        Totals {
            clients: self.followers.len(),
            keys: self.readers.len(),
            items: self.items,
            prefixes: self.prefixes.len(),
        }
    }

    /// Adds a client, or changes its wish.
    pub(super) fn follow(&mut self, client: &Arc<Client>, wish: &Wish) {
        self.leave(client.id);
        for prefix in &wish.prefixes {
            self.prefixes.entry(prefix.clone()).or_default().push(client.id);
        }
        let follower = Follower {
            client: Arc::clone(client),
            broadcasts: wish.broadcasts,
            prefixes: wish.prefixes.clone(),
            no_loop: wish.no_loop,
            redirect: wish.redirect,
        };
        self.followers.insert(client.id, follower);
    }

    /// Removes a client; whether it was the last.
    pub(super) fn leave(&mut self, client: u64) -> bool {
        let left = self.followers.remove(&client);
        for prefix in left.map(|follower| follower.prefixes).unwrap_or_default() {
            if let Some(clients) = self.prefixes.get_mut(&prefix) {
                clients.retain(|other| *other != client);
                if clients.is_empty() {
                    self.prefixes.remove(&prefix);
                }
            }
        }
        if self.followers.is_empty() {
            *self = Self::default();
        }
        self.followers.is_empty()
    }

    /// Notes that a client reads keys; messages about those that had to go for it.
    pub(super) fn remember(
        &mut self,
        client: u64,
        keys: &[&[u8]],
        keys_max: usize,
    ) -> Vec<Outgoing> {
        for key in keys {
            if let Some(readers) = self.readers.get_mut(*key) {
                if !readers.contains(&client) {
                    readers.push(client);
                    self.items += 1;
                }
                continue;
            }
            let key: Arc<[u8]> = Arc::from(*key);
            self.order.push_back(Arc::clone(&key));
            self.readers.insert(key, vec![client]);
            self.items += 1;
        }
        let mut messages = Vec::new();
        while keys_max != 0 && self.readers.len() > keys_max {
            let Some(oldest) = self.order.pop_front() else { break };
            self.take_readers(&oldest, 0, &mut messages);
        }
        if self.order.len() > 2 * self.readers.len() + STALE_MAX {
            let readers = &self.readers;
            self.order.retain(|key| readers.contains_key(key));
        }
        messages
    }

    /// Messages about changed keys; whoever read them is forgotten.
    pub(super) fn take(&mut self, keys: &[Vec<u8>], writer: u64) -> Vec<Outgoing> {
        let mut messages = Vec::new();
        for (prefix, clients) in &self.prefixes {
            let found: Vec<&[u8]> =
                keys.iter().filter(|key| key.starts_with(prefix)).map(Vec::as_slice).collect();
            if found.is_empty() {
                continue;
            }
            let notice = Arc::new(Notice::invalidate(&found));
            let followers = clients.iter().filter_map(|client| self.followers.get(client));
            messages
                .extend(followers.filter(|f| !f.is_silent_for(writer)).map(|f| f.message(&notice)));
        }
        for key in keys {
            self.take_readers(key, writer, &mut messages);
        }
        messages
    }

    fn take_readers(&mut self, key: &[u8], writer: u64, messages: &mut Vec<Outgoing>) {
        let Some(readers) = self.readers.remove(key) else { return };
        self.items -= readers.len();
        let notice = Arc::new(Notice::invalidate(&[key]));
        let followers = readers.iter().filter_map(|client| self.followers.get(client));
        messages.extend(
            followers
                .filter(|follower| !follower.broadcasts && !follower.is_silent_for(writer))
                .map(|follower| follower.message(&notice)),
        );
    }

    /// Messages to everybody: all keys changed.
    pub(super) fn clear(&mut self) -> Vec<Outgoing> {
        self.readers.clear();
        self.order.clear();
        self.items = 0;
        let notice = Arc::new(Notice::invalidate_all());
        self.followers.values().map(|follower| follower.message(&notice)).collect()
    }
}

impl Follower {
    fn is_silent_for(&self, writer: u64) -> bool {
        self.no_loop && self.client.id == writer
    }
}
