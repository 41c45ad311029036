"""A user's program, for the type checkers: mypy --strict and pyright accept every line of it."""

from collections.abc import Iterator, MutableMapping
from datetime import timedelta
from pathlib import Path
from typing import assert_type

import aidb
import aidb.aio


def words(db: MutableMapping[bytes, bytes]) -> list[bytes]:
    return list(db)


def program(path: Path) -> None:
    with aidb.open(path, durability="everysec", memtable_bytes_max="64MB") as db:
        db[b"k"] = b"v"
        db[bytearray(b"k")] = memoryview(b"v")
        assert_type(db[b"k"], bytes)
        assert_type(db.get(b"k"), bytes | None)
        assert_type(db.get(b"k", default=b""), bytes)
        assert_type(db.get(b"k", 0), bytes | int)
        assert_type(db.pop(b"k", None), bytes | None)
        assert_type(db.setdefault(b"k", b"v"), bytes)
        assert_type(db.get_many([b"a", b"b"]), list[bytes | None])
        assert_type(len(db), int)
        assert_type(b"k" in db, bool)
        db.put(b"k", b"v", ttl=timedelta(hours=1), durability="sync")
        db.put_many({b"a": b"1"})
        db.put_many((key, value) for key, value in [(b"a", b"1")])
        assert_type(db.put_if(b"k", b"w", expected=b"v"), bool)
        for key, value in db.scan(b"a", b"m", limit=10, reverse=True):
            assert_type(key, bytes)
            assert_type(value, bytes)
        for key, value in db[b"a":b"m"]:
            assert_type((key, value), tuple[bytes, bytes])
        assert_type(next(db.scan(prefix=b"k", keys_only=True)), bytes)
        assert_type(iter(db.scan(values_only=True)), Iterator[bytes])
        with db.batch() as batch:
            batch.put(b"a", b"1")
            batch.delete_range(b"x", b"y")
        with db.snapshot() as view:
            assert_type(view.get(b"a"), bytes | None)
        users = db.namespace("users", ttl="7d", compression="zstd")
        users[b"ann"] = b"{}"
        assert_type(users, aidb.Namespace)
        for change in db.changes(since=0):
            assert_type(change.seq, int)
        words(db)
        words(users)
        del db[b"k"]
        del db[b"a":b"m"]


async def async_program(path: Path) -> None:
    async with aidb.aio.open(path, durability="sync") as db:
        await db.put(b"k", b"v")
        assert_type(await db.get(b"k"), bytes | None)
        async for key, value in db.scan(prefix=b"k"):
            assert_type(key, bytes)
            assert_type(value, bytes)
