"""The library's basic operations against RocksDB, LevelDB and LMDB through their Python bindings.

Each worker fills a new database one put at a time, settles it, reads it, overwrites it, and reads
it while a thread writes; a second database is filled in batches and a third one in key order.
``--full`` adds a database of four times the block cache.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benches import harness, results, workload
from benches.harness import Case, Measured, timed
from benches.stores import NAMES, Store, StoreOptions, create_store

BATCH_ITEMS = 1000
SCAN_ITEMS = 50
MULTI_GET_KEYS = 100
WRITER_PUTS_PER_S = 20_000
_MIB = 1 << 20


def cases(full: bool) -> dict[str, dict[str, Any]]:
    """What is run: value sizes, keys and reads per case."""
    if not full:
        return {
            "100 B values": _case(100, 200_000, 200_000),
            "400 B values": _case(400, 100_000, 100_000),
            "1 KiB values": _case(1024, 100_000, 100_000),
            "16 KiB values": _case(16 << 10, 8_000, 20_000),
        }
    inside = {
        "100 B values": _case(100, 1_000_000, 1_000_000),
        "400 B values": _case(400, 1_000_000, 1_000_000, cache=1024 * _MIB),
        "1 KiB values": _case(1024, 1_000_000, 1_000_000, cache=2048 * _MIB),
        "16 KiB values": _case(16 << 10, 100_000, 200_000, cache=2048 * _MIB),
    }
    beyond = {
        "100 B values, database 4x the cache": _case(100, 4_000_000, 500_000, cache=116 * _MIB),
        "1 KiB values, database 4x the cache": _case(1024, 1_000_000, 500_000, cache=256 * _MIB),
    }
    return inside | beyond


def _case(value_bytes: int, keys: int, reads: int, cache: int = 256 * _MIB) -> dict[str, Any]:
    return {"value_bytes": value_bytes, "keys": keys, "reads": reads, "cache_bytes": cache}


def work(side: str, case: Case, directory: Path) -> dict[str, Any]:
    """Everything one side does in one round."""
    rows: Measured = {}
    _fill_in_order(_open(side, case, directory / "order"), case, rows)
    shutil.rmtree(directory / "order")
    _fill_in_batches(_open(side, case, directory / "batches"), case, rows)
    shutil.rmtree(directory / "batches")
    store = _open(side, case, directory / "data")
    keys = workload.random_keys(0, case["keys"])
    _fill(store, keys, case, rows)
    store.settle()
    store.begin_reads()
    _read(store, keys, case, rows)
    store.end_reads()
    _overwrite(store, keys, case, rows)
    _read_while_writing(store, keys, case, rows)
    extra = store.properties()
    store.close()
    return {"rows": rows, "extra": extra}


def _open(side: str, case: Case, path: Path) -> Store:
    return create_store(side, StoreOptions(path=str(path), cache_bytes=case["cache_bytes"]))


def _fill_in_order(store: Store, case: Case, rows: Measured) -> None:
    keys = workload.sequential_keys(case["keys"])
    values = list(workload.Values(case["value_bytes"]).sequence(min(len(keys), 4096)))
    put, mask = store.put, len(values) - 1
    pairs = [(key, values[number % (mask + 1)]) for number, key in enumerate(keys)]
    with timed(rows, "put, keys in order", len(keys)):
        for key, value in pairs:
            put(key, value)
    store.close()


def _fill_in_batches(store: Store, case: Case, rows: Measured) -> None:
    batches = list(_batches(case))
    with timed(rows, "put, batches of 1000", case["keys"]):
        for batch in batches:
            store.put_many(batch)
    store.close()


def _batches(case: Case) -> Iterator[list[tuple[bytes, bytes]]]:
    values = list(workload.Values(case["value_bytes"]).sequence(4096))
    keys = iter(workload.random_keys(0, case["keys"]))
    while batch := list(islice(keys, BATCH_ITEMS)):
        yield [(key, values[number % 4096]) for number, key in enumerate(batch)]


def _fill(store: Store, keys: list[bytes], case: Case, rows: Measured) -> None:
    values = list(workload.Values(case["value_bytes"]).sequence(4096))
    pairs = [(key, values[number % 4096]) for number, key in enumerate(keys)]
    put = store.put
    with timed(rows, "put", len(keys)):
        for key, value in pairs:
            put(key, value)


def _read(store: Store, keys: list[bytes], case: Case, rows: Measured) -> None:
    reads = case["reads"]
    wanted = workload.sampled(keys, reads, seed=1)
    get = store.get
    for key in wanted[: reads // 10]:
        get(key)
    with timed(rows, "get, present", reads):
        for key in wanted:
            if get(key) is None:
                raise AssertionError(f"{key!r} is lost")
    absent = workload.random_keys(1 << 40, reads)
    with timed(rows, "get, absent", reads):
        for key in absent:
            get(key)
    groups = [wanted[at : at + MULTI_GET_KEYS] for at in range(0, reads, MULTI_GET_KEYS)]
    get_many = store.get_many
    with timed(rows, "get many, 100 keys", reads):
        for group in groups:
            get_many(group)
    scan, starts = store.scan, workload.sampled(keys, max(reads // 50, 1000), seed=2)
    items = 0
    started = time.perf_counter()
    for start in starts:
        items += len(scan(start, SCAN_ITEMS))
    rows["scan, 50 items (items/s)"] = items / (time.perf_counter() - started)


def _overwrite(store: Store, keys: list[bytes], case: Case, rows: Measured) -> None:
    values = list(workload.Values(case["value_bytes"], seed=8).sequence(4096))
    chosen = workload.sampled(keys, len(keys), seed=3)
    pairs = [(key, values[number % 4096]) for number, key in enumerate(chosen)]
    put = store.put
    with timed(rows, "overwrite", len(pairs)):
        for key, value in pairs:
            put(key, value)


def _read_while_writing(store: Store, keys: list[bytes], case: Case, rows: Measured) -> None:
    stop = threading.Event()
    writer = threading.Thread(target=_write_steadily, args=(store, keys, case, stop))
    wanted = workload.sampled(keys, case["reads"] // 2, seed=4)
    get = store.get
    writer.start()
    with timed(rows, "get while 20 K/s are written", len(wanted)):
        for key in wanted:
            get(key)
    stop.set()
    writer.join()


def _write_steadily(store: Store, keys: list[bytes], case: Case, stop: threading.Event) -> None:
    values = workload.Values(case["value_bytes"], seed=9)
    per_burst = 100
    pause = per_burst / WRITER_PUTS_PER_S
    for burst in range(1 << 40):
        until = time.perf_counter() + pause
        pairs = [
            (keys[(burst * per_burst + number) % len(keys)], values(number))
            for number in range(per_burst)
        ]
        store.put_many(pairs)
        if stop.wait(max(until - time.perf_counter(), 0.0)):
            return


def main() -> None:
    """Run the benchmark."""
    parser = harness.standard_parser(__doc__ or "")
    arguments = parser.parse_args()
    if harness.run_worker_if_asked(arguments, work):
        return
    chosen = cases(arguments.full)
    measured = harness.run_rounds("benches.engine", NAMES, chosen, arguments)
    results.print_tables(measured)
    results.write_json("engine", measured, {"cases": chosen}, arguments.out, arguments.full)


if __name__ == "__main__":
    main()
