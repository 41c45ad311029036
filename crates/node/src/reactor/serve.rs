//! Serving a connection: send, read, execute, until nothing is left or its share is used.

use std::io;
use std::sync::atomic::Ordering;

use aidb_redis::store::{AppendFsync, Mode};

use crate::conversation::{Detached, End, Finished, OUTPUT_PAUSE_BYTES};
use crate::metrics::count;
use crate::pool::Job;

use super::connection::Connection;
use super::{READ_BYTES, Reactor};

/// Bytes that a connection may send in one turn before others get theirs.
const TURN_BYTES_MAX: usize = 1 << 20;
/// Smallest and largest step by which the buffer of a long request grows.
const GROWTH_BYTES: std::ops::RangeInclusive<usize> = (64 << 10)..=(4 << 20);
/// Emptied buffers above this size are freed.
const SPARE_BYTES_MAX: usize = 512 << 10;
/// Parser memory above this size is freed between commands.
const PARSER_BYTES_MAX: usize = 16 << 10;

/// What to do with a connection after serving it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Keep,
    /// More is there to do: serve it again after the others.
    Again,
    Close,
}

/// Where the bytes of a read went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Received {
    /// So many bytes came; with what was there before, `total` are in the reactor's buffer.
    Buffer {
        bytes: usize,
        total: usize,
    },
    /// So many bytes were appended to the conversation's input.
    Input(usize),
    Nothing,
    End,
}

/// Reads once behind the unfinished request.
fn receive_long(connection: &mut Connection) -> io::Result<Received> {
    let Some(conversation) = &mut connection.conversation else { return Ok(Received::Nothing) };
    let mut input = std::mem::take(&mut conversation.input);
    let before = input.len();
    let missing = conversation.parser.bytes_missing(before);
    let step = missing.clamp(*GROWTH_BYTES.start(), *GROWTH_BYTES.end());
    input.resize(before + step, 0);
    let result = connection.receive(&mut input[before..]);
    let bytes = result.as_ref().ok().copied().flatten().unwrap_or(0);
    input.truncate(before + bytes);
    if let Some(conversation) = &mut connection.conversation {
        conversation.input = input;
    }
    Ok(match result? {
        None => Received::Nothing,
        Some(0) => Received::End,
        Some(bytes) => Received::Input(bytes),
    })
}

impl Reactor {
    /// Serves a connection as far as it goes.
    pub(super) fn serve(&mut self, token: usize) {
        // A socket error means that the peer is gone; there is nobody to tell.
        let fate = self.serve_turn(token).unwrap_or(Fate::Close);
        let Some(Some(connection)) = self.connections.get_mut(token) else { return };
        match fate {
            Fate::Close => self.close(token),
            Fate::Again if !connection.is_queued => {
                connection.is_queued = true;
                self.again.push_back(token);
            }
            Fate::Keep | Fate::Again => {}
        }
        if self.is_stopping {
            self.close_if_settled(token);
        }
    }

    fn serve_turn(&mut self, token: usize) -> io::Result<Fate> {
        let mut budget = TURN_BYTES_MAX;
        loop {
            self.send(token)?;
            let is_stopping = self.is_stopping;
            let Some(Some(connection)) = self.connections.get_mut(token) else {
                return Ok(Fate::Keep);
            };
            if connection.closes && connection.has_sent_all() {
                return Ok(Fate::Close);
            }
            // A client that does not read its replies is not heard until it does.
            if (connection.is_blocked() || connection.is_paused) && connection.at_end {
                return Ok(Fate::Close);
            }
            let is_deaf = connection.closes
                || connection.is_blocked()
                || connection.is_paused
                || connection.conversation.is_none()
                || connection.owed() >= OUTPUT_PAUSE_BYTES;
            if is_deaf {
                return Ok(self.check_output(token));
            }
            if connection.has_more {
                self.execute_input(token);
                continue;
            }
            if !connection.can_read || is_stopping {
                return Ok(Fate::Keep);
            }
            if budget == 0 {
                return Ok(Fate::Again);
            }
            let bytes = match self.receive(token)? {
                Received::Nothing => return Ok(Fate::Keep),
                Received::End => {
                    self.end_after_replies(token);
                    continue;
                }
                Received::Buffer { bytes, total } => {
                    self.execute_buffer(token, total);
                    bytes
                }
                Received::Input(bytes) => {
                    self.execute_input(token);
                    bytes
                }
            };
            self.worker.metrics.bytes_in.add(bytes as u64);
            budget = budget.saturating_sub(bytes);
        }
    }

    /// The peer sends no more: close when it has got its replies.
    fn end_after_replies(&mut self, token: usize) {
        if let Some(Some(connection)) = self.connections.get_mut(token) {
            connection.closes = true;
        }
    }

    /// Reads once. A short unfinished request moves to the front of the reactor's buffer and the
    /// read goes behind it; a long one grows in its own memory.
    fn receive(&mut self, token: usize) -> io::Result<Received> {
        let Some(Some(connection)) = self.connections.get_mut(token) else {
            return Ok(Received::Nothing);
        };
        let Some(conversation) = &mut connection.conversation else { return Ok(Received::Nothing) };
        let before = conversation.input.len();
        if before > READ_BYTES / 2 {
            return receive_long(connection);
        }
        self.read_buffer[..before].copy_from_slice(&conversation.input);
        Ok(match connection.receive(&mut self.read_buffer[before..])? {
            None => Received::Nothing,
            Some(0) => Received::End,
            Some(bytes) => {
                if let Some(conversation) = &mut connection.conversation {
                    conversation.input = Vec::new();
                }
                Received::Buffer { bytes, total: before + bytes }
            }
        })
    }

