//! Every connected client as CLIENT LIST, INFO and KILL see it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering,
};

use parking_lot::Mutex;

use crate::acl::Name;
use crate::tracking::Wish;
use crate::transport::Address;

/// Names that a client gave itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientNames {
    pub(crate) name: String,
    pub(crate) library: String,
    pub(crate) library_version: String,
}

/// What others may know of a client. Written by the thread that serves it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) address: Address,
    pub(crate) local_address: Address,
    pub(crate) reactor: usize,
    /// Place of the connection in its reactor.
    pub(crate) token: usize,
    pub(crate) connected_ms: u64,
    pub(crate) last_active_ms: AtomicU64,
    pub(crate) database: AtomicU8,
    pub(crate) protocol: AtomicU8,
    /// Place of the last command in the table + 1; 0 = none yet.
    pub(crate) last_command: AtomicU16,
    pub(crate) input_bytes: AtomicU64,
    pub(crate) output_bytes: AtomicU64,
    pub(crate) is_kept: AtomicBool,
    pub(crate) touches: AtomicBool,
    /// It waits for a key.
    pub(crate) is_blocked: AtomicBool,
    /// Who is told of changed keys: -1 = nobody, 0 = itself, or another client.
    pub(crate) redirect: AtomicI64,
    /// It sees every command.
    pub(crate) monitors: AtomicBool,
    /// It is told of keys that it has not read.
    pub(crate) broadcasts: AtomicBool,
    /// The client to be told instead is gone.
    pub(crate) is_redirect_broken: AtomicBool,
    /// Commands queued by MULTI + 1; 0 = no transaction.
    pub(crate) queued: AtomicU32,
    /// Channels, patterns, shard channels.
    pub(crate) subscriptions: [AtomicU32; 3],
    names: Mutex<Option<Box<ClientNames>>>,
    user: Mutex<Arc<Name>>,
}

impl Client {
    pub(crate) fn new(
        id: u64,
        address: Address,
        local_address: Address,
        place: (usize, usize),
        user: Arc<Name>,
        now_ms: u64,
    ) -> Self {
        let (reactor, token) = place;
        Self {
            id,
            address,
            local_address,
            reactor,
            token,
            connected_ms: now_ms,
            last_active_ms: AtomicU64::new(now_ms),
            database: AtomicU8::new(0),
            protocol: AtomicU8::new(2),
            last_command: AtomicU16::new(0),
            input_bytes: AtomicU64::new(0),
            output_bytes: AtomicU64::new(0),
            is_kept: AtomicBool::new(false),
            touches: AtomicBool::new(true),
            is_blocked: AtomicBool::new(false),
            redirect: AtomicI64::new(-1),
            monitors: AtomicBool::new(false),
            broadcasts: AtomicBool::new(false),
            is_redirect_broken: AtomicBool::new(false),
            queued: AtomicU32::new(0),
            subscriptions: Default::default(),
            names: Mutex::new(None),
            user: Mutex::new(user),
        }
    }

    /// Whether it listens to channels, patterns or shard channels.
    pub(crate) fn is_listening(&self) -> bool {
        self.subscriptions.iter().any(|count| count.load(Ordering::Relaxed) != 0)
    }

    /// Notes how many commands wait for EXEC; `None` = no transaction.
    pub(crate) fn show_queued(&self, commands: Option<usize>) {
        let shown = commands.map_or(0, |commands| commands as u32 + 1);
        self.queued.store(shown, Ordering::Relaxed);
    }

    /// Notes how it is told of changed keys; `None` = not at all.
    pub(crate) fn show_tracking(&self, wish: Option<&Wish>) {
        let redirect = wish.map_or(-1, |wish| wish.redirect.unwrap_or(0) as i64);
        self.redirect.store(redirect, Ordering::Relaxed);
        let broadcasts = wish.is_some_and(|wish| wish.broadcasts);
        self.broadcasts.store(broadcasts, Ordering::Relaxed);
        self.is_redirect_broken.store(false, Ordering::Relaxed);
    }

    pub(crate) fn user(&self) -> Arc<Name> {
        Arc::clone(&self.user.lock())
    }

    pub(crate) fn set_user(&self, name: &Arc<Name>) {
        *self.user.lock() = Arc::clone(name);
    }

    pub(crate) fn names(&self) -> ClientNames {
        self.names.lock().as_deref().cloned().unwrap_or_default()
    }

    pub(crate) fn rename(&self, change: impl FnOnce(&mut ClientNames)) {
        change(self.names.lock().get_or_insert_default());
    }
}

/// The connected clients by id.
#[derive(Default)]
pub(crate) struct Clients {
    next_id: AtomicU64,
    connected: Mutex<BTreeMap<u64, Arc<Client>>>,
}

impl Clients {
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn add(&self, client: Arc<Client>) {
        self.connected.lock().insert(client.id, client);
    }

    pub(crate) fn remove(&self, id: u64) {
        self.connected.lock().remove(&id);
    }

    /// The client of a number, if it is connected.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.connected.lock().get(&id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.connected.lock().len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        self.connected.lock().values().cloned().collect()
    }
}
