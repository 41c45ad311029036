"""What the server counts equals what a full walk finds, also after kill -9 at any moment."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.conformance.servers import aidb_server
from tests.conformance.streams import Stream
from tests.conformance.wire import ConnectionClosedError, Failure, Pairs, Wire

ROUNDS = int(os.environ.get("AIDB_KILL_ROUNDS", "3"))
CLIENTS = 3
BATCH = 25
DATABASES = 16


def send_until_dead(port: int, seed: int) -> None:
    """Random commands of every family, in transactions now and then."""
    stream = Stream(seed)
    try:
        with Wire(port) as wire:
            while True:
                commands = [tuple(stream.command()) for _ in range(BATCH)]
                # What empties the database would leave nothing to count.
                wire.pipeline([c for c in commands if not c[0].lower().startswith(b"flush")])
    except (ConnectionClosedError, ConnectionError):
        return


@pytest.mark.timeout(max(60, ROUNDS * 20))
def test_counters_equal_a_full_walk_after_kill_9(tmp_path: Path) -> None:
    random = Random(os.urandom(8))
    for number in range(ROUNDS):
        seed = random.randrange(1 << 30)
        with aidb_server(tmp_path / "data", "--memory", "64MB") as server:
            assert_counters(server.port)
            threads = [
                threading.Thread(target=send_until_dead, args=(server.port, seed + client))
                for client in range(CLIENTS)
            ]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.3, 1.5))
            server.kill()
            for thread in threads:
                thread.join()
        with aidb_server(tmp_path / "data") as server:
            found = assert_counters(server.port)
        assert found > 0, f"round {number}, seed {seed}: nothing was left to count"


def assert_counters(port: int) -> int:
    """Compare every counter with a walk; returns the number of keys."""
    found = 0
    with Wire(port, protocol=3) as wire:
        for database in range(DATABASES):
            wire("SELECT", database)
            keys = walk(wire)
            for key in keys:
                assert_members(wire, key)
            # An expired key may go between two looks; nothing else changes.
            alive = [key for key in keys if wire("EXISTS", key)]
            assert len(alive) <= wire("DBSIZE") <= len(keys)
            found += len(keys)
    return found


def walk(wire: Wire) -> list[bytes]:
    """Every key of the database."""
    keys: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, some = wire("SCAN", cursor, "COUNT", 1000)
        keys += some
        if cursor == b"0":
            return keys


def assert_members(wire: Wire, key: bytes) -> None:
    """The length of a value is that of its parts, and its index agrees with them."""
    kind = wire("TYPE", key)
    match kind.text if hasattr(kind, "text") else kind:
        case b"hash":
            assert_alike(wire, ("HLEN", key), ("HGETALL", key))
        case b"set":
            assert_alike(wire, ("SCARD", key), ("SMEMBERS", key))
        case b"list":
            assert_alike(wire, ("LLEN", key), ("LRANGE", key, 0, -1))
        case b"stream":
            assert_alike(wire, ("XLEN", key), ("XRANGE", key, "-", "+"))
        case b"zset":
            assert_alike(wire, ("ZCARD", key), ("ZRANGE", key, 0, -1))
            assert_alike(wire, ("ZCOUNT", key, "-inf", "+inf"), ("ZRANGE", key, 0, -1))
            assert_ranks(wire, key)


def assert_alike(wire: Wire, count: tuple[Any, ...], everything: tuple[Any, ...]) -> None:
    counted, items = wire.pipeline([count, everything])
    if isinstance(counted, Failure) or isinstance(items, Failure) or counted == 0:
        return  # it expired meanwhile
    parts = items.items if isinstance(items, Pairs) or hasattr(items, "items") else items
    assert counted == len(parts), f"{count} is {counted}, {everything} gives {len(parts)}"


def assert_ranks(wire: Wire, key: bytes) -> None:
    members = wire("ZRANGE", key, 0, -1)
    ranks = wire.pipeline([("ZRANK", key, member) for member in members])
    scores = wire.pipeline([("ZSCORE", key, member) for member in members])
    if None not in scores:
        assert ranks == list(range(len(members)))
        assert scores == sorted(scores)
