"""Keyspace notifications: the same commands make the same events, in the same order."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from tests.conformance.scenes import lines, send_line
from tests.conformance.servers import AidbServer
from tests.conformance.streams import Command, Stream
from tests.conformance.wire import Wire

COMMANDS = int(os.environ.get("AIDB_DIFFERENTIAL_COMMANDS", "6000")) // 6
SEED = int(os.environ.get("AIDB_DIFFERENTIAL_SEED", "1"))
END = b"__keyend"

Event = tuple[bytes, bytes]


class Listener:
    """A connection that sends commands, and one that hears of every key."""

    def __init__(self, port: int, classes: str, protocol: int = 2) -> None:
        self.wire = Wire(port, protocol=protocol)
        self.ear = Wire(port)
        self._marker = Wire(port)
        self.wire("CONFIG", "SET", "notify-keyspace-events", classes)
        self.ear("PSUBSCRIBE", "__key*")

    def events(self) -> list[Event]:
        """What happened since the last call."""
        self._marker("PUBLISH", END, "")
        found: list[Event] = []
        while True:
            _, _, channel, payload = self.ear.read()
            if channel == END:
                return found
            found.append((channel, payload))

    def next_event(self) -> Event:
        """The next event, which may still be on its way."""
        _, _, channel, payload = self.ear.read()
        return channel, payload

    def close(self) -> None:
        self._marker("CONFIG", "SET", "notify-keyspace-events", "")
        for wire in (self.wire, self.ear, self._marker):
            wire.close()


@contextmanager
def listening(port: int, classes: str = "KEA", protocol: int = 2) -> Iterator[Listener]:
    """A listener that leaves the server as it was."""
    listener = Listener(port, classes, protocol)
    try:
        yield listener
    finally:
        listener.close()


@pytest.fixture
def pair(server: AidbServer, redis_port: int) -> Iterator[tuple[Listener, Listener]]:
    """Listeners of our server and of Redis, both empty, for all classes but misses."""
    with ExitStack() as stack:
        ours = stack.enter_context(listening(server.port, "KEg$lshzxetdn"))
        theirs = stack.enter_context(listening(redis_port, "KEg$lshzxetdn"))
        theirs.wire("FLUSHALL")
        yield ours, theirs


def assert_same_events(pair: tuple[Listener, Listener], script: str) -> None:
    ours, theirs = pair
    for line in lines(script):
        send_line(ours.wire, line)
        send_line(theirs.wire, line)
        mine, other = ours.events(), theirs.events()
        assert mine == other, f"{line}\naidb:  {mine!r}\nredis: {other!r}"


def test_strings(pair: tuple[Listener, Listener]) -> None:
    assert_same_events(
        pair,
        """
SET a 1
SET a 2
SET a 3 EX 100
SET a 3 KEEPTTL
SET a 3 NX
SET b 3 NX PX 100000
SET a 4 GET
SETNX a 1
SETNX c 1
SETEX d 100 v
PSETEX d 100000 v
GETSET a 1
GETSET e 1
APPEND a x
APPEND f x
SETRANGE a 3 zz
SETRANGE g 3 zz
SETRANGE g 0 ""
INCR n
INCRBY n 2
DECR n
DECRBY n 7
INCRBYFLOAT n 1.5
INCR a
MSET a 1 h 1 a 2
MSETNX a 1 i 1
MSETNX i 1 j 1
GETEX a EX 100
GETEX a PERSIST
GETEX a PERSIST
GETEX a
GETEX a PXAT 1
GETDEL b
GETDEL b
PFADD p 1 2 3
PFADD p 1 2 3
PFADD q
PFMERGE r p q
PFCOUNT p
SET a 1 PX 0
""",
    )


def test_whole_keys(pair: tuple[Listener, Listener]) -> None:
    assert_same_events(
        pair,
        """
