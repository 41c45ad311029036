"""Transactions: replies as a real Redis gives them, all or nothing, watched keys."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import redis
from tests.conformance.scenes import never_torn
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import Failure, Status, Wire

SCRIPTS = {
    "empty": ["MULTI", "EXEC"],
    "plain": ["MULTI", "SET a 1", "INCR a", "GET a", "EXEC", "GET a"],
    "failing command": ["SET s x", "MULTI", "INCR s", "SET t 1", "EXEC", "GET t"],
    "unknown command": ["MULTI", "SET a 1", "NOSUCH", "SET b 2", "EXEC", "GET a"],
    "wrong arity": ["MULTI", "GET", "EXEC", "PING"],
    "nested": ["MULTI", "MULTI", "SET a 1", "EXEC", "GET a"],
    "discarded": ["MULTI", "SET a 1", "DISCARD", "GET a", "EXEC"],
    "without multi": ["EXEC", "DISCARD", "UNWATCH"],
    "watch inside": ["MULTI", "WATCH a", "UNWATCH", "EXEC"],
    "reset": ["MULTI", "SET a 1", "RESET", "GET a"],
    "select": ["MULTI", "SELECT 1", "SET a one", "EXEC", "GET a", "SELECT 0", "GET a"],
    "flush": ["SET a 1", "MULTI", "DBSIZE", "FLUSHALL", "SET b 2", "DBSIZE", "EXEC", "DBSIZE"],
    "keys": ["SET a 1", "MULTI", "DEL a", "SET b 2", "KEYS *", "RANDOMKEY", "EXEC"],
    "own writes": [
        "MULTI",
        "MSET a 1 b 2",
        "RENAME a c",
        "MGET a b c",
        "COPY b d",
        "GET d",
        "EXEC",
    ],
    "expiry": ["MULTI", "SET a 1 PX 100000", "EXPIRE a -1", "EXISTS a", "DBSIZE", "EXEC"],
    "move": ["SET a 1", "MULTI", "MOVE a 1", "EXISTS a", "SELECT 1", "GET a", "EXEC", "SELECT 0"],
    "own change": ["WATCH a", "SET a 1", "MULTI", "GET a", "EXEC"],
    "unwatched": ["WATCH a", "SET a 1", "UNWATCH", "MULTI", "GET a", "EXEC"],
    "watch is for one": ["WATCH a", "MULTI", "EXEC", "SET a 1", "MULTI", "GET a", "EXEC"],
    "watched absent": ["WATCH a", "DEL a", "MULTI", "PING", "EXEC"],
    "config": ["MULTI", "CONFIG GET databases", "TYPE a", "EXEC"],
    "server commands": ["MULTI", "PING", "ECHO x", "CLIENT GETNAME", "EXEC"],
    "select and walk": ["SET a 0", "MULTI", "GET a", "SELECT 1", "KEYS *", "EXEC", "SELECT 0"],
    "hello": ["MULTI", "HELLO 9", "EXEC"],
    "swap": ["SET a 0", "SELECT 1", "SET a 1", "WATCH a", "SWAPDB 0 1", "MULTI", "GET a", "EXEC"],
    "flush touches": ["SET a 1", "WATCH a", "FLUSHDB", "MULTI", "PING", "EXEC"],
    "flush of absent": ["WATCH a", "FLUSHDB", "MULTI", "PING", "EXEC"],
}


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_transaction_answers_as_redis(
    server: AidbServer, redis_port: int, name: str, protocol: int
) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        theirs("FLUSHALL")
        for line in SCRIPTS[name]:
            assert ours(*line.split()) == theirs(*line.split()), line


def test_a_pipelined_transaction_answers_as_one_sent_slowly(wire: Wire) -> None:
    commands = [("MULTI",), ("SET", "a", "1"), ("INCR", "a"), ("EXEC",), ("GET", "a")]
    queued = [Status(b"QUEUED")] * 2
    replies = [Status(b"OK"), *queued, [Status(b"OK"), 2], b"2"]
    assert wire.pipeline(commands) == replies


def test_a_key_changed_by_somebody_else_stops_the_transaction(server: AidbServer) -> None:
    with server.connect() as one, server.connect() as other:
        one("WATCH", "balance")
        other("SET", "neighbour", "1")
        one("MULTI")
        one("SET", "balance", "1")
        other("SET", "balance", "5")
        assert one("EXEC") is None
        assert one("GET", "balance") == b"5"


def test_a_watched_key_that_expires_stops_the_transaction(wire: Wire) -> None:
    wire("SET", "k", "v", "PX", "30")
    wire("WATCH", "k")
    wire("DEBUG", "SLEEP", "0.05")
    wire("MULTI")
    wire("PING")
    assert wire("EXEC") is None


def test_nobody_sees_half_of_a_transaction(server: AidbServer) -> None:
    with never_torn(server, "left", "right"), server.connect() as writer:
        for number in range(500):
            sets = [("SET", "left", number), ("SET", "right", number)]
            writer.pipeline([("MULTI",), *sets, ("EXEC",)])


def test_increments_under_watch_lose_nothing(server: AidbServer) -> None:
    def count(times: int) -> None:
        with redis.Redis(port=server.port) as client, client.pipeline() as pipe:
            for _ in range(times):
                client.transaction(add, "counter")
            del pipe

    def add(pipe: redis.client.Pipeline) -> None:
        current = int(pipe.get("counter") or 0)
        pipe.multi()
        pipe.set("counter", current + 1)

    threads = [threading.Thread(target=count, args=(50,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with server.connect() as wire:
        assert wire("GET", "counter") == b"200"


def test_the_library_pipeline_is_a_transaction(server: AidbServer) -> None:
    with redis.Redis(port=server.port, decode_responses=True) as client:
        pipe = client.pipeline()
        pipe.set("a", 1).incr("a").get("a")
        assert pipe.execute() == [True, 2, "2"]


def test_a_transaction_survives_a_kill_as_a_whole(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data", "--appendfsync", "always") as server:
        with server.connect() as wire:
            wire("MULTI")
            for number in range(100):
                wire("SET", f"k{number}", number)
            assert len(wire("EXEC")) == 100
        server.kill()
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        assert wire("DBSIZE") == 100


def test_a_transaction_that_is_too_long_is_refused(server: AidbServer) -> None:
    with server.connect() as wire:
        limit = wire("CONFIG", "GET", "client-query-buffer-limit")[1]
        wire("CONFIG", "SET", "client-query-buffer-limit", str(1 << 20))
        try:
            wire("MULTI")
            replies = [wire("SET", "k", "x" * 100_000) for _ in range(12)]
            assert isinstance(replies[-1], Failure)
            assert wire("EXEC") == Failure(
                b"EXECABORT Transaction discarded because of previous errors."
            )
            assert wire("EXISTS", "k") == 0
        finally:
            wire("CONFIG", "SET", "client-query-buffer-limit", limit)
