//! Messages of channels and about changed keys, appended to the replies of who listens.

use std::sync::Arc;

use crate::pubsub::Delivery;
use crate::tracking::Notice;

use super::Reactor;

/// A message that waits for its connection's conversation.
pub(super) enum Held {
    Message(Arc<Delivery>),
    Notice(Arc<Notice>),
    Line(Arc<[u8]>),
}

impl Reactor {
    /// Tells a connection of changed keys.
    pub(super) fn notify(&mut self, notice: Arc<Notice>, token: usize, client: u64) {
        if self.append_notice(notice, token, client) {
            self.serve(token);
        }
    }

    /// Shows a command to a connection that monitors.
    pub(super) fn show(&mut self, line: Arc<[u8]>, token: usize, client: u64) {
        if self.append_line(line, token, client) {
            self.serve(token);
        }
    }

    fn append_line(&mut self, line: Arc<[u8]>, token: usize, client: u64) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return false };
        if connection.id != client || connection.closes {
            return false;
        }
        let Some(conversation) = &connection.conversation else {
            connection.held.push(Held::Line(line));
            return false;
        };
        let is_monitoring = conversation.state.monitoring.is_some();
        if is_monitoring {
            connection.output.extend_from_slice(&line);
        }
        is_monitoring
    }

    fn append_notice(&mut self, notice: Arc<Notice>, token: usize, client: u64) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return false };
        if connection.id != client || connection.closes {
            return false;
        }
        let Some(conversation) = &connection.conversation else {
            connection.held.push(Held::Notice(notice));
            return false;
        };
        let is_listening = conversation.state.subscriptions.is_some();
        let bytes = notice.encoded(conversation.session.protocol, is_listening);
        connection.output.extend_from_slice(bytes);
        !bytes.is_empty()
    }

    /// Gives a message to connections of this reactor, by token and client.
    pub(super) fn deliver(&mut self, delivery: &Arc<Delivery>, to: &[(usize, u64)]) {
        for &(token, client) in to {
            if self.append(delivery, token, client) {
                self.serve(token);
            }
        }
    }

    /// Whether the connection has something to send now.
    fn append(&mut self, delivery: &Arc<Delivery>, token: usize, client: u64) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return false };
        if connection.id != client || connection.closes {
            return false;
        }
        let Some(conversation) = &connection.conversation else {
            connection.held.push(Held::Message(Arc::clone(delivery)));
            return false;
        };
        // Whoever stopped listening has been told so already.
        let topics = conversation.state.subscriptions.as_ref();
        if topics.is_none_or(|held| !held.contains(delivery.kind, &delivery.topic)) {
            return false;
        }
        let bytes = delivery.encoded(conversation.session.protocol);
        connection.output.extend_from_slice(bytes);
        true
    }

    /// Closes the connections that listen to what their users must not hear any more.
    pub(super) fn check_listeners(&mut self) {
        for token in 0..self.connections.len() {
            self.check_topics(token);
        }
    }

    fn check_topics(&mut self, token: usize) {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return };
        let Some(conversation) = &mut connection.conversation else {
            connection.must_check_topics = true;
            return;
        };
        connection.must_check_topics = false;
        if !conversation.state.may_go_on_listening(&self.shared.acl) {
            self.close(token);
        }
    }

    /// Gives a connection what came while the pool had its conversation.
    pub(super) fn deliver_held(&mut self, token: usize) {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return };
        let client = connection.id;
        let must_check = connection.must_check_topics;
        for held in std::mem::take(&mut connection.held) {
            match held {
                Held::Message(delivery) => self.append(&delivery, token, client),
                Held::Line(line) => self.append_line(line, token, client),
                Held::Notice(notice) => self.append_notice(notice, token, client),
            };
        }
        if must_check {
            self.check_topics(token);
        }
    }
}
