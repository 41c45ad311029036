"""SET with comparisons, DELEX, DIGEST and MSETEX of Redis 8.4, as documented."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.wire import Failure, Status, Wire

HELLO = b"Hello world"
HELLO_DIGEST = b"b6acb9d84a38ff74"
OK = Status(b"OK")
SYNTAX = Failure(b"ERR syntax error")
WRONG_TYPE = Failure(b"WRONGTYPE Operation against a key holding the wrong kind of value")
NOT_HEX = Failure(b"ERR must be exactly 16 hexadecimal characters")


@pytest.mark.parametrize(
    ("condition", "permits", "permits_absence"),
    [
        (("IFEQ", HELLO), True, False),
        (("ifeq", b"other"), False, False),
        (("IFNE", HELLO), False, True),
        (("IFNE", b"other"), True, True),
        (("IFDEQ", HELLO_DIGEST), True, False),
        (("IFDEQ", HELLO_DIGEST.upper()), True, False),
        (("IFDEQ", b"0" * 16), False, False),
        (("IFDNE", HELLO_DIGEST), False, True),
        (("ifdne", b"0" * 16), True, True),
    ],
)
def test_conditions(
    wire: Wire, condition: tuple[Any, ...], permits: bool, permits_absence: bool
) -> None:
    wire("SET", "k", HELLO)
    assert wire("SET", "k", "new", *condition) == (OK if permits else None)
    assert wire("GET", "k") == (b"new" if permits else HELLO)
    wire("SET", "k", HELLO)
    assert wire("SET", "k", "new", "GET", *condition, "EX", "100") == HELLO
    assert wire("TTL", "k") == (100 if permits else -1)
    assert wire("SET", "none", "new", *condition) == (OK if permits_absence else None)
    assert wire("EXISTS", "none") == permits_absence
    wire("SET", "k", HELLO)
    assert wire("DELEX", "k", *condition) == permits
    assert wire("EXISTS", "k") == (not permits)
    assert wire("DELEX", "nothing", *condition) == 0


def test_a_comparison_needs_a_string(wire: Wire) -> None:
    wire("SADD", "s", "a")
    assert wire("SET", "s", "v", "IFEQ", "a") == WRONG_TYPE
    assert wire("DELEX", "s", "IFNE", "a") == WRONG_TYPE
    assert wire("DIGEST", "s") == WRONG_TYPE
    assert wire("DELEX", "s") == 1
    assert wire("DIGEST", "s") is None
    wire("SET", "k", HELLO)
    assert wire("DIGEST", "k") == HELLO_DIGEST


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (("SET", "k", "v", "IFEQ"), SYNTAX),
        (("SET", "k", "v", "IFEQ", "a", "NX"), SYNTAX),
        (("SET", "k", "v", "XX", "IFEQ", "a"), SYNTAX),
        (("SET", "k", "v", "IFEQ", "a", "IFNE", "b"), SYNTAX),
        (("SET", "k", "v", "IFDEQ", "12"), NOT_HEX),
        (("DELEX", "k", "IFDNE", "x" * 16), NOT_HEX),
        (("DELEX", "k", "IFEQ"), Failure(b"ERR wrong number of arguments for 'delex' command")),
        (
            ("DELEX", "k", "NX", "v"),
            Failure(b"ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"),
        ),
        (("GETEX", "k", "IFEQ", "a"), SYNTAX),
        (("MSETEX", "0", "k", "v"), Failure(b"ERR invalid numkeys value")),
        (("MSETEX", "x", "k", "v"), Failure(b"ERR invalid numkeys value")),
        (("MSETEX", "2", "k", "v", "EX"), SYNTAX),
        (("MSETEX", "1", "k", "v", "GET"), SYNTAX),
        (("MSETEX", "1", "k", "v", "IFEQ", "v"), SYNTAX),
        (
            ("MSETEX", "1", "k", "v", "EX", "0"),
            Failure(b"ERR invalid expire time in 'msetex' command"),
        ),
    ],
)
def test_refusals(wire: Wire, command: tuple[str, ...], reply: Failure) -> None:
    assert wire(*command) == reply
    assert wire("EXISTS", "k") == 0


def test_several_strings_with_one_expiry(wire: Wire) -> None:
    assert wire("MSETEX", 2, "a", "1", "b", "2", "EX", 100) == 1
    assert wire("MGET", "a", "b") == [b"1", b"2"]
    assert wire("TTL", "a") == wire("TTL", "b") == 100
    assert wire("MSETEX", 2, "a", "3", "c", "4", "NX") == 0
    assert wire("MSETEX", 2, "a", "3", "c", "4", "XX") == 0
    assert wire("MGET", "a", "c") == [b"1", None]
    assert wire("MSETEX", 2, "a", "3", "b", "4", "xx", "keepttl") == 1
    assert wire("MGET", "a", "b") == [b"3", b"4"]
    assert wire("TTL", "a") == 100
    assert wire("MSETEX", 1, "a", "5") == 1
    assert wire("TTL", "a") == -1
    assert wire("COMMAND", "GETKEYS", "MSETEX", 2, "a", "1", "b", "2", "NX") == [b"a", b"b"]