    /// Executes what lies in the reactor's buffer; an unfinished rest becomes the input.
    fn execute_buffer(&mut self, token: usize, bytes: usize) {
        let buffer = std::mem::take(&mut self.read_buffer);
        let (consumed, end) = self.execute(token, &buffer[..bytes]);
        if let Some(Some(connection)) = self.connections.get_mut(token) {
            if let Some(conversation) = &mut connection.conversation {
                conversation.input.extend_from_slice(&buffer[consumed..bytes]);
            }
        }
        self.read_buffer = buffer;
        self.finish_execution(token, end);
    }

    /// Executes the input of a connection.
    pub(super) fn execute_input(&mut self, token: usize) {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return };
        let Some(conversation) = &mut connection.conversation else { return };
        let mut input = std::mem::take(&mut conversation.input);
        let (consumed, end) = self.execute(token, &input);
        if consumed == input.len() {
            input = Vec::new();
        } else {
            input.drain(..consumed);
        }
        let too_long = input.len() as u64 > self.shared.settings.query_buffer_bytes_max.get();
        if let Some(Some(connection)) = self.connections.get_mut(token) {
            if let Some(conversation) = &mut connection.conversation {
                conversation.input = input;
            }
            if too_long {
                count(&self.shared.metrics.query_buffer_disconnections);
                connection.closes = true;
            }
        }
        self.finish_execution(token, end);
    }

    /// Executes the commands in `data`, their replies going to the connection's output.
    fn execute(&mut self, token: usize, data: &[u8]) -> (usize, End) {
        let Some(Some(connection)) = self.connections.get_mut(token) else {
            return (0, End::NeedsInput);
        };
        let Some(conversation) = &mut connection.conversation else { return (0, End::NeedsInput) };
        if connection.output.capacity() == 0 {
            connection.output = std::mem::take(&mut self.spare_output);
        }
        connection.output.drain(..connection.sent);
        connection.sent_before += connection.sent as u64;
        connection.sent = 0;
        let start = connection.sent_before + connection.output.len() as u64;
        let commits = self.worker.scratch.counters.commits;
        let result = self.worker.run(conversation, data, &mut connection.output, Mode::Try);
        if conversation.parser.capacity_bytes() > PARSER_BYTES_MAX {
            conversation.parser.shrink();
        }
        conversation.note_activity(self.now_ms);
        let wrote = self.worker.scratch.counters.commits != commits;
        if wrote && self.shared.store.appendfsync() == AppendFsync::Always {
            self.pending.hold(token, connection, start);
        }
        result
    }

    /// Acts on the reason why execution stopped.
    fn finish_execution(&mut self, token: usize, end: End) {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return };
        connection.has_more = end == End::OutputFull;
        match end {
            End::NeedsInput | End::OutputFull => {}
            End::Close => connection.closes = true,
            End::Blocked => self.note_deadline(token),
            End::Paused => {
                connection.is_paused = true;
                self.paused.push((token, connection.id));
            }
            End::NeedsWait => {
                let Some(conversation) = connection.conversation.take() else { return };
                count(&self.shared.metrics.handed_to_pool);
                let detached = Detached { reactor: self.index, token, conversation };
                self.shared.pool.submit(&self.shared, Job::Converse(Box::new(detached)));
            }
        }
    }

    /// Takes a conversation back from the pool.
    pub(super) fn take_back(&mut self, finished: Finished) {
        let Finished { token, conversation, output, end } = finished;
        let Some(Some(connection)) = self.connections.get_mut(token) else {
            self.shared.store.waiters().leave(conversation.client.id);
            return;
        };
        if connection.id != conversation.client.id {
            self.shared.store.waiters().leave(conversation.client.id);
            return;
        }
        conversation.note_activity(self.now_ms);
        connection.conversation = Some(conversation);
        connection.output.extend_from_slice(&output);
        self.deliver_held(token);
        self.finish_execution(token, end);
        self.serve(token);
    }

    /// Sends what may be sent and keeps an emptied buffer for the next connection.
    fn send(&mut self, token: usize) -> io::Result<()> {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return Ok(()) };
        if connection.output.capacity() == 0 && !connection.stream.holds_bytes() {
            return Ok(());
        }
        let bytes = connection.send()?;
        self.worker.metrics.bytes_out.add(bytes as u64);
        if let Some(buffer) = connection.reclaim() {
            if buffer.capacity() <= SPARE_BYTES_MAX {
                self.spare_output = buffer;
            }
        }
        Ok(())
    }

    /// Closes a connection that lets too many replies pile up.
    fn check_output(&mut self, token: usize) -> Fate {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return Fate::Keep };
        let owed = connection.owed() as u64;
        if let Some(conversation) = &connection.conversation {
            conversation.client.output_bytes.store(owed, Ordering::Relaxed);
        }
        let max = self.shared.settings.output_limits(connection.is_listening()).bytes_max.get();
        if max != 0 && owed > max {
            count(&self.shared.metrics.output_buffer_disconnections);
            return Fate::Close;
        }
        Fate::Keep
    }
}
