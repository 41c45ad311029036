"""RocksDB through rocksdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
)

from benches.stores.base import Pair, Store, StoreOptions

_BUSY = (
    "rocksdb.mem-table-flush-pending",
    "rocksdb.num-running-flushes",
    "rocksdb.compaction-pending",
    "rocksdb.num-running-compactions",
)


class RocksdbStore(Store):
    """RocksDB with its log on and no fsync."""

    name = "rocksdb"

    def __init__(self, options: StoreOptions) -> None:
        """Open the database."""
        super().__init__(options)
        self._db = db = Rdict(options.path, _rocks_options(options))
        self.put = db.put
        self.get = db.get
        self.get_many = db.get

        def put_many(pairs: Sequence[Pair]) -> None:
            batch = WriteBatch(raw_mode=True)
            put = batch.put
            for key, value in pairs:
                put(key, value)
            db.write(batch)

        def scan(start: bytes, limit: int) -> list[Pair]:
            return list(islice(db.items(from_key=start), limit))

        self.put_many = put_many
        self.scan = scan

    def settle(self) -> None:
        """Flush and wait for the compactor."""
        self._db.flush()
        while any(self._db.property_int_value(name) for name in _BUSY):
            time.sleep(0.05)

    def properties(self) -> dict[str, Any]:
        """Levels and compaction figures as RocksDB prints them."""
        return {"stats": self._db.property_value("rocksdb.stats")}

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def _rocks_options(options: StoreOptions) -> Options:
    table = BlockBasedOptions()
    table.set_block_size(4096)
    table.set_block_cache(Cache(options.cache_bytes))
    table.set_bloom_filter(options.filter_bits, False)
    rocks = Options(raw_mode=True)
    rocks.create_if_missing(True)
    rocks.set_block_based_table_factory(table)
    rocks.set_write_buffer_size(options.memtable_bytes)
    rocks.set_max_write_buffer_number(4)
    rocks.set_target_file_size_base(64 << 20)
    rocks.set_max_bytes_for_level_base(256 << 20)
    rocks.set_level_compaction_dynamic_level_bytes(True)
    rocks.set_max_background_jobs(2)
    codec = DBCompressionType.lz4() if options.compression else DBCompressionType.none()
    rocks.set_compression_type(codec)
    return rocks
