from __future__ import annotations

import pytest

import aidb
from aidb.clock import ManualClock

PAIRS = {b"a": b"1", b"b": b"2", b"c": b"3"}


@pytest.fixture
def full(db: aidb.Database) -> aidb.Database:
    db.update(PAIRS)
    return db


def test_a_snapshot_stays_as_it_was(full: aidb.Database) -> None:
    with full.snapshot() as view:
        full[b"a"] = b"changed"
        full[b"d"] = b"new"
        del full[b"b"]
        full.flush()
        full.compact()
        assert dict(view) == PAIRS
        assert view[b"a"] == b"1"
        assert view.get(b"d") is None
        assert view.get(b"d", b"x") == b"x"
        assert b"b" in view
        assert b"d" not in view
        assert view.get_many([b"a", b"d"]) == [b"1", None]
        assert list(view) == [b"a", b"b", b"c"]
        assert list(reversed(view)) == [b"c", b"b", b"a"]
        assert list(view[b"b":]) == [(b"b", b"2"), (b"c", b"3")]
        assert list(view.scan(prefix=b"a")) == [(b"a", b"1")]
        assert list(view.scan(reverse=True, limit=1, keys_only=True)) == [b"c"]
        assert list(view.keys()) == [b"a", b"b", b"c"]
        assert list(view.values()) == [b"1", b"2", b"3"]
        assert dict(view.items()) == PAIRS
        with pytest.raises(KeyError):
            view[b"d"]
    assert dict(full) == {b"a": b"changed", b"c": b"3", b"d": b"new"}


def test_a_snapshot_covers_every_namespace(full: aidb.Database) -> None:
    users = full.namespace("users")
    users[b"ann"] = b"1"
    with full.snapshot() as view:
        users[b"ann"] = b"2"
        assert view.namespace("users")[b"ann"] == b"1"
        with pytest.raises(aidb.InvalidError):
            view.namespace("nobody")
    with users.snapshot() as view:
        assert view[b"ann"] == b"2"


def test_a_snapshot_knows_its_sequence_number(full: aidb.Database) -> None:
    with full.snapshot() as view:
        assert view.seq == full.seq
        full[b"x"] = b"1"
        assert view.seq == full.seq - 1


def test_a_closed_snapshot_refuses_reads(full: aidb.Database) -> None:
    view = full.snapshot()
    view.close()
    view.close()
    with pytest.raises(aidb.ClosedError):
        view[b"a"]
    with pytest.raises(aidb.ClosedError):
        view.scan()


def test_closing_the_database_closes_its_snapshots(full: aidb.Database) -> None:
    view = full.snapshot()
    scan = view.scan()
    next(scan)
    full.close()
    for use in (lambda: view[b"a"], lambda: view.get_many([b"a"]), lambda: next(scan)):
        with pytest.raises(aidb.ClosedError):
            use()
    view.close()


def test_a_snapshot_does_not_delay_expiry(clock: ManualClock) -> None:
    with aidb.open(":memory:", clock=clock) as db:
        db.put(b"k", b"v", ttl=10)
        view = db.snapshot()
        assert view[b"k"] == b"v"
        clock.advance(11)
        assert b"k" not in db


def test_writing_to_a_snapshot_is_impossible(full: aidb.Database) -> None:
    view = full.snapshot()
    with pytest.raises(TypeError):
        view[b"a"] = b"x"  # type: ignore[index]
    assert not hasattr(view, "put")
