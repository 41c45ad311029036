//! Channels, patterns and shard channels, who listens to them, and the messages on their way.
//!
//! A message is encoded once per protocol by each reactor that has listeners, and appended to their
//! replies. Messages of one channel reach every listener in one order, because they are put into the
//! mailboxes under the lock of the topics.

mod delivery;
mod outbox;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use aidb_redis::glob;
use parking_lot::Mutex;

use crate::mailbox::{Mailbox, Message};

pub(crate) use delivery::Delivery;
pub(crate) use outbox::Outbox;
pub(crate) use subscriptions::Subscriptions;

/// What a client listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A channel.
    Channel,
    /// Every channel whose name matches.
    Pattern,
    /// A channel of a slot.
    Shard,
}

/// Where a listener is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) client: u64,
    pub(crate) reactor: usize,
    pub(crate) token: usize,
}

type Topics = BTreeMap<Arc<[u8]>, Vec<Listener>>;

/// Everything that is listened to.
#[derive(Default)]
pub(crate) struct PubSub {
    topics: Mutex<[Topics; 3]>,
}

impl PubSub {
    fn add(&self, kind: Kind, name: &Arc<[u8]>, listener: Listener) {
        let mut topics = self.topics.lock();
        topics[kind as usize].entry(Arc::clone(name)).or_default().push(listener);
    }

    fn remove(&self, kind: Kind, name: &Arc<[u8]>, client: u64) {
        let mut topics = self.topics.lock();
        let Some(listeners) = topics[kind as usize].get_mut(name) else { return };
        listeners.retain(|listener| listener.client != client);
        if listeners.is_empty() {
            topics[kind as usize].remove(name);
        }
    }

    /// Listeners that a message would reach now.
    pub(crate) fn count(&self, kind: Kind, channel: &[u8]) -> usize {
        let topics = self.topics.lock();
        let mut count = topics[kind as usize].get(channel).map_or(0, Vec::len);
        if kind == Kind::Channel {
            count +=
                matching(&topics, channel).map(|(_, listeners)| listeners.len()).sum::<usize>();
        }
        count
    }

    /// Sends a message to who listens; gives their number.
    pub(crate) fn publish(
        &self,
        mailboxes: &[Mailbox],
        kind: Kind,
        channel: &[u8],
        payload: &[u8],
    ) -> usize {
        let topics = self.topics.lock();
        let mut reached = 0;
        if let Some(listeners) = topics[kind as usize].get(channel) {
            let delivery = Delivery::new(kind, channel, channel, payload);
            reached += send(mailboxes, &delivery, listeners);
        }
        if kind == Kind::Channel {
            for (pattern, listeners) in matching(&topics, channel) {
                let delivery = Delivery::new(Kind::Pattern, pattern, channel, payload);
                reached += send(mailboxes, &delivery, listeners);
            }
        }
        reached
    }

    /// Names of the channels with listeners, of those that match.
    pub(crate) fn channels(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Arc<[u8]>> {
        let topics = self.topics.lock();
        let names = topics[kind as usize].keys();
        names
            .filter(|name| pattern.is_none_or(|pattern| glob::matches(pattern, name, false)))
            .cloned()
            .collect()
    }

    /// Listeners of one channel by its own name.
    pub(crate) fn listeners(&self, kind: Kind, channel: &[u8]) -> usize {
        self.topics.lock()[kind as usize].get(channel).map_or(0, Vec::len)
    }

    /// Different channels of a kind listened to.
    pub(crate) fn topics(&self, kind: Kind) -> usize {
        self.topics.lock()[kind as usize].len()
    }

    /// Different patterns listened to.
    pub(crate) fn patterns(&self) -> usize {
        self.topics.lock()[Kind::Pattern as usize].len()
    }
}

fn matching<'a>(
    topics: &'a [Topics; 3],
    channel: &'a [u8],
) -> impl Iterator<Item = (&'a Arc<[u8]>, &'a Vec<Listener>)> {
    let patterns = topics[Kind::Pattern as usize].iter();
    patterns.filter(move |(pattern, _)| glob::matches(pattern, channel, false))
}

/// Puts a message into the mailbox of every reactor that has one of the listeners.
fn send(mailboxes: &[Mailbox], delivery: &Arc<Delivery>, listeners: &[Listener]) -> usize {
    for (reactor, mailbox) in mailboxes.iter().enumerate() {
        let there = listeners.iter().filter(|listener| listener.reactor == reactor);
        let to: Vec<(usize, u64)> = there.map(|there| (there.token, there.client)).collect();
        if !to.is_empty() {
            mailbox.send(Message::Deliver(Arc::clone(delivery), to));
        }
    }
    listeners.len()
}
