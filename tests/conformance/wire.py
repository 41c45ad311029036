"""A bare RESP client: sends bytes as they are told, keeps the type of every reply."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Status:
    """A simple string."""

    text: bytes


@dataclass(frozen=True)
class Failure:
    """An error reply."""

    text: bytes

    @property
    def code(self) -> bytes:
        """The first word."""
        return self.text.split(b" ", 1)[0]


@dataclass(frozen=True)
class Verbatim:
    """A RESP3 verbatim string with its format."""

    format: bytes
    text: bytes


@dataclass(frozen=True)
class Push:
    """A RESP3 message that no request asked for."""

    items: tuple[Any, ...]


@dataclass(frozen=True)
class Pairs:
    """A RESP3 map, in order."""

    items: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True)
class Members:
    """A RESP3 set, in order."""

    items: tuple[Any, ...]


class ConnectionClosedError(Exception):
    """The server closed the connection."""


def encode(*arguments: bytes | str | float) -> bytes:
    """A command as RESP."""
    words = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


class Wire:
    """One connection."""

    def __init__(self, port: int, *, protocol: int = 2, timeout: float = 20) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._at = 0
        if protocol == 3:
            self("HELLO", 3)

    def __call__(self, *arguments: bytes | str | int) -> Any:
        """Send a command and return its reply."""
        self.send(encode(*arguments))
        return self.read()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def pipeline(self, commands: Sequence[tuple[bytes | str | int, ...]]) -> list[Any]:
        """Send all commands at once and return their replies."""
        self.send(b"".join(encode(*command) for command in commands))
        return [self.read() for _ in commands]

    def read(self) -> Any:
        """The next reply."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return Status(rest)
            case b"-":
                return Failure(rest)
            case b":" | b"(":
                return int(rest)
            case b"$":
                return None if rest == b"-1" else self._bulk(int(rest))
            case b"=":
                text = self._bulk(int(rest))
                return Verbatim(text[:3], text[4:])
            case b"*":
                return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
            case b"%":
                return Pairs(tuple((self.read(), self.read()) for _ in range(int(rest))))
            case b"~":
                return Members(tuple(self.read() for _ in range(int(rest))))
            case b">":
                return Push(tuple(self.read() for _ in range(int(rest))))
            case b"_":
                return None
            case b",":
                return float(rest)
            case b"#":
                return rest == b"t"
        raise AssertionError(f"unknown reply {line!r}")

    def is_closed(self) -> bool:
        """Whether the server closes the connection without saying more."""
        try:
            return self._more() is False
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Close."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _more(self) -> bool:
        data = self.socket.recv(1 << 18)
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += data
        return bool(data)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n", self._at)) < 0:
            if not self._more():
                raise ConnectionClosedError
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line

    def _bulk(self, length: int) -> bytes:
        while len(self._buffer) - self._at < length + 2:
            if not self._more():
                raise ConnectionClosedError
        text = bytes(self._buffer[self._at : self._at + length])
        self._at += length + 2
        return text
