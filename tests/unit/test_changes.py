from __future__ import annotations

import pytest

import aidb


def test_the_feed_yields_batches_in_order(db: aidb.Database) -> None:
    users = db.namespace("users")
    start = db.seq
    db[b"a"] = b"1"
    with db.batch() as batch:
        batch.put(b"b", b"2", ttl=60)
        batch.delete(b"a")
        batch.delete_range(b"x", b"y", namespace=users)
        batch.delete_range(b"x")
        batch.annotate(b"note")
    first, second = db.changes(since=start)
    assert second.seq > first.seq > start
    (put,) = first.operations
    assert (put.kind, put.namespace, put.key, put.value, put.stop, put.expires_at) == (
        "put", "default", b"a", b"1", None, None,
    )  # fmt: skip
    ttl, delete, bounded, unbounded, note = second.operations
    assert (ttl.kind, ttl.key, ttl.expires_at) == ("put", b"b", 1_700_000_060.0)
    assert (delete.kind, delete.key, delete.value) == ("delete", b"a", None)
    assert (bounded.kind, bounded.namespace, bounded.key, bounded.stop) == (
        "delete_range", "users", b"x", b"y",
    )  # fmt: skip
    assert (unbounded.namespace, unbounded.stop) == ("default", None)
    assert (note.kind, note.namespace, note.value) == ("annotation", None, b"note")
    assert "put" in repr(put)
    assert "2" in repr(second) or "operations" in repr(second)


def test_since_is_exclusive(db: aidb.Database) -> None:
    db[b"a"] = b"1"
    middle = db.seq
    db[b"b"] = b"2"
    assert [change.operations[0].key for change in db.changes(since=middle)] == [b"b"]
    assert list(db.changes(since=db.seq)) == []


def test_a_feed_that_caught_up_goes_on_later(db: aidb.Database) -> None:
    feed = db.changes(since=db.seq)
    assert list(feed) == []
    db[b"a"] = b"1"
    assert [change.seq for change in feed] == [db.seq]
    assert list(feed) == []


def test_replaying_the_feed_gives_the_same_database(db: aidb.Database) -> None:
    start = db.seq
    for number in range(200):
        db[b"%d" % (number % 37)] = b"%d" % number
        if number % 5 == 0:
            db.delete(b"%d" % (number % 31))
    with aidb.open(":memory:") as copy:
        for change in db.changes(since=start):
            with copy.batch() as batch:
                for operation in change.operations:
                    if operation.kind == "put":
                        assert operation.value is not None
                        batch.put(operation.key, operation.value)
                    else:
                        batch.delete(operation.key)
        assert copy == db


def test_a_feed_ends_with_its_database(db: aidb.Database) -> None:
    db[b"a"] = b"1"
    feed = db.changes()
    db.close()
    with pytest.raises(aidb.ClosedError):
        next(feed)
