"""An open directory of the Redis data model, from which clients come."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict, Unpack

from aidb._core import RedisStore
from aidb.units import parse_size

if TYPE_CHECKING:
    from aidb.redis import aio
    from aidb.redis.client import Redis

MEMORY: Final = ":memory:"
"""Path of a store that lives in memory and is gone when it is closed."""

StrPath = str | os.PathLike[str]


class StoreOptions(TypedDict, total=False):
    """Options of :class:`Store`; what is left out keeps its default."""

    appendfsync: Literal["always", "everysec", "no"]
    """When an acknowledged write is on the disk; default ``"everysec"``."""
    memory_bytes: int | str
    """Memory for caches and memtables; default 256 MB."""
    compression: Literal["none", "lz4", "snappy", "zstd"]
    """Codec of table blocks; default ``"lz4"``."""
    repair_log: bool
    """Open a database whose log is damaged by cutting it there."""
    on_recovery_progress: Callable[[int, int], object]
    """Called with bytes of the log replayed and bytes in all while opening."""


_OPTIONS: Final = frozenset(StoreOptions.__annotations__)
_MEMORY_BYTES: Final = 256 << 20


class Store:
    """An open directory of the Redis data model; a context manager that closes it.

    **Concurrency**: any number of threads and event loops may use clients of one store. One process
    has a directory open at a time. In a forked child every call raises :class:`aidb.ClosedError`.

    Args:
        path: A directory, or ``":memory:"``.
        options: See :class:`StoreOptions`.

    Raises:
        UnavailableError: The directory is open already; the message names the holder.
        InvalidError: An option is wrong, or the directory holds something else.
        CorruptionError: Its files are damaged.
    """

    __slots__ = ("__weakref__", "native")

    native: RedisStore

    def __init__(self, path: StrPath, /, **options: Unpack[StoreOptions]) -> None:
        where = os.fspath(path)
        settings: dict[str, Any] = dict(options)
        if unknown := settings.keys() - _OPTIONS:
            raise TypeError(f"a store has no option {min(unknown)!r}; see aidb.redis.StoreOptions")
        settings["memory_bytes"] = parse_size(settings.get("memory_bytes", _MEMORY_BYTES))
        self.native = RedisStore(None if where == MEMORY else where, **settings)

    @property
    def path(self) -> Path | None:
        """Its directory; ``None`` for one in memory."""
        return self.native.path

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self.native.closed

    def client(self, **options: Any) -> Redis:
        """A client. Closing it leaves the store open.

        Args:
            options: Those of ``redis.Redis`` that do not concern sockets: ``db``,
                ``decode_responses``, ``encoding``, ``protocol``, ``client_name``, ….
        """
        from aidb.redis.client import Redis, connection_pool  # noqa: PLC0415 - they need a Store

        is_single = options.pop("single_connection_client", False)
        pool = connection_pool(self, options)
        return Redis(connection_pool=pool, single_connection_client=is_single)

    def async_client(self, **options: Any) -> aio.Redis:
        """A client for asyncio; options as for :meth:`client`."""
        from aidb.redis import aio  # noqa: PLC0415 - asyncio is slow to import

        is_single = options.pop("single_connection_client", False)
        pool = aio.connection_pool(self, options)
        return aio.Redis(connection_pool=pool, single_connection_client=is_single)

    def close(self) -> None:
        """Lets running commands end, makes everything durable and frees the directory.

        Its clients raise :class:`aidb.ClosedError` from then on.
        """
        self.native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<aidb.redis.Store {str(self.path or MEMORY)!r}{state}>"


def open(path: StrPath, /, **options: Any) -> Redis:
    """Opens a directory of the Redis data model; gives a client of redis-py that owns it.

    Closing the client closes the directory. ``client.store`` gives further clients.

    Args:
        path: A directory, made when it is missing, or ``":memory:"``.
        options: Those of :class:`StoreOptions`, and those of :meth:`Store.client`.

    Raises:
        UnavailableError: The directory is open already; the message names the holder.
        InvalidError: An option is wrong, or the directory holds something else.
        TypeError: redis-py has no such option.
    """
    of_store, of_client = split_options(options)
    store = Store(path, **of_store)
    try:
        client = store.client(**of_client)
    except BaseException:
        store.close()
        raise
    client.owns_store = True
    return client


def split_options(options: dict[str, Any]) -> tuple[StoreOptions, dict[str, Any]]:
    """Options of the store, and those of its client."""
    of_client = dict(options)
    of_store: Any = {name: of_client.pop(name) for name in options if name in _OPTIONS}
    return of_store, of_client
