//! HELLO, QUIT, RESET.

use std::sync::atomic::Ordering;

use aidb_redis::commands::server::protocol_version;
use aidb_redis::resp::Protocol;
use aidb_redis::stop::SYNTAX;
use aidb_redis::{Outcome, Session, Stop};

use crate::state::State;

use super::client::check_name;
use super::{NodeCall, text};

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
    let mut is_known = !call.state.is_stranger;
    let mut at = 2;
    while at < call.args.len() {
        let more = call.args.len() - at - 1;
        if call.is_word(at, "auth") && more >= 2 {
            check_password(call, call.args.get(at + 1), call.args.get(at + 2))?;
            is_known = true;
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
    if !is_known {
        return Err(Stop::fail(HELLO_NEEDS_PASSWORD));
    }
    call.state.is_stranger = false;
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

/// Checks a password of the only user, `default`; without one any will do.
fn check_password(call: &NodeCall<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let expected = &call.shared().settings.password;
    if user == b"default" && (!expected.is_set() || expected.is(password)) {
        return Ok(());
    }
    Err(Stop::fail("WRONGPASS invalid username-password pair or user is disabled."))
}

/// `AUTH [username] password`
pub(super) fn auth(call: &mut NodeCall<'_>) -> Outcome {
    let (user, password) = match call.args.len() {
        2 if !call.shared().settings.password.is_set() => {
            return Err(Stop::fail(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        2 => (b"default".as_slice(), call.args.get(1)),
        3 => (call.args.get(1), call.args.get(2)),
        _ => return Err(SYNTAX),
    };
    check_password(call, user, password)?;
    call.state.is_stranger = false;
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
    let is_stranger = call.shared().settings.password.is_set();
    *call.state = State { is_stranger, ..State::default() };
    call.client.show_queued(None);
    call.client.subscriptions.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    call.client.rename(|names| names.name.clear());
    call.client.is_kept.store(false, Ordering::Relaxed);
    call.client.touches.store(true, Ordering::Relaxed);
    call.reply.set_protocol(Protocol::Resp2);
    call.reply.simple("RESET");
    Ok(())
}
