//! What commands did, for those who look: SLOWLOG, COMMANDLOG, LATENCY, MONITOR.
//!
//! Executing a command compares its time and its reply's size with two numbers; only what reaches one
//! of them comes here. As long as somebody monitors, everything does.

mod command_log;
mod latency;
mod monitors;
mod secrets;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use aidb_redis::resp::Args;
use aidb_redis::table::Command;

use crate::clients::Client;
use crate::shared::Shared;

pub(crate) use command_log::{CommandLog, DISABLED, Entry};
pub(crate) use latency::{LatencyEvents, Series};
pub(crate) use monitors::{Monitoring, Monitors};

/// A command that was executed.
#[derive(Clone, Copy)]
pub(crate) struct Done<'a> {
    pub(crate) client: &'a Client,
    pub(crate) database: usize,
    pub(crate) command: &'a Command,
    pub(crate) args: &'a Args<'a>,
    pub(crate) elapsed_ns: u64,
    pub(crate) reply_bytes: usize,
    pub(crate) is_in_script: bool,
}

/// Everybody who looks.
pub(crate) struct Observers {
    pub(crate) slow: CommandLog,
    pub(crate) large_requests: CommandLog,
    pub(crate) large_replies: CommandLog,
    pub(crate) latency: LatencyEvents,
    pub(crate) monitors: Monitors,
    /// The least time that anybody wants to know of.
    interesting_ns: AtomicU64,
}

impl Default for Observers {
    fn default() -> Self {
        let observers = Self {
            slow: CommandLog::new(10_000),
            large_requests: CommandLog::new(1 << 20),
            large_replies: CommandLog::new(1 << 20),
            latency: LatencyEvents::default(),
            monitors: Monitors::default(),
            interesting_ns: AtomicU64::new(0),
        };
        observers.retune();
        observers
    }
}

impl Observers {
    /// Takes over changed settings and monitors.
    pub(crate) fn retune(&self) {
        let slow_ns = self.slow.threshold.get().saturating_mul(1000);
        let latency_ns = match self.latency.threshold_ms.get() {
            0 => u64::MAX,
            ms => ms.saturating_mul(1_000_000),
        };
        let least = if self.monitors.any() { 0 } else { slow_ns.min(latency_ns) };
        self.interesting_ns.store(least, Ordering::Relaxed);
    }

    /// Whether anybody wants to know of a command.
    #[inline]
    pub(crate) fn want(&self, elapsed_ns: u64, reply_bytes: usize) -> bool {
        elapsed_ns >= self.interesting_ns.load(Ordering::Relaxed)
            || reply_bytes as u64 >= self.large_replies.threshold.get()
    }
}

/// Tells everybody who wants to know.
#[cold]
pub(crate) fn tell(shared: &Shared, done: &Done<'_>) {
    let observers = &shared.observers;
    let sub = (done.args.len() > 1).then(|| done.command.subcommand(done.args.get(1))).flatten();
    let command = sub.unwrap_or(done.command);
    if observers.monitors.any() && !is_hidden(command) {
        observers.monitors.feed(shared, done);
    }
    let elapsed_us = done.elapsed_ns / 1000;
    let now_ms = shared.store.now_ms();
    if done.is_in_script {
        return;
    }
    if observers.latency.is_reached(done.elapsed_ns) {
        let event = if command.flags.contains(&"fast") { "fast-command" } else { "command" };
        observers.latency.add(event, now_ms / 1000, done.elapsed_ns / 1_000_000);
    }
    if command.flags.contains(&"skip_slowlog") {
        return;
    }
    if elapsed_us >= observers.slow.threshold.get() {
        observers.slow.add(done, elapsed_us, now_ms);
    }
    if done.reply_bytes as u64 >= observers.large_replies.threshold.get() {
        observers.large_replies.add(done, done.reply_bytes as u64, now_ms);
    }
}

/// Notes a request of so many bytes when that is many.
#[cold]
pub(crate) fn tell_of_request(
    shared: &Shared,
    client: &Client,
    (database, command): (usize, &Command),
    args: &Args<'_>,
    bytes: u64,
) {
    let (elapsed_ns, reply_bytes, is_in_script) = (0, 0, false);
    let done = Done { client, database, command, args, elapsed_ns, reply_bytes, is_in_script };
    shared.observers.large_requests.add(&done, bytes, shared.store.now_ms());
}

/// Commands of administrators are not shown to monitors.
fn is_hidden(command: &Command) -> bool {
    command.flags.iter().any(|flag| matches!(*flag, "admin" | "skip_monitor"))
        && command.name != "exec"
        && !command.name.starts_with("eval")
        && !command.name.starts_with("fcall")
}
