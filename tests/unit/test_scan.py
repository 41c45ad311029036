from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import aidb

KEYS = [b"%04d" % number for number in range(3000)]


@pytest.fixture
def full(db: aidb.Database) -> aidb.Database:
    db.put_many((key, b"v" + key) for key in KEYS)
    return db


def expected(**bounds: Any) -> list[bytes]:
    """What a scan must yield, the slow and obvious way."""
    start, stop = bounds.get("start"), bounds.get("stop")
    prefix = bounds.get("prefix", b"")
    keys = [
        key
        for key in KEYS
        if key.startswith(prefix)
        and (start is None or key >= start)
        and (stop is None or key < stop)
    ]
    if bounds.get("reverse"):
        keys.reverse()
    return keys[: bounds.get("limit")]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [None, 0, 1, 15, 16, 17, 1024, 5000])
@pytest.mark.parametrize(
    ("start", "stop", "prefix"),
    [
        (None, None, b""),
        (b"0100", None, b""),
        (None, b"0100", b""),
        (b"0100", b"0200", b""),
        (b"01005", b"01995", b""),
        (None, None, b"01"),
        (b"0150", None, b"01"),
        (None, b"0150", b"01"),
        (b"0000", b"9999", b"01"),
        (b"0200", b"0100", b""),
        (None, b"", b""),
        (b"5", None, b""),
        (None, None, b"x"),
    ],
)
def test_a_scan_yields_what_its_bounds_say(
    full: aidb.Database,
    start: bytes | None,
    stop: bytes | None,
    prefix: bytes,
    limit: int | None,
    reverse: bool,
) -> None:
    want = expected(start=start, stop=stop, prefix=prefix, limit=limit, reverse=reverse)
    bounds: dict[str, Any] = {"prefix": prefix, "limit": limit, "reverse": reverse}
    assert list(full.scan(start, stop, keys_only=True, **bounds)) == want
    assert list(full.scan(start, stop, values_only=True, **bounds)) == [b"v" + key for key in want]
    assert list(full.scan(start, stop, **bounds)) == [(key, b"v" + key) for key in want]


@pytest.mark.parametrize("prefix", [b"", b"\xff", b"a\xff", b"\xff\xff", b"a"])
def test_prefixes_that_end_in_ff_have_an_end(db: aidb.Database, prefix: bytes) -> None:
    keys = [b"", b"a", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff", b"\xff\xff\x00"]
    db.put_many((key, b"") for key in keys)
    want = sorted(key for key in keys if key.startswith(prefix))
    assert list(db.scan(prefix=prefix, keys_only=True)) == want
    assert list(db.scan(prefix=prefix, keys_only=True, reverse=True)) == want[::-1]


def test_next_and_loops_share_one_position(full: aidb.Database) -> None:
    scan = full.scan(keys_only=True)
    seen = [next(scan) for _ in range(20)]
    for key in scan:
        seen.append(key)
        if len(seen) == 1500:
            break
    seen += scan
    assert seen == KEYS
    assert list(scan) == []
    with pytest.raises(StopIteration):
        next(scan)


def test_a_scan_sees_the_moment_of_its_start(full: aidb.Database) -> None:
    scan = full.scan(keys_only=True)
    next(scan)
    full.clear()
    full[b"zzz"] = b"later"
    assert list(scan) == KEYS[1:]


def test_a_loop_may_change_what_it_reads(full: aidb.Database) -> None:
    for key, value in full.scan():
        full[key + b"-copy"] = value
        del full[key]
    assert list(full) == [key + b"-copy" for key in KEYS]


def test_unpacked_pairs_and_kept_pairs_are_both_right(full: aidb.Database) -> None:
    kept = list(full.scan(limit=100))
    unpacked = [(key, value) for key, value in full.scan(limit=100)]
    assert kept == unpacked
    assert len({id(pair) for pair in kept}) == 100


def test_close_ends_a_scan(full: aidb.Database) -> None:
    with full.scan() as scan:
        next(scan)
    assert list(scan) == []
    scan.close()


def test_closing_the_database_stops_its_scans(full: aidb.Database) -> None:
    scan = full.scan()
    loop: Iterator[object] = iter(full.scan(values_only=True))
    untouched = full.scan()
    next(scan)
    next(loop)
    full.close()
    for iterator in (scan, loop, untouched):
        with pytest.raises(aidb.ClosedError):
            next(iterator)


def test_an_open_scan_does_not_keep_close_waiting(full: aidb.Database) -> None:
    scan = full.scan()
    next(scan)
    full.close()
    assert full.closed


def test_a_forgotten_scan_is_collected_without_the_cycle_collector(full: aidb.Database) -> None:
    gc.disable()
    try:
        chunks = iter(full.scan())
        next(chunks)
        watcher = weakref.ref(full)
        del chunks
        assert watcher() is full
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "arguments",
    [{"limit": -1}, {"limit": 1 << 70}, {"keys_only": True, "values_only": True}],
)
def test_nonsense_arguments_are_refused(db: aidb.Database, arguments: dict[str, Any]) -> None:
    with pytest.raises(aidb.InvalidError):
        db.scan(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"limit": "10"}, {"limit": 1.5}, {"prefix": "text"}, {"reverse": 1}, {"batch": 7}],
)
def test_arguments_of_wrong_types_are_refused(db: aidb.Database, arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        db.scan(**arguments)


def test_scans_are_generic_for_annotations() -> None:
    assert repr(aidb.Scan[bytes]).endswith("Scan[bytes]")
