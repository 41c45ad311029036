"""Random commands on bitmaps and other strings with a shape, for `streams`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conformance.streams import Stream

TYPES = [b"u1", b"u8", b"i5", b"i8", b"u63", b"i64", b"i1", b"u13", b"u64", b"i0", b"x"]
LARGE = [b"9223372036854775807", b"-9223372036854775808", b"4294967296", b"255", b"256", b"-129"]


def bit(s: Stream) -> bytes:
    """The place of a bit, seldom one that is none."""
    return s.integer_or([b"%d" % s.below(400)], 0.03)


def span(s: Stream) -> list[bytes]:
    """A range in bytes or bits, or nothing."""
    unit = s.one_of([], [b"BIT"], [b"byte"], [b"BITS"])
    return s.one_of([], [s.index(), s.index(), *unit], [s.place(), s.place(), b"BIT"])


def field(s: Stream) -> list[bytes]:
    """Type and place of an integer."""
    place = s.one_of([bit(s)], [b"#%d" % s.below(20)])
    return [*s.one_of(*([name] for name in TYPES)), *place]


def amount(s: Stream) -> bytes:
    return s.one_of(*([number] for number in LARGE), [s.integer()], [s.index()])[0]


def bit_step(s: Stream) -> list[bytes]:
    return s.one_of(
        [b"GET", *field(s)],
        [b"set", *field(s), amount(s)],
        [b"INCRBY", *field(s), amount(s)],
        [b"OVERFLOW", *s.one_of([b"SAT"], [b"wrap"], [b"FAIL"], [b"BAD"])],
    )


def bit_steps(s: Stream) -> list[bytes]:
    return [word for _ in range(1 + s.below(4)) for word in bit_step(s)]


BITMAPS: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"SETBIT": lambda s: [s.of(b"b"), bit(s), *s.one_of([b"0"], [b"1"], [b"1"], [s.integer()])],
    b"GETBIT": lambda s: [s.of(b"b"), bit(s)],
    b"BITCOUNT": lambda s: [s.of(b"b"), *span(s)],
    b"BITPOS": lambda s: [s.of(b"b"), *s.one_of([b"0"], [b"1"], [s.integer()]), *span(s)],
    b"BITPOS ": lambda s: [s.of(b"b"), *s.one_of([b"0"], [b"1"]), s.index()],
    b"BITOP": lambda s: [
        *s.one_of([b"AND"], [b"or"], [b"XOR"], [b"NAND"]),
        s.of(b"b"),
        *s.several(b"b"),
    ],
    b"BITOP ": lambda s: [b"NOT", s.of(b"b"), s.of(b"b")],
    b"BITFIELD": lambda s: [s.of(b"b"), *bit_steps(s)],
    b"BITFIELD_RO": lambda s: [s.of(b"b"), b"GET", *field(s), *s.some([b"GET", *field(s)], 0.1)],
}


def sort_options(s: Stream) -> list[bytes]:
    by = s.one_of([], [], [b"BY", b"nosort"], [b"BY", b"*"], [b"BY", b"m*"])
    get = s.some([b"GET", b"#"], 0.1) or s.one_of([], [], [b"GET", b"hash*->f1"], [b"GET", b"{t}*"])
    return [*by, *get, *s.limit(), *s.some([b"DESC", b"asc", b"BOGUS"], 0.1)]


SORTS: dict[bytes, Callable[[Stream], list[bytes]]] = {
    # Ties among texts have no order in Redis, and reading a sorted set changes its encoding there.
    b"SORT": lambda s: [s.of(s.one_of([b"l"], [b"s"])[0]), b"ALPHA"],
    b"SORT_RO": lambda s: [s.of(b"l"), *sort_options(s)],
    b"SORT ": lambda s: [s.of(b"l"), *sort_options(s), b"STORE", s.of(b"l")],
    b"LCS": lambda s: [s.key(), s.key(), *s.some([b"LEN", b"IDX", b"WITHMATCHLEN"], 0.2)],
}
STRINGS = BITMAPS | SORTS
