"""The same database for asyncio: every call runs in a thread, so that the event loop never waits.

async with aidb.aio.open("./data") as db:
    await db.put(b"k", b"v")
    async for key, value in db.scan(prefix=b"k"):
        ...
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterable, Mapping
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, Unpack

from aidb import database as sync
from aidb._core import Batch, Scan, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

_P = ParamSpec("_P")
_T = TypeVar("_T")
_CHUNK_ITEMS: Final = 256


class Database:
    """An open database whose methods are coroutines. ``blocking`` is the ordinary handle inside."""

    __slots__ = ("blocking",)

    blocking: sync.Database

    def __init__(self, database: sync.Database) -> None:
        self.blocking = database

    async def get(self, key: Buffer, /, default: bytes | None = None) -> bytes | None:
        """The value of a key, or ``default`` when it is absent."""
        return await _in_thread(self.blocking.get, key, default)

    async def put(
        self,
        key: Buffer,
        value: Buffer,
        /,
        *,
        ttl: float | timedelta | None = None,
        expires_at: float | None = None,
        durability: sync.Durability | None = None,
    ) -> None:
        """Stores a value."""
        lifetime: Any = {"ttl": ttl, "expires_at": expires_at}
        await _in_thread(self.blocking.put, key, value, durability=durability, **lifetime)

    async def delete(self, key: Buffer, /, *, durability: sync.Durability | None = None) -> None:
        """Removes a key; its absence is fine."""
        await _in_thread(self.blocking.delete, key, durability=durability)

    async def contains(self, key: Buffer, /) -> bool:
        """Whether a key is present."""
        return await _in_thread(self.blocking.__contains__, key)

    async def count(self) -> int:
        """Exact number of keys."""
        return await _in_thread(self.blocking.__len__)

    async def get_many(self, keys: Iterable[Buffer], /) -> list[bytes | None]:
        """The values of many keys, in their order."""
        return await _in_thread(self.blocking.get_many, keys)

    async def put_many(
        self,
        pairs: Mapping[bytes, bytes] | Iterable[tuple[Buffer, Buffer]],
        /,
        *,
        ttl: float | timedelta | None = None,
        expires_at: float | None = None,
        durability: sync.Durability | None = None,
    ) -> None:
        """Stores many pairs in one atomic batch."""
        lifetime: Any = {"ttl": ttl, "expires_at": expires_at}
        await _in_thread(self.blocking.put_many, pairs, durability=durability, **lifetime)

    async def put_if(
        self, key: Buffer, value: Buffer | None, /, *, expected: Buffer | None
    ) -> bool:
        """Stores ``value`` (``None`` = delete) if the key holds ``expected``."""
        return await _in_thread(self.blocking.put_if, key, value, expected=expected)

    async def delete_range(
        self, start: Buffer | None = None, stop: Buffer | None = None, /
    ) -> None:
        """Removes every key in ``start <= key < stop`` at once."""
        await _in_thread(self.blocking.delete_range, start, stop)

    async def scan(
        self,
        start: Buffer | None = None,
        stop: Buffer | None = None,
        /,
        *,
        prefix: Buffer | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> AsyncIterator[tuple[bytes, bytes]]:
        """Pairs in key order, read a few hundred at a time."""

        def begin() -> Scan[tuple[bytes, bytes]]:
            return self.blocking.scan(start, stop, prefix=prefix, limit=limit, reverse=reverse)

        with await _in_thread(begin) as scan:
            while pairs := await _in_thread(lambda: list(islice(scan, _CHUNK_ITEMS))):
                for pair in pairs:
                    yield pair

    def batch(self, *, durability: sync.Durability | None = None) -> AsyncBatch:
        """A batch of writes that become visible and durable together."""
        return AsyncBatch(self.blocking.batch(durability=durability))

    async def snapshot(self) -> Snapshot:
        """A view of this moment, with blocking methods."""
        return await _in_thread(self.blocking.snapshot)

    async def flush(self) -> None:
        """Writes the memtables to tables."""
        await _in_thread(self.blocking.flush)

    async def compact(self) -> None:
        """Rewrites every table without its garbage."""
        await _in_thread(self.blocking.compact)

    async def checkpoint(self, target: sync.StrPath, /) -> None:
        """A consistent copy in a new directory."""
        await _in_thread(self.blocking.checkpoint, target)

    async def stats(self) -> dict[str, Any]:
        """Counters and sizes."""
        return await _in_thread(self.blocking.stats)

    async def close(self) -> None:
        """Makes everything durable and frees the directory."""
        await _in_thread(self.blocking.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


class AsyncBatch:
    """A batch; committed when its ``async with`` block ends, discarded when the block raises."""

    __slots__ = ("batch",)

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    async def __aenter__(self) -> Batch:
        return self.batch

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await _in_thread(self.batch.commit)
        else:
            self.batch.discard()


class Opening:
    """A database about to be opened: ``await`` it, or use it in ``async with``."""

    __slots__ = ("_database", "_options", "_path")

    def __init__(self, path: sync.StrPath, options: sync.OpenOptions) -> None:
        self._path = path
        self._options = options
        self._database: Database | None = None

    async def _open(self) -> Database:
        return Database(await _in_thread(sync.open, self._path, **self._options))

    def __await__(self) -> Generator[Any, None, Database]:
        return self._open().__await__()

    async def __aenter__(self) -> Database:
        self._database = await self._open()
        return self._database

    async def __aexit__(self, *exception: object) -> None:
        if self._database is not None:
            await self._database.close()


def open(path: sync.StrPath, /, **options: Unpack[sync.OpenOptions]) -> Opening:
    """Opens a database; arguments and errors as :func:`aidb.open`."""
    return Opening(path, options)


async def _in_thread(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    return await asyncio.to_thread(call, *args, **kwargs)
