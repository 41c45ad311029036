"""Commands of many connections on all reactors: every one happens at one point in time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Failure, Status, Wire

CLIENTS = 6


def in_parallel(server: AidbServer, work: Callable[[Wire, int], None]) -> None:
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            with server.connect() as wire:
                work(wire, number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_no_increment_is_lost(server: AidbServer, wire: Wire) -> None:
    def count(wire: Wire, number: int) -> None:
        del number
        for _ in range(20):
            wire.pipeline([("INCR", "n"), ("INCRBY", "n", 2), ("APPEND", "s", "x")] * 20)

    in_parallel(server, count)
    assert wire("GET", "n") == b"%d" % (CLIENTS * 400 * 3)
    assert wire("STRLEN", "s") == CLIENTS * 400


def test_several_keys_are_seen_together(server: AidbServer, wire: Wire) -> None:
    keys = [f"key:{n}" for n in range(8)]
    wire("MSET", *[word for key in keys for word in (key, 0)])

    def write_or_read(wire: Wire, number: int) -> None:
        for turn in range(300):
            if number % 2:
                value = number * 1000 + turn
                wire("MSET", *[word for key in keys for word in (key, value)])
            else:
                assert len(set(wire("MGET", *keys))) == 1

    in_parallel(server, write_or_read)


def test_only_one_wins(server: AidbServer, wire: Wire) -> None:
    winners: list[int] = []

    def race(wire: Wire, number: int) -> None:
        for turn in range(200):
            if wire("SET", f"lock:{turn}", number, "NX") == Status(b"OK"):
                winners.append(turn)
            if wire("MSETNX", f"a:{turn}", 1, f"b:{turn}", 1) == 1:
                winners.append(turn)

    in_parallel(server, race)
    assert sorted(winners) == sorted([*range(200), *range(200)])
    assert wire("DBSIZE") == 600


def test_a_key_is_renamed_without_ever_being_two_or_none(server: AidbServer, wire: Wire) -> None:
    wire("SET", "left", "v")

    def rename_or_look(wire: Wire, number: int) -> None:
        for _ in range(300):
            if number == 0:
                wire("RENAME", "left", "right")
                wire("RENAME", "right", "left")
            else:
                assert wire("EXISTS", "left", "right") == 1

    in_parallel(server, rename_or_look)


def test_databases_swap_and_flush_among_writers(server: AidbServer, wire: Wire) -> None:
    def write(wire: Wire, number: int) -> None:
        for turn in range(150):
            if number == 0:
                wire("SWAPDB", 0, 1)
            elif number == 1 and turn % 30 == 0:
                wire("FLUSHALL")
            else:
                reply = wire("INCR", f"n{number}")
                assert not isinstance(reply, Failure)

    in_parallel(server, write)
    total = 0
    for database in range(16):
        wire("SELECT", database)
        keys = wire("KEYS", "*")
        assert wire("DBSIZE") == len(keys)
        total += len(keys)
    assert total <= 2 * CLIENTS


@pytest.mark.parametrize("appendfsync", ["always", "everysec", "no"])
def test_every_durability_answers_in_order(
    server: AidbServer, wire: Wire, appendfsync: str
) -> None:
    wire("CONFIG", "SET", "appendfsync", appendfsync)
    try:

        def talk(wire: Wire, number: int) -> None:
            for turn in range(30):
                key = f"k{number}"
                commands: list[tuple[bytes | str | int, ...]] = []
                for step in range(10):
                    commands += [("SET", key, f"{turn}:{step}"), ("GET", key)]
                replies = wire.pipeline(commands)
                assert replies[1::2] == [f"{turn}:{step}".encode() for step in range(10)]

        in_parallel(server, talk)
    finally:
        wire("CONFIG", "SET", "appendfsync", "everysec")
