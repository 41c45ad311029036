"""The stores under test behind one small face, with equal settings.

Equal means: an acknowledged write survives the death of the process, not of the machine (RocksDB
and LevelDB: log on, no fsync; LMDB: ``sync=False``; aidb: ``durability="none"``); the same memory
for writes, the same block cache, 10 filter bits per key, the fast codec of each (LZ4; LevelDB has
Snappy). LMDB has neither cache nor filter nor codec: its map is the page cache.
"""

from __future__ import annotations

from benches.stores.base import Store, StoreOptions

NAMES = ("aidb", "rocksdb", "leveldb", "lmdb")

__all__ = ["NAMES", "Store", "StoreOptions", "create_store"]


def create_store(name: str, options: StoreOptions) -> Store:
    """Open the store called ``name``; its package is imported only now."""
    if name == "aidb":
        from benches.stores.aidb_store import AidbStore

        return AidbStore(options)
    if name == "rocksdb":
        from benches.stores.rocksdb_store import RocksdbStore

        return RocksdbStore(options)
    if name == "leveldb":
        from benches.stores.leveldb_store import LeveldbStore

        return LeveldbStore(options)
    if name == "lmdb":
        from benches.stores.lmdb_store import LmdbStore

        return LmdbStore(options)
    raise ValueError(f"unknown store {name!r}; choose from {', '.join(NAMES)}")
