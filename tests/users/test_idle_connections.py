"""What a connection that says nothing costs."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.conformance.servers import aidb_server

CONNECTIONS = 900
SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n" + b"v" * 100 + b"\r\n"


def test_an_idle_connection_costs_little(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server:
        connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
        speak(connections)
        before = server.resident_bytes()
        connections += [
            socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)
        ]
        speak(connections)
        grown = server.resident_bytes() - before
        for connection in connections:
            connection.close()
    assert grown < CONNECTIONS * 20 * 1024


def speak(connections: list[socket.socket]) -> None:
    """One command on every connection."""
    for connection in connections:
        connection.sendall(SET)
    for connection in connections:
        assert connection.recv(16) == b"+OK\r\n"
