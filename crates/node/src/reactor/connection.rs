//! A connection as its reactor keeps it.

use std::io::{self, Read, Write};

use super::deliver::Held;
use crate::conversation::Conversation;
use crate::transport::Stream;

/// A socket, the conversation on it, and the replies on their way.
///
/// **Memory**: an idle connection holds no buffers.
///
/// **Invariants**: `sent <= output.len()`; replies up to `durable` (counted from the connection's
/// first byte) may be sent; `conversation` is absent exactly while the pool has it.
pub(super) struct Connection {
    pub(super) id: u64,
    pub(super) stream: Stream,
    pub(super) conversation: Option<Conversation>,
    pub(super) output: Vec<u8>,
    pub(super) sent: usize,
    /// Bytes that left `output` in front.
    pub(super) sent_before: u64,
    /// Replies up to here depend on no sync; `None` = all.
    pub(super) durable: Option<u64>,
    /// Ticket of the last sync that replies depend on; 0 = none.
    pub(super) ticket: u64,
    pub(super) can_read: bool,
    pub(super) can_write: bool,
    /// The peer sends no more.
    pub(super) at_end: bool,
    /// Close when all replies are sent.
    pub(super) closes: bool,
    /// The input may hold complete commands.
    pub(super) has_more: bool,
    pub(super) is_queued: bool,
    /// A key it waits for was touched while the pool had the conversation.
    pub(super) is_called: bool,
    /// CLIENT UNBLOCK came meanwhile; with an error?
    pub(super) is_unblocked: Option<bool>,
    /// The next command waits for the end of a pause.
    pub(super) is_paused: bool,
    /// Users changed meanwhile: it may listen to what it must not hear.
    pub(super) must_check_topics: bool,
    /// Messages that came while the pool had the conversation; they go behind its replies.
    pub(super) held: Vec<Held>,
    /// Since when the replies are above the soft limit; 0 = they are not.
    pub(super) above_soft_since_ms: u64,
}

impl Connection {
    pub(super) fn new(stream: Stream, conversation: Conversation) -> Self {
        Self {
            id: conversation.client.id,
            stream,
            conversation: Some(conversation),
            output: Vec::new(),
            sent: 0,
            sent_before: 0,
            durable: None,
            ticket: 0,
            can_read: true,
            can_write: true,
            at_end: false,
            closes: false,
            has_more: false,
            is_queued: false,
            is_called: false,
            is_unblocked: None,
            is_paused: false,
            must_check_topics: false,
            held: Vec::new(),
            above_soft_since_ms: 0,
        }
    }

    /// Bytes of replies not sent yet.
    #[inline]
    pub(super) fn owed(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Whether there is nothing to send any more.
    pub(super) fn has_sent_all(&self) -> bool {
        self.owed() == 0 && !self.stream.holds_bytes()
    }

    /// Whether the client listens to channels, or to all commands.
    pub(super) fn is_listening(&self) -> bool {
        let conversation = self.conversation.as_ref();
        conversation.is_some_and(|conversation| {
            let state = &conversation.state;
            state.subscriptions.is_some() || state.monitoring.is_some()
        })
    }

    /// Whether the next command waits for a key.
    pub(super) fn is_blocked(&self) -> bool {
        let conversation = self.conversation.as_ref();
        conversation.is_some_and(|conversation| conversation.state.blocked.is_some())
    }

    /// Position behind the last reply, counted from the connection's first byte.
    pub(super) fn end(&self) -> u64 {
        self.sent_before + self.output.len() as u64
    }

    /// Index in `output` up to which replies may be sent.
    #[inline]
    fn sendable(&self) -> usize {
        match self.durable {
            None => self.output.len(),
            Some(position) => position.saturating_sub(self.sent_before) as usize,
        }
    }

    /// Sends what may be sent; gives the bytes that the kernel took.
    pub(super) fn send(&mut self) -> io::Result<usize> {
        if self.can_write && self.stream.holds_bytes() {
            self.stream.flush()?;
            self.can_write = !self.stream.holds_bytes();
        }
        let before = self.sent;
        let end = self.sendable().min(self.output.len());
        while self.sent < end && self.can_write {
            match self.stream.write(&self.output[self.sent..end]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.can_write = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.can_write &= !self.stream.holds_bytes();
        Ok(self.sent - before)
    }

    /// Drops sent bytes when all are sent or they are the greater part; gives back an emptied buffer.
    pub(super) fn reclaim(&mut self) -> Option<Vec<u8>> {
        if self.sent == self.output.len() {
            self.sent_before += self.sent as u64;
            self.sent = 0;
            let mut buffer = std::mem::take(&mut self.output);
            buffer.clear();
            return Some(buffer);
        }
        if self.sent > self.output.len() / 2 {
            self.output.drain(..self.sent);
            self.sent_before += self.sent as u64;
            self.sent = 0;
        }
        None
    }

    /// Reads once; 0 = the peer sends no more; `None` = nothing there now.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.stream.read(buffer) {
                Ok(bytes) => {
                    // A short read has emptied the socket, unless its end is still to be read.
                    if bytes < buffer.len() && !self.at_end && self.stream.reads_are_exact() {
                        self.can_read = false;
                    }
                    return Ok(Some(bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.can_read = false;
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
