//! HELLO, QUIT, RESET.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aidb_redis::commands::server::protocol_version;
use aidb_redis::resp::Protocol;
use aidb_redis::stop::SYNTAX;
use aidb_redis::{Outcome, Session, Stop};

use crate::acl::{Context, DEFAULT, Identity, User};
use crate::state::State;

use super::client::check_name;
use super::{NodeCall, acl, text};

/// Version of Redis whose behaviour clients may expect.
pub(crate) const REDIS_VERSION: &str = "7.4.0";

const HELLO_NEEDS_PASSWORD: &str = "NOAUTH HELLO must be called with the client already \
    authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to \
    authenticate the client and select the RESP protocol version at the same time";

/// `HELLO [version [AUTH user password] [SETNAME name]]`
pub(super) fn hello(call: &mut NodeCall<'_>) -> Outcome {
    let mut protocol = call.session.protocol;
    if call.args.len() > 1 {
        protocol = protocol_version(call.args.get(1)).ok_or_else(|| {
            if aidb_redis::number::parse_integer(call.args.get(1)).is_none() {
                Stop::fail("ERR Protocol version is not an integer or out of range")
            } else {
                Stop::fail("NOPROTO unsupported protocol version")
            }
        })?;
    }
    let mut name = None;
    let mut user = None;
    let mut at = 2;
    while at < call.args.len() {
        let more = call.args.len() - at - 1;
        if call.is_word(at, "auth") && more >= 2 {
            user = Some(authenticate(call, call.args.get(at + 1), call.args.get(at + 2))?);
            at += 2;
        } else if call.is_word(at, "setname") && more >= 1 {
            name = Some(check_name(call.args.get(at + 1))?);
            at += 1;
        } else {
            let option = text(call.args.get(at));
            return Err(Stop::fail(format!("ERR Syntax error in HELLO option '{option}'")));
        }
        at += 1;
    }
    if user.is_none() && call.state.identity.is_stranger {
        return Err(Stop::fail(HELLO_NEEDS_PASSWORD));
    }
    if let Some(user) = user {
        call.become_user(user);
    }
    if let Some(name) = name {
        call.client.rename(|names| names.name = name);
    }
    call.session.protocol = protocol;
    call.reply.set_protocol(protocol);
    describe(call);
    Ok(())
}

fn describe(call: &mut NodeCall<'_>) {
    let version = if call.session.protocol == Protocol::Resp3 { 3 } else { 2 };
    let id = call.client.id as i64;
    let reply = &mut call.reply;
    reply.map(7);
    for (key, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(key.as_bytes());
        reply.bulk(value.as_bytes());
    }
    for (key, value) in [("proto", version), ("id", id)] {
        reply.bulk(key.as_bytes());
        reply.integer(value);
    }
    for (key, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(key.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}

/// The user of a name and password.
fn authenticate(call: &NodeCall<'_>, name: &[u8], password: &[u8]) -> Result<Arc<User>, Stop> {
    let shared = call.shared();
    shared.acl.authenticate(name, password).ok_or_else(|| {
        let context = match call.store.is_transaction() {
            true => Context::Multi,
            false => Context::Toplevel,
        };
        acl::note(shared, call.client, None, context, call.args.get(0), name);
        Stop::fail("WRONGPASS invalid username-password pair or user is disabled.")
    })
}

impl NodeCall<'_> {
    /// The connection is this user's from now on.
    fn become_user(&mut self, user: Arc<User>) {
        self.client.set_user(user.name());
        self.state.identity = Identity::of(user);
    }
}

/// `AUTH [username] password`
pub(super) fn auth(call: &mut NodeCall<'_>) -> Outcome {
    let (user, password) = match call.args.len() {
        2 if call.shared().acl.asks_no_password() => {
            return Err(Stop::fail(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        2 => (DEFAULT, call.args.get(1)),
        3 => (call.args.get(1), call.args.get(2)),
        _ => return Err(SYNTAX),
    };
    let user = authenticate(call, user, password)?;
    call.become_user(user);
    call.reply.ok();
    Ok(())
}

/// `QUIT`
pub(super) fn quit(call: &mut NodeCall<'_>) -> Outcome {
    call.reply.ok();
    call.closes = true;
    Ok(())
}

/// `RESET`
pub(super) fn reset(call: &mut NodeCall<'_>) -> Outcome {
    *call.session = Session { place: call.session.place, ..Session::default() };
    let identity = Identity::unnamed(&call.shared().acl);
    call.client.set_user(call.shared().acl.default_user().name());
    *call.state = State { identity, ..State::default() };
    call.client.show_queued(None);
    call.client.subscriptions.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    call.client.rename(|names| names.name.clear());
    call.client.monitors.store(false, Ordering::Relaxed);
    call.client.is_kept.store(false, Ordering::Relaxed);
    call.client.touches.store(true, Ordering::Relaxed);
    call.reply.set_protocol(Protocol::Resp2);
    call.reply.simple("RESET");
    Ok(())
}
