"""aidb through its own library face."""

from __future__ import annotations

import time
from typing import Any

import aidb
from benches.stores.base import Pair, Store, StoreOptions


class AidbStore(Store):
    """aidb at durability ``none``: a write survives the death of the process."""

    name = "aidb"

    def __init__(self, options: StoreOptions) -> None:
        """Open the database."""
        super().__init__(options)
        self._db = db = aidb.open(
            options.path,
            durability="none",
            memtable_bytes_max=options.memtable_bytes,
            memtables_bytes_max=4 * options.memtable_bytes,
            cache_bytes_max=options.cache_bytes,
            filter_bits_per_key=options.filter_bits,
            compression="lz4" if options.compression else "none",
        )
        self.put = db.put
        self.get = db.get
        self.put_many = db.put_many
        self.get_many = db.get_many

        def scan(start: bytes, limit: int) -> list[Pair]:
            return list(db.scan(start, limit=limit))

        self.scan = scan

    def settle(self) -> None:
        """Flush, then wait until the compactor has nothing left to do."""
        self._db.flush()
        while self._db.stats()["compactions_pending"]:
            time.sleep(0.05)

    def properties(self) -> dict[str, Any]:
        """The database's own statistics."""
        return dict(self._db.stats())

    def close(self) -> None:
        """Close the database."""
        self._db.close()
