//! Sockets that clients connect to.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use aidb_base::{Error, Result};
use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Type};

use super::{Address, Socket};
use crate::settings::NodeOptions;

/// Connections that the kernel keeps for us before they are accepted.
const BACKLOG: i32 = 4096;

/// A socket that clients connect to.
pub(crate) enum Listener {
    Tcp(TcpListener),
    /// Clients speak TLS on it.
    Tls(TcpListener),
    Unix(UnixListener, Arc<str>),
}

impl Listener {
    /// The next connection and where it comes from.
    pub(crate) fn accept(&self) -> io::Result<(Socket, Address)> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                (Socket::Tcp(stream), Address::Tcp(address))
            }
            Self::Tls(listener) => {
                let (stream, address) = listener.accept()?;
                (Socket::Tls(stream), Address::Tcp(address))
            }
            Self::Unix(listener, path) => {
                let (stream, _) = listener.accept()?;
                (Socket::Unix(stream), Address::Unix(Arc::clone(path)))
            }
        })
    }

    /// Lets the reactor hear of connections.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener) => {
                listener.register(registry, token, Interest::READABLE)
            }
            Self::Unix(listener, _) => listener.register(registry, token, Interest::READABLE),
        }
    }

    /// Where it listens on the network.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Somebody else may have removed it, or put another there that nobody can tell from ours.
            let _ = rustix::fs::unlink(&**path);
        }
    }
}

/// Listens wherever the settings say; without a host on no network.
///
/// # Errors
/// `Invalid` or `Unavailable` when an address cannot be had.
pub(crate) fn listen(options: &NodeOptions) -> Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    if options.plaintext {
        listeners.extend(listen_on(options, options.port)?.into_iter().map(Listener::Tcp));
    }
    if let Some(port) = options.tls_port {
        listeners.extend(listen_on(options, port)?.into_iter().map(Listener::Tls));
    }
    if let Some(path) = &options.unix_socket {
        listeners.push(listen_at(path, options.unix_socket_mode)?);
    }
    if listeners.is_empty() && !options.host.is_empty() {
        return Err(Error::invalid(
            "the server would listen nowhere; set plaintext, tls_port or unixsocket",
        ));
    }
    Ok(listeners)
}

/// Listens on every address of every host; with port 0 all get the port of the first.
fn listen_on(options: &NodeOptions, port: u16) -> Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for host in options.host.split_ascii_whitespace() {
        // A host that begins with `-` may be missing.
        let (host, is_optional) = match host.strip_prefix('-') {
            Some(host) => (host, true),
            None => (host, false),
        };
        let host = match host {
            "*" => "0.0.0.0",
            "::*" => "::",
            host => host,
        };
        match listen_on_host(host, port, &mut listeners) {
            Err(_) if is_optional => {}
            outcome => outcome?,
        }
    }
    if listeners.is_empty() && !options.host.is_empty() {
        let host = &options.host;
        return Err(Error::invalid(format!("host {host:?} has no address; check --host")));
    }
    Ok(listeners)
}

fn listen_on_host(host: &str, port: u16, listeners: &mut Vec<TcpListener>) -> Result<()> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| {
        Error::invalid(format!("cannot resolve host {host}: {error}; check --host"))
    })?;
    for mut address in addresses {
        if let (0, Some(first)) = (port, listeners.first().and_then(|l| l.local_addr().ok())) {
            address.set_port(first.port());
        }
        let listener = bind(address).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Error::unavailable(format!(
                "cannot listen on {address}: the port is in use; stop the other server or choose \
                 another --port"
            )),
            _ => Error::invalid(format!(
                "cannot listen on {address}: {error}; check --host and --port"
            )),
        })?;
        listeners.push(listener);
    }
    Ok(())
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Listens at a path; a socket that an earlier server left there is replaced. Two servers cannot meet
/// here with one database, because it is locked before.
fn listen_at(path: &Path, mode: Option<u32>) -> Result<Listener> {
    let cannot = |error: &io::Error| {
        Error::invalid(format!("cannot listen at {}: {error}; check unixsocket", path.display()))
    };
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(Error::unavailable(format!(
            "cannot listen at {}: another server does; stop it or choose another unixsocket",
            path.display()
        )));
    }
    let is_socket =
        |meta: std::fs::Metadata| std::os::unix::fs::FileTypeExt::is_socket(&meta.file_type());
    if std::fs::symlink_metadata(path).is_ok_and(is_socket) {
        rustix::fs::unlink(path).map_err(|error| cannot(&error.into()))?;
    }
    let listener = UnixListener::bind(path).map_err(|error| cannot(&error))?;
    if let Some(mode) = mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .map_err(|error| cannot(&error))?;
    }
    Ok(Listener::Unix(listener, Arc::from(path.display().to_string().as_str())))
}
