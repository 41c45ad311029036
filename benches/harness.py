"""Runs both sides of a comparison in turn, each in a process of its own, and takes medians.

A benchmark is a worker function ``(side, case) -> {row: operations per second}`` and a list of
cases. ``run_rounds`` starts ``python -m <module> --worker`` once per round, case and side, so that
no allocator, cache or thread of one side lives in the process of the other.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

Case = Mapping[str, Any]
Measured = dict[str, float]
Worker = Callable[[str, Case, Path], dict[str, Any]]

ROUNDS_MIN = 3


@dataclass
class Results:
    """Figures of every side, case and row, one per round."""

    sides: list[str]
    rounds: int
    figures: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    """case name -> row -> side -> one figure per round"""
    extras: dict[str, dict[str, Any]] = field(default_factory=dict)
    """case name -> side -> what the worker told besides, of the last round"""

    def add(self, case: str, side: str, answer: Mapping[str, Any]) -> None:
        """Record what one worker answered."""
        for row, figure in answer["rows"].items():
            self.figures.setdefault(case, {}).setdefault(row, {}).setdefault(side, []).append(
                figure
            )
        self.extras.setdefault(case, {})[side] = answer.get("extra", {})

    def median_of(self, case: str, row: str, side: str) -> float | None:
        """The median over the rounds, or ``None`` when the side has no such row."""
        figures = self.figures[case][row].get(side)
        return median(figures) if figures else None


def standard_parser(description: str) -> argparse.ArgumentParser:
    """The options every benchmark understands."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--full", action="store_true", help="the long version")
    parser.add_argument("--rounds", type=int, default=ROUNDS_MIN, help="alternations of the sides")
    parser.add_argument("--sides", help="comma-separated subset of the sides")
    parser.add_argument("--dir", type=Path, help="directory for data; default: a temporary one")
    parser.add_argument(
        "--out", type=Path, help="JSON file to write; default: benches/results/local"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser


def run_worker_if_asked(arguments: argparse.Namespace, worker: Worker) -> bool:
    """In a worker process: do the work, print the answer as the last line, say so."""
    if arguments.worker is None:
        return False
    request = json.loads(arguments.worker)
    answer = worker(request["side"], request["case"], Path(request["dir"]))
    print(json.dumps(answer))
    return True


def run_rounds(
    module: str, sides: Sequence[str], cases: Mapping[str, Case], arguments: argparse.Namespace
) -> Results:
    """Run every case on every side, alternating, ``arguments.rounds`` times."""
    chosen = arguments.sides.split(",") if arguments.sides else list(sides)
    results = Results(sides=chosen, rounds=arguments.rounds)
    for case_name, case in cases.items():
        for round_number in range(arguments.rounds):
            for side in chosen:
                with data_directory(arguments.dir) as directory:
                    started = time.monotonic()
                    results.add(case_name, side, call_worker(module, side, case, directory))
                took = time.monotonic() - started
                print(
                    f"{case_name}: round {round_number + 1}/{arguments.rounds} {side} {took:.1f} s",
                    file=sys.stderr,
                    flush=True,
                )
    return results


def call_worker(module: str, side: str, case: Case, directory: Path) -> dict[str, Any]:
    """Run one worker process to its end and return its answer."""
    request = json.dumps({"side": side, "case": dict(case), "dir": str(directory)})
    done = subprocess.run(
        [sys.executable, "-m", module, "--worker", request],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{module}: {side} failed with status {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


@contextmanager
def data_directory(parent: Path | None) -> Iterator[Path]:
    """A new directory for one worker's data, removed afterwards, the disk left quiet."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="aidb-bench-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.sync()


@contextmanager
def timed(rows: Measured, row: str, operations: int) -> Iterator[None]:
    """Record operations per second of the block under ``row``."""
    started = time.perf_counter()
    yield
    rows[row] = operations / (time.perf_counter() - started)
