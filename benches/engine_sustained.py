"""Long random writing: what it costs once every debt is paid.

Fills a database with random keys, waits until compaction has nothing left to do, then overwrites
random keys for a while, timing each put. Write amplification is bytes written to storage (as the
kernel counts them for the process) per byte of keys and values; space amplification is allocated
bytes per byte of live keys and values, both after all debt is paid. Memory is what the process has
to itself (no mapped files), also as a share of the budget both sides get: four memtables and the
block cache.

``--full --rounds 1 --seconds 60`` takes about a quarter of an hour on a quiet machine.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benches import harness, process, results, workload
from benches.harness import Case, Measured
from benches.stores import Store, StoreOptions, create_store
from benches.stores.base import directory_bytes

SIDES = ("aidb", "rocksdb")
BLOCK_KEYS = 4096
MEMTABLES = 4
"""Memtables that each side may have, as the stores set them up."""
_MIB = 1 << 20
_BUCKET_NS = 128
_BUCKETS = 8192


def cases(full: bool, seconds: int | None = None) -> dict[str, dict[str, Any]]:
    """What is run: value size, keys and seconds of overwriting."""
    if full:
        seconds = 600 if seconds is None else seconds
        return {
            "20 M x 100 B": _case(100, 20_000_000, seconds, memtable=64),
            "4 GiB of 1 KiB": _case(1024, 4 << 20, seconds, memtable=64),
        }
    seconds = 5 if seconds is None else seconds
    return {
        "1 M x 100 B, 8 MiB memtables": _case(100, 1_000_000, seconds, memtable=8),
        "256 MiB of 1 KiB, 8 MiB memtables": _case(1024, 1 << 18, seconds, memtable=8),
    }


def _case(value_bytes: int, keys: int, seconds: int, memtable: int) -> dict[str, Any]:
    return {
        "value_bytes": value_bytes,
        "keys": keys // BLOCK_KEYS * BLOCK_KEYS,
        "overwrite_s": seconds,
        "memtable_bytes": memtable * _MIB,
        "cache_bytes": memtable * _MIB,
    }


def work(side: str, case: Case, directory: Path) -> dict[str, Any]:
    """Fill, settle, overwrite, settle."""
    rows: Measured = {}
    pair_bytes = workload.KEY_BYTES + case["value_bytes"]
    with process.PeakMemory() as memory:
        store = create_store(
            side,
            StoreOptions(
                path=str(directory),
                memtable_bytes=case["memtable_bytes"],
                cache_bytes=case["cache_bytes"],
            ),
        )
        written = process.written_bytes()
        _fill(store, case, rows)
        written = process.written_bytes() - written
        rows["fill: write amplification"] = written / (case["keys"] * pair_bytes)
        rows["fill: space amplification"] = directory_bytes(directory) / (case["keys"] * pair_bytes)
        written = process.written_bytes()
        puts = _overwrite(store, case, rows)
        written = process.written_bytes() - written
        rows["overwrite: write amplification"] = written / (puts * pair_bytes)
        live_bytes = case["keys"] * pair_bytes
        rows["overwrite: space amplification"] = directory_bytes(directory) / live_bytes
        extra = store.properties()
        store.close()
    budget_mib = (MEMTABLES * case["memtable_bytes"] + case["cache_bytes"]) / _MIB
    rows["peak private memory, MiB"] = memory.peak_mib
    rows["peak private memory / budget"] = memory.peak_mib / budget_mib
    rows["peak resident memory, mapped files included, MiB"] = memory.resident_peak_mib
    return {"rows": rows, "extra": extra}


def block_of_keys(number: int) -> Iterator[bytes]:
    """Keys of block ``number``: random, and the same whenever they are asked for."""
    block = random.Random(number).randbytes(BLOCK_KEYS * workload.KEY_BYTES)
    width = workload.KEY_BYTES
    return (block[at : at + width] for at in range(0, len(block), width))


def _fill(store: Store, case: Case, rows: Measured) -> None:
    values = list(workload.Values(case["value_bytes"]).sequence(BLOCK_KEYS))
    put = store.put
    started = time.perf_counter()
    for block in range(case["keys"] // BLOCK_KEYS):
        for key, value in zip(block_of_keys(block), values, strict=True):
            put(key, value)
    filled = time.perf_counter()
    store.settle()
    settled = time.perf_counter()
    rows["fill: puts/s"] = case["keys"] / (filled - started)
    rows["fill: seconds until debt is paid"] = settled - started


def _overwrite(store: Store, case: Case, rows: Measured) -> int:
    values = list(workload.Values(case["value_bytes"], seed=8).sequence(BLOCK_KEYS))
    put, clock = store.put, time.perf_counter_ns
    chooser = random.Random(5)
    buckets = [0] * (_BUCKETS + 1)
    slow: list[int] = []
    blocks = case["keys"] // BLOCK_KEYS
    started = clock()
    deadline = started + case["overwrite_s"] * 1_000_000_000
    puts = 0
    after = started
    while after < deadline:
        for key, value in zip(block_of_keys(chooser.randrange(blocks)), values, strict=True):
            before = clock()
            put(key, value)
            after = clock()
            took = after - before
            if took < _BUCKET_NS * _BUCKETS:
                buckets[took // _BUCKET_NS] += 1
            else:
                slow.append(took)
        puts += BLOCK_KEYS
    store.settle()
    settled = clock()
    rows["overwrite: puts/s until debt is paid"] = puts / ((settled - started) / 1e9)
    rows["overwrite: puts/s"] = puts / ((after - started) / 1e9)
    rows["overwrite: p50, us"] = _percentile_us(buckets, slow, puts, 0.5)
    rows["overwrite: p99.9, us"] = _percentile_us(buckets, slow, puts, 0.999)
    rows["overwrite: max, ms"] = max(slow) / 1e6 if slow else _highest_us(buckets) / 1e3
    rows["overwrite: stalls > 100 ms"] = float(sum(took > 100_000_000 for took in slow))
    return puts


def _percentile_us(buckets: list[int], slow: list[int], count: int, share: float) -> float:
    wanted = int(count * share)
    seen = 0
    for bucket, number in enumerate(buckets):
        seen += number
        if seen > wanted:
            return bucket * _BUCKET_NS / 1e3
    return sorted(slow)[wanted - seen] / 1e3


def _highest_us(buckets: list[int]) -> float:
    return max(bucket for bucket, number in enumerate(buckets) if number) * _BUCKET_NS / 1e3


def main() -> None:
    """Run the benchmark."""
    parser = harness.standard_parser(__doc__ or "")
    parser.add_argument("--seconds", type=int, help="seconds of overwriting per case and side")
    arguments = parser.parse_args()
    if harness.run_worker_if_asked(arguments, work):
        return
    chosen = cases(arguments.full, arguments.seconds)
    measured = harness.run_rounds("benches.engine_sustained", SIDES, chosen, arguments)
    results.print_tables(measured, "measure", mean=False)
    results.write_json(
        "engine_sustained", measured, {"cases": chosen}, arguments.out, arguments.full
    )


if __name__ == "__main__":
    main()
