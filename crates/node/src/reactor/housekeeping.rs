//! Closing connections: on request, when idle, when they owe too much for too long.

use std::sync::atomic::Ordering;

use crate::metrics::count;

use crate::pool::Job;

use super::Reactor;

/// Between two passes over collections whose members may have outlived them.
const RECLAIM_MS: u64 = 60_000;

impl Reactor {
    /// Once per second: what events do not show.
    pub(super) fn tick(&mut self) {
        if self.index == 0 {
            self.shared.measure_rates();
        }
        if self.index == 0 && self.now_ms >= self.reclaim_at_ms {
            self.reclaim_at_ms = self.now_ms + RECLAIM_MS;
            // What fails now is found again by the next pass.
            let job = Job::Run(Box::new(|shared| drop(shared.store.reclaim())));
            self.shared.pool.submit(&self.shared, job);
        }
        if self.index == 0 && self.shared.store.has_due_fields() {
            let job = Job::Run(Box::new(|shared| drop(shared.store.sweep_fields())));
            self.shared.pool.submit(&self.shared, job);
        }
        for listener in 0..self.listeners.len() {
            self.accept(listener);
        }
        let idle_ms = self.shared.settings.idle_timeout_s.get() * 1000;
        for token in 0..self.connections.len() {
            if self.is_idle(token, idle_ms) || self.hesitates(token) {
                self.close(token);
            } else if self.owes_too_long(token) {
                count(&self.shared.metrics.output_buffer_disconnections);
                self.close(token);
            }
        }
    }

    fn is_idle(&self, token: usize, idle_ms: u64) -> bool {
        let Some(Some(connection)) = self.connections.get(token) else { return false };
        let Some(conversation) = &connection.conversation else { return false };
        let last = conversation.client.last_active_ms.load(Ordering::Relaxed);
        idle_ms != 0 && self.now_ms.saturating_sub(last) > idle_ms
    }

    /// Whether its TLS handshake takes too long.
    fn hesitates(&self, token: usize) -> bool {
        let Some(Some(connection)) = self.connections.get(token) else { return false };
        let Some(conversation) = &connection.conversation else { return false };
        let waited_ms = self.now_ms.saturating_sub(conversation.client.connected_ms);
        !connection.stream.is_established()
            && waited_ms > self.shared.options.tls_handshake_s * 1000
    }

    fn owes_too_long(&mut self, token: usize) -> bool {
        let now_ms = self.now_ms;
        let Some(Some(connection)) = self.connections.get_mut(token) else { return false };
        let limits = self.shared.settings.output_limits(connection.is_listening());
        let (soft, seconds) = (limits.bytes_soft.get(), limits.soft_s.get());
        if soft == 0 || connection.owed() as u64 <= soft {
            connection.above_soft_since_ms = 0;
            return false;
        }
        if connection.above_soft_since_ms == 0 {
            connection.above_soft_since_ms = now_ms;
        }
        now_ms - connection.above_soft_since_ms > seconds * 1000
    }

    /// Closes the connection of a client.
    pub(super) fn kill(&mut self, id: u64) {
        let is_meant = |connection: &Option<_>| {
            connection.as_ref().is_some_and(|c: &super::connection::Connection| c.id == id)
        };
        if let Some(token) = self.connections.iter().position(is_meant) {
            self.close(token);
        }
    }

    /// Closes a connection now. A conversation in the pool is dropped when it comes back.
    pub(super) fn close(&mut self, token: usize) {
        let Some(slot) = self.connections.get_mut(token) else { return };
        let Some(mut connection) = slot.take() else { return };
        connection.stream.farewell();
        // Dropping the stream closes the socket, whatever deregistering says.
        let _ = self.poll.registry().deregister(&mut connection.stream);
        self.shared.clients.remove(connection.id);
        if connection.is_blocked() {
            self.shared.store.waiters().leave(connection.id);
        }
        self.free.push(token);
    }

    /// When stopping: closes a connection that has nothing under way.
    pub(super) fn close_if_settled(&mut self, token: usize) {
        let Some(Some(connection)) = self.connections.get(token) else { return };
        if connection.has_sent_all() && connection.conversation.is_some() && !connection.has_more {
            self.close(token);
        }
    }
}
