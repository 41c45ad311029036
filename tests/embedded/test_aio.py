"""The embedded face for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis

import aidb
import aidb.redis.aio


@pytest.fixture(params=["everysec", "always"])
async def r(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    opening = aidb.redis.aio.open(
        tmp_path / "data", appendfsync=request.param, decode_responses=True
    )
    async with opening as client:
        yield client


async def blocked(r: Any, clients: int) -> None:
    """Returns when so many clients wait."""
    while (await r.info("clients"))["blocked_clients"] < clients:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_commands_pipelines_and_scripts(r: Any) -> None:
    assert redis.asyncio.Redis in type(r).__mro__
    assert await r.set("k", "v")
    assert await r.get("k") == "v"
    async with r.pipeline() as pipeline:
        assert await pipeline.set("n", 1).incr("n").execute() == [True, 2]
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        await r.lpush("k", "x")
    script = r.register_script("return redis.call('INCR', KEYS[1])")
    assert await script(keys=["n"]) == 3
    counts = await asyncio.gather(*[r.incr("m") for _ in range(50)])
    assert sorted(counts) == list(range(1, 51))
    async with r.pipeline() as pipeline:
        await pipeline.watch("n")
        await r.set("n", 9)
        pipeline.multi()
        pipeline.incr("n")
        with pytest.raises(redis.WatchError):
            await pipeline.execute()


async def test_blocking_commands_leave_the_loop_free(r: Any) -> None:
    waiting = [asyncio.create_task(r.blpop(["q"], timeout=20)) for _ in range(40)]
    await blocked(r, 40)
    for n in range(40):
        await r.rpush("q", n)
    assert sorted(int(pair[1]) for pair in await asyncio.gather(*waiting)) == list(range(40))
    assert await r.blpop(["q"], timeout=0.02) is None


async def test_a_cancelled_wait_takes_nothing(r: Any) -> None:
    waiting = asyncio.create_task(r.blpop(["q"], timeout=0))
    await blocked(r, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await r.rpush("q", "v")
    assert await r.llen("q") == 1


async def test_messages(r: Any) -> None:
    async with r.pubsub() as listener:
        await listener.subscribe("news")
        first = await listener.get_message(timeout=5)
        assert first is not None
        assert first["type"] == "subscribe"
        assert await listener.get_message(timeout=0.01) is None
        told = asyncio.create_task(listener.get_message(timeout=20))
        await asyncio.sleep(0)
        assert await r.publish("news", "hello") == 1
        message = await told
        assert message is not None
        assert message["data"] == "hello"


async def test_close_ends_what_waits(tmp_path: Path) -> None:
    r: Any = await aidb.redis.aio.open(tmp_path / "data")
    other = r.store.async_client()
    waiting = asyncio.create_task(other.blpop(["q"], timeout=0))
    await blocked(r, 1)
    await r.aclose()
    with pytest.raises(redis.ConnectionError):
        await waiting
    with pytest.raises(aidb.ClosedError):
        await other.get("k")
    await other.aclose()


async def test_both_faces_share_a_store(r: Any) -> None:
    await r.set("k", "v")
    assert r.store.client().get("k") == b"v"
    with pytest.raises(aidb.UnavailableError, match="already open"):
        await aidb.redis.aio.open(str(r.store.path))