MSET a 1 b 2 c 3 d 4 e 5
DEL c a c nothing
UNLINK b b
RENAME d a
RENAME a a
RENAME a e
RENAMENX e e
RENAMENX e f
COPY f g
COPY f g
COPY f g REPLACE
COPY f g DB 3
MOVE g 3
MOVE f 3
SELECT 3
MOVE g 0
MOVE f 0
SELECT 0
EXPIRE f 100
EXPIRE f 100 NX
PEXPIRE f 100000
PERSIST f
PERSIST f
EXPIREAT f 99999999999
EXPIRE f -1
EXPIRE f 100
SET f 1
PEXPIREAT f 1
SET f 1
FLUSHDB
FLUSHALL
""",
    )


def test_lists(pair: tuple[Listener, Listener]) -> None:
    assert_same_events(
        pair,
        """
RPUSH l a b c d e f g h
LPUSH l a b
LPUSHX l x
RPUSHX none x
LPOP l
RPOP l 2
LPOP l 0
LPOP none
LINSERT l BEFORE c x
LINSERT l BEFORE nothing x
LSET l 0 z
LSET l 900 z
LREM l 0 nothing
LREM l 0 x
LTRIM l 0 -1
LTRIM none 0 1
LTRIM l 1 3
LMOVE l m LEFT RIGHT
LMOVE l l LEFT RIGHT
RPOPLPUSH l m
RPOPLPUSH none m
LMPOP 2 none m LEFT COUNT 1
BLPOP l 1
BLMPOP 1 2 none m RIGHT COUNT 10
RPUSH l a
BLMOVE l m LEFT LEFT 1
BRPOPLPUSH m l 1
LTRIM l 5 9
RPUSH l a a a
LREM l 0 a
RPUSH l a
LPOP l
""",
    )


def test_sets_and_hashes(pair: tuple[Listener, Listener]) -> None:
    assert_same_events(
        pair,
        """
SADD s a b c
SADD s a
SREM s nothing
SREM s a
SMOVE s t b
SMOVE s t nothing
SMOVE s s c
SADD t c
SMOVE s t c
SPOP t 0
SPOP t
SPOP t 10
SPOP none
SADD s 1 2 3
SADD t 2 3 4
SINTERSTORE u s t
SUNIONSTORE u s t
SDIFFSTORE u s t
SDIFFSTORE u s s
SDIFFSTORE u s s
SREM s 1 2 3
HSET h f v g w
HSET h f v
HMSET h x 1
HSETNX h x 1
HSETNX h y 1
HINCRBY h x 5
HINCRBYFLOAT h x 1.5
HDEL h nothing
HDEL h f g
HDEL h x y
HDEL h x
""",
    )


def test_sorted_sets_and_places(pair: tuple[Listener, Listener]) -> None:
    assert_same_events(
        pair,
        """
ZADD z 1 a 2 b 3 c
ZADD z 1 a
ZADD z XX CH 5 a
ZADD z INCR 5 a
ZADD z INCR 0 a
ZINCRBY z 1 b
ZINCRBY z 1 new
ZREM z nothing
ZREM z new
ZRANGESTORE y z 0 1
ZRANGESTORE y z 5 1
ZRANGESTORE y z 5 1
ZUNIONSTORE u 2 z none
ZINTERSTORE u 2 z none
ZDIFFSTORE u 2 z none
ZREMRANGEBYSCORE z 0 0
ZREMRANGEBYRANK z 0 0
ZREMRANGEBYLEX u - +
ZPOPMIN z
ZPOPMIN z 0
ZPOPMAX z 4
ZPOPMAX none
ZADD z 1 a 2 b 3 c
ZMPOP 2 none z MIN COUNT 1
BZPOPMAX z 1
BZMPOP 1 1 z MIN
GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEOADD g 13.361389 38.115556 Palermo
GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km
GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 2 km
GEORADIUS g 15 37 200 km STORE d
GEORADIUS g 1 1 2 km STORE d
""",
    )


def test_streams(pair: tuple[Listener, Listener]) -> None:
    assert_same_events(
        pair,
        """
