"""The server with data ten times its memory budget: Zipf and uniform reads against memory.

All sides are aidb with the same data and the same load. ``in memory`` has twice the data as its
budget; ``beyond memory`` a tenth of the data, and what it misses comes from the page cache of the
machine; ``beyond page cache`` has that budget in a control group that leaves twice the budget for
its memory and its files together, so that most misses go to the disk. Where no control group may be
made it is the same as ``beyond memory``, and its row "page cache limited" is 0.

Values are made of a few hundred words, so that a codec halves them as most real ones. Reads begin
when flush and compaction have settled and every key was read once. A row of reads is GETs per
second of one client over 8 connections, 16 commands in flight on each.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

from benches import harness, results
from benches.server import memory_mib, processor_s, running_server

SIDES = ("beyond memory", "beyond page cache", "in memory")
VALUE_BYTES = 1024
CONNECTIONS = 8
PIPELINE = 16
ZIPF_EXPONENT = 0.99
OVERHEAD_MIB = 64
"""What the process needs besides its budget: code, Python, connections."""
_MIB = 1 << 20
_WORDS = [random.randbytes(8) for _ in range(300)]


def cases(full: bool) -> dict[str, dict[str, Any]]:
    """Budget of the small sides, and how long each kind of read runs."""
    budget, seconds = (256, 60) if full else (64, 5)
    return {f"{10 * budget} MiB of values": {"budget_mib": budget, "seconds": seconds}}


def work(side: str, case: harness.Case, directory: Path) -> dict[str, Any]:
    """Fill, then read; rates, times, hit rates and memory."""
    budget = case["budget_mib"]
    keys = 10 * budget * _MIB // VALUE_BYTES
    memory = 20 * budget if side == "in memory" else budget
    rows: harness.Measured = {}
    limit = (2 * budget + OVERHEAD_MIB) * _MIB if side == "beyond page cache" else None
    with running_server("aidb", directory, memory=f"{memory}MB") as (port, pid):
        with memory_limited(pid, limit) as is_limited, Peak(pid) as peak:
            load = Load(port, keys)
            with harness.timed(rows, "fill: SET/s", keys):
                load.fill()
            settle(pid)
            load.warm()
            load.ask(b"*2\r\n$6\r\nCONFIG\r\n$9\r\nRESETSTAT\r\n")
            for name, choose in (("Zipf", zipf(keys)), ("uniform", uniform(keys))):
                load.read(choose, case["seconds"] / 2)
                before, peak_before = load.cache(), peak.mib
                measured = load.read(choose, case["seconds"])
                hits, misses = (now - then for now, then in zip(load.cache(), before, strict=True))
                rows[f"{name} GET/s"] = measured["rate"]
                rows[f"{name}: p99 of {PIPELINE} GETs, ms"] = measured["p99_ms"]
                rows[f"{name}: block cache hit rate"] = hits / max(hits + misses, 1)
                rows[f"{name}: growth of memory, MiB"] = peak.mib - peak_before
            load.close()
        rows["peak private memory, MiB"] = peak.mib
        rows["peak private memory / budget"] = (peak.mib - peak.base) / memory
        rows["page cache limited"] = float(is_limited)
    return {"rows": rows}


def zipf(keys: int) -> Callable[[int], list[int]]:
    """Chooses keys by Zipf's law; the favourites are scattered over the key space."""
    weights = list(accumulate(1 / (rank + 1) ** ZIPF_EXPONENT for rank in range(keys)))
    step = 2_654_435_761

    def choose(count: int) -> list[int]:
        ranks = random.choices(range(keys), cum_weights=weights, k=count)
        return [rank * step % keys for rank in ranks]

    return choose


def uniform(keys: int) -> Callable[[int], list[int]]:
    """Chooses every key as often."""
    return lambda count: random.choices(range(keys), k=count)


