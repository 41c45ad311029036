//! New connections: accepted by the first reactor, spread over all in turn.
//!
//! Handing out in turn keeps few connections balanced, which separate listeners on one port
//! (`SO_REUSEPORT`) do not, and leaves a second server on the same port an error.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use aidb_redis::Session;
use aidb_redis::resp::Parser;
use aidb_redis::session::Place;
use mio::{Interest, Token};
use socket2::{SockRef, TcpKeepalive};

use crate::acl::Identity;
use crate::clients::Client;
use crate::conversation::Conversation;
use crate::mailbox::Message;
use crate::metrics::count;
use crate::state::State;
use crate::transport::{Address, Socket, Stream, TlsStream};

use super::Reactor;
use super::connection::Connection;

/// Answer to clients of other machines in protected mode.
const DENIED: &[u8] = b"-DENIED aidb runs in protected mode: it has no password and answers only \
    clients of its own machine. Set requirepass, or protected_mode = false if the network is safe.\r\n";

/// Writes to a socket that is new, so that these bytes fit; the client may be gone already. A client
/// that expects TLS would not understand them.
fn tell(socket: &mut Socket, bytes: &[u8]) {
    let _ = match socket {
        Socket::Tcp(stream) => stream.write(bytes),
        Socket::Unix(stream) => stream.write(bytes),
        Socket::Tls(_) => Ok(0),
    };
}

/// Our end of a connection over the network.
fn local_address(stream: &Stream) -> Option<Address> {
    let socket = stream.as_tcp()?;
    SockRef::from(&socket).local_addr().ok()?.as_socket().map(Address::Tcp)
}

impl Reactor {
    /// Accepts everything that waits. An error (no file descriptors) is tried again at the next tick.
    pub(super) fn accept(&mut self, listener: usize) {
        while let Some(Ok((socket, address))) = self.listeners.get(listener).map(|l| l.accept()) {
            let reactor = self.next_reactor % self.shared.reactors();
            self.next_reactor += 1;
            if reactor == self.index {
                self.adopt(socket, address);
            } else {
                let mailbox = &self.shared.mailboxes[reactor];
                mailbox.send(Message::Accepted(socket, address));
            }
        }
    }

    /// Begins to serve a connection, or refuses it.
    pub(super) fn adopt(&mut self, mut socket: Socket, address: Address) {
        let shared = &self.shared;
        count(&shared.metrics.connections_received);
        if self.is_stopping {
            return;
        }
        if shared.clients.len() as u64 >= shared.settings.clients_max.get() {
            count(&shared.metrics.connections_rejected);
            tell(&mut socket, b"-ERR max number of clients reached\r\n");
            return;
        }
        if shared.acl.asks_no_password()
            && shared.settings.protected_mode.get() != 0
            && !address.is_local()
        {
            count(&shared.metrics.connections_rejected);
            tell(&mut socket, DENIED);
            return;
        }
        let Some(mut stream) = self.open(socket) else { return };
        self.set_options(&stream);
        let token = self.free.pop().unwrap_or(self.connections.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, Token(token), interest).is_err() {
            self.free.push(token);
            return;
        }
        let local = local_address(&stream).unwrap_or_else(|| address.clone());
        let id = self.shared.clients.next_id();
        let identity = Identity::unnamed(&self.shared.acl);
        let name = Arc::clone(self.shared.acl.default_user().name());
        let place = (self.index, token);
        let client = Arc::new(Client::new(id, address, local, place, name, self.now_ms));
        self.shared.clients.add(Arc::clone(&client));
        let place = Place { client: id, reactor: self.index, token };
        let conversation = Conversation {
            client,
            session: Session { place, ..Session::default() },
            state: State { identity, ..State::default() },
            parser: Parser::new(),
            input: Vec::new(),
        };
        let connection = Connection::new(stream, conversation);
        if token == self.connections.len() {
            self.connections.push(Some(connection));
        } else {
            self.connections[token] = Some(connection);
        }
        self.serve(token);
    }

    /// The stream on a socket; `None` when TLS cannot begin.
    fn open(&self, socket: Socket) -> Option<Stream> {
        Some(match socket {
            Socket::Tcp(stream) => Stream::Tcp(stream),
            Socket::Unix(stream) => Stream::Unix(stream),
            Socket::Tls(stream) => {
                let config = self.shared.certificates.config()?;
                Stream::Tls(Box::new(TlsStream::new(stream, config).ok()?))
            }
        })
    }

    /// No Nagle, keep-alive probes. Failing to set an option is no reason to refuse.
    fn set_options(&self, stream: &Stream) {
        let Some(socket) = stream.as_tcp() else { return };
        let socket = SockRef::from(&socket);
        let _ = socket.set_tcp_nodelay(true);
        let seconds = self.shared.settings.tcp_keepalive_s.get();
        if seconds > 0 {
            let probes = TcpKeepalive::new()
                .with_time(Duration::from_secs(seconds))
                .with_interval(Duration::from_secs((seconds / 3).max(1)));
            let _ = socket.set_tcp_keepalive(&probes);
        }
    }
}
