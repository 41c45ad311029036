//! Replies that wait for the disk, with `appendfsync always`.
//!
//! The writes of a turn share one sync; while it runs, further turns execute and gather for the next
//! one. Every sync has a ticket; a connection knows the last ticket that its replies depend on.

use aidb_base::Result;
use aidb_redis::resp::{Protocol, Reply};

use crate::conversation::unsynced;

use super::Reactor;
use super::connection::Connection;

/// Connections waiting for a sync.
#[derive(Default)]
pub(super) struct Pending {
    /// Ticket of the sync that runs, or of the last one.
    ticket: u64,
    in_flight: Vec<Waiting>,
    is_in_flight: bool,
    gathering: Vec<Waiting>,
}

struct Waiting {
    token: usize,
    id: u64,
    /// The connection's replies up to here depend on this sync.
    end: u64,
}

impl Pending {
    /// Holds a connection's replies from `start` on until the next sync.
    pub(super) fn hold(&mut self, token: usize, connection: &mut Connection, start: u64) {
        connection.durable.get_or_insert(start);
        connection.ticket = self.ticket + 1;
        self.gathering.push(Waiting { token, id: connection.id, end: connection.end() });
    }
}

impl Reactor {
    /// Asks for a sync when somebody waits and none runs.
    pub(super) fn request_sync(&mut self) {
        let pending = &mut self.pending;
        if pending.is_in_flight || pending.gathering.is_empty() {
            return;
        }
        pending.ticket += 1;
        pending.is_in_flight = true;
        std::mem::swap(&mut pending.in_flight, &mut pending.gathering);
        self.syncer.request(pending.ticket);
    }

    /// Releases the replies that waited for the sync of `ticket`, or takes them back.
    pub(super) fn synced(&mut self, ticket: u64, result: Result<()>) {
        self.pending.is_in_flight = false;
        let mut waiting = std::mem::take(&mut self.pending.in_flight);
        for Waiting { token, id, end } in waiting.drain(..) {
            let Some(Some(connection)) = self.connections.get_mut(token) else { continue };
            if connection.id != id {
                continue;
            }
            match &result {
                Ok(()) => {
                    let depends = connection.ticket > ticket;
                    connection.durable = depends.then_some(end);
                }
                Err(error) => refuse(connection, &unsynced(error)),
            }
            self.serve(token);
        }
        self.pending.in_flight = waiting;
    }
}

/// Replaces the replies that were not to be sent by an error and closes.
fn refuse(connection: &mut Connection, line: &[u8]) {
    let Some(durable) = connection.durable.take() else { return };
    connection.output.truncate(durable.saturating_sub(connection.sent_before) as usize);
    Reply::new(&mut connection.output, Protocol::Resp2).error(line);
    connection.closes = true;
}
