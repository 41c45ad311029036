//! Makes the writes of a turn durable beside its reactor, for `appendfsync always`.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use aidb_base::{Error, Result};

use crate::mailbox::Message;
use crate::pool::StopOnPanic;
use crate::shared::Shared;

/// One thread that syncs for one reactor. Requests of all reactors share the engine's syncs.
pub(crate) struct Syncer {
    requests: Sender<u64>,
    thread: JoinHandle<()>,
}

impl Syncer {
    pub(crate) fn start(shared: &Arc<Shared>, reactor: usize) -> Result<Self> {
        let (requests, waiting) = channel();
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new()
            .name(format!("aidb-sync-{reactor}"))
            .spawn(move || run(&shared, reactor, &waiting))
            .map_err(|error| Error::exhausted(format!("cannot start a sync thread: {error}")))?;
        Ok(Self { requests, thread })
    }

    /// Asks for a sync; the answer is a message with the same ticket.
    pub(crate) fn request(&self, ticket: u64) {
        // The thread ends only after this sender is dropped, or by a panic that stops the node.
        let _ = self.requests.send(ticket);
    }

    pub(crate) fn stop(self) {
        drop(self.requests);
        let _ = self.thread.join();
    }
}

fn run(shared: &Shared, reactor: usize, waiting: &Receiver<u64>) {
    let _guard = StopOnPanic(shared);
    while let Ok(ticket) = waiting.recv() {
        let result = shared.store.db().sync();
        shared.mailboxes[reactor].send(Message::Synced(ticket, result));
    }
}
