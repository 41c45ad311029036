"""Clients that wait for keys: first come, first served; nobody is forgotten."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import redis
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Failure, Wire, encode

REFUSED = [
    "BLPOP k abc",
    "BLPOP k -1",
    "BLPOP k nan",
    "BLPOP k",
    "BLMOVE a b LEFT SIDE 1",
    "BLMOVE a b LEFT RIGHT x",
    "BRPOPLPUSH a b x",
    "BLMPOP 1 0 k LEFT",
    "BLMPOP 1 1 k SIDE",
    "BLMPOP x 1 k LEFT",
    "BLMPOP 1 1 k LEFT COUNT 0",
    "CLIENT UNBLOCK abc",
    "CLIENT UNBLOCK 0",
    "CLIENT UNBLOCK 1 SOMEHOW",
]
AT_ONCE = [
    [
        "RPUSH l a b c d e",
        "BLPOP l 1",
        "BRPOP l 1",
        "BLMPOP 1 2 none l LEFT COUNT 2",
        "LRANGE l 0 -1",
    ],
    ["RPUSH l a b", "BLMOVE l m LEFT RIGHT 1", "BRPOPLPUSH l m 1", "LRANGE m 0 -1", "EXISTS l"],
    ["SET s x", "BLPOP s 1", "BLPOP none s 1", "RPUSH l a", "BLMOVE l s LEFT LEFT 1", "LLEN l"],
    ["MULTI", "BLPOP none 0", "BLMOVE none m LEFT LEFT 0", "BLMPOP 0 1 none LEFT", "EXEC"],
    ["BLPOP none 0.01", "BLMOVE none m LEFT LEFT 0.01", "BRPOPLPUSH none m 0.01"],
    ["BLMPOP 0.01 1 none LEFT", "BRPOP none other 0.01"],
    ["ZADD z 1 a 2 b 3.5 c", "BZPOPMIN z 1", "BZPOPMAX none z 1", "BZMPOP 1 1 z MIN COUNT 5"],
    ["BZPOPMIN none 0.01", "BZPOPMAX none 0.01", "BZMPOP 0.01 1 none MAX", "BZPOPMIN z x"],
    ["SET s x", "BZPOPMIN s 1", "MULTI", "BZPOPMAX none 0", "BZMPOP 0 1 none MIN", "EXEC"],
]


def blocked(server: AidbServer, count: int) -> None:
    """Wait until so many clients are blocked."""
    deadline = time.monotonic() + 20
    with server.connect() as wire:
        while time.monotonic() < deadline:
            if b"blocked_clients:%d\r\n" % count in wire("INFO", "clients"):
                return
            time.sleep(0.005)
    raise AssertionError(f"never {count} blocked clients")


@pytest.mark.parametrize("line", REFUSED)
def test_bad_arguments_are_refused_as_by_redis(
    server: AidbServer, redis_port: int, line: str
) -> None:
    with Wire(redis_port) as theirs, server.connect() as ours:
        assert ours(*line.split()) == theirs(*line.split())


def test_a_time_that_no_clock_reaches_is_refused(wire: Wire) -> None:
    for seconds in ("1e300", "inf"):
        assert wire("BLPOP", "k", seconds) == Failure(b"ERR timeout is out of range")


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("lines", AT_ONCE)
def test_what_need_not_wait_answers_as_redis(
    server: AidbServer, redis_port: int, lines: list[str], protocol: int
) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        theirs("FLUSHALL")
        for line in lines:
            assert ours(*line.split()) == theirs(*line.split()), line


def test_who_waited_longest_is_served_first(server: AidbServer) -> None:
    waiting = [server.connect() for _ in range(8)]
    for number, wire in enumerate(waiting):
        wire.send(encode("BLPOP", "queue", 0))
        blocked(server, number + 1)
    with server.connect() as pusher:
        pusher("RPUSH", "queue", "0", "1", "2")
        for number in range(3, 8):
            pusher("RPUSH", "queue", number)
    for number, wire in enumerate(waiting):
        assert wire.read() == [b"queue", str(number).encode()]
        wire.close()
    blocked(server, 0)


def test_a_push_in_a_transaction_or_script_or_move_wakes(server: AidbServer) -> None:
    with server.connect() as waiter, server.connect() as pusher:
        pushes: list[list[tuple[str | int, ...]]] = [
            [("MULTI",), ("RPUSH", "q", "x"), ("EXEC",)],
            [("EVAL", "return redis.call('rpush', KEYS[1], 'x')", 1, "q")],
            [("RPUSH", "other", "x"), ("RENAME", "other", "q")],
            [("RPUSH", "other", "x"), ("LMOVE", "other", "q", "LEFT", "LEFT")],
            [("RPUSH", "other", "x"), ("COPY", "other", "q"), ("DEL", "other")],
            [("SELECT", 1), ("RPUSH", "q", "x"), ("SWAPDB", 0, 1), ("SELECT", 0)],
        ]
        for push in pushes:
            waiter.send(encode("BLPOP", "q", 0))
            blocked(server, 1)
            for command in push:
                assert not isinstance(pusher(*command), Failure), command
            assert waiter.read() == [b"q", b"x"], push
            pusher("FLUSHALL")


def test_a_key_of_another_type_does_not_disturb_the_waiting(server: AidbServer) -> None:
    with server.connect() as waiter, server.connect() as pusher:
        waiter.send(encode("BLPOP", "k", 0))
        blocked(server, 1)
        pusher("SET", "k", "string")
        pusher("DEL", "k")
        pusher("RPUSH", "k", "item")
        assert waiter.read() == [b"k", b"item"]


def test_members_reach_who_waits(server: AidbServer) -> None:
    with server.connect() as one, server.connect() as two, server.connect() as writer:
        one.send(encode("BZPOPMIN", "z", 0))
        blocked(server, 1)
        two.send(encode("BZMPOP", 0, 2, "none", "z", "MAX", "COUNT", 2))
        blocked(server, 2)
        writer("ZADD", "z", 1, "a", 2, "b", 3, "c")
        assert one.read() == [b"z", b"a", b"1"]
        assert two.read() == [b"z", [[b"c", b"3"], [b"b", b"2"]]]


def test_commands_behind_a_waiting_one_wait_too(server: AidbServer) -> None:
    with server.connect() as waiter, server.connect() as pusher:
        waiter.send(encode("BLPOP", "k", 0) + encode("ECHO", "after") + encode("BLPOP", "k", 0.01))
        blocked(server, 1)
        waiter.send(encode("PING"))
        pusher("RPUSH", "k", "item")
        assert waiter.read() == [b"k", b"item"]
        assert waiter.read() == b"after"
        assert waiter.read() is None
        assert waiter.read().text == b"PONG"


def test_a_move_chain_runs_through(server: AidbServer) -> None:
    with server.connect() as one, server.connect() as two, server.connect() as pusher:
        two.send(encode("BLPOP", "c", 0))
        blocked(server, 1)
        one.send(encode("BLMOVE", "a", "c", "LEFT", "LEFT", 0))
        blocked(server, 2)
        pusher("RPUSH", "a", "item")
        assert one.read() == b"item"
        assert two.read() == [b"c", b"item"]


def test_a_client_that_leaves_takes_nothing(server: AidbServer) -> None:
    with server.connect() as stays, server.connect() as pusher:
        leaves = server.connect()
        leaves.send(encode("BLPOP", "k", 0))
        blocked(server, 1)
        stays.send(encode("BLPOP", "k", 0))
        blocked(server, 2)
        leaves.close()
        blocked(server, 1)
        pusher("RPUSH", "k", "item")
        assert stays.read() == [b"k", b"item"]


def test_a_client_can_be_unblocked(server: AidbServer) -> None:
    with server.connect() as waiter, server.connect() as other:
        number = waiter("CLIENT", "ID")
        waiter.send(encode("BLPOP", "k", 0))
        blocked(server, 1)
        assert other("CLIENT", "UNBLOCK", number) == 1
        assert waiter.read() is None
        waiter.send(encode("BLPOP", "k", 0))
        blocked(server, 1)
        assert other("CLIENT", "UNBLOCK", number, "ERROR") == 1
        assert waiter.read() == Failure(b"UNBLOCKED client unblocked via CLIENT UNBLOCK")
        assert other("CLIENT", "UNBLOCK", number) == 0
        assert waiter("PING").text == b"PONG"


def test_every_item_reaches_one_of_many(server: AidbServer) -> None:
    got: list[list[bytes]] = [[] for _ in range(4)]

    def pop(client: redis.Redis) -> Any:
        return client.blpop(["left", "right"], timeout=10)

    def work(mine: list[bytes]) -> None:
        with redis.Redis(port=server.port) as client:
            while (item := pop(client)) is not None:
                if item[1] == b"end":
                    return
                mine.append(item[1])

    threads = [threading.Thread(target=work, args=(mine,)) for mine in got]
    for thread in threads:
        thread.start()

    def produce(name: str) -> None:
        with server.connect() as wire:
            for number in range(300):
                wire("RPUSH", name, f"{name}{number}")

    producers = [threading.Thread(target=produce, args=(name,)) for name in ("left", "right")]
    for thread in producers:
        thread.start()
    for thread in producers:
        thread.join()
    with server.connect() as wire:
        # Whoever takes one of these has found the left list empty.
        wire("RPUSH", "right", *["end"] * 4)
    for thread in threads:
        thread.join()
    items: list[Any] = [item for mine in got for item in mine]
    expected = {f"{name}{number}".encode() for name in ("left", "right") for number in range(300)}
    assert len(items) == 600
    assert set(items) == expected
