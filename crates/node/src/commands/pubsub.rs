//! SUBSCRIBE and its kin, PUBLISH, PUBSUB.

use std::sync::atomic::Ordering;

use aidb_redis::Outcome;

use crate::pubsub::{Kind, Listener, Subscriptions};

use super::NodeCall;

const HELP: &[&str] = &[
    "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
    "HELP",
    "    Prints this help.",
];

fn names(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Channel => ("subscribe", "unsubscribe"),
        Kind::Pattern => ("psubscribe", "punsubscribe"),
        Kind::Shard => ("ssubscribe", "sunsubscribe"),
    }
}

/// `SUBSCRIBE channel [channel …]`, `PSUBSCRIBE`, `SSUBSCRIBE`
pub(super) fn subscribe(call: &mut NodeCall<'_>, kind: Kind) -> Outcome {
    let shared = &call.worker.shared;
    let client = call.client;
    let subscriptions = call.state.subscriptions.get_or_insert_with(|| {
        let (client, reactor, token) = (client.id, client.reactor, client.token);
        Box::new(Subscriptions::new(shared, Listener { client, reactor, token }))
    });
    for name in call.args.from(1) {
        subscriptions.add(kind, name);
        call.reply.push(3);
        call.reply.bulk(names(kind).0.as_bytes());
        call.reply.bulk(name);
        call.reply.integer(subscriptions.shown_count(kind) as i64);
    }
    show_counts(call);
    Ok(())
}

/// `UNSUBSCRIBE [channel …]`, `PUNSUBSCRIBE`, `SUNSUBSCRIBE`
pub(super) fn unsubscribe(call: &mut NodeCall<'_>, kind: Kind) -> Outcome {
    let all = call.args.len() == 1;
    let held = call.state.subscriptions.as_ref().map_or_else(Vec::new, |held| held.names(kind));
    let chosen: Vec<&[u8]> = match all {
        true => held.iter().map(|name| &**name).collect(),
        false => call.args.from(1).collect(),
    };
    for name in &chosen {
        if let Some(subscriptions) = &mut call.state.subscriptions {
            subscriptions.remove(kind, name);
        }
        unsubscribed(call, kind, Some(name));
    }
    if chosen.is_empty() {
        unsubscribed(call, kind, None);
    }
    if call.state.subscriptions.as_ref().is_some_and(|subscriptions| subscriptions.is_empty()) {
        call.state.subscriptions = None;
    }
    show_counts(call);
    Ok(())
}

fn unsubscribed(call: &mut NodeCall<'_>, kind: Kind, name: Option<&[u8]>) {
    let left = call.state.subscriptions.as_ref().map_or(0, |left| left.shown_count(kind));
    call.reply.push(3);
    call.reply.bulk(names(kind).1.as_bytes());
    match name {
        Some(name) => call.reply.bulk(name),
        None => call.reply.null(),
    }
    call.reply.integer(left as i64);
}

/// For CLIENT LIST.
fn show_counts(call: &NodeCall<'_>) {
    let subscriptions = call.state.subscriptions.as_ref();
    let kinds = [Kind::Channel, Kind::Pattern, Kind::Shard];
    for (shown, kind) in call.client.subscriptions.iter().zip(kinds) {
        let count = subscriptions.map_or(0, |subscriptions| subscriptions.count(kind));
        shown.store(count as u32, Ordering::Relaxed);
    }
}

/// `PUBLISH channel message`, `SPUBLISH shardchannel message`
pub(super) fn publish(call: &mut NodeCall<'_>, kind: Kind) -> Outcome {
    let shared = std::sync::Arc::clone(call.shared());
    let (channel, payload) = (call.args.get(1), call.args.get(2));
    let reached = call.worker.outbox.publish(&shared, kind, channel, payload);
    call.reply.integer(reached as i64);
    Ok(())
}

/// `PUBSUB subcommand …`
pub(super) fn pubsub(call: &mut NodeCall<'_>) -> Outcome {
    let shared = std::sync::Arc::clone(call.shared());
    match call.args.get(1).to_ascii_lowercase().as_slice() {
        b"channels" => channels(call, Kind::Channel),
        b"shardchannels" => channels(call, Kind::Shard),
        b"numsub" => numbers(call, Kind::Channel),
        b"shardnumsub" => numbers(call, Kind::Shard),
        b"numpat" => call.reply.integer(shared.pubsub.patterns() as i64),
        _ => call.help(HELP)?,
    }
    Ok(())
}

fn channels(call: &mut NodeCall<'_>, kind: Kind) {
    let pattern = (call.args.len() > 2).then(|| call.args.get(2));
    let channels = call.shared().pubsub.channels(kind, pattern);
    call.reply.array(channels.len());
    channels.iter().for_each(|name| call.reply.bulk(name));
}

fn numbers(call: &mut NodeCall<'_>, kind: Kind) {
    let channels: Vec<&[u8]> = call.args.from(2).collect();
    call.reply.array(2 * channels.len());
    for channel in channels {
        let listeners = call.shared().pubsub.listeners(kind, channel);
        call.reply.bulk(channel);
        call.reply.integer(listeners as i64);
    }
}
