"""Bad input and its bounds: a clear error, one connection lost at most, memory bounded."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import ConnectionClosedError, Failure, Status, Wire, encode

MIB = 1 << 20

BROKEN = {
    b"*1\r\n$-1\r\n": b"invalid bulk length",
    b"*1\r\n$536870913\r\n": b"invalid bulk length",
    b"*1\r\n$99999999999999999999\r\n": b"invalid bulk length",
    b"*1\r\n$4\r": None,
    b"*2147483648\r\n": b"invalid multibulk length",
    b"*abc\r\n": b"invalid multibulk length",
    b"*99999999999999999999\r\n": b"invalid multibulk length",
    b"*1\r\n!4\r\nPING\r\n": b"expected '$', got '!'",
    b"GET 'a\r\n": b"unbalanced quotes in request",
    b"x" * 70_000: b"too big inline request",
    b"*" + b"1" * 70_000: b"too big mbulk count string",
    b"*1\r\n$" + b"1" * 70_000: b"too big bulk count string",
}


@pytest.mark.parametrize("data", BROKEN)
def test_a_broken_request_is_named_and_ends_its_connection_only(
    server: AidbServer, wire: Wire, data: bytes
) -> None:
    message = BROKEN[data]
    with server.connect() as broken:
        broken.send(data)
        if message is not None:
            assert broken.read() == Failure(b"ERR Protocol error: " + message)
            assert broken.is_closed()
    assert wire("PING") == Status(b"PONG")


def test_requests_that_trick_browsers_into_talking_are_not_answered(server: AidbServer) -> None:
    for line in (b"POST / HTTP/1.1\r\n", b"Host: localhost\r\n"):
        with server.connect() as wire:
            wire.send(line)
            assert wire.is_closed()


def test_empty_requests_say_nothing(wire: Wire) -> None:
    wire.send(b"\r\n*0\r\n*-1\r\n   \r\n" + encode("PING"))
    assert wire.read() == Status(b"PONG")


def test_a_command_may_come_byte_by_byte(wire: Wire) -> None:
    for byte in encode("SET", "slow", "value") + encode("GET", "slow"):
        wire.send(bytes([byte]))
    assert [wire.read(), wire.read()] == [Status(b"OK"), b"value"]


def test_a_client_that_leaves_in_the_middle_of_a_command_is_forgotten(
    server: AidbServer, wire: Wire
) -> None:
    for cut in (1, 5, 12, 20):
        with server.connect() as leaver:
            leaver.send(encode("SET", "half", "value")[:cut])
    assert wire("GET", "half") is None
    deadline = time.monotonic() + 10
    while b"connected_clients:1\r\n" not in wire("INFO", "clients"):
        assert time.monotonic() < deadline


def test_what_follows_end_of_input_is_still_answered(server: AidbServer) -> None:
    with server.connect() as wire:
        wire.send(encode("SET", "k", "v") + encode("GET", "k"))
        wire.socket.shutdown(socket.SHUT_WR)
        assert [wire.read(), wire.read()] == [Status(b"OK"), b"v"]
        assert wire.is_closed()


@pytest.mark.parametrize("size", [0, 1, 255, 4096, 70_000, 5 * MIB, 100 * MIB])
def test_values_of_any_size_come_back(wire: Wire, size: int) -> None:
    value = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert wire("SET", "big", value) == Status(b"OK")
    assert wire("GET", "big") == value
    assert wire("STRLEN", "big") == size


def test_keys_up_to_the_limit_work_and_longer_ones_are_refused(wire: Wire) -> None:
    longest = b"\0" * 32_000
    assert wire("SET", longest, "v") == Status(b"OK")
    assert wire("GET", longest) == b"v"
    assert wire("KEYS", "*") == [longest]
    for command in (("SET", longest + b"x", "v"), ("GET", longest + b"x")):
        reply = wire(*command)
        assert isinstance(reply, Failure) and b"exceeds the limit of 32000 bytes" in reply.text


def test_many_arguments_in_one_command(wire: Wire) -> None:
    pairs = [word for n in range(50_000) for word in (f"key:{n}", n)]
    assert wire("MSET", *pairs) == Status(b"OK")
    keys = pairs[::2]
    assert wire("MGET", *keys) == [b"%d" % n for n in range(50_000)]
    assert wire("DEL", *keys, *keys) == 50_000
    assert wire("DBSIZE") == 0


def test_deep_pipelines_keep_their_order(wire: Wire) -> None:
    commands: list[tuple[bytes | str | int, ...]] = []
    for n in range(3000):
        commands += [("SET", "k", n), ("GET", "k"), ("DBSIZE",)]
    replies = wire.pipeline(commands)
    assert replies[1::3] == [b"%d" % n for n in range(3000)]
    assert replies[2::3] == [1] * 3000


def test_a_client_that_does_not_read_stops_being_served(server: AidbServer, wire: Wire) -> None:
    wire("SET", "big", b"x" * MIB)
    before = server.resident_bytes()
    with server.connect() as deaf:
        deaf.socket.setblocking(False)
        request = encode("GET", "big") * 1000
        sent = 0
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and sent < 20 * MIB:
            try:
                sent += deaf.socket.send(request)
            except BlockingIOError:
                break
        assert wire("PING") == Status(b"PONG")
        assert server.resident_bytes() - before < 64 * MIB


def test_a_client_above_the_output_limit_is_closed(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        wire("CONFIG", "SET", "client-output-buffer-limit", "normal 2mb 1mb 1")
        wire("MSET", *[word for n in range(8) for word in (f"k{n}", b"x" * MIB)])
        with server.connect() as deaf:
            deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.send(encode("MGET", *[f"k{n}" for n in range(8)] * 4))
            deadline = time.monotonic() + 10
            field = b"client_output_buffer_limit_disconnections:1\r\n"
            while field not in wire("INFO", "stats"):
                assert time.monotonic() < deadline


def test_a_request_above_the_query_limit_is_closed(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        wire("CONFIG", "SET", "client-query-buffer-limit", "1mb")
        with server.connect() as greedy, pytest.raises((ConnectionClosedError, ConnectionError)):
            greedy("SET", "k", b"x" * (8 * MIB))
        assert wire("GET", "k") is None


def test_bulk_length_limit_can_be_lowered(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        wire("CONFIG", "SET", "proto-max-bulk-len", "1mb")
        assert wire("SET", "k", b"x" * MIB) == Status(b"OK")
        wire.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n")
        assert isinstance(wire.read(), Failure)


def test_clients_above_the_maximum_are_told_so(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        wire("CONFIG", "SET", "maxclients", "3")
        others = [server.connect(), server.connect()]
        assert [other("PING") for other in others] == [Status(b"PONG")] * 2
        with server.connect() as refused:
            assert refused.read() == Failure(b"ERR max number of clients reached")
            assert refused.is_closed()
        for other in others:
            other.close()


def test_idle_clients_are_closed(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        wire("CONFIG", "SET", "timeout", "1")
        with server.connect() as idle:
            assert idle.is_closed()


@pytest.fixture
def file_limit() -> Callable[[], int]:
    """Raises this process's limit of open files; tells how many connections fit."""

    def raise_limit() -> int:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return min(10_000, hard - 500)

    return raise_limit


@pytest.mark.timeout(90)
def test_ten_thousand_idle_connections_cost_little(
    tmp_path: Path, file_limit: Callable[[], int]
) -> None:
    count = file_limit()
    with aidb_server(tmp_path / "data", "--memory", "64MB") as server, server.connect() as wire:
        wire("CONFIG", "SET", "maxclients", "20000")
        wire("PING")
        before = server.resident_bytes()
        sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
        for client in sockets:
            client.sendall(encode("PING"))
        for client in sockets:
            assert client.recv(64) == b"+PONG\r\n"
        per_connection = (server.resident_bytes() - before) / count
        assert per_connection < 20 * 1024
        assert wire("PING") == Status(b"PONG")
        for client in sockets:
            client.close()
