"""A connection to the Redis that data comes from: RESP2, blocking, no more than an import needs."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from aidb.errors import InvalidError, UnavailableError

PORT = 6379
CONNECT_S = 10.0
SILENCE_S = 60.0
"""Redis sends something every ten seconds; after this long the link counts as dead."""
_READ_BYTES = 256 << 10

Reply = bytes | int | str | list["Reply"] | None


@dataclass(frozen=True)
class Address:
    """Where a Redis is, and who we are there."""

    host: str
    port: int
    user: str | None
    password: str | None
    has_tls: bool

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``redis://[[user]:password@]host[:port]``; ``rediss`` is TLS.

        Raises:
            InvalidError: It is none.
        """
        parts = urlsplit(url)
        try:
            port = parts.port or PORT
        except ValueError:
            port = 0
        if parts.scheme not in {"redis", "rediss"} or not parts.hostname or not port:
            raise InvalidError(f"{url!r} is no address; write redis://[user:password@]host[:port]")
        if parts.path.strip("/"):
            raise InvalidError("all logical databases are imported; leave the number out")
        user = unquote(parts.username or "") or None
        password = None if parts.password is None else unquote(parts.password)
        return cls(parts.hostname, port, user, password, parts.scheme == "rediss")

    def __str__(self) -> str:
        """The address without the password."""
        return f"redis{'s' if self.has_tls else ''}://{self.host}:{self.port}"


class RefusedError(UnavailableError):
    """The source answered an error line."""


class Source:
    """One connection. A context manager that closes it."""

    def __init__(self, address: Address) -> None:
        """Connect and authenticate.

        Raises:
            UnavailableError: Nobody answers, or the source refuses us.
        """
        self.address = address
        try:
            plain = socket.create_connection((address.host, address.port), timeout=CONNECT_S)
            self._socket = plain
            if address.has_tls:
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(plain, server_hostname=address.host)
        except OSError as error:
            raise UnavailableError(
                f"cannot reach {address}: {error}; check address and firewall"
            ) from None
        self._socket.settimeout(SILENCE_S)
        self._buffer = bytearray()
        if address.password is not None:
            names = () if address.user is None else (address.user,)
            self.command("AUTH", *names, address.password)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a thread that reads from it gets an error."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def send(self, *words: bytes | str | int) -> None:
        """Send a command and wait for nothing."""
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(encoded)]
        parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded]
        try:
            self._socket.sendall(b"".join(parts))
        except OSError as error:
            raise self._lost(error) from None

    def command(self, *words: bytes | str | int) -> Reply:
        """Send a command and return its reply.

        Raises:
            RefusedError: It is an error line.
            UnavailableError: The link is lost.
        """
        self.send(*words)
        return self.reply()

    def reply(self) -> Reply:
        """Read one reply."""
        line = self.line()
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return rest.decode("utf-8", "replace")
            case b"-":
                raise RefusedError(f"{self.address} refuses: {rest.decode('utf-8', 'replace')}")
            case b":":
                return int(rest)
            case b"$":
                return None if rest == b"-1" else self.exactly(int(rest) + 2)[:-2]
            case b"*":
                return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
            case _:
                raise UnavailableError(f"{self.address} does not speak Redis's protocol")

    def line(self) -> bytes:
        """Read up to the end of a line."""
        while (end := self._buffer.find(b"\n")) < 0:
            self._buffer += self._receive()
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line

    def exactly(self, count: int) -> bytes:
        """Read ``count`` bytes."""
        while len(self._buffer) < count:
            self._buffer += self._receive()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def some(self) -> bytes:
        """Read whatever is there, at least a byte."""
        if self._buffer:
            taken = bytes(self._buffer)
            self._buffer.clear()
            return taken
        return self._receive()

    def _receive(self) -> bytes:
        try:
            received = self._socket.recv(_READ_BYTES)
        except OSError as error:
            raise self._lost(error) from None
        if not received:
            raise self._lost("it closed the connection")
        return received

    def _lost(self, why: object) -> UnavailableError:
        return UnavailableError(f"the link to {self.address} is lost: {why}")
