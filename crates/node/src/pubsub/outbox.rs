//! Messages of a transaction, kept until it is committed.

use crate::shared::Shared;

use super::Kind;

/// What a thread's commands publish.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    is_held: bool,
    messages: Vec<(Kind, Vec<u8>, Vec<u8>)>,
}

impl Outbox {
    /// Keeps messages from now on.
    pub(crate) fn hold(&mut self) {
        self.is_held = true;
    }

    /// Sends what was kept, or forgets it.
    pub(crate) fn release(&mut self, shared: &Shared, sends: bool) {
        self.is_held = false;
        for (kind, channel, payload) in self.messages.drain(..) {
            if sends {
                shared.pubsub.publish(&shared.mailboxes, kind, &channel, &payload);
            }
        }
    }

    /// Sends or keeps a message; gives the number of its listeners.
    pub(crate) fn publish(
        &mut self,
        shared: &Shared,
        kind: Kind,
        channel: &[u8],
        payload: &[u8],
    ) -> usize {
        if !self.is_held {
            return shared.pubsub.publish(&shared.mailboxes, kind, channel, payload);
        }
        self.messages.push((kind, channel.to_vec(), payload.to_vec()));
        shared.pubsub.count(kind, channel)
    }
}
