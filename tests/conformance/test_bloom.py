"""Bloom filters: what RedisBloom's documentation promises, its numbers, rates as asked for."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import Failure, Pairs, Status, Wire

OK = Status(b"OK")
NAMES = [
    b"Capacity",
    b"Size",
    b"Number of filters",
    b"Number of items inserted",
    b"Expansion rate",
]
WRONG_TYPE = Failure(b"WRONGTYPE Operation against a key holding the wrong kind of value")
REPLIES: list[tuple[list[str | int], Any]] = [
    (["BF.ADD", "b", "x"], 1),
    (["BF.ADD", "b", "x"], 0),
    (["BF.MADD", "b", "x", "y", "y"], [0, 1, 0]),
    (["BF.EXISTS", "b", "x"], 1),
    (["BF.EXISTS", "nothing", "x"], 0),
    (["BF.MEXISTS", "b", "x", "z", "y"], [1, 0, 1]),
    (["BF.MEXISTS", "nothing", "x", "y"], [0, 0]),
    (["BF.CARD", "b"], 2),
    (["BF.CARD", "nothing"], 0),
    (["TYPE", "b"], Status(b"MBbloom--")),
    (["OBJECT", "ENCODING", "b"], b"raw"),
    (["BF.INFO", "b", "CAPACITY"], [100]),
    (["BF.INFO", "b", "size"], [240]),
    (["BF.INFO", "b", "filters"], [1]),
    (["BF.INFO", "b", "items"], [2]),
    (["BF.INFO", "b", "expansion"], [2]),
    (["BF.INFO", "b", "nosuch"], Failure(b"Invalid information value")),
    (
        ["BF.INFO", "b", "size", "items"],
        Failure(b"ERR wrong number of arguments for 'bf.info' command"),
    ),
    (["BF.INFO", "nothing"], Failure(b"ERR not found")),
    (["BF.RESERVE", "r", "0.001", "100"], OK),
    (["BF.INFO", "r", "SIZE"], [296]),
    (["BF.RESERVE", "r", "0.001", "100"], Failure(b"ERR item exists")),
    (["BF.RESERVE", "s", "x", "100"], Failure(b"ERR bad error rate")),
    (["BF.RESERVE", "s", "0", "100"], Failure(b"ERR (0 < error rate range < 1)")),
    (["BF.RESERVE", "s", "1", "100"], Failure(b"ERR (0 < error rate range < 1)")),
    (["BF.RESERVE", "s", "0.1", "x"], Failure(b"ERR bad capacity")),
    (["BF.RESERVE", "s", "0.1", "0"], Failure(b"ERR (capacity should be larger than 0)")),
    (["BF.RESERVE", "s", "0.1", "9223372036854775807"], Failure(b"ERR could not create filter")),
    (["BF.RESERVE", "s", "0.1", "1", "EXPANSION"], Failure(b"ERR bad expansion")),
    (["BF.RESERVE", "s", "0.1", "1", "EXPANSION", 0], Failure(b"ERR bad expansion")),
    (
        ["BF.RESERVE", "s", "0.1", "1", "EXPANSION", 2, "NONSCALING"],
        Failure(b"Nonscaling filters cannot expand"),
    ),
    (["BF.RESERVE", "s", "0.1", "1", "NOSUCH"], Failure(b"ERR unrecognized option")),
    (["BF.RESERVE", "fixed", "0.01", "2", "NONSCALING"], OK),
    (["BF.INFO", "fixed", "expansion"], [None]),
    (
        ["BF.MADD", "fixed", "1", "2", "1", "3", "4"],
        [1, 1, 0, Failure(b"ERR non scaling filter is full")],
    ),
    (["BF.ADD", "fixed", "5"], Failure(b"ERR non scaling filter is full")),
    (["BF.ADD", "fixed", "1"], 0),
    (["BF.INSERT", "i", "NOCREATE", "ITEMS", "x"], Failure(b"ERR not found")),
    (["BF.INSERT", "i", "CAPACITY", "x", "ITEMS", "x"], Failure(b"Bad capacity")),
    (["BF.INSERT", "i", "ERROR", "2", "ITEMS", "x"], Failure(b"Bad error rate")),
    (["BF.INSERT", "i", "EXPANSION", "0", "ITEMS", "x"], Failure(b"Bad expansion")),
    (["BF.INSERT", "i", "NOSUCH", "ITEMS", "x"], Failure(b"Unknown argument received")),
    (
        ["BF.INSERT", "i", "NOCREATE", "ITEMS"],
        Failure(b"ERR wrong number of arguments for 'bf.insert' command"),
    ),
    (
        ["BF.INSERT", "i", "NOCREATE", "NONSCALING"],
        Failure(b"ERR wrong number of arguments for 'bf.insert' command"),
    ),
    (
        ["BF.INSERT", "i", "CAPACITY", 50000, "ERROR", "0.001", "EXPANSION", 4, "ITEMS", "x", "x"],
        [1, 0],
    ),
    (
        ["BF.INFO", "i"],
        [
            value
            for pair in zip(map(Status, NAMES), [50000, 98880 + 96, 1, 1, 4], strict=True)
            for value in pair
        ],
    ),
    (["BF.INSERT", "i", "NOCREATE", "ITEMS", "items", "y"], [1, 1]),
    (["BF.ADD", "string", "x"], WRONG_TYPE),
    (["BF.EXISTS", "string", "x"], WRONG_TYPE),
    (["BF.SCANDUMP", "b", "x"], Failure(b"Second argument must be numeric")),
    (["BF.SCANDUMP", "nothing", 0], Failure(b"ERR not found")),
    (["BF.LOADCHUNK", "l", "x", "d"], Failure(b"ERR Second argument must be numeric")),
    (["BF.LOADCHUNK", "l", 1, "d"], Failure(b"ERR received bad data")),
    (["BF.LOADCHUNK", "l", 2, "d"], Failure(b"ERR not found")),
    (["BF.LOADCHUNK", "b", 1, "d"], Failure(b"ERR received bad data")),
    (["BF.LOADCHUNK", "b", 1000, "d"], Failure(b"ERR received bad data")),
    (["DEL", "b", "r"], 2),
    (["BF.EXISTS", "b", "x"], 0),
]


def test_commands_answer_as_documented(tmp_path: Path) -> None:
    with aidb_server(tmp_path) as server, server.connect() as wire:
        wire("SET", "string", "x")
        for command, reply in REPLIES:
            assert wire(*command) == reply, command


def test_resp3_has_truths_and_maps(server: AidbServer) -> None:
    with server.connect(3) as wire:
        assert wire("BF.ADD", "b3", "x") is True
        assert wire("BF.MADD", "b3", "x", "y") == [False, True]
        assert wire("BF.EXISTS", "b3", "z") is False
        assert wire("BF.INFO", "b3", "items") == Pairs(((Status(NAMES[3]), 2),))
        values = [100, 240, 1, 2, 2]
        assert wire("BF.INFO", "b3") == Pairs(tuple(zip(map(Status, NAMES), values, strict=True)))


@pytest.mark.parametrize("rate", [0.02, 0.01, 0.001])
def test_the_measured_rate_is_within_the_one_asked_for(server: AidbServer, rate: float) -> None:
    key = f"rate-{rate}"
    with server.connect() as wire:
        wire("BF.RESERVE", key, str(rate), 100)
        for start in range(0, 3000, 500):
            wire("BF.MADD", key, *(f"in-{n}" for n in range(start, start + 500)))
        assert all(wire("BF.MEXISTS", key, *(f"in-{n}" for n in range(3000))))
        wrong = sum(wire("BF.MEXISTS", key, *(f"out-{n}" for n in range(10_000))))
        assert wrong / 10_000 <= rate
        assert wire("BF.INFO", key, "FILTERS") == [5]


def test_filters_grow_by_their_expansion(server: AidbServer) -> None:
    with server.connect() as wire:
        for expansion, filters in [(1, 25), (2, 5), (4, 4)]:
            key = f"grown-{expansion}"
            wire("BF.RESERVE", key, "0.01", 4, "EXPANSION", expansion)
            wire("BF.MADD", key, *range(100))
            assert all(wire("BF.MEXISTS", key, *range(100)))
            assert wire("BF.INFO", key, "FILTERS") == [filters]


def test_clients_find_the_names_of_the_modules(server: AidbServer) -> None:
    with server.connect(3) as wire:
        modules = [dict(module.items) for module in wire("MODULE", "LIST")]
        assert {module[b"name"] for module in modules} == {b"ReJSON", b"bf"}
        assert b"built in" in wire("MODULE", "LOAD", "x").text


def dump(wire: Wire, key: str) -> list[tuple[int, bytes]]:
    """All pieces of a filter."""
    pieces: list[tuple[int, bytes]] = []
    at = 0
    while True:
        at, piece = wire("BF.SCANDUMP", key, at)
        if at == 0:
            assert piece == b""
            return pieces
        pieces.append((at, piece))


def test_pieces_make_the_same_filter(server: AidbServer) -> None:
    with server.connect() as wire:
        wire("BF.RESERVE", "dumped", "0.01", 100)
        wire("BF.MADD", "dumped", *range(1000))
        pieces = dump(wire, "dumped")
        assert len(pieces) == 1 + wire("BF.INFO", "dumped", "FILTERS")[0]
        for at, piece in pieces:
            assert wire("BF.LOADCHUNK", "loaded", at, piece) == OK
        assert wire("BF.INFO", "loaded") == wire("BF.INFO", "dumped")
        assert dump(wire, "loaded") == pieces
        numbers = range(3000)
        assert wire("BF.MEXISTS", "loaded", *numbers) == wire("BF.MEXISTS", "dumped", *numbers)
        assert wire("BF.ADD", "loaded", "one more") == wire("BF.ADD", "dumped", "one more")
        damaged = pieces[0][1][:-1] + b"\1" * 60
        assert wire("BF.LOADCHUNK", "damaged", 1, damaged) == Failure(b"ERR received bad data")


def murmur(data: bytes, seed: int) -> int:
    """MurmurHash64A."""
    factor, mask = 0xC6A4A7935BD1E995, 2**64 - 1
    value = seed ^ (len(data) * factor & mask)
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        word = int.from_bytes(data[at : at + 8], "little") * factor & mask
        word = (word ^ word >> 47) * factor & mask
        value = (value ^ word) * factor & mask
    if tail := data[whole:]:
        value = (value ^ int.from_bytes(tail, "little")) * factor & mask
    value = (value ^ value >> 47) * factor & mask
    return value ^ value >> 47


def pieces_of_redisbloom(items: list[bytes], capacity: int, rate: float) -> list[tuple[int, bytes]]:
    """What BF.SCANDUMP of RedisBloom answers for a filter of these items."""
    per_item = -math.log(rate) / math.log(2) ** 2
    bits = (int(capacity * per_item) + 63) // 64 * 64
    hashes = math.ceil(math.log(2) * per_item)
    body = bytearray(bits // 8)
    for item in items:
        first = murmur(item, 0xC6A4A7935BD1E995)
        second = murmur(item, first)
        for number in range(hashes):
            bit = (first + number * second) % 2**64 % bits
            body[bit // 8] |= 1 << bit % 8
    head = struct.pack("<QIII", len(items), 1, 5, 2)
    link = struct.pack(
        "<QQQddIQB", bits // 8, bits, len(items), rate, per_item, hashes, capacity, 0
    )
    return [(1, head + link), (1 + len(body), bytes(body))]


def test_a_filter_of_redisbloom_is_loaded_and_grows(server: AidbServer) -> None:
    items = [f"item {number}".encode() for number in range(100)]
    pieces = pieces_of_redisbloom(items, 100, 0.005)
    with server.connect() as wire:
        for at, piece in pieces:
            assert wire("BF.LOADCHUNK", "foreign", at, piece) == OK
        assert wire("BF.INFO", "foreign", "CAPACITY") == [100]
        assert wire("BF.MEXISTS", "foreign", *items) == [1] * 100
        assert dump(wire, "foreign") == pieces
        wire("BF.MADD", "foreign", *range(100))
        assert wire("BF.MEXISTS", "foreign", *items, *range(100)) == [1] * 200
        assert wire("BF.INFO", "foreign", "FILTERS") == [2]


def test_large_filters_survive_a_kill_and_are_keys_like_others(tmp_path: Path) -> None:
    with aidb_server(tmp_path, "--appendfsync", "always") as server:
        with server.connect() as wire:
            assert wire("BF.RESERVE", "large", "0.001", 10_000_000) == OK
            assert sum(wire("BF.MADD", "large", *range(1000))) == 1000
            wire("EXPIRE", "large", 1000)
            assert wire("BF.ADD", "large", "x") == 1
            assert wire("COPY", "large", "copy") == 1
            assert wire("RENAME", "large", "renamed") == OK
            assert wire("BF.ADD", "copy", "y") == 1
            wire("MULTI")
            wire("BF.ADD", "renamed", "in")
            wire("BF.EXISTS", "renamed", "in")
            assert wire("EXEC") == [1, 1]
            script = "return redis.call('bf.exists', KEYS[1], 'in')"
            assert wire("EVAL", script, 1, "renamed") == 1
        server.kill()
    with aidb_server(tmp_path) as server, server.connect() as wire:
        assert wire("BF.MEXISTS", "renamed", "x", "y", "in", *range(1000)) == [1, 0, 1, *[1] * 1000]
        assert wire("BF.MEXISTS", "copy", "x", "y", "in") == [1, 1, 0]
        assert wire("BF.CARD", "renamed") == 1002
        assert 0 < wire("TTL", "renamed") <= 1000


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_interface_of_the_library_works(server: AidbServer, protocol: int) -> None:
    key = f"library-bloom-{protocol}"
    with redis.Redis(port=server.port, protocol=protocol) as client:
        bloom = client.bf()
        assert bloom.create(key, 0.01, 1000, expansion=4)
        assert bloom.add(key, "x") == 1
        assert bloom.madd(key, "x", "y") == [0, 1]
        assert bloom.exists(key, "x") == 1
        assert bloom.mexists(key, "x", "z") == [1, 0]
        assert bloom.insert(key, ["x", "z"]) == [0, 1]
        assert bloom.card(key) == 3
        assert bloom.info(key)["expansionRate" if protocol == 2 else b"Expansion rate"] == 4
        header = bloom.scandump(key, 0)
        assert bloom.loadchunk(f"{key}-copy", *header)
