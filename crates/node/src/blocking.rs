//! Commands that wait for a key: what happens to their client.
//!
//! The command stays at the front of the input. When the client is called, it is executed again, on its
//! reactor or in the pool, until it has something to answer or its time is over.

use std::sync::atomic::Ordering;

use aidb_redis::resp::{Reply, Status};
use aidb_redis::{Session, Stop};

use crate::clients::Client;
use crate::conversation::{Conversation, Next};
use crate::shared::Shared;
use crate::state::State;

/// What follows an attempt of a command that waits, or has waited.
#[cold]
pub(crate) fn after(
    shared: &Shared,
    client: &Client,
    session: &mut Session,
    state: &mut State,
    outcome: Result<bool, Stop>,
) -> Next {
    let waiters = shared.store.waiters();
    match outcome {
        Err(Stop::Wait(wait)) => {
            match state.blocked {
                // Its time began with the first attempt.
                Some(_) => waiters.pass(client.id),
                None => {
                    state.blocked = Some(wait);
                    session.is_waiting = true;
                    client.is_blocked.store(true, Ordering::Relaxed);
                }
            }
            Next::Blocked
        }
        Ok(closes) => {
            end(shared, client, session, state);
            if closes { Next::Close } else { Next::Done }
        }
        Err(_) => Next::Wait,
    }
}

/// Answers the waiting command, which its client no longer waits for, and takes it from the input.
pub(crate) fn give_up(
    shared: &Shared,
    conversation: &mut Conversation,
    output: &mut Vec<u8>,
    fails: bool,
) {
    let limits = shared.settings.request_limits();
    let Conversation { client, session, state, parser, input } = conversation;
    if let Ok(Status::Command(bytes)) = parser.parse(input, limits) {
        input.drain(..bytes);
    }
    let mut reply = Reply::new(output, session.protocol);
    match fails {
        true => reply.error(b"UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        false => reply.null_array(),
    }
    end(shared, client, session, state);
}

/// The client waits no more.
pub(crate) fn end(shared: &Shared, client: &Client, session: &mut Session, state: &mut State) {
    state.blocked = None;
    session.is_waiting = false;
    client.is_blocked.store(false, Ordering::Relaxed);
    shared.store.waiters().leave(client.id);
}
