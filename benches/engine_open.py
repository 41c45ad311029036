"""How long a database takes to open: after a kill with a long log, and when it is large.

A child process writes and kills itself with SIGKILL; another process opens what it left, after its
pages were evicted from the page cache, and reads the last key that was acknowledged.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benches import harness, process, results, workload
from benches.harness import Case
from benches.stores import StoreOptions, create_store

SIDES = ("aidb", "rocksdb")
VALUE_BYTES = 1024
_MIB = 1 << 20


def cases(full: bool) -> dict[str, dict[str, Any]]:
    """What is run: MiB written, memtable size, whether the log is all there is."""
    if full:
        return {
            "512 MiB of log": {"mib": 512, "memtable_mib": 1024, "settled": False},
            "10 GB database": {"mib": 10_000_000_000 // _MIB, "memtable_mib": 64, "settled": True},
        }
    return {
        "128 MiB of log": {"mib": 128, "memtable_mib": 256, "settled": False},
        "512 MiB database": {"mib": 512, "memtable_mib": 64, "settled": True},
    }


def work(side: str, case: Case, directory: Path) -> dict[str, Any]:
    """Build in a child that dies, then open here."""
    request = json.dumps({"side": side, "case": dict(case), "dir": str(directory)})
    command = [sys.executable, "-m", "benches.engine_open", "--build", request]
    child = subprocess.run(command, check=False)
    if child.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the writing process ended with {child.returncode}, not SIGKILL")
    process.drop_page_cache(directory)
    memory = process.anonymous_bytes()
    started = time.perf_counter()
    store = create_store(side, _options(case, directory))
    opened = time.perf_counter()
    if store.get(workload.random_key(_keys(case) - 1)) is None:
        raise AssertionError(f"{side} lost an acknowledged write")
    read = time.perf_counter()
    rows = {
        "open, s": opened - started,
        "open and first get, s": read - started,
        "memory after open, MiB": (process.anonymous_bytes() - memory) / _MIB,
    }
    store.close()
    return {"rows": rows}


def build(request: dict[str, Any]) -> None:
    """Fill the database, then die without closing it."""
    case, directory = request["case"], Path(request["dir"])
    store = create_store(request["side"], _options(case, directory))
    values = workload.Values(VALUE_BYTES)
    keys = _keys(case)
    for start in range(0, keys, 1000):
        numbers = range(start, min(start + 1000, keys))
        store.put_many([(workload.random_key(number), values(number)) for number in numbers])
    if case["settled"]:
        store.settle()
    os.kill(os.getpid(), signal.SIGKILL)


def _keys(case: Case) -> int:
    return int(case["mib"] * _MIB // (VALUE_BYTES + workload.KEY_BYTES))


def _options(case: Case, directory: Path) -> StoreOptions:
    return StoreOptions(path=str(directory), memtable_bytes=case["memtable_mib"] * _MIB)


def main() -> None:
    """Run the benchmark."""
    parser = harness.standard_parser(__doc__ or "")
    parser.add_argument("--build", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.build:
        build(json.loads(arguments.build))
        return
    if harness.run_worker_if_asked(arguments, work):
        return
    chosen = cases(arguments.full)
    measured = harness.run_rounds("benches.engine_open", SIDES, chosen, arguments)
    results.print_tables(measured, "measure", mean=False)
    results.write_json("engine_open", measured, {"cases": chosen}, arguments.out, arguments.full)


if __name__ == "__main__":
    main()
