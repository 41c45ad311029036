//! Messages to a reactor, or to the clients inside this process, from other threads.

use std::sync::Arc;

use aidb_base::Result;
use mio::Waker;
use parking_lot::Mutex;

use aidb_redis::session::Place;

use crate::conversation::Finished;
use crate::local::Inboxes;
use crate::pubsub::Delivery;
use crate::tracking::Notice;
use crate::transport::{Address, Socket};

/// What a reactor is told.
pub(crate) enum Message {
    /// Serve this connection.
    Accepted(Socket, Address),
    /// The pool is done with a conversation.
    Finished(Box<Finished>),
    /// Everything written before the request of this ticket is durable, or will never be.
    Synced(u64, Result<()>),
    /// Give this message to these connections, by token and client.
    Deliver(Arc<Delivery>, Vec<(usize, u64)>),
    /// Tell the client of this token and number of changed keys.
    Notice(Arc<Notice>, usize, u64),
    /// Show this line to the client of this token and number, which monitors.
    Line(Arc<[u8]>, usize, u64),
    /// A key that this client waits for was touched.
    Call(Place),
    /// Let this client wait no more; with an error reply?
    Unblock(Place, bool),
    /// Close the connection of this client.
    Kill(u64),
    /// A pause was ended.
    Resume,
    /// Users changed: close the connections that listen to what they must not hear any more.
    CheckListeners,
    /// Send what is ready and stop.
    Stop,
}

/// Where messages go.
pub(crate) enum Mailbox {
    /// To one reactor.
    Reactor(Queue),
    /// To the clients inside this process, each of which has its own inbox.
    Local(Inboxes),
}

/// Messages that a reactor has not taken yet.
pub(crate) struct Queue {
    messages: Mutex<Vec<Message>>,
    waker: Waker,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self::Reactor(Queue { messages: Mutex::new(Vec::new()), waker })
    }

    pub(crate) fn send(&self, message: Message) {
        match self {
            Self::Reactor(queue) => queue.push(message),
            Self::Local(inboxes) => inboxes.route(message),
        }
    }

    /// What a reactor was sent; clients inside this process have got theirs already.
    pub(crate) fn take(&self) -> Vec<Message> {
        match self {
            Self::Reactor(queue) => std::mem::take(&mut *queue.messages.lock()),
            Self::Local(_) => Vec::new(),
        }
    }
}

impl Queue {
    fn push(&self, message: Message) {
        let mut messages = self.messages.lock();
        messages.push(message);
        // The first message wakes; the reactor takes all.
        if messages.len() == 1 {
            // A waker fails only when its reactor is gone, and then nobody needs the message.
            let _ = self.waker.wake();
        }
    }
}
