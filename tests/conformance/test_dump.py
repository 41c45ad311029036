"""DUMP and RESTORE: what one server dumps, the other one restores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.conformance.payload_streams import PAYLOADS
from tests.conformance.servers import AidbServer
from tests.conformance.test_differential import run
from tests.conformance.wire import Failure, Members, Pairs, Status, Wire, encode

OK = Status(b"OK")
BAD_FORMAT = Failure(b"ERR Bad data format")
BAD_FOOTER = Failure(b"ERR DUMP payload version or checksum are wrong")
HIDDEN = {b"radix-tree-keys", b"radix-tree-nodes"}

READS: dict[bytes, Callable[[Wire, bytes], Any]] = {
    b"string": lambda wire, key: wire("GET", key),
    b"list": lambda wire, key: wire("LRANGE", key, 0, -1),
    b"set": lambda wire, key: sorted(wire("SMEMBERS", key)),
    b"zset": lambda wire, key: wire("ZRANGE", key, 0, -1, "WITHSCORES"),
    b"hash": lambda wire, key: hash_of(wire("HGETALL", key)),
    b"stream": lambda wire, key: described(wire("XINFO", "STREAM", key, "FULL", "COUNT", 0)),
}


def hash_of(reply: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def described(reply: Any) -> Any:
    """What XINFO says, without the nodes of a tree that one of the servers does not have."""
    if isinstance(reply, list) and reply and reply[0] == b"length":
        pairs = zip(reply[::2], reply[1::2], strict=True)
        return [(name, described(value)) for name, value in pairs if name not in HIDDEN]
    if isinstance(reply, Pairs | Members):
        return described(list(reply.items))
    return reply


def content(wire: Wire, key: bytes) -> Any:
    """Everything there is to know of a key but how long it lives."""
    kind = wire("TYPE", key).text
    return kind, wire("OBJECT", "ENCODING", key), READS[kind](wire, key)


def keys(wire: Wire) -> list[bytes]:
    return sorted(wire("KEYS", "*"))


def text(number: int, length: int = 0) -> bytes:
    return b"%d" % number + b"x" * length


def fill(wire: Wire) -> None:
    """Every type, small and large, with the awkward values of each."""
    awkward = [b"", b"0", b"-0", b"7", b"-129", b"70000", b"-9999999999", b"\0\xff\r\n", b"1e3"]
    for number, value in enumerate([*awkward, b"ab" * 5000, bytes(range(256)) * 9]):
        wire("SET", f"string:{number}", value)
    wire("APPEND", "string:appended", "12")
    wire("PFADD", "loglog", *range(1000))
    wire("SETBIT", "bits", 100_000, 1)
    for name, count, length in [
        ("small", 5, 0),
        ("long", 5, 90),
        ("many", 600, 0),
        ("huge", 5000, 40),
    ]:
        items = [text(number, length) for number in range(count)]
        wire("RPUSH", f"list:{name}", *items, *awkward, b"y" * 10_000)
        wire("SADD", f"set:{name}", *items, *awkward)
        wire("SADD", f"numbers:{name}", *range(count))
        pairs = [word for item in [*items, *awkward] for word in (item, item[::-1])]
        wire("HSET", f"hash:{name}", *pairs)
        scores = [word for number, item in enumerate(items) for word in (str(number / 7), item)]
        wire("ZADD", f"zset:{name}", *scores, "inf", "a", "-inf", "b", "0", "c", "1e300", "d")
        for number, item in enumerate(items):
            wire(
                "XADD",
                f"stream:{name}",
                f"{number + 1}-{number % 3}",
                "f",
                item,
                f"g{number % 2}",
                "",
            )
    fill_groups(wire)


def fill_groups(wire: Wire) -> None:
    """Streams with gaps, groups, consumers, pending entries."""
    wire("XGROUP", "CREATE", "stream:empty", "g", "$", "MKSTREAM")
    wire("XGROUP", "CREATE", "stream:many", "g", "0")
    wire("XGROUP", "CREATE", "stream:many", "h", "5", "ENTRIESREAD", "4")
    wire("XGROUP", "CREATECONSUMER", "stream:many", "g", "idle")
    wire("XREADGROUP", "GROUP", "g", "one", "COUNT", 150, "STREAMS", "stream:many", ">")
    wire("XREADGROUP", "GROUP", "g", "two", "COUNT", 50, "STREAMS", "stream:many", ">")
    wire("XCLAIM", "stream:many", "g", "two", 0, "3-2", "9-2", "TIME", 1000, "RETRYCOUNT", 9)
    wire("XACK", "stream:many", "g", "4-0")
    wire("XDEL", "stream:many", "1-0", "200-1", "600-2")
    wire("XSETID", "stream:small", "99-1", "ENTRIESADDED", 50, "MAXDELETEDID", "7-7")


@pytest.fixture
def wires(server: AidbServer, redis_port: int) -> Iterator[tuple[Wire, Wire]]:
    """A connection to each server, both empty."""
    with server.connect() as ours, Wire(redis_port) as theirs:
        for wire in (ours, theirs):
            wire("FLUSHALL")
        yield ours, theirs


def assert_carried(source: Wire, target: Wire) -> None:
    """Every key of the source arrives in the target by its payload."""
    for key in keys(source):
        payload = source("DUMP", key)
        assert target("RESTORE", key, 0, payload, "REPLACE") == OK, key
        kind, encoding, value = content(source, key)
        arrived_kind, arrived_encoding, arrived = content(target, key)
        assert (kind, value) == (arrived_kind, arrived), key
        if not key.startswith((b"string", b"bits", b"loglog")):
            assert encoding == arrived_encoding, key
    assert keys(target) == keys(source)


@pytest.mark.timeout(120)
def test_redis_restores_what_we_dump(wires: tuple[Wire, Wire]) -> None:
    ours, theirs = wires
    fill(ours)
    assert_carried(ours, theirs)


@pytest.mark.timeout(120)
def test_we_restore_what_redis_dumps(wires: tuple[Wire, Wire]) -> None:
    ours, theirs = wires
    fill(theirs)
    assert_carried(theirs, ours)
    assert ours("DBSIZE") == theirs("DBSIZE")


@pytest.mark.timeout(120)
def test_what_random_commands_leave_is_carried_both_ways(wires: tuple[Wire, Wire]) -> None:
    ours, theirs = wires
    run(4711, ours, theirs, 1500)
    for wire in wires:
        wire("DISCARD")
        wire("SELECT", 0)
    ours("SELECT", 9)
    theirs("SELECT", 9)
    for source, target in (wires, wires[::-1]):
        source("SELECT", 0)
        target("FLUSHDB")
        for key in keys(source):
            assert target("RESTORE", key, 0, source("DUMP", key)) == OK, key
            before, after = content(source, key), content(target, key)
            assert (before[0], before[2]) == (after[0], after[2]), key
        source("SELECT", 9)


ERRORS: list[tuple[str | int, ...]] = [
    ("DUMP",),
    ("DUMP", "a", "b"),
    ("DUMP", "absent"),
    ("RESTORE", "r"),
    ("RESTORE", "r", 0),
    ("RESTORE", "r", 0, ""),
    ("RESTORE", "r", 0, "x"),
    ("RESTORE", "r", 0, "GOOD", "BOGUS"),
    ("RESTORE", "r", "x", "GOOD"),
    ("RESTORE", "r", -1, "GOOD"),
    ("RESTORE", "r", "x", "bad"),
    ("RESTORE", "k", "x", "bad"),
    ("RESTORE", "k", 0, "GOOD"),
    ("RESTORE", "k", "x", "GOOD", "REPLACE"),
    ("RESTORE", "r", 0, "GOOD", "IDLETIME"),
    ("RESTORE", "r", 0, "GOOD", "IDLETIME", "x"),
    ("RESTORE", "r", 0, "GOOD", "IDLETIME", -1),
    ("RESTORE", "r", 0, "GOOD", "FREQ", 256),
    ("RESTORE", "r", 0, "GOOD", "FREQ", -1),
    ("RESTORE", "r", 0, "GOOD", "FREQ", 5, "IDLETIME", 5),
    ("RESTORE", "r", 0, "GOOD", "IDLETIME", 5, "FREQ", 5),
    ("EXISTS", "r"),
    ("RESTORE", "r", 0, "GOOD", "IDLETIME", 5, "IDLETIME", 6),
    ("RESTORE", "s", 0, "GOOD", "freq", 5),
    ("RESTORE", "t", 1000, "GOOD", "ABSTTL"),
    ("EXISTS", "t"),
    ("RESTORE", "k", 1000, "GOOD", "absttl", "replace"),
    ("EXISTS", "k"),
    ("RESTORE", "u", 4_000_000_000_000, "GOOD", "ABSTTL"),
    ("PEXPIRETIME", "u"),
    ("RESTORE-ASKING", "v", 0, "GOOD"),
    ("GET", "v"),
    ("OBJECT", "ENCODING", "v"),
    ("DBSIZE",),
]


def test_errors_and_options_are_those_of_redis(wires: tuple[Wire, Wire]) -> None:
    good = bytes.fromhex(PAYLOADS[b"b"][1])
    for wire in wires:
        wire("SET", "k", "10")
    for line in ERRORS:
        words = [good if word == "GOOD" else word for word in line]
        mine, other = (wire(*words) for wire in wires)
        assert mine == other, line


BAD_VALUES = [
    "00",  # a string that is not there
    "003f616263",  # one that ends early
    "00c3050a0000000000",  # LZF of another length
    "0100",  # nothing in it
    "0200",
    "0400",
    "0500",
    "020201610161",  # a member twice
    "05020161000000000000f83f0161000000000000f83f",
    "05010161000000000000f87f",  # a score that is no number
    "0701",  # a module that nobody knows
    "63016101",  # an unknown type
    "1300",  # a stream without its facts
]
"""Types and values of payloads that both servers refuse."""


def sealed(value: bytes, version: int = 10) -> bytes:
    """A payload with the footer that belongs to it."""
    payload = value + version.to_bytes(2, "little")
    crc = 0
    for byte in payload:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return payload + crc.to_bytes(8, "little")


def test_payloads_with_a_flaw_change_nothing(wires: tuple[Wire, Wire]) -> None:
    ours, theirs = wires
    for wire in wires:
        wire("SET", "k", "kept")
    for text_ in (text_ for texts in PAYLOADS.values() for text_ in texts):
        payload = bytes.fromhex(text_)
        for place in range(0, len(payload), 3):
            flawed = payload[:place] + bytes([payload[place] ^ 0x41]) + payload[place + 1 :]
            assert ours("RESTORE", "k", 0, flawed, "REPLACE") == BAD_FOOTER
        assert ours("RESTORE", "k", 0, payload[:-11] + payload[-10:], "REPLACE") == BAD_FOOTER
    assert ours("GET", "k") == b"kept"
    for value in BAD_VALUES:
        for wire in wires:
            assert wire("RESTORE", "k", 0, sealed(bytes.fromhex(value)), "REPLACE") == BAD_FORMAT
    # Redis keeps a field twice while the hash is small.
    assert ours("RESTORE", "r", 0, sealed(bytes.fromhex("0402016101620161016a"))) == BAD_FORMAT
    assert ours("GET", "k") == theirs("GET", "k") == b"kept"


def test_restoring_wakes_who_waits(server: AidbServer, wires: tuple[Wire, Wire]) -> None:
    ours, _ = wires
    with server.connect() as waiting:
        waiting.send(encode("BLPOP", "list", 10))
        while not ours("INFO", "clients").count(b"blocked_clients:1"):
            pass
        assert ours("RESTORE", "list", 0, bytes.fromhex(PAYLOADS[b"l"][0])) == OK
        assert waiting.read() == [b"list", b"a"]
        assert ours("LLEN", "list") == 4


def test_restoring_is_part_of_a_transaction(wires: tuple[Wire, Wire]) -> None:
    ours, _ = wires
    for number in range(3000):
        ours("HSET", "big", f"field:{number}", "v" * 500)
    payload = ours("DUMP", "big")
    ours("MULTI")
    ours("RESTORE", "copy", 0, payload)
    ours("HLEN", "copy")
    ours("DUMP", "copy")
    assert ours("EXEC")[:2] == [OK, 3000]
    ours("MULTI")
    ours("RESTORE", "other", 0, payload)
    ours("DISCARD")
    assert hash_of(ours("HGETALL", "copy")) == hash_of(ours("HGETALL", "big"))
    assert ours("DBSIZE") == 2
