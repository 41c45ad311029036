//! TLS on a socket that never waits.
//!
//! rustls does no input or output itself: it is given the bytes of the socket and gives those to send.
//! The handshake happens inside of reads. Bytes that the socket does not take at once stay in the
//! session and are sent when the reactor hears that there is room.

use std::io::{self, Read, Write};
use std::sync::Arc;

use aidb_base::{Error, Result};
use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};

/// Encrypted bytes that may wait for the socket.
const WAITING_BYTES_MAX: usize = 256 << 10;

/// A socket with a TLS session on it.
pub(crate) struct TlsStream {
    socket: TcpStream,
    session: ServerConnection,
}

impl TlsStream {
    pub(crate) fn new(socket: TcpStream, config: Arc<ServerConfig>) -> Result<Self> {
        let mut session = ServerConnection::new(config)
            .map_err(|error| Error::invalid(format!("cannot begin a TLS session: {error}")))?;
        session.set_buffer_limit(Some(WAITING_BYTES_MAX));
        Ok(Self { socket, session })
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(crate) fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.session.wants_write()
    }

    /// Tells the peer that the end is meant.
    pub(crate) fn farewell(&mut self) {
        self.session.send_close_notify();
        // The connection ends whether the peer hears it or not.
        let _ = self.flush();
    }

    /// Takes bytes of the socket into the session; 0 = the peer sends no more.
    fn fill(&mut self) -> io::Result<usize> {
        let bytes = self.session.read_tls(&mut self.socket)?;
        if let Err(error) = self.session.process_new_packets() {
            // The peer is told why, if it listens.
            let _ = self.flush();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        if self.session.wants_write() {
            self.flush()?;
        }
        Ok(bytes)
    }
}

impl Read for TlsStream {
    /// Gives decrypted bytes; `WouldBlock` when there are none yet.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer is gone without a farewell.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            if self.fill()? == 0 {
                return Ok(0);
            }
        }
    }
}

impl Write for TlsStream {
    /// Encrypts and sends; `WouldBlock` when too much waits for the socket already.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.session.writer().write(bytes)?;
        self.flush()?;
        match taken {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        }
    }

    /// Sends what waits, as far as the socket takes it now.
    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
