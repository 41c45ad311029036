"""What the library costs besides its operations: import, open, close, memory; and threads.

The import is timed in new interpreters, less the time of an interpreter that imports nothing.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benches import harness, process, results, workload
from benches.harness import Case, Measured
from benches.stores import StoreOptions, create_store

SIDES = ("aidb", "rocksdb")
THREADS = (1, 2, 4)
_MODULES = {"aidb": "aidb; aidb.open", "rocksdb": "rocksdict; rocksdict.Rdict"}
_STARTS = 7


def work(side: str, case: Case, directory: Path) -> dict[str, Any]:
    """Everything one side does in one round."""
    rows: Measured = {"import, ms": _import_ms(_MODULES[side])}
    options = StoreOptions(path=str(directory))
    create_store(side, options).close()
    opens, closes = [], []
    for _ in range(_STARTS):
        started = time.perf_counter()
        store = create_store(side, options)
        opened = time.perf_counter()
        store.close()
        opens.append(opened - started)
        closes.append(time.perf_counter() - opened)
    rows["open, ms"] = median(opens) * 1e3
    rows["close, ms"] = median(closes) * 1e3
    before = process.anonymous_bytes()
    store = create_store(side, options)
    rows["memory of an open empty database, KiB"] = (process.anonymous_bytes() - before) / 1024
    keys = workload.random_keys(0, case["keys"])
    value = workload.Values(100)(1)
    for threads in THREADS:
        rows[f"put/s, threads: {threads}"] = _rate(keys, threads, lambda key: store.put(key, value))
    store.settle()
    for threads in THREADS:
        rows[f"get/s, threads: {threads}"] = _rate(keys, threads, store.get)
    store.close()
    return {"rows": rows}


def _import_ms(module: str) -> float:
    return (_interpreter_s(f"import {module}") - _interpreter_s("pass")) * 1e3


def _interpreter_s(code: str) -> float:
    times = []
    for _ in range(_STARTS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - started)
    return median(times)


def _rate(keys: list[bytes], threads: int, call: Callable[[bytes], object]) -> float:
    barrier = threading.Barrier(threads + 1)

    def run(mine: list[bytes]) -> None:
        barrier.wait()
        for key in mine:
            call(key)

    workers = [threading.Thread(target=run, args=(keys[at::threads],)) for at in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    started = time.perf_counter()
    for worker in workers:
        worker.join()
    return len(keys) / (time.perf_counter() - started)


def main() -> None:
    """Run the benchmark."""
    parser = harness.standard_parser(__doc__ or "")
    arguments = parser.parse_args()
    if harness.run_worker_if_asked(arguments, work):
        return
    chosen = {"library": {"keys": 500_000 if arguments.full else 100_000}}
    measured = harness.run_rounds("benches.library_overhead", SIDES, chosen, arguments)
    results.print_tables(measured, "measure", mean=False)
    results.write_json(
        "library_overhead", measured, {"cases": chosen}, arguments.out, arguments.full
    )


if __name__ == "__main__":
    main()
