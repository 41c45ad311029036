//! Clients inside this process: the same conversations without sockets.
//!
//! A [`LocalClient`] is executed by whoever calls it, on the caller's thread, so that a command costs
//! no switch of threads. What others tell it (messages of channels, "a key that you wait for was
//! touched", CLIENT KILL) lies in its inbox until then. To the rest of the node all local clients
//! together are one more mailbox behind those of the reactors.

mod client;
mod inbox;
#[cfg(test)]
mod tests;
mod workers;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::mailbox::Message;

pub use client::{LocalClient, Progress};
pub use inbox::Inbox;
pub(crate) use inbox::Note;
pub(crate) use workers::Workers;

/// The inboxes of the local clients, by client.
#[derive(Default)]
pub(crate) struct Inboxes {
    by_client: Mutex<BTreeMap<u64, Arc<Inbox>>>,
}

impl Inboxes {
    pub(crate) fn add(&self, client: u64) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::default());
        self.by_client.lock().insert(client, Arc::clone(&inbox));
        inbox
    }

    pub(crate) fn remove(&self, client: u64) {
        self.by_client.lock().remove(&client);
    }

    /// Gives a message to the clients that it is for.
    pub(crate) fn route(&self, message: Message) {
        match message {
            Message::Deliver(delivery, to) => {
                for (_, client) in to {
                    self.post(client, Note::Deliver(Arc::clone(&delivery)));
                }
            }
            Message::Notice(notice, _, client) => self.post(client, Note::Notice(notice)),
            Message::Line(line, _, client) => self.post(client, Note::Line(line)),
            Message::Call(place) => self.post(place.client, Note::Call),
            Message::Unblock(place, fails) => self.post(place.client, Note::Unblock(fails)),
            Message::Kill(client) => self.post(client, Note::Close),
            Message::Stop => {
                for inbox in self.by_client.lock().values() {
                    inbox.post(Note::Close);
                }
            }
            Message::CheckListeners => {
                for inbox in self.by_client.lock().values() {
                    inbox.post(Note::CheckListeners);
                }
            }
            // Only reactors have sockets, a pool and a syncer.
            Message::Accepted(..)
            | Message::Finished(_)
            | Message::Synced(..)
            | Message::Resume => {}
        }
    }

    fn post(&self, client: u64, note: Note) {
        if let Some(inbox) = self.by_client.lock().get(&client) {
            inbox.post(note);
        }
    }
}
