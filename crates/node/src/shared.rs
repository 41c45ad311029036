//! What all threads of a node share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aidb_redis::Store;
use parking_lot::{Condvar, Mutex};

use crate::acl::Acl;
use crate::clients::Clients;
use crate::local::Inboxes;
use crate::mailbox::Mailbox;
use crate::metrics::{CommandStatistics, NodeMetrics, RateMeter, Rates, ThreadMetrics, read};
use crate::observe::Observers;
use crate::pause::Pause;
use crate::pool::Pool;
use crate::pubsub::PubSub;
use crate::renames::Renames;
use crate::script::{Functions, Scripts};
use crate::settings::{NodeOptions, Settings};
use crate::tracking::Tracking;
use crate::transport::{Certificates, Listener};

/// The node as its threads see it.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) options: NodeOptions,
    pub(crate) settings: Settings,
    pub(crate) acl: Acl,
    pub(crate) clients: Clients,
    pub(crate) pubsub: PubSub,
    pub(crate) tracking: Tracking,
    pub(crate) observers: Observers,
    pub(crate) command_statistics: CommandStatistics,
    pub(crate) rates: RateMeter,
    pub(crate) scripts: Scripts,
    pub(crate) functions: Functions,
    pub(crate) pool: Pool,
    /// Those of the reactors, and behind them the one of the clients inside this process.
    pub(crate) mailboxes: Vec<Mailbox>,
    pub(crate) pause: Pause,
    pub(crate) renames: Renames,
    pub(crate) addresses: Addresses,
    pub(crate) certificates: Certificates,
    pub(crate) metrics: NodeMetrics,
    pub(crate) threads: Mutex<Vec<Arc<ThreadMetrics>>>,
    pub(crate) statistics_base: Mutex<Totals>,
    pub(crate) run_id: String,
    pub(crate) started_ms: u64,
    pub(crate) saves: Saves,
    pub(crate) stop: Arc<StopSignal>,
}

/// Where a node listens on the network.
#[derive(Default)]
pub(crate) struct Addresses {
    pub(crate) plain: Vec<SocketAddr>,
    pub(crate) tls: Vec<SocketAddr>,
}

impl Addresses {
    pub(crate) fn of(listeners: &[Listener]) -> Self {
        let of = |is_tls: bool| {
            let meant = listeners.iter().filter(|listener| listener.is_tls() == is_tls);
            meant.filter_map(Listener::address).collect()
        };
        Self { plain: of(false), tls: of(true) }
    }
}

impl Shared {
    /// Number of reactors; also the place of the mailbox of the clients inside this process.
    pub(crate) fn reactors(&self) -> usize {
        self.mailboxes.len() - 1
    }

    /// The inboxes of the clients inside this process.
    pub(crate) fn inboxes(&self) -> Option<&Inboxes> {
        match self.mailboxes.last() {
            Some(Mailbox::Local(inboxes)) => Some(inboxes),
            _ => None,
        }
    }

    /// Counters for a new thread.
    pub(crate) fn register_thread(&self) -> Arc<ThreadMetrics> {
        let metrics = Arc::new(ThreadMetrics::new());
        self.threads.lock().push(Arc::clone(&metrics));
        metrics
    }
}

/// Checkpoints made by SAVE and BGSAVE.
#[derive(Default)]
pub(crate) struct Saves {
    pub(crate) last_ms: AtomicU64,
    pub(crate) is_running: AtomicBool,
    pub(crate) last_failed: AtomicBool,
}

/// Wish of a client or a failing thread that the node ends.
#[derive(Default)]
pub struct StopSignal {
    reason: Mutex<Option<String>>,
    changed: Condvar,
    is_set: AtomicBool,
}

impl StopSignal {
    /// Asks for the end; the first reason stays.
    pub(crate) fn request(&self, reason: &str) {
        self.reason.lock().get_or_insert_with(|| reason.to_owned());
        self.is_set.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    /// Waits until somebody asks, at most `timeout`.
    pub fn wait(&self, timeout: Duration) -> Option<String> {
        let mut reason = self.reason.lock();
        if reason.is_none() {
            self.changed.wait_for(&mut reason, timeout);
        }
        reason.clone()
    }
}

/// Sums over all threads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) connections: u64,
    pub(crate) commands: u64,
    pub(crate) errors: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) commits: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

impl Shared {
    fn totals(&self) -> Totals {
        let connections = read(&self.metrics.connections_received);
        let mut totals = Totals { connections, ..Totals::default() };
        for thread in self.threads.lock().iter() {
            totals.commands += thread.commands.get();
            totals.errors += thread.errors.get();
            totals.hits += thread.hits.get();
            totals.misses += thread.misses.get();
            totals.commits += thread.commits.get();
            totals.bytes_in += thread.bytes_in.get();
            totals.bytes_out += thread.bytes_out.get();
        }
        totals
    }

    /// Measures what happened since the last call.
    pub(crate) fn measure_rates(&self) {
        let Totals { commands, bytes_in, bytes_out, .. } = self.totals();
        self.rates.measure(self.store.now_ms(), Rates { commands, bytes_in, bytes_out });
    }

    /// Sums since the start or the last CONFIG RESETSTAT.
    pub(crate) fn totals_since_reset(&self) -> Totals {
        let (now, base) = (self.totals(), *self.statistics_base.lock());
        Totals {
            connections: now.connections - base.connections,
            commands: now.commands - base.commands,
            errors: now.errors - base.errors,
            hits: now.hits - base.hits,
            misses: now.misses - base.misses,
            commits: now.commits - base.commits,
            bytes_in: now.bytes_in - base.bytes_in,
            bytes_out: now.bytes_out - base.bytes_out,
        }
    }

    /// Lets the sums begin at zero.
    pub(crate) fn reset_statistics(&self) {
        let totals = self.totals();
        *self.statistics_base.lock() = totals;
        self.command_statistics.reset(&self.threads.lock());
        self.metrics.forget_errors();
    }
}
