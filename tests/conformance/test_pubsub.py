"""Channels, patterns and shard channels, beside a real Redis."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Failure, Push, Wire

LISTENER = [
    "SUBSCRIBE news sport news",
    "PSUBSCRIBE n* *",
    "PING",
    "PING hello",
    "GET a",
    "UNSUBSCRIBE sport",
    "UNSUBSCRIBE never",
    "PUNSUBSCRIBE *",
    "SSUBSCRIBE shard",
    "SUNSUBSCRIBE",
    "PUBLISH news x",
    "MULTI",
    "RESET",
    "GET a",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE x",
]
PUBLISHER = [
    "PUBLISH nobody hi",
    "PUBSUB CHANNELS",
    "PUBSUB CHANNELS n*",
    "PUBSUB NUMSUB news other",
    "PUBSUB NUMPAT",
    "PUBSUB SHARDCHANNELS",
    "PUBSUB SHARDNUMSUB shard",
    "PUBSUB NOSUCH",
    "PUBSUB HELP",
    "PUBSUB NUMPAT x",
    "SPUBLISH shard hi",
]


def said(wire: Wire, line: str) -> list[object]:
    """Every reply to a line that may have several."""
    words = line.split()
    several = words[0].lower().endswith("subscribe") and len(words) > 1
    wire.send(line.encode() + b"\r\n")
    return [wire.read() for _ in (words[1:] if several else [""])]


def unordered(line: str, reply: Any) -> Any:
    """A reply whose order is nobody's promise, sorted."""
    return sorted(reply) if line.startswith("PUBSUB CHANNELS") else reply


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_listener_is_answered_as_by_redis(
    server: AidbServer, redis_port: int, protocol: int
) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        for line in LISTENER:
            if protocol == 3 and line == "PUBLISH news x":
                continue  # The message and the count come in no promised order.
            assert said(ours, line) == said(theirs, line), line


@pytest.mark.parametrize("protocol", [2, 3])
def test_messages_and_counts_are_those_of_redis(
    server: AidbServer, redis_port: int, protocol: int
) -> None:
    def scene(connect: Callable[[], Wire]) -> list[object]:
        with connect() as one, connect() as two, connect() as publisher:
            seen: list[object] = []
            for line in ["SUBSCRIBE news", "PSUBSCRIBE n*", "SSUBSCRIBE shard"]:
                seen += said(one, line)
            seen += said(two, "SUBSCRIBE news other")
            seen += [unordered(line, publisher(*line.split())) for line in PUBLISHER]
            seen.append(publisher("PUBLISH", "news", b"\0binary\r\n"))
            seen += [one.read(), one.read(), one.read(), two.read()]
            return seen

    ours = scene(lambda: server.connect(protocol))
    assert ours == scene(lambda: Wire(redis_port, protocol=protocol))


def test_messages_of_a_transaction_leave_after_its_commit(server: AidbServer) -> None:
    with server.connect() as listener, server.connect() as writer, server.connect() as reader:
        said(listener, "SUBSCRIBE done")
        for number in range(50):
            writer("MULTI")
            writer("PUBLISH", "done", number)
            writer("SET", "k", number)
            assert writer("EXEC")[0] == 1
            assert listener.read()[2] == str(number).encode()
            assert reader("GET", "k") == str(number).encode()


def test_one_channel_has_one_order(server: AidbServer) -> None:
    with server.connect() as one, server.connect() as two:
        said(one, "SUBSCRIBE c")
        said(two, "SUBSCRIBE c")
        with server.connect() as left, server.connect() as right:
            for number in range(200):
                left.send(f"PUBLISH c l{number}\r\n".encode())
                right.send(f"PUBLISH c r{number}\r\n".encode())
            heard = [[wire.read()[2] for _ in range(400)] for wire in (one, two)]
        assert heard[0] == heard[1]


def test_a_closed_listener_is_forgotten(server: AidbServer) -> None:
    with server.connect() as publisher:
        with server.connect() as listener:
            said(listener, "SUBSCRIBE gone")
            assert publisher("PUBLISH", "gone", "x") == 1
        deadline = time.monotonic() + 10
        while publisher("PUBSUB", "CHANNELS") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert publisher("PUBSUB", "CHANNELS") == []
        assert publisher("PUBLISH", "gone", "x") == 0


def test_a_listener_of_resp3_goes_on_working(server: AidbServer) -> None:
    with server.connect(3) as wire, server.connect() as publisher:
        said(wire, "SUBSCRIBE c")
        wire("SET", "a", "1")
        publisher("PUBLISH", "c", "m")
        assert wire.read() == Push((b"message", b"c", b"m"))
        assert wire("GET", "a") == b"1"


def test_a_listener_that_does_not_read_is_closed(server: AidbServer) -> None:
    with server.connect() as listener, server.connect() as publisher:
        publisher("CONFIG", "SET", "client-output-buffer-limit", "pubsub 2mb 0 0")
        said(listener, "SUBSCRIBE flood")
        reached = 1
        for _ in range(2000):
            reached = publisher("PUBLISH", "flood", "x" * 100_000)
            if reached == 0:
                break
        assert reached == 0
        publisher("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")


def test_the_library_listens(server: AidbServer) -> None:
    with redis.Redis(port=server.port, decode_responses=True) as client:
        listener = client.pubsub()
        listener.subscribe("c")
        listener.psubscribe("p*")
        assert listener.get_message(timeout=5)["type"] == "subscribe"
        assert listener.get_message(timeout=5)["type"] == "psubscribe"
        client.publish("pc", "hello")
        message = listener.get_message(timeout=5)
        assert (message["type"], message["data"]) == ("pmessage", "hello")
        listener.close()


def test_a_client_of_resp2_that_listens_is_refused_other_commands(wire: Wire) -> None:
    said(wire, "SUBSCRIBE c")
    assert isinstance(wire("SET", "a", "1"), Failure)
    said(wire, "UNSUBSCRIBE c")
    assert not isinstance(wire("SET", "a", "1"), Failure)
