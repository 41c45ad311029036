//! Starting and stopping a node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use aidb_base::{Error, Result, Rng};
use aidb_engine::db::Db;
use aidb_redis::Store;
use mio::{Poll, Waker};
use parking_lot::Mutex;

use crate::acl::Acl;
use crate::clients::Clients;
use crate::local::{Inboxes, LocalClient, Workers};
use crate::mailbox::{Mailbox, Message};
use crate::metrics::{CommandStatistics, NodeMetrics, RateMeter};
use crate::notifications;
use crate::observe::Observers;
use crate::pause::Pause;
use crate::pool::Pool;
use crate::pubsub::PubSub;
use crate::reactor::{Parts, Reactor, WAKER};
use crate::renames::Renames;
use crate::script::{Functions, Scripts};
use crate::settings::{NodeOptions, Settings};
use crate::shared::{Addresses, Saves, Shared, StopSignal};
use crate::tracking::Tracking;
use crate::transport::{Certificates, listen};

/// A running data plane.
///
/// **Concurrency**: all methods may be called from any thread. Dropping a node stops it.
pub struct Node {
    shared: Arc<Shared>,
    workers: Arc<Workers>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Node {
    /// Listens and serves `db`. When it returns, clients can connect.
    ///
    /// # Errors
    /// `Invalid` or `Unavailable` when the address cannot be had; those of the engine.
    pub fn start(db: Db, options: NodeOptions) -> Result<Self> {
        let store = Store::open(db, options.appendfsync)?;
        let functions = Functions::open(&store)?;
        let acl = users(&store, &options)?;
        let certificates = Certificates::unread(options.tls.clone());
        if options.tls_port.is_some() {
            certificates.load(options.tls.clone())?;
        }
        let listeners = listen(&options)?;
        let reactors = match options.reactors {
            // The other half is left to flush, compaction and the kernel's network work.
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
            count => count,
        };
        let mut polls = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in 0..reactors {
            let poll = Poll::new().map_err(|error| cannot("create an event queue", &error))?;
            let waker = Waker::new(poll.registry(), WAKER);
            mailboxes.push(Mailbox::new(waker.map_err(|error| cannot("create a waker", &error))?));
            polls.push(poll);
        }
        mailboxes.push(Mailbox::Local(Inboxes::default()));
        let addresses = Addresses::of(&listeners);
        let renames = Renames::new(&options.renames)?;
        let known = (store, functions, acl, certificates, renames);
        let shared = Arc::new(share(known, options, mailboxes, addresses));
        let weak = Arc::downgrade(&shared);
        shared.store.waiters().set_caller(move |place| {
            if let Some(shared) = weak.upgrade() {
                shared.mailboxes[place.reactor].send(Message::Call(place));
            }
        });
        notifications::publish(&shared);
        Tracking::listen(&shared);
        let workers = Arc::new(Workers::new(&shared));
        let node = Self { shared, workers, threads: Mutex::new(Vec::new()) };
        let mut listeners = Some(listeners);
        for (index, poll) in polls.into_iter().enumerate() {
            let listeners = listeners.take().unwrap_or_default();
            node.start_reactor(Parts { index, poll, listeners })?;
        }
        Ok(node)
    }

    fn start_reactor(&self, parts: Parts) -> Result<()> {
        let name = format!("aidb-reactor-{}", parts.index);
        let reactor = Reactor::new(&self.shared, parts)?;
        let thread = std::thread::Builder::new().name(name).spawn(move || reactor.run());
        self.threads.lock().push(thread.map_err(|error| cannot("start a reactor", &error))?);
        Ok(())
    }

    /// A new client inside this process.
    pub fn local_client(&self) -> LocalClient {
        LocalClient::new(&self.workers)
    }

    /// Where it listens without TLS.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.shared.addresses.plain
    }

    /// Where it listens with TLS.
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.shared.addresses.tls
    }

    /// Reads the certificates again, for new connections.
    ///
    /// # Errors
    /// `Invalid`, with the file that is wrong; then the old ones stay in use.
    pub fn reload_certificates(&self) -> Result<()> {
        match self.shared.options.tls_port {
            Some(_) => self.shared.certificates.load(self.shared.certificates.files()),
            None => Ok(()),
        }
    }

    /// Through which clients and failing threads ask for the end.
    pub fn stop_signal(&self) -> Arc<StopSignal> {
        Arc::clone(&self.shared.stop)
    }

    /// Accepts nothing more, sends the replies of what runs, closes all connections and ends the
    /// threads. The engine stays open; everything written is durable when `Ok`.
    ///
    /// # Errors
    /// Those of the final sync.
    pub fn stop(&self) -> Result<()> {
        self.shared.stop.request("stopped");
        for mailbox in &self.shared.mailboxes {
            mailbox.send(Message::Stop);
        }
        let threads = std::mem::take(&mut *self.threads.lock());
        if threads.is_empty() {
            return Ok(());
        }
        for thread in threads {
            // A thread that panicked has printed its message.
            let _ = thread.join();
        }
        self.shared.pool.stop();
        self.shared.store.db().sync()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The engine reports the same failure to whoever closes it.
        let _ = self.stop();
    }
}

/// The users of the settings, or of the file that they name.
fn users(store: &Store, options: &NodeOptions) -> Result<Acl> {
    let acl = Acl::new(&options.password, options.acl_file.clone());
    acl.configure(&options.users)?;
    if let Some(path) = &options.acl_file {
        let vfs = &store.db().options().env.vfs;
        acl.load(vfs.as_ref(), path)
            .map_err(|why| Error::invalid(format!("{why}; check the setting aclfile")))?;
    }
    Ok(acl)
}

fn share(
    (store, functions, acl, certificates, renames): (Store, Functions, Acl, Certificates, Renames),
    options: NodeOptions,
    mailboxes: Vec<Mailbox>,
    addresses: Addresses,
) -> Shared {
    let started_ms = store.now_ms();
    let mut random = Rng::from_entropy();
    let run_id: String = random
        .bytes16()
        .iter()
        .chain(&random.bytes16()[..4])
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let saves = Saves::default();
    saves.last_ms.store(started_ms, std::sync::atomic::Ordering::Relaxed);
    Shared {
        store,
        settings: Settings::new(&options),
        acl,
        certificates,
        pause: Pause::default(),
        renames,
        clients: Clients::default(),
        pubsub: PubSub::default(),
        tracking: Tracking::default(),
        observers: Observers::default(),
        command_statistics: CommandStatistics::default(),
        rates: RateMeter::default(),
        scripts: Scripts::default(),
        functions,
        pool: Pool::new(options.pool_threads_max),
        mailboxes,
        addresses,
        metrics: NodeMetrics::default(),
        threads: Mutex::new(Vec::new()),
        statistics_base: Mutex::default(),
        run_id,
        started_ms,
        saves,
        stop: Arc::new(StopSignal::default()),
        options,
    }
}

fn cannot(what: &str, error: &std::io::Error) -> Error {
    Error::exhausted(format!("cannot {what}: {error}; raise the limits of the process"))
}
