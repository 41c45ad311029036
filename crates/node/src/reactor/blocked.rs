//! Connections whose command waits for a key.

use aidb_redis::session::Place;
use aidb_redis::stop::Wait;

use crate::blocking;

use super::Reactor;

impl Reactor {
    /// Executes the waiting command of a called client again.
    pub(super) fn try_again(&mut self, place: Place) {
        let Some(Some(connection)) = self.connections.get_mut(place.token) else { return };
        if connection.id != place.client {
            return;
        }
        if connection.conversation.is_none() {
            connection.is_called = true;
        } else if connection.is_blocked() {
            self.execute_input(place.token);
            self.serve(place.token);
        }
    }

    /// A connection began to wait, or goes on after another attempt.
    pub(super) fn note_deadline(&mut self, token: usize) {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return };
        let was_called = std::mem::take(&mut connection.is_called);
        if let Some(fails) = connection.is_unblocked.take() {
            return self.give_up(token, fails);
        }
        let blocked = connection.conversation.as_ref().and_then(|c| c.state.blocked);
        if let Some(Wait { until_ms: until_ms @ 1.. }) = blocked {
            self.deadlines.insert((until_ms, token, connection.id));
        }
        if was_called {
            let place = Place { client: connection.id, reactor: self.index, token };
            self.try_again(place);
        }
    }

    /// Serves the connections that waited for the end of a pause.
    pub(super) fn resume_paused(&mut self) {
        if self.paused.is_empty() || self.shared.pause.is_on(self.now_ms) {
            return;
        }
        for (token, id) in std::mem::take(&mut self.paused) {
            let Some(Some(connection)) = self.connections.get_mut(token) else { continue };
            if connection.id == id {
                connection.is_paused = false;
                connection.has_more = true;
                self.serve(token);
            }
        }
    }

    /// Answers the clients whose time is over.
    pub(super) fn give_up_waiting(&mut self) {
        while let Some(&(at, token, id)) = self.deadlines.first() {
            if at > self.now_ms {
                return;
            }
            self.deadlines.pop_first();
            let Some(Some(connection)) = self.connections.get_mut(token) else { continue };
            if connection.id != id {
                continue;
            }
            let blocked = connection.conversation.as_ref().map(|c| c.state.blocked);
            match blocked {
                Some(Some(wait)) if wait.until_ms == at => self.give_up(token, false),
                // In the pool, about to know: look again soon.
                None => {
                    self.deadlines.insert((self.now_ms + 10, token, id));
                    return;
                }
                Some(_) => {}
            }
        }
    }

    /// `CLIENT UNBLOCK`
    pub(super) fn unblock(&mut self, place: Place, fails: bool) {
        let Some(Some(connection)) = self.connections.get_mut(place.token) else { return };
        if connection.id != place.client {
            return;
        }
        if connection.conversation.is_none() {
            connection.is_unblocked = Some(fails);
        } else if connection.is_blocked() {
            self.give_up(place.token, fails);
        }
    }

    /// Answers the waiting command and takes it from the input.
    fn give_up(&mut self, token: usize, fails: bool) {
        let Some(Some(connection)) = self.connections.get_mut(token) else { return };
        let Some(conversation) = &mut connection.conversation else { return };
        blocking::give_up(&self.shared, conversation, &mut connection.output, fails);
        connection.has_more = !conversation.input.is_empty();
        self.serve(token);
    }
}
