//! One thread, its connections, and the turns it takes.
//!
//! A turn: wait for the kernel, take messages, serve every connection that has something to read
//! or room to write, ask for a sync if somebody must wait for one. A connection is served until it
//! has nothing more to say or has used its share of the turn; then it waits for the next one.

mod accept;
mod blocked;
mod connection;
mod deliver;
mod durable;
mod housekeeping;
mod serve;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use aidb_base::{Error, Result};
use mio::event::Event;
use mio::{Events, Poll, Token};

use crate::conversation::Worker;
use crate::mailbox::Message;
use crate::pool::StopOnPanic;
use crate::shared::Shared;
use crate::syncer::Syncer;
use crate::transport::Listener;

use connection::Connection;
use durable::Pending;

/// Token of the mailbox's waker.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// Tokens from here on are listeners.
const LISTENERS: usize = usize::MAX - 64;
/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 512;
/// Size of the buffer that reads go to first.
const READ_BYTES: usize = 128 << 10;
/// Time between two housekeepings.
const TICK_MS: u64 = 1000;

/// A reactor thread's state.
pub(crate) struct Reactor {
    index: usize,
    shared: Arc<Shared>,
    poll: Poll,
    listeners: Vec<Listener>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Connections to serve again although the kernel will not say so.
    again: VecDeque<usize>,
    worker: Worker,
    syncer: Syncer,
    pending: Pending,
    read_buffer: Box<[u8]>,
    spare_output: Vec<u8>,
    now_ms: u64,
    ticked_ms: u64,
    reclaim_at_ms: u64,
    is_stopping: bool,
    /// Connections that still owe something when stopping.
    stop_deadline_ms: u64,
    next_reactor: usize,
    /// Blocked connections by the time at which they give up.
    deadlines: BTreeSet<(u64, usize, u64)>,
    /// Connections whose next command waits for the end of a pause, with their clients.
    paused: Vec<(usize, u64)>,
}

/// What a reactor is made of.
pub(crate) struct Parts {
    pub(crate) index: usize,
    pub(crate) poll: Poll,
    pub(crate) listeners: Vec<Listener>,
}

impl Reactor {
    pub(crate) fn new(shared: &Arc<Shared>, parts: Parts) -> Result<Self> {
        let Parts { index, poll, mut listeners } = parts;
        for (offset, listener) in listeners.iter_mut().enumerate() {
            listener
                .register(poll.registry(), Token(LISTENERS + offset))
                .map_err(|error| Error::unavailable(format!("cannot watch a listener: {error}")))?;
        }
        let now_ms = shared.store.now_ms();
        Ok(Self {
            index,
            shared: Arc::clone(shared),
            poll,
            listeners,
            connections: Vec::new(),
            free: Vec::new(),
            again: VecDeque::new(),
            worker: Worker::new(shared),
            syncer: Syncer::start(shared, index)?,
            pending: Pending::default(),
            read_buffer: vec![0; READ_BYTES].into_boxed_slice(),
            spare_output: Vec::new(),
            now_ms,
            ticked_ms: now_ms,
            reclaim_at_ms: now_ms,
            is_stopping: false,
            stop_deadline_ms: 0,
            next_reactor: 0,
            deadlines: BTreeSet::new(),
            paused: Vec::new(),
        })
    }

    /// Runs until told to stop and nothing is owed any more.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _guard = StopOnPanic(&shared);
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !self.is_done() {
            let timeout = if self.again.is_empty() { self.idle_wait() } else { Duration::ZERO };
            if let Err(error) = self.poll.poll(&mut events, Some(timeout)) {
                if error.kind() != std::io::ErrorKind::Interrupted {
                    shared.stop.request(&format!("cannot wait for connections: {error}"));
                    break;
                }
            }
            self.now_ms = shared.store.now_ms();
            for event in &events {
                self.handle(event);
            }
            self.give_up_waiting();
            self.resume_paused();
            self.serve_again();
            self.request_sync();
            if self.now_ms >= self.ticked_ms + TICK_MS {
                self.ticked_ms = self.now_ms;
                self.tick();
            }
        }
        self.close_all();
        self.syncer.stop();
    }

    fn idle_wait(&self) -> Duration {
        let tick_ms = if self.is_stopping { 10 } else { TICK_MS };
        let deadline_ms = self.deadlines.first().map_or(u64::MAX, |(at, _, _)| *at);
        let pause_ms = if self.paused.is_empty() { u64::MAX } else { self.shared.pause.until_ms() };
        let now_ms = self.shared.store.now_ms();
        let next_ms = deadline_ms.min(pause_ms);
        Duration::from_millis(tick_ms.min(next_ms.saturating_sub(now_ms)))
    }

    fn handle(&mut self, event: &Event) {
        match event.token() {
            WAKER => self.take_messages(),
            Token(token) if token >= LISTENERS => self.accept(token - LISTENERS),
            Token(token) => {
                let Some(Some(connection)) = self.connections.get_mut(token) else { return };
                connection.can_read |= event.is_readable() || event.is_read_closed();
                connection.can_write |= event.is_writable();
                connection.at_end |= event.is_read_closed();
                self.serve(token);
            }
        }
    }

    fn serve_again(&mut self) {
        for _ in 0..self.again.len() {
            let Some(token) = self.again.pop_front() else { return };
            if let Some(Some(connection)) = self.connections.get_mut(token) {
                connection.is_queued = false;
                self.serve(token);
            }
        }
    }

    fn take_messages(&mut self) {
        let shared = Arc::clone(&self.shared);
        for message in shared.mailboxes[self.index].take() {
            match message {
                Message::Accepted(socket, address) => self.adopt(socket, address),
                Message::Finished(finished) => self.take_back(*finished),
                Message::Synced(ticket, result) => self.synced(ticket, result),
                Message::Deliver(delivery, to) => self.deliver(&delivery, &to),
                Message::Line(line, token, client) => self.show(line, token, client),
                Message::Notice(notice, token, client) => self.notify(notice, token, client),
                Message::Call(place) => self.try_again(place),
                Message::Unblock(place, fails) => self.unblock(place, fails),
                Message::Kill(id) => self.kill(id),
                // Looked at in every turn.
                Message::Resume => {}
                Message::CheckListeners => self.check_listeners(),
                Message::Stop => self.begin_stop(),
            }
        }
    }

    fn begin_stop(&mut self) {
        self.is_stopping = true;
        self.stop_deadline_ms = self.now_ms + self.shared.options.stop_grace_ms;
        self.listeners.clear();
        for token in 0..self.connections.len() {
            self.close_if_settled(token);
        }
    }

    /// A stopping reactor is done when every reply is sent or the time for that is over.
    fn is_done(&mut self) -> bool {
        if !self.is_stopping {
            return false;
        }
        self.again.is_empty()
            && (self.connections.iter().all(Option::is_none)
                || self.shared.store.now_ms() >= self.stop_deadline_ms)
    }

    fn close_all(&mut self) {
        for token in 0..self.connections.len() {
            self.close(token);
        }
    }
}
