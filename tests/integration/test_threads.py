"""One handle, many threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import aidb

THREADS = 4
TINY: aidb.OpenOptions = {"memtable_bytes_max": "64KB", "block_bytes": 512}


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, path: Path) -> aidb.Database:
    return aidb.open(":memory:" if request.param == "memory" else path, **TINY)


def test_writers_do_not_lose_each_others_writes(store: aidb.Database) -> None:
    def write(thread: int) -> None:
        for number in range(2000):
            store[b"%d-%05d" % (thread, number)] = b"%d" % number * 10

    with store, ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(THREADS)))
        assert len(store) == THREADS * 2000
        keys = [b"%d-%05d" % (t, n) for t in range(THREADS) for n in range(2000)]
        assert list(store) == keys
        assert all(store.get_many(keys))


def test_readers_never_see_half_a_batch(store: aidb.Database) -> None:
    stop = threading.Event()
    store.put_many({b"a": b"0", b"b": b"0"})

    def write() -> None:
        for number in range(3000):
            store.put_many({b"a": b"%d" % number, b"b": b"%d" % number})
        stop.set()

    def read() -> int:
        seen = 0
        while seen == 0 or not stop.is_set():
            with store.snapshot() as view:
                assert view[b"a"] == view[b"b"]
            pairs = dict(store.scan())
            assert pairs[b"a"] == pairs[b"b"]
            seen += 1
        return seen

    with store, ThreadPoolExecutor(3) as pool:
        writer = pool.submit(write)
        readers = [pool.submit(read) for _ in range(2)]
        writer.result()
        assert all(reader.result() > 0 for reader in readers)


def test_a_reader_never_goes_back_in_time(store: aidb.Database) -> None:
    stop = threading.Event()
    store[b"n"] = b"0"

    def write() -> None:
        for number in range(1, 20_000):
            store[b"n"] = b"%d" % number
            store[b"filler%d" % (number % 100)] = b"x" * 50
        stop.set()

    def read() -> None:
        last = 0
        while not stop.is_set():
            now = int(store[b"n"])
            assert now >= last
            last = now

    with store, ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(write), pool.submit(read), pool.submit(read)]
        for future in futures:
            future.result()


def test_one_scan_refuses_two_threads_or_serves_them(store: aidb.Database) -> None:
    store.put_many((b"%06d" % n, b"v") for n in range(20_000))
    scan = store.scan(keys_only=True)

    def read() -> list[bytes]:
        got: list[bytes] = []
        try:
            while True:
                got.append(next(scan))
        except StopIteration:
            return got
        except aidb.InvalidError:
            return got

    with store, ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: read(), range(2))
        assert not set(first) & set(second)


def test_close_during_use_ends_every_thread_with_closed_error(store: aidb.Database) -> None:
    store.put_many((b"%06d" % n, b"v" * 20) for n in range(5000))
    started = threading.Barrier(THREADS + 1)

    def use(thread: int) -> str:
        started.wait()
        try:
            while True:
                store[b"%d" % thread] = b"x"
                store.get(b"000001")
                list(store.scan(limit=100))
                store.get_many([b"000001", b"000002"])
        except aidb.ClosedError:
            return "closed"

    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(use, thread) for thread in range(THREADS)]
        started.wait()
        store.close()
        assert [future.result() for future in futures] == ["closed"] * THREADS


def test_sync_writers_share_their_syncs(path: Path) -> None:
    def write(thread: int) -> None:
        for number in range(50):
            db.put(b"%d-%d" % (thread, number), b"v", durability="sync")

    with aidb.open(path, durability="sync") as db, ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
        assert len(db) == 400
        assert db.durable_seq == db.seq