XADD x 1-1 f v
XADD x 1-2 f v
XADD x MAXLEN 5 1-3 f v
XADD x MAXLEN 2 1-4 f v
XADD none NOMKSTREAM 1-4 f v
XTRIM x MAXLEN 1
XTRIM x MAXLEN 1
XDEL x 9-9
XDEL x 1-4
XSETID x 5-5
XADD x 6-1 f v
XADD x 6-2 f v
XGROUP CREATE x g 0
XGROUP CREATE x g 0
XGROUP CREATE y g $ MKSTREAM
XGROUP SETID x g 0
XGROUP CREATECONSUMER x g c
XGROUP CREATECONSUMER x g c
XREADGROUP GROUP g d COUNT 1 STREAMS x >
XREADGROUP GROUP g d COUNT 1 STREAMS x >
XACK x g 6-1
XCLAIM x g e 0 6-2
XAUTOCLAIM x g h 0 0
XGROUP DELCONSUMER x g c
XGROUP DELCONSUMER x g c
XGROUP DESTROY x g
XGROUP DESTROY x g
""",
    )


def test_transactions_and_scripts(pair: tuple[Listener, Listener]) -> None:
    assert_same_events(
        pair,
        """
MULTI
SET a 1
INCR a
LPUSH a x
DEL a
EXEC
MULTI
SET a 1
DISCARD
EVAL "for _, name in ipairs({'incr', 'persist', 'del'}) do redis.call(name, KEYS[1]) end" 1 k
""",
    )


def test_somebody_who_waits_is_served_after_the_push(pair: tuple[Listener, Listener]) -> None:
    seen = []
    for listener in pair:
        port = listener.wire.socket.getpeername()[1]
        with Wire(port) as waiter:
            thread = threading.Thread(target=waiter, args=("BLMOVE", "w", "v", "LEFT", "LEFT", 5))
            thread.start()
            deadline = time.monotonic() + 5
            while b"blocked_clients:1" not in listener.wire("INFO", "clients"):
                assert time.monotonic() < deadline
            listener.wire("RPUSH", "w", "x")
            thread.join()
            seen.append(listener.events())
    assert seen[0] == seen[1]


@pytest.mark.parametrize("reads", [("GET", "brief"), ("SET", "brief", "new"), None])
def test_an_expired_key_is_told_once(
    pair: tuple[Listener, Listener], reads: tuple[str, ...] | None
) -> None:
    seen = []
    for listener in pair:
        listener.wire("SET", "brief", "v", "PX", 30)
        told = listener.events()
        time.sleep(0.04)
        if reads:
            listener.wire(*reads)
        while len(told) < (10 if reads and reads[0] == "SET" else 8):
            told.append(listener.next_event())
        seen.append(told + listener.events())
    assert seen[0] == seen[1]


def test_letters(server: AidbServer, redis_port: int) -> None:
    with server.connect() as ours, Wire(redis_port) as theirs:
        for letters in ("A", "KEA", "KEAnm", "g$lKEn", "Kxetdzh", "Em", "KQ", "", "AKE m", ""):
            setting = ("CONFIG", "SET", "notify-keyspace-events", letters)
            assert ours(*setting) == theirs(*setting)
            get = ("CONFIG", "GET", "notify-keyspace-events")
            assert ours(*get) == theirs(*get)


def test_only_classes_and_channels_asked_for(server: AidbServer, redis_port: int) -> None:
    for classes in ("K$", "Eg", "El", "Kgl", "A", "K", "En", "Ex"):
        seen: list[Any] = []
        for port in (server.port, redis_port):
            with listening(port, classes) as listener:
                for line in ("DEL a b", "SET a 1", "RPUSH b 1 2", "EXPIRE a 9", "DEL a", "LPOP b"):
                    listener.wire(*line.split())
                seen.append(listener.events())
        assert seen[0] == seen[1], classes


@pytest.mark.timeout(max(60, COMMANDS // 20))
@pytest.mark.parametrize("offset", range(2))
def test_random_commands_make_the_same_events(pair: tuple[Listener, Listener], offset: int) -> None:
    ours, theirs = pair
    seed = SEED * 1000 + 500 + offset
    stream = Stream(seed)
    history: list[Command] = []
    for _ in range(COMMANDS):
        command = stream.command()
        history.append(command)
        ours.wire(*command)
        theirs.wire(*command)
        mine, other = ours.events(), theirs.events()
        recent = "\n".join(map(repr, history[-12:]))
        assert mine == other, f"seed {seed}: {command}\naidb:  {mine!r}\nredis: {other!r}\n{recent}"
