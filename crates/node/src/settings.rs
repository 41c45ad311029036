//! Settings of a node: those it starts with, and those that CONFIG SET changes while it runs.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use aidb_redis::resp::RequestLimits;
use aidb_redis::store::AppendFsync;

use crate::transport::TlsFiles;

/// Settings at start.
#[derive(Clone)]
pub struct NodeOptions {
    /// Address or host name to listen on; empty = only clients inside this process.
    pub host: String,
    /// Port; 0 = any free one.
    pub port: u16,
    /// Whether clients may speak without TLS on `port`.
    pub plaintext: bool,
    /// Port for TLS; 0 = any free one; `None` = no TLS.
    pub tls_port: Option<u16>,
    /// Certificates of the server and the roots of its clients'.
    pub tls: TlsFiles,
    /// Seconds that a TLS handshake may take.
    pub tls_handshake_s: u64,
    /// Path of a socket in the file system to listen at.
    pub unix_socket: Option<PathBuf>,
    /// Its permissions; `None` = those of the process.
    pub unix_socket_mode: Option<u32>,
    /// Password of clients; empty = none is asked for.
    pub password: String,
    /// Users besides `default`, each `name rule …`.
    pub users: Vec<String>,
    /// Other names of commands; an empty one takes the command away.
    pub renames: Vec<(String, String)>,
    /// File of users; then `users` must be empty.
    pub acl_file: Option<PathBuf>,
    /// Without a password, refuse clients of other machines.
    pub protected_mode: bool,
    /// Reactor threads; 0 = one per two cores.
    pub reactors: usize,
    /// Most threads for commands that wait.
    pub pool_threads_max: usize,
    /// Durability of acknowledged writes.
    pub appendfsync: AppendFsync,
    /// Most connections.
    pub clients_max: u64,
    /// Idle seconds after which a connection is closed; 0 = never.
    pub idle_timeout_s: u64,
    /// Longest bulk string of a request.
    pub bulk_bytes_max: u64,
    /// Most bytes of one client's unfinished request.
    pub query_buffer_bytes_max: u64,
    /// Most bytes of replies waiting for one client; 0 = no limit.
    pub output_buffer_bytes_max: u64,
    /// Bytes of waiting replies that a client may owe only for a while; 0 = no limit.
    pub output_buffer_bytes_soft: u64,
    /// Seconds after which a client above the soft limit is closed.
    pub output_buffer_soft_s: u64,
    /// Seconds between TCP keep-alive probes; 0 = none.
    pub tcp_keepalive_s: u64,
    /// Milliseconds that a stop waits for replies to be sent.
    pub stop_grace_ms: u64,
    /// Memory budget of the engine in bytes; shown as `maxmemory`.
    pub memory_bytes: u64,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 6379,
            plaintext: true,
            tls_port: None,
            tls: TlsFiles::default(),
            tls_handshake_s: 10,
            unix_socket: None,
            unix_socket_mode: None,
            password: String::new(),
            users: Vec::new(),
            renames: Vec::new(),
            acl_file: None,
            protected_mode: true,
            reactors: 0,
            pool_threads_max: 32,
            appendfsync: AppendFsync::EverySec,
            clients_max: 10_000,
            idle_timeout_s: 0,
            bulk_bytes_max: 512 << 20,
            query_buffer_bytes_max: 1 << 30,
            output_buffer_bytes_max: 1 << 30,
            output_buffer_bytes_soft: 64 << 20,
            output_buffer_soft_s: 60,
            tcp_keepalive_s: 300,
            stop_grace_ms: 5000,
            memory_bytes: 1 << 30,
        }
    }
}

/// A number that any thread reads and CONFIG SET writes.
#[derive(Debug)]
pub(crate) struct Setting(AtomicU64);

impl Setting {
    pub(crate) fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Settings that may change while the node runs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) clients_max: Setting,
    pub(crate) idle_timeout_s: Setting,
    pub(crate) bulk_bytes_max: Setting,
    pub(crate) query_buffer_bytes_max: Setting,
    /// Of clients that send commands.
    pub(crate) output_normal: OutputLimits,
    /// Of clients that listen to channels.
    pub(crate) output_pubsub: OutputLimits,
    /// Keys of which some client is told; 0 = no limit.
    pub(crate) tracked_keys_max: Setting,
    pub(crate) tcp_keepalive_s: Setting,
    pub(crate) protected_mode: Setting,
}

/// How much a client may leave unread.
#[derive(Debug)]
pub(crate) struct OutputLimits {
    /// Closed at once above so many bytes; 0 = no limit.
    pub(crate) bytes_max: Setting,
    /// Closed when above so many bytes for `soft_s` seconds; 0 = no limit.
    pub(crate) bytes_soft: Setting,
    pub(crate) soft_s: Setting,
}

impl OutputLimits {
    fn new(bytes_max: u64, bytes_soft: u64, soft_s: u64) -> Self {
        let setting = Setting::new;
        Self {
            bytes_max: setting(bytes_max),
            bytes_soft: setting(bytes_soft),
            soft_s: setting(soft_s),
        }
    }

    pub(crate) fn set(&self, bytes_max: u64, bytes_soft: u64, soft_s: u64) {
        self.bytes_max.set(bytes_max);
        self.bytes_soft.set(bytes_soft);
        self.soft_s.set(soft_s);
    }
}

impl Settings {
    pub(crate) fn new(options: &NodeOptions) -> Self {
        Self {
            clients_max: Setting::new(options.clients_max),
            idle_timeout_s: Setting::new(options.idle_timeout_s),
            bulk_bytes_max: Setting::new(options.bulk_bytes_max),
            query_buffer_bytes_max: Setting::new(options.query_buffer_bytes_max),
            output_normal: OutputLimits::new(
                options.output_buffer_bytes_max,
                options.output_buffer_bytes_soft,
                options.output_buffer_soft_s,
            ),
            output_pubsub: OutputLimits::new(32 << 20, 8 << 20, 60),
            tracked_keys_max: Setting::new(1_000_000),
            tcp_keepalive_s: Setting::new(options.tcp_keepalive_s),
            protected_mode: Setting::new(u64::from(options.protected_mode)),
        }
    }

    pub(crate) fn output_limits(&self, is_listening: bool) -> &OutputLimits {
        if is_listening { &self.output_pubsub } else { &self.output_normal }
    }

    #[inline]
    pub(crate) fn request_limits(&self) -> RequestLimits {
        RequestLimits { bulk_bytes_max: self.bulk_bytes_max.get() as usize, is_stranger: false }
    }
}
