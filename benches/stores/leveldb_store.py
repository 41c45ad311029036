"""LevelDB through plyvel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import plyvel

from benches.stores.base import Pair, Store, StoreOptions


class LeveldbStore(Store):
    """LevelDB with its log on and no fsync."""

    name = "leveldb"

    def __init__(self, options: StoreOptions) -> None:
        """Open the database."""
        super().__init__(options)
        self._open()

    def _open(self) -> None:
        options = self.options
        self._db = db = plyvel.DB(
            options.path,
            create_if_missing=True,
            write_buffer_size=options.memtable_bytes,
            lru_cache_size=options.cache_bytes,
            bloom_filter_bits=options.filter_bits,
            compression="snappy" if options.compression else None,
            max_file_size=64 << 20,
        )
        self.put = db.put
        self.get = db.get

        def put_many(pairs: Sequence[Pair]) -> None:
            with db.write_batch() as batch:
                put = batch.put
                for key, value in pairs:
                    put(key, value)

        def get_many(keys: list[bytes]) -> list[bytes | None]:
            return [get(key) for key in keys]

        def scan(start: bytes, limit: int) -> list[Pair]:
            return list(islice(db.iterator(start=start), limit))

        get = db.get
        self.put_many = put_many
        self.get_many = get_many
        self.scan = scan

    def settle(self) -> None:
        """Reopen, which writes the log to a table (LevelDB has no flush), and wait for quiet."""
        self._db.close()
        self._open()
        super().settle()

    def properties(self) -> dict[str, Any]:
        """Levels and compaction figures as LevelDB prints them."""
        return {"stats": self._db.get_property(b"leveldb.stats").decode()}

    def close(self) -> None:
        """Close the database."""
        self._db.close()
