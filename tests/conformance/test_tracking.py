"""Client tracking: who is told of which changed keys, in Redis's words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from redis.cache import CacheConfig
from tests.conformance.scenes import assert_same_replies
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Pairs, Push, Wire, encode

END = "end of messages"


class Follower:
    """A client that is told of changes, and one that makes them."""

    def __init__(self, port: int, protocol: int = 3) -> None:
        self.wire = Wire(port, protocol=protocol)
        self.other = Wire(port)
        self.pushed: list[Any] = []
        self._queues = False

    def __call__(self, *arguments: str | int) -> Any:
        """A command; messages in front of its reply are kept."""
        self._queues = arguments[0] == "MULTI" or (self._queues and arguments[0] != "EXEC")
        self.wire.send(encode(*arguments))
        return self._reply()

    def _reply(self) -> Any:
        while isinstance(reply := self.wire.read(), Push):
            self.pushed.append(reply.items)
        return reply

    def told(self) -> list[Any]:
        """Messages since the last call."""
        if self._queues:
            return []
        # What the others did has been answered, so its messages are on their way.
        time.sleep(0.02)
        assert self("ECHO", END) == END.encode()
        pushed, self.pushed = self.pushed, []
        return pushed

    def close(self) -> None:
        self.wire.close()
        self.other.close()


@pytest.fixture
def pair(server: AidbServer, redis_port: int) -> Iterator[tuple[Follower, Follower]]:
    with ExitStack() as stack:
        followers = (Follower(server.port), Follower(redis_port))
        for follower in followers:
            stack.callback(follower.close)
            follower.other("FLUSHALL")
        yield followers


def assert_same_messages(pair: tuple[Follower, Follower], script: str) -> None:
    """Lines of the follower, and after ``>`` of the other client."""
    for line in filter(None, script.splitlines()):
        told = []
        for follower in pair:
            words = line.split()
            reply = follower.other(*words[1:]) if words[0] == ">" else follower(*words)
            told.append((reply, follower.told()))
        assert told[0] == told[1], f"{line}\naidb:  {told[0]!r}\nredis: {told[1]!r}"


def test_options(server: AidbServer, redis_port: int) -> None:
    script = """
CLIENT TRACKING
CLIENT TRACKING maybe
CLIENT TRACKING ON BOGUS
CLIENT TRACKING ON PREFIX
CLIENT TRACKING ON PREFIX a
CLIENT TRACKING ON REDIRECT
CLIENT TRACKING ON REDIRECT x
CLIENT TRACKING ON REDIRECT 999999999
CLIENT TRACKING ON REDIRECT -1
CLIENT TRACKING ON OPTIN OPTOUT
CLIENT TRACKING ON BCAST OPTIN
CLIENT CACHING YES
CLIENT GETREDIR
CLIENT TRACKINGINFO
CLIENT TRACKING ON
CLIENT GETREDIR
CLIENT TRACKINGINFO
CLIENT TRACKING ON BCAST
CLIENT CACHING NO
CLIENT TRACKING ON OPTIN
CLIENT TRACKING ON OPTOUT
CLIENT CACHING NO
CLIENT CACHING maybe
CLIENT CACHING YES
CLIENT TRACKINGINFO
CLIENT TRACKINGINFO
CLIENT CACHING YES
GET a
CLIENT TRACKINGINFO
CLIENT TRACKING off
CLIENT TRACKING ON OPTOUT NOLOOP
CLIENT CACHING YES
CLIENT CACHING NO
CLIENT TRACKINGINFO
CLIENT TRACKING OFF
CLIENT TRACKING ON BCAST PREFIX a PREFIX ab
CLIENT TRACKING ON BCAST PREFIX a PREFIX b
CLIENT TRACKING ON BCAST PREFIX bc
CLIENT TRACKING ON BCAST PREFIX c
CLIENT TRACKINGINFO
CLIENT TRACKING OFF
CLIENT TRACKINGINFO
CLIENT TRACKING ON BCAST
CLIENT TRACKINGINFO
RESET
CLIENT TRACKINGINFO
"""
    for protocol in (2, 3):
        with server.connect(protocol) as ours, Wire(redis_port, protocol=protocol) as theirs:
            assert_same_replies(ours, theirs, script)


def test_keys_that_were_read(pair: tuple[Follower, Follower]) -> None:
    assert_same_messages(
        pair,
        """
CLIENT TRACKING ON
GET a
> SET a 1
> SET a 2
GET a
MGET a b c
> MSET a 1 b 2 d 3
HGETALL h
> HSET h f v
HGET h f
> HSET h f w
STRLEN a
> EXPIRE a 100
GET a
SET a 3
GET a
> DEL a b c
EXISTS a
> LPUSH a x
LRANGE a 0 -1
> RPOPLPUSH a z
GET k
> FLUSHALL
GET k
> FLUSHDB
GET k
CLIENT TRACKING OFF
> SET k 1
CLIENT TRACKING ON
EVAL_RO return{redis.call('get',KEYS[1])} 1 x
> SET x 1
MULTI
GET m
GET n
EXEC
> SET m 1
> SET n 1
GET own
MULTI
SET own 1
SET own 2
EXEC
OBJECT ENCODING own
> DEL own
PFCOUNT p
> PFADD p 1
TYPE t
> SADD t 1
""",
    )


def test_only_what_was_asked_for(pair: tuple[Follower, Follower]) -> None:
    assert_same_messages(
        pair,
        """
