"""Strings of the Redis data model, written straight into a database that nobody serves.

For bulk loads: a directory filled so and then served answers GET for every key. Collections, and
reading, need a server.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from aidb import _core

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from aidb.database import Database

__all__ = ["RedisStrings"]


class RedisStrings:
    """The string keys of one logical database, 0 to 15.

    Args:
        database: The open database.
        number: Logical database, as in SELECT.

    Raises:
        InvalidError: There is no such logical database.
    """

    def __init__(self, database: Database, number: int = 0) -> None:
        self._store = database.namespace(_core.redis_namespace(database, number), create=False)

    def put_many(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Sets many strings in one atomic batch, whatever the keys held before.

        Raises:
            InvalidError: A key is longer than the Redis data model allows.
        """
        record = _core.redis_string
        self._store.put_many([record(key, value) for key, value in pairs])

    @contextmanager
    def batch(self) -> Generator[StringBatch]:
        """A batch of strings that are set together."""
        with self._store.batch() as batch:
            yield StringBatch(batch)


class StringBatch:
    """Collects strings to be set."""

    def __init__(self, batch: _core.Batch) -> None:
        self._batch = batch

    def put(self, key: bytes, value: bytes, *, expires_at: float | None = None) -> None:
        """Sets a string that expires at a time, in seconds since the Unix epoch.

        Raises:
            InvalidError: The key is longer than the Redis data model allows.
        """
        self._batch.put(*_core.redis_string(key, value), expires_at=expires_at)
