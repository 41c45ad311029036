//! The data plane of a node as one object: `aidb.server.data_plane` owns it.

use std::path::PathBuf;
use std::time::Duration;

use aidb_engine::db::Db;
use aidb_engine::{LogMode, Options};
use aidb_node::{AuthClients, Node, NodeOptions};
use aidb_redis::store::AppendFsync;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::allocator;
use crate::error::{closed, invalid, raise, wrong_type};

/// Settings of [`Server`].
const NAMES: [&str; 31] = [
    "rename_commands",
    "aclfile",
    "appendfsync",
    "bulk_bytes_max",
    "clients_max",
    "host",
    "idle_timeout_s",
    "memory_bytes",
    "output_buffer_bytes_max",
    "output_buffer_bytes_soft",
    "output_buffer_soft_s",
    "pool_threads_max",
    "port",
    "protected_mode",
    "query_buffer_bytes_max",
    "reactors",
    "repair_log",
    "requirepass",
    "stop_grace_ms",
    "tcp_keepalive_s",
    "compression",
    "users",
    "plaintext",
    "tls_auth_clients",
    "tls_ca_cert_file",
    "tls_cert_file",
    "tls_handshake_s",
    "tls_key_file",
    "tls_port",
    "unixsocket",
    "unixsocketperm",
];

/// A running server: an open database and the data plane in front of it.
///
/// Threads of its own serve clients; none of them ever needs the GIL.
#[pyclass(frozen, module = "aidb._core")]
pub struct Server {
    running: Mutex<Option<Running>>,
    addresses: Vec<(String, u16)>,
}

struct Running {
    node: Node,
    db: Db,
}

#[pymethods]
impl Server {
    /// Opens the database in `directory` and serves it; keyword arguments are the settings.
    #[new]
    #[pyo3(signature = (directory, /, *, on_recovery_progress = None, **settings))]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        on_recovery_progress: Option<&Bound<'_, PyAny>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let (options, mut engine) = parse(NodeOptions::default(), settings)?;
        engine.listener = on_recovery_progress.map(crate::progress::listener).transpose()?;
        let (db, node) = start(py, Some(directory), options, engine)?;
        let addresses =
            node.addresses().iter().map(|address| (address.ip().to_string(), address.port()));
        Ok(Self { addresses: addresses.collect(), running: Mutex::new(Some(Running { node, db })) })
    }

    /// Pairs of address and port it listens on.
    #[getter]
    fn addresses(&self) -> Vec<(String, u16)> {
        self.addresses.clone()
    }

    /// Pairs of address and port it listens on with TLS.
    #[getter]
    fn tls_addresses(&self) -> PyResult<Vec<(String, u16)>> {
        let running = self.running.lock();
        let node = &running.as_ref().ok_or_else(stopped)?.node;
        let pairs = node.tls_addresses().iter().map(|one| (one.ip().to_string(), one.port()));
        Ok(pairs.collect())
    }

    /// Reads the certificates again, for new connections.
    fn reload_certificates(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            let running = self.running.lock();
            running.as_ref().map_or(Ok(()), |running| running.node.reload_certificates())
        })
        .map_err(raise)
    }

    /// Batches replayed and bytes cut off when the database was opened.
    #[getter]
    fn recovery(&self) -> PyResult<(u64, u64, u64)> {
        let running = self.running.lock();
        let report = running.as_ref().ok_or_else(stopped)?.db.recovery();
        Ok((report.batches_replayed, report.torn_bytes, report.duration_ms))
    }

    /// Waits until a client or a failure asked for the end, at most `seconds`; gives the reason.
    fn wait(&self, py: Python<'_>, seconds: f64) -> PyResult<Option<String>> {
        let timeout = Duration::try_from_secs_f64(seconds)
            .map_err(|_| invalid(format!("cannot wait {seconds} seconds")))?;
        py.detach(|| {
            let signal = self.running.lock().as_ref().map(|running| running.node.stop_signal());
            signal.map(|signal| signal.wait(timeout))
        })
        .ok_or_else(stopped)
    }

    /// Ends gracefully: running commands finish, replies are sent, everything is durable, the
    /// database is closed. A second call does nothing.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let Some(Running { node, db }) = self.running.lock().take() else { return Ok(()) };
        py.detach(|| {
            let stopped = node.stop();
            let closed = db.close();
            stopped.and(closed)
        })
        .map_err(raise)
    }
}

