//! Sockets: where a node listens, and the bytes of a connection, plain or encrypted.
//!
//! A [`Stream`] reads and writes without waiting, as the reactor that owns it asks. TLS is a state
//! machine between the socket and the conversation ([`tls::TlsStream`]); nothing else of the node knows
//! whether it is there.

mod address;
mod certificates;
mod listen;
#[cfg(test)]
mod tests;
mod tls;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

pub(crate) use address::Address;
pub(crate) use certificates::Certificates;
pub use certificates::{AuthClients, TlsFiles};
pub(crate) use listen::{Listener, listen};
pub(crate) use tls::TlsStream;

/// A connected socket that is not yet served.
pub(crate) enum Socket {
    Tcp(TcpStream),
    /// Clients speak TLS on it.
    Tls(TcpStream),
    Unix(UnixStream),
}

/// The bytes of a connection.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    Unix(UnixStream),
}

impl Stream {
    /// Whether a read that gives less than was asked for has emptied the socket.
    pub(crate) fn reads_are_exact(&self) -> bool {
        !matches!(self, Self::Tls(_))
    }

    /// Whether bytes that were written already still wait for the socket.
    pub(crate) fn holds_bytes(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.wants_write())
    }

    /// Whether the client has shown that it may speak.
    pub(crate) fn is_established(&self) -> bool {
        !matches!(self, Self::Tls(tls) if tls.is_handshaking())
    }

    /// Says goodbye, as far as the socket takes it now.
    pub(crate) fn farewell(&mut self) {
        if let Self::Tls(tls) = self {
            tls.farewell();
        }
    }

    /// Its file descriptor, for options of the socket.
    pub(crate) fn as_tcp(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Tcp(stream) => Some(stream.as_fd()),
            Self::Tls(tls) => Some(tls.socket().as_fd()),
            Self::Unix(_) => None,
        }
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    /// Sends what the stream itself holds.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Source for Stream {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.register(registry, token, interest),
            Self::Tls(stream) => stream.socket_mut().register(registry, token, interest),
            Self::Unix(stream) => stream.register(registry, token, interest),
        }
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.reregister(registry, token, interest),
            Self::Tls(stream) => stream.socket_mut().reregister(registry, token, interest),
            Self::Unix(stream) => stream.reregister(registry, token, interest),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.deregister(registry),
            Self::Tls(stream) => stream.socket_mut().deregister(registry),
            Self::Unix(stream) => stream.deregister(registry),
        }
    }
}
