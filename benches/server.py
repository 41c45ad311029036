"""The server against redis-server: redis-benchmark, 50 connections, random keys, pipeline 1 and 16.

Both sides promise the same (appendonly, fsync every second). Rows are requests per second; besides,
the 99th percentile of the latency and the processor time of the server per request are kept, which
says more than throughput on a machine whose processors are shared with the client.

Needs Debian's packages redis-server and redis-tools.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches import harness, results
from benches.harness import Case

SIDES = ("aidb", "redis")
CONNECTIONS = 50
MULTI_KEYS = 10
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Test:
    """One row: how redis-benchmark is told, and which share of the requests it gets."""

    name: str
    arguments: tuple[str, ...]
    share: float = 1.0


def tests(value_bytes: int) -> tuple[Test, ...]:
    """The rows, writes first so that reads find something."""
    keys = ("key:__rand_int__",) * MULTI_KEYS
    pairs = tuple(word for key in keys for word in (key, "x" * value_bytes))
    return (
        Test("PING", ("-t", "ping_mbulk")),
        Test("SET", ("-t", "set")),
        Test("GET", ("-t", "get")),
        Test("INCR", ("-t", "incr")),
        Test("LPUSH", ("-t", "lpush")),
        Test("LRANGE of 100", ("LRANGE", "mylist", "0", "99"), 0.2),
        Test("HSET", ("-t", "hset")),
        Test("SADD", ("-t", "sadd")),
        Test("ZADD", ("-t", "zadd")),
        Test(f"MSET of {MULTI_KEYS}", ("MSET", *pairs), 0.2),
        Test(f"MGET of {MULTI_KEYS}", ("MGET", *keys), 0.2),
    )


def cases(full: bool) -> dict[str, dict[str, Any]]:
    """Pipeline depth, value size, requests, keys."""
    requests, keys = (2_000_000, 1_000_000) if full else (300_000, 200_000)
    return {
        f"pipeline {depth}, values of {size} B": {
            "depth": depth,
            "value_bytes": size,
            "requests": requests if depth > 1 else requests // 4,
            "keys": keys,
        }
        for depth in (1, 16)
        for size in (100, 1024)
    }


def work(side: str, case: Case, directory: Path) -> dict[str, Any]:
    """Start the side's server and run every row against it."""
    rows: dict[str, float] = {}
    extra: dict[str, Any] = {}
    with running_server(side, directory) as (port, pid):
        for test in tests(case["value_bytes"]):
            requests = max(int(case["requests"] * test.share), CONNECTIONS * 100)
            before = processor_s(pid)
            measured = benchmark(port, test, case, requests)
            used = (processor_s(pid) - before) / requests
            rows[test.name] = measured["rps"]
            extra[test.name] = {
                "p99_ms": measured["p99_latency_ms"],
                "processor_us_per_request": round(used * 1e6, 3),
            }
        extra["memory_mib"] = memory_mib(pid)
    return {"rows": rows, "extra": extra}


def benchmark(port: int, test: Test, case: Case, requests: int) -> dict[str, float]:
    """One run of redis-benchmark; its figures by column name."""
    command = ["redis-benchmark", "-p", str(port), "--csv", "-n", str(requests)]
    command += ["-c", str(CONNECTIONS), "-P", str(case["depth"])]
    command += ["-r", str(case["keys"]), "-d", str(case["value_bytes"]), *test.arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    header, line = list(csv.reader(done.stdout.splitlines()))[:2]
    figures = dict(zip(header, line, strict=True))
    return {name: float(figure) for name, figure in figures.items() if name != "test"}


@contextmanager
def running_server(side: str, directory: Path, memory: str = "1GB") -> Generator[tuple[int, int]]:
    """A server of the side; its port and process id. ``memory`` is our budget."""
    port = free_port()
    process = subprocess.Popen(
        command_of(side, directory, port, memory), stdout=subprocess.DEVNULL, cwd=directory
    )
    try:
        wait_for(port)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def command_of(side: str, directory: Path, port: int, memory: str) -> list[str]:
    """The command line that gives both sides the same guarantee."""
    if side == "aidb":
        options = ["--port", str(port), "--appendfsync", "everysec", "--memory", memory]
        return [sys.executable, "-m", "aidb", "serve", str(directory / "data"), *options]
    if shutil.which("redis-server") is None:
        raise SystemExit("redis-server is missing: apt-get install redis-server redis-tools")
    options = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    return ["redis-server", "--port", str(port), "--dir", str(directory), *options]


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"no server on port {port} after 30 s")


def processor_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_mib(pid: int) -> float:
    """Resident memory of a process that no file backs."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return round(int(found[1]) / 1024, 1) if found else 0.0


def main() -> None:
    """Measure, print, write."""
    arguments = harness.standard_parser(__doc__ or "").parse_args()
    if harness.run_worker_if_asked(arguments, work):
        return
    chosen = cases(arguments.full)
    measured = harness.run_rounds("benches.server", SIDES, chosen, arguments)
    results.print_tables(measured, "requests/s")
    options = {"connections": CONNECTIONS, "cases": chosen}
    results.write_json("server", measured, options, arguments.out, arguments.full)


if __name__ == "__main__":
    main()