/// The settings of a node and of its engine.
pub fn parse(
    mut options: NodeOptions,
    settings: Option<&Bound<'_, PyDict>>,
) -> PyResult<(NodeOptions, Options)> {
    let mut engine = Options::default();
    if let Some(settings) = settings {
        for (name, value) in settings {
            let name = name.cast::<PyString>()?.to_string();
            set(&mut options, &mut engine, &name, &value)?;
        }
    }
    split_memory(&mut engine, options.memory_bytes);
    if options.appendfsync == AppendFsync::Always {
        engine.log_mode = LogMode::Append;
    }
    Ok((options, engine))
}

/// Opens a database, in memory without a directory, and starts a node on it.
pub fn start(
    py: Python<'_>,
    directory: Option<PathBuf>,
    options: NodeOptions,
    engine: Options,
) -> PyResult<(Db, Node)> {
    allocator::expect(engine.memtables_bytes_max.saturating_add(engine.cache_bytes_max));
    py.detach(|| {
        let db = match directory {
            Some(directory) => Db::open(&directory, engine)?,
            None => Db::open_in_memory(engine)?,
        };
        let node = Node::start(db.clone(), options);
        if node.is_err() {
            db.close()?;
        }
        node.map(|node| (db, node))
    })
    .map_err(raise)
}

#[cold]
fn stopped() -> PyErr {
    closed("the server is stopped; start another one")
}

/// Names of every setting of a server.
#[pyfunction]
pub fn server_setting_names() -> Vec<&'static str> {
    NAMES.to_vec()
}

fn set(
    options: &mut NodeOptions,
    engine: &mut Options,
    name: &str,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    match name {
        "aclfile" => options.acl_file = value.extract()?,
        "appendfsync" => {
            let text: String = value.extract()?;
            options.appendfsync = AppendFsync::parse(&text).ok_or_else(|| {
                invalid(format!("appendfsync is always, everysec or no, not {text:?}"))
            })?;
        }
        "bulk_bytes_max" => options.bulk_bytes_max = value.extract()?,
        "clients_max" => options.clients_max = value.extract()?,
        "compression" => {
            let codec = crate::options::parse_codec(value)?;
            (engine.compression, engine.compression_bottom) = (codec, codec);
        }
        "host" => options.host = value.extract()?,
        "idle_timeout_s" => options.idle_timeout_s = value.extract()?,
        "memory_bytes" => options.memory_bytes = value.extract()?,
        "output_buffer_bytes_max" => options.output_buffer_bytes_max = value.extract()?,
        "output_buffer_bytes_soft" => options.output_buffer_bytes_soft = value.extract()?,
        "output_buffer_soft_s" => options.output_buffer_soft_s = value.extract()?,
        "pool_threads_max" => options.pool_threads_max = value.extract()?,
        "port" => options.port = value.extract()?,
        "protected_mode" => options.protected_mode = value.extract()?,
        "query_buffer_bytes_max" => options.query_buffer_bytes_max = value.extract()?,
        "reactors" => options.reactors = value.extract()?,
        "rename_commands" => options.renames = value.extract()?,
        "repair_log" => engine.salvage_log = value.extract()?,
        "requirepass" => options.password = value.extract()?,
        "stop_grace_ms" => options.stop_grace_ms = value.extract()?,
        "tcp_keepalive_s" => options.tcp_keepalive_s = value.extract()?,
        "users" => options.users = value.extract()?,
        _ => return set_socket(options, name, value),
    }
    Ok(())
}

/// Settings of TLS and of the socket in the file system.
fn set_socket(options: &mut NodeOptions, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let file = || Ok::<_, PyErr>(value.extract::<Option<PathBuf>>()?.unwrap_or_default());
    match name {
        "plaintext" => options.plaintext = value.extract()?,
        "tls_auth_clients" => {
            let text: String = value.extract()?;
            options.tls.auth_clients = AuthClients::parse(&text).ok_or_else(|| {
                invalid(format!("tls_auth_clients is yes, no or optional, not {text:?}"))
            })?;
        }
        "tls_ca_cert_file" => options.tls.roots = file()?,
        "tls_cert_file" => options.tls.certificate = file()?,
        "tls_handshake_s" => options.tls_handshake_s = value.extract()?,
        "tls_key_file" => options.tls.key = file()?,
        "tls_port" => options.tls_port = value.extract()?,
        "unixsocket" => options.unix_socket = value.extract()?,
        "unixsocketperm" => options.unix_socket_mode = value.extract()?,
        _ => return Err(wrong_type(format!("there is no server setting {name:?}"))),
    }
    Ok(())
}

/// Half of the budget caches blocks, three eighths hold memtables; the rest is indexes, filters and
/// connections.
fn split_memory(engine: &mut Options, memory_bytes: u64) {
    let memory = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    engine.cache_bytes_max = memory / 2;
    engine.memtables_bytes_max = memory / 8 * 3;
    engine.memtable_bytes_max = (memory / 8).min(256 << 20);
}
