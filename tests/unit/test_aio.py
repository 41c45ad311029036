from __future__ import annotations

import pytest

import aidb
import aidb.aio


async def test_every_call_has_an_async_twin() -> None:
    async with aidb.aio.open(":memory:") as db:
        await db.put(b"a", b"1")
        assert await db.get(b"a") == b"1"
        assert await db.get(b"nobody") is None
        assert await db.contains(b"a")
        await db.put_many({b"b": b"2", b"c": b"3"})
        assert await db.get_many([b"c", b"x"]) == [b"3", None]
        assert await db.count() == 3
        assert await db.put_if(b"a", b"one", expected=b"1")
        await db.delete(b"b")
        assert [pair async for pair in db.scan()] == [(b"a", b"one"), (b"c", b"3")]
        assert [key async for key, _ in db.scan(reverse=True, limit=1)] == [b"c"]
        view = await db.snapshot()
        await db.delete_range()
        assert len(dict(view)) == 2
        await db.flush()
        await db.compact()
        assert (await db.stats())["live_keys"] is not None
    with pytest.raises(aidb.ClosedError):
        await db.get(b"a")


async def test_a_database_can_be_awaited() -> None:
    db = await aidb.aio.open(":memory:")
    async with db:
        assert await db.count() == 0


async def test_a_batch_commits_or_discards() -> None:
    async with aidb.aio.open(":memory:") as db:
        async with db.batch() as batch:
            batch.put(b"a", b"1")
        with pytest.raises(ZeroDivisionError):
            async with db.batch() as batch:
                batch.put(b"b", b"2")
                raise ZeroDivisionError
        assert [pair async for pair in db.scan()] == [(b"a", b"1")]


async def test_a_long_scan_is_read_in_pieces() -> None:
    async with aidb.aio.open(":memory:") as db:
        await db.put_many((b"%05d" % i, b"v") for i in range(1000))
        assert [key async for key, _ in db.scan()] == [b"%05d" % i for i in range(1000)]
