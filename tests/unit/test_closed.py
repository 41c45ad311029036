from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import aidb

USES: list[Callable[[Any], object]] = [
    lambda db: db[b"k"],
    lambda db: db.get(b"k"),
    lambda db: b"k" in db,
    lambda db: db.put(b"k", b"v"),
    lambda db: db.__setitem__(b"k", b"v"),
    lambda db: db.__delitem__(b"k"),
    lambda db: db.delete(b"k"),
    lambda db: db.delete_range(b"a", b"b"),
    lambda db: db.get_many([b"k"]),
    lambda db: db.put_many({b"k": b"v"}),
    lambda db: db.put_many({}),
    lambda db: db.put_if(b"k", b"v", expected=None),
    lambda db: db.take(b"k"),
    lambda db: db.expiry(b"k"),
    lambda db: db.scan(),
    lambda db: db.scan(limit=0),
    lambda db: iter(db),
    lambda db: db[b"a":b"b"],
    lambda db: len(db),
    lambda db: db.batch(),
    lambda db: db.snapshot(),
    lambda db: db.namespace("users"),
    lambda db: db.namespaces(),
    lambda db: db.drop_namespace("users"),
    lambda db: db.flush(),
    lambda db: db.sync(),
    lambda db: db.compact(),
    lambda db: db.checkpoint("elsewhere"),
    lambda db: db.changes(),
    lambda db: db.ingest([]),
    lambda db: db.scrub(),
    lambda db: db.stats(),
    lambda db: db.recovery(),
    lambda db: db.options(),
    lambda db: db.seq,
    lambda db: db.durable_seq,
    lambda db: db.pin_log("name", 0),
]


@pytest.mark.parametrize("use", USES)
def test_a_closed_database_refuses_every_use(
    db: aidb.Database, use: Callable[[Any], object]
) -> None:
    db[b"k"] = b"v"
    db.close()
    with pytest.raises(aidb.ClosedError, match="closed"):
        use(db)


def test_closing_twice_is_fine(db: aidb.Database) -> None:
    before = db.closed
    db.close()
    db.close()
    assert (before, db.closed) == (False, True)
    assert "closed" in repr(db)


def test_leaving_the_block_closes_even_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), aidb.open(":memory:") as db:
        raise ZeroDivisionError
    assert db.closed


def test_a_forgotten_handle_goes_at_once() -> None:
    gc.disable()
    try:
        db = aidb.open(":memory:")
        db[b"k"] = b"v"
        loop = iter(db.scan())
        next(loop)
        watcher = weakref.ref(db)
        del db
        assert watcher() is None
    finally:
        gc.enable()


def test_handles_may_be_subclassed() -> None:
    class Mine(aidb.Database):
        def shout(self, key: bytes) -> bytes:
            return self[key].upper()

    with Mine(":memory:") as db:
        db[b"k"] = b"v"
        assert db.shout(b"k") == b"V"
