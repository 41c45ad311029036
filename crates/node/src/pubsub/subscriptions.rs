//! What one client listens to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Kind, Listener};
use crate::shared::Shared;

/// The topics of a client. Dropping them ends the listening.
pub(crate) struct Subscriptions {
    shared: Arc<Shared>,
    listener: Listener,
    names: [BTreeSet<Arc<[u8]>>; 3],
}

impl Subscriptions {
    pub(crate) fn new(shared: &Arc<Shared>, listener: Listener) -> Self {
        Self { shared: Arc::clone(shared), listener, names: Default::default() }
    }

    /// Listens to a topic; twice is once.
    pub(crate) fn add(&mut self, kind: Kind, name: &[u8]) {
        if self.contains(kind, name) {
            return;
        }
        let name: Arc<[u8]> = Arc::from(name);
        self.shared.pubsub.add(kind, &name, self.listener);
        self.names[kind as usize].insert(name);
    }

    /// Listens no more to a topic.
    pub(crate) fn remove(&mut self, kind: Kind, name: &[u8]) {
        if let Some(name) = self.names[kind as usize].take(name) {
            self.shared.pubsub.remove(kind, &name, self.listener.client);
        }
    }

    pub(crate) fn contains(&self, kind: Kind, name: &[u8]) -> bool {
        self.names[kind as usize].contains(name)
    }

    /// Names of a kind.
    pub(crate) fn names(&self, kind: Kind) -> Vec<Arc<[u8]>> {
        self.names[kind as usize].iter().cloned().collect()
    }

    /// Topics of a kind.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.names[kind as usize].len()
    }

    /// The number that replies of a kind show: channels and patterns count together.
    pub(crate) fn shown_count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Shard => self.count(Kind::Shard),
            _ => self.count(Kind::Channel) + self.count(Kind::Pattern),
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in &self.names[kind as usize] {
                self.shared.pubsub.remove(kind, name, self.listener.client);
            }
        }
    }
}
