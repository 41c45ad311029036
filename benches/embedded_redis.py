"""The Redis data model in this process against redis-py over a local socket to redis-server.

One Python thread makes one call after the other through redis-py's API on both sides; both keep
acknowledged writes as `everysec` does. A row is calls per second; a pipeline counts its commands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

import aidb.redis
from benches import harness, results
from benches.server import running_server

SIDES = ("aidb", "redis")
KEYS = 100_000
PIPELINE = 100


def cases(full: bool) -> dict[str, dict[str, Any]]:
    """One case; the long version makes ten times the calls."""
    return {"one thread, 100 B values": {"calls": 200_000 if full else 20_000}}


def work(side: str, case: harness.Case, directory: Path) -> dict[str, Any]:
    """Every row on one side."""
    rows: harness.Measured = {}
    with client_of(side, directory) as client:
        fill(client)
        for name, call in calls(client).items():
            numbers = [random.randrange(KEYS) for _ in range(case["calls"])]
            with harness.timed(rows, name, len(numbers)):
                for number in numbers:
                    call(number)
        pipelines = case["calls"] // PIPELINE
        for name, stage in staged().items():
            with harness.timed(rows, name, pipelines * PIPELINE):
                for _ in range(pipelines):
                    pipeline = client.pipeline(transaction=False)
                    for number in range(PIPELINE):
                        stage(pipeline, number)
                    pipeline.execute()
    return {"rows": rows}


@contextmanager
def client_of(side: str, directory: Path) -> Iterator[redis.Redis]:
    """redis-py, on a directory or on a socket."""
    if side == "aidb":
        with aidb.redis.open(directory / "data", appendfsync="everysec") as client:
            yield client
        return
    with running_server("redis", directory) as (port, _), redis.Redis(port=port) as client:
        yield client


def fill(client: redis.Redis) -> None:
    """As many keys as the calls choose from."""
    for start in range(0, KEYS, 1000):
        client.mset({f"key:{n}": b"v" * 100 for n in range(start, start + 1000)})


def calls(client: redis.Redis) -> dict[str, Callable[[int], object]]:
    """Single calls; each gets a random number."""
    value = b"v" * 100
    return {
        "GET": lambda n: client.get(f"key:{n}"),
        "SET": lambda n: client.set(f"key:{n}", value),
        "INCR": lambda n: client.incr(f"count:{n}"),
        "HSET": lambda n: client.hset("hash", f"field:{n % 1000}", value),
        "HGET": lambda n: client.hget("hash", f"field:{n % 1000}"),
        "ZADD": lambda n: client.zadd("board", {f"member:{n % 10_000}": n}),
        "LPUSH": lambda n: client.lpush(f"list:{n % 1000}", value),
    }


def staged() -> dict[str, Callable[[Any, int], object]]:
    """Commands of pipelines."""
    value = b"v" * 100
    return {
        "pipeline of 100 SET": lambda pipeline, n: pipeline.set(f"key:{n}", value),
        "pipeline of 100 GET": lambda pipeline, n: pipeline.get(f"key:{n}"),
    }


def main() -> None:
    """Measure, print, write."""
    arguments = harness.standard_parser(__doc__ or "").parse_args()
    if harness.run_worker_if_asked(arguments, work):
        return
    chosen = cases(arguments.full)
    measured = harness.run_rounds("benches.embedded_redis", SIDES, chosen, arguments)
    results.print_tables(measured, "calls/s")
    options = {"keys": KEYS, "cases": chosen}
    results.write_json("embedded_redis", measured, options, arguments.out, arguments.full)


if __name__ == "__main__":
    main()
