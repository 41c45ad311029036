//! What each command cost: calls, time, refusals.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use aidb_redis::resp::Args;
use aidb_redis::table::{COMMANDS, Command};
use parking_lot::Mutex;

use super::histogram::Histogram;
use super::{Counter, ThreadMetrics};

/// What one thread counted of one command, or of one subcommand.
#[derive(Debug, Default)]
pub(crate) struct CommandMetrics {
    calls: Counter,
    ns: Counter,
    /// Calls that answered an error.
    failed: Counter,
    /// Requests that were refused before they began.
    rejected: Counter,
    histogram: OnceLock<Histogram>,
    /// Of a container: its subcommands, in the table's order.
    subcommands: OnceLock<Box<[CommandMetrics]>>,
}

impl CommandMetrics {
    /// Those of every command of the table.
    pub(super) fn of_table() -> Box<[Self]> {
        COMMANDS.iter().map(|_| Self::default()).collect()
    }

    #[inline]
    pub(crate) fn record(&self, ns: u64, has_failed: bool) {
        self.calls.add(1);
        self.ns.add(ns);
        self.histogram.get_or_init(Histogram::default).record(ns);
        if has_failed {
            self.failed.add(1);
        }
    }

    pub(crate) fn reject(&self) {
        self.rejected.add(1);
    }

    /// Its own counters, or those of the subcommand that the arguments name.
    #[inline]
    pub(crate) fn of(&self, command: &Command, args: &Args<'_>) -> &Self {
        if command.subcommands.is_empty() || args.len() < 2 {
            return self;
        }
        self.of_subcommand(command, args.get(1))
    }

    fn of_subcommand(&self, command: &Command, name: &[u8]) -> &Self {
        let all = self
            .subcommands
            .get_or_init(|| command.subcommands.iter().map(|_| Self::default()).collect());
        let is_meant = |sub: &Command| sub.short_name().as_bytes().eq_ignore_ascii_case(name);
        command.subcommands.iter().position(is_meant).and_then(|at| all.get(at)).unwrap_or(self)
    }
}

/// Sums over all threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandTotals {
    pub(crate) calls: u64,
    pub(crate) ns: u64,
    pub(crate) failed: u64,
    pub(crate) rejected: u64,
    /// Counts of the histogram.
    pub(crate) counts: Vec<u64>,
}

impl CommandTotals {
    fn add(&mut self, metrics: &CommandMetrics) {
        self.calls += metrics.calls.get();
        self.ns += metrics.ns.get();
        self.failed += metrics.failed.get();
        self.rejected += metrics.rejected.get();
        if let Some(histogram) = metrics.histogram.get() {
            histogram.add_to(&mut self.counts);
        }
    }

    fn subtract(&mut self, base: &Self) {
        self.calls -= base.calls;
        self.ns -= base.ns;
        self.failed -= base.failed;
        self.rejected -= base.rejected;
        self.counts.iter_mut().zip(&base.counts).for_each(|(count, base)| *count -= base);
    }
}

type ByName = BTreeMap<&'static str, CommandTotals>;

/// Sums by name of command, since the last reset.
#[derive(Debug, Default)]
pub(crate) struct CommandStatistics {
    base: Mutex<ByName>,
}

impl CommandStatistics {
    /// The commands that were called or refused since the last reset.
    pub(crate) fn read(&self, threads: &[Arc<ThreadMetrics>]) -> ByName {
        let mut totals = sum(threads);
        for (name, base) in &*self.base.lock() {
            if let Some(total) = totals.get_mut(name) {
                total.subtract(base);
            }
        }
        totals.retain(|_, total| total.calls + total.rejected > 0);
        totals
    }

    /// Lets the sums begin at zero.
    pub(crate) fn reset(&self, threads: &[Arc<ThreadMetrics>]) {
        *self.base.lock() = sum(threads);
    }
}

fn sum(threads: &[Arc<ThreadMetrics>]) -> ByName {
    let mut totals = ByName::new();
    for thread in threads {
        for (command, metrics) in COMMANDS.iter().zip(&thread.by_command) {
            totals.entry(command.name).or_default().add(metrics);
            let subcommands = metrics.subcommands.get();
            for (sub, metrics) in command.subcommands.iter().zip(subcommands.into_iter().flatten())
            {
                totals.entry(sub.name).or_default().add(metrics);
            }
        }
    }
    totals
}