class Load:
    """A client with several connections, each of which has several commands in flight."""

    def __init__(self, port: int, keys: int) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        self._keys = keys

    def fill(self) -> None:
        """Set every key once, in a random order."""
        numbers = list(range(self._keys))
        random.shuffle(numbers)
        connection = self._sockets[0]
        for start in range(0, self._keys, 1000):
            chunk = numbers[start : start + 1000]
            connection.sendall(b"".join(set_command(number) for number in chunk))
            receive(connection, len(b"+OK\r\n") * len(chunk))

    def warm(self) -> None:
        """Get every key once."""
        reply_bytes = len(f"${VALUE_BYTES}\r\n") + VALUE_BYTES + 2
        connection = self._sockets[0]
        for start in range(0, self._keys, 200):
            numbers = range(start, min(start + 200, self._keys))
            connection.sendall(b"".join(map(get_command, numbers)))
            receive(connection, reply_bytes * len(numbers))

    def read(self, choose: Callable[[int], list[int]], seconds: float) -> dict[str, float]:
        """Read for a while; the rate, and the 99th percentile of a pipeline's time."""
        reply_bytes = len(f"${VALUE_BYTES}\r\n") + VALUE_BYTES + 2
        waits: list[float] = []
        done, waited = 0, 0.0
        while waited < seconds:
            rounds = [
                [b"".join(map(get_command, choose(PIPELINE))) for _ in self._sockets]
                for _ in range(50)
            ]
            started = time.perf_counter()
            for requests in rounds:
                sent_at = []
                for connection, request in zip(self._sockets, requests, strict=True):
                    sent_at.append(time.perf_counter())
                    connection.sendall(request)
                for connection, at in zip(self._sockets, sent_at, strict=True):
                    receive(connection, reply_bytes * PIPELINE)
                    waits.append(time.perf_counter() - at)
            waited += time.perf_counter() - started
            done += len(rounds) * CONNECTIONS * PIPELINE
        waits.sort()
        return {"rate": done / waited, "p99_ms": 1000 * waits[len(waits) * 99 // 100]}

    def cache(self) -> tuple[int, int]:
        """Hits and misses of the block cache so far."""
        text = self.ask(b"*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n").decode()
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        return int(fields["cache_hits"]), int(fields["cache_misses"])

    def ask(self, request: bytes) -> bytes:
        """A reply that comes in one piece."""
        self._sockets[0].sendall(request)
        return self._sockets[0].recv(1 << 16)

    def close(self) -> None:
        """Close the connections."""
        for connection in self._sockets:
            connection.close()


def get_command(number: int) -> bytes:
    """GET of a key."""
    key = b"key:%012d" % number
    return b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key)


def set_command(number: int) -> bytes:
    """SET of a key to random words."""
    key = b"key:%012d" % number
    value = b"".join(random.choices(_WORDS, k=VALUE_BYTES // 8))
    return b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(key), key, VALUE_BYTES, value)


def receive(connection: socket.socket, missing: int) -> None:
    """Read so many bytes and forget them."""
    while missing:
        missing -= len(connection.recv(min(missing, 1 << 18)))


def settle(pid: int) -> None:
    """Wait until flush and compaction have nothing to do, or two minutes."""
    for _ in range(120):
        before = processor_s(pid)
        time.sleep(1)
        if processor_s(pid) - before < 0.05:
            return


class Peak:
    """Watches the private memory of a process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.base = self.mib = memory_mib(pid)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._ends.wait(0.1):
            self.mib = max(self.mib, memory_mib(self._pid))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()


@contextmanager
def memory_limited(pid: int, limit: int | None) -> Iterator[bool]:
    """Puts a process into a control group with so much memory, if that is permitted."""
    root = Path("/sys/fs/cgroup")
    is_first_version = (root / "memory").is_dir()
    group = (root / "memory" if is_first_version else root) / f"aidb-bench-{os.getpid()}"
    try:
        if limit is not None:
            group.mkdir()
            name = "memory.limit_in_bytes" if is_first_version else "memory.max"
            (group / name).write_text(str(limit))
            (group / "cgroup.procs").write_text(str(pid))
    except OSError:
        limit = None
    try:
        yield limit is not None
    finally:
        if group.is_dir():
            if limit is not None:
                parent = group.parent / "cgroup.procs"
                parent.write_text(str(pid))
            group.rmdir()


def main() -> None:
    """Measure, print, write."""
    arguments = harness.standard_parser(__doc__ or "").parse_args()
    if harness.run_worker_if_asked(arguments, work):
        return
    chosen = cases(arguments.full)
    measured = harness.run_rounds("benches.server_beyond_memory", SIDES, chosen, arguments)
    results.print_tables(measured, "measure", mean=False)
    options = {"value_bytes": VALUE_BYTES, "cases": chosen}
    results.write_json("server_beyond_memory", measured, options, arguments.out, arguments.full)


if __name__ == "__main__":
    main()
