"""LMDB through py-lmdb."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import lmdb

from benches.stores.base import Pair, Store, StoreOptions


class LmdbStore(Store):
    """LMDB without fsync: a write survives the death of the process, as on the other sides.

    A put is a write transaction of its own: that is what makes it visible and safe. Reads share one
    read transaction per row, the fastest way LMDB has.
    """

    name = "lmdb"

    def __init__(self, options: StoreOptions) -> None:
        """Open the environment."""
        super().__init__(options)
        self._env = env = lmdb.open(
            options.path,
            map_size=options.map_bytes,
            sync=False,
            metasync=False,
            writemap=True,
            map_async=True,
            readahead=True,
            max_readers=16,
        )
        begin = env.begin

        def put(key: bytes, value: bytes) -> None:
            with begin(write=True) as txn:
                txn.put(key, value)

        def put_many(pairs: Sequence[Pair]) -> None:
            with begin(write=True) as txn:
                txn.cursor().putmulti(pairs)

        def get(key: bytes) -> bytes | None:
            with begin() as txn:
                value: bytes | None = txn.get(key)
                return value

        self.put = put
        self.put_many = put_many
        self.get = self._get_alone = get
        self._txn: Any = None

    def settle(self) -> None:
        """Nothing is deferred but the write-back of pages, which no side waits for."""

    def begin_reads(self) -> None:
        """Open the read transaction of the row."""
        self._txn = txn = self._env.begin()
        self.get = txn.get
        cursor = txn.cursor()

        def get_many(keys: list[bytes]) -> list[bytes | None]:
            found = dict(cursor.getmulti(keys))
            return [found.get(key) for key in keys]

        def scan(start: bytes, limit: int) -> list[Pair]:
            cursor.set_range(start)
            return list(islice(cursor, limit))

        self.get_many = get_many
        self.scan = scan

    def end_reads(self) -> None:
        """Close the read transaction, so that its pages can be reused."""
        self._txn.abort()
        self._txn = None
        self.get = self._get_alone

    def properties(self) -> dict[str, Any]:
        """Shape of the tree."""
        return dict(self._env.stat())

    def close(self) -> None:
        """Close the environment."""
        self._env.close()
