//! Messages of channels, appended to the replies of who listens.

use std::sync::Arc;

use crate::pubsub::Delivery;

use super::Reactor;

impl Reactor {
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
            connection.held.push(Arc::clone(delivery));
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

    /// Gives a connection what came while the pool had its conversation.
    pub(super) fn deliver_held(&mut self, token: usize) {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return };
        let client = connection.id;
        for delivery in std::mem::take(&mut connection.held) {
            self.append(&delivery, token, client);
        }
    }
}