CLIENT TRACKING ON OPTIN NOLOOP
GET a
> SET a 1
CLIENT CACHING YES
GET a
GET b
> SET b 1
> SET a 1
CLIENT CACHING YES
MULTI
GET a
GET b
EXEC
> SET a 1
> SET b 1
CLIENT CACHING YES
GET a
SET a 2
> SET a 3
CLIENT TRACKING OFF
CLIENT TRACKING ON OPTOUT
CLIENT CACHING NO
GET a
GET b
> MSET a 1 b 1
""",
    )


def test_broadcasts(pair: tuple[Follower, Follower]) -> None:
    assert_same_messages(
        pair,
        """
CLIENT TRACKING ON BCAST PREFIX user: PREFIX thing: NOLOOP
> SET user:1 a
> SET other a
> MSET user:1 b thing:2 c user:0 d
> DEL user:1 thing:2 other
GET user:1
> SET user:1 a
SET user:2 b
> SADD user:set 1 2
> FLUSHALL
CLIENT TRACKING OFF
> SET user:1 b
CLIENT TRACKING ON BCAST
> SET x 1
SET x 2
> SELECT 3
> SET y 1
""",
    )


@pytest.mark.parametrize("protocol", [2, 3])
def test_another_client_is_told_instead(server: AidbServer, redis_port: int, protocol: int) -> None:
    seen = []
    for port in (server.port, redis_port):
        told: list[Any] = []
        with Wire(port) as reader, Wire(port, protocol=protocol) as ear, Wire(port) as writer:
            ear_id = ear("CLIENT", "ID")
            ear("SUBSCRIBE", "__redis__:invalidate")
            assert reader("CLIENT", "TRACKING", "ON", "REDIRECT", ear_id)
            assert reader("CLIENT", "GETREDIR") == ear_id
            reader("GET", "redirected")
            writer("SET", "redirected", 1)
            told.append(ear.read())
            writer("FLUSHALL")
            told.append(ear.read())
        seen.append(told)
    assert seen[0] == seen[1]


def test_a_broken_redirect_is_told_to_the_reader(pair: tuple[Follower, Follower]) -> None:
    for follower in pair:
        port = follower.wire.socket.getpeername()[1]
        with Wire(port, protocol=3) as ear:
            ear_id = ear("CLIENT", "ID")
            follower("CLIENT", "TRACKING", "ON", "REDIRECT", ear_id)
        follower("GET", "lost")
        time.sleep(0.02)
        follower.other("SET", "lost", 1)
        assert follower.told() == [(b"tracking-redir-broken", ear_id)]
        info = follower("CLIENT", "TRACKINGINFO")
        assert isinstance(info, Pairs)
        assert b"broken_redirect" in dict(info.items)[b"flags"].items
        assert b"flags=tR " in follower("CLIENT", "INFO").text


def test_expiry_is_a_change(pair: tuple[Follower, Follower]) -> None:
    for follower in pair:
        follower("CLIENT", "TRACKING", "ON")
        follower.other("SET", "brief", 1, "PX", 30)
        assert follower("GET", "brief") == b"1"
        assert follower.wire.read() == Push((b"invalidate", [b"brief"]))


def test_members_of_large_collections_belong_to_their_key(pair: tuple[Follower, Follower]) -> None:
    for follower in pair:
        follower("CLIENT", "TRACKING", "ON")
        follower.other("HSET", "large", *[word for n in range(300) for word in (f"f{n}", "v")])
        follower("HGET", "large", "f7")
        follower.other("HSET", "large", "f8", "w")
        assert follower.told() == [(b"invalidate", [b"large"])]


def test_the_table_is_bounded(server: AidbServer) -> None:
    with server.connect(3) as reader, server.connect() as other:
        other("CONFIG", "SET", "tracking-table-max-keys", 10)
        try:
            reader("CLIENT", "TRACKING", "ON")
            for n in range(12):
                reader.send(b"GET bounded:%d\r\n" % n)
            told = [reader.read() for _ in range(14)]
            pushes = [reply.items[1] for reply in told if isinstance(reply, Push)]
            assert pushes == [[b"bounded:0"], [b"bounded:1"]]
            stats = other("INFO", "stats")
            assert b"tracking_total_keys:10\r\n" in stats
            assert b"tracking_total_items:10\r\n" in stats
            assert b"tracking_clients:1\r\n" in other("INFO", "clients")
        finally:
            other("CONFIG", "SET", "tracking-table-max-keys", 1_000_000)


def test_the_cache_of_redis_py(server: AidbServer) -> None:
    with (
        redis.Redis(port=server.port, protocol=3, cache_config=CacheConfig()) as cached,
        redis.Redis(port=server.port) as writer,
    ):
        writer.set("cached", 1)
        cache = cached.get_cache()
        assert cache is not None
        for value in (b"1", b"2", b"3"):
            writer.set("cached", value)
            deadline = time.monotonic() + 5
            while cached.get("cached") != value:
                assert time.monotonic() < deadline
            assert cache.size == 1
            assert cached.get("cached") == value
