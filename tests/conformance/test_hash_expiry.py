"""Fields that end: the sweeper, restarts, redis-py's methods, transactions and scripts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import redis
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import Wire

DEADLINE_S = 20


def eventually(claim: Callable[[], bool]) -> None:
    """Wait until a claim is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_hash_goes_with_its_last_field(wire: Wire) -> None:
    wire("HSET", "h", "a", 1, "b", 2)
    wire("SET", "other", "x")
    assert wire("HPEXPIRE", "h", 30, "FIELDS", 2, "a", "b") == [1, 1]
    eventually(lambda: wire("HLEN", "h") == 0)
    assert wire("HGETALL", "h") == []
    eventually(lambda: wire("EXISTS", "h") == 0 and wire("DBSIZE") == 1)


def test_the_sweeper_tells_of_fields(server: AidbServer) -> None:
    with server.connect() as ear, server.connect() as wire:
        wire("CONFIG", "SET", "notify-keyspace-events", "Khg")
        ear("SUBSCRIBE", "__keyspace@0__:h")
        wire("HSET", "h", "a", 1)
        wire("HPEXPIRE", "h", 20, "FIELDS", 1, "a")
        events = [ear.read()[2] for _ in range(4)]
        wire("CONFIG", "SET", "notify-keyspace-events", "")
    assert events == [b"hset", b"hexpire", b"hexpired", b"del"]


def test_ends_survive_a_crash(tmp_path: Path) -> None:
    options = ("--memory", "64MB", "--appendfsync", "always")
    with aidb_server(tmp_path / "data", *options) as server, server.connect() as wire:
        wire("HSET", "h", "a", 1, "b", 2, "c", 3)
        wire("HPEXPIRE", "h", 50, "FIELDS", 1, "a")
        wire("HEXPIRE", "h", 10_000, "FIELDS", 1, "b")
        end = wire("HPEXPIRETIME", "h", "FIELDS", 1, "b")
        server.kill()
    with aidb_server(tmp_path / "data", *options) as server, server.connect() as wire:
        eventually(lambda: wire("HLEN", "h") == 2)
        assert wire("HPEXPIRETIME", "h", "FIELDS", 1, "b") == end
        assert wire("HTTL", "h", "FIELDS", 2, "a", "c") == [-2, -1]


def test_ends_in_transactions_and_scripts(wire: Wire) -> None:
    wire("MULTI")
    wire("HSET", "h", "a", 1, "b", 2)
    wire("HEXPIRE", "h", 100, "FIELDS", 1, "a")
    wire("HSET", "h", "a", 3)
    wire("HEXPIRE", "h", 100, "FIELDS", 1, "b")
    wire("HTTL", "h", "FIELDS", 2, "a", "b")
    assert wire("EXEC") == [2, [1], 0, [1], [-1, 100]]
    script = "return redis.call('hpexpire', KEYS[1], 0, 'FIELDS', 1, 'a')"
    assert wire("EVAL", script, 1, "h") == [2]
    assert wire("HGETALL", "h") == [b"b", b"2"]


def test_methods_of_redis_py(server: AidbServer) -> None:
    with redis.Redis(port=server.port, decode_responses=True) as client:
        client.hset("h", mapping={"a": "1", "b": "2"})
        assert client.hexpire("h", 100, "a", "none") == [1, -2]
        assert client.httl("h", "a", "b") == [100, -1]
        assert client.hpersist("h", "a") == [1]
        assert client.hsetex("h", "c", "3", ex=50) == 1
        assert client.hgetex("h", "c", persist=True) == ["3"]
        assert client.hgetdel("h", "a", "c") == ["1", "3"]
        assert client.hgetall("h") == {"b": "2"}
