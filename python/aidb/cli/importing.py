"""``aidb import`` and ``aidb export``: moving in from Redis, and out to it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from aidb.cli.app import EXIT_FAILED
from aidb.cli.opening import json_option, opened
from aidb.cli.output import (
    Meter,
    duration_text,
    meter,
    note,
    print_facts,
    print_json,
    print_table,
    size_text,
)
from aidb.errors import InvalidError
from aidb.migration.files import Existing, Report, export_file, import_file
from aidb.migration.link import LagMeter
from aidb.migration.live import CLOCK, Goal, LiveImport, Result
from aidb.migration.source import Address
from aidb.migration.verify import Comparison

_directory = click.argument(
    "directory",
    metavar="[DIR]",
    required=False,
    default=Path("data"),
    type=click.Path(path_type=Path, file_okay=False),
)
_UNFIT_SHOWN_MAX = 20


@click.command("import")
@_directory
@click.option("--rdb", type=click.Path(path_type=Path, dir_okay=False), help="Import this file.")
@click.option(
    "--from",
    "url",
    metavar="URL",
    help="Import from a running Redis: redis://[user:pw@]host[:port].",
)
@click.option(
    "--existing",
    type=click.Choice(["refuse", "replace", "keep", "clear"]),
    default="refuse",
    show_default=True,
    help="What happens to keys that are in DIR; with --from, refuse or clear.",
)
@click.option(
    "--until-caught-up", is_flag=True, help="With --from: end once both sides are the same."
)
@click.option(
    "--cut-over",
    "cut_over_s",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="With --from: once caught up, keep the source's clients from writing for SECONDS, compare "
    "both sides, and end the import.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="With --from: values per logical database that are compared.",
)
@json_option
def import_command(
    *,
    directory: Path,
    rdb: Path | None,
    url: str | None,
    existing: Existing,
    until_caught_up: bool,
    cut_over_s: float | None,
    samples: int,
    as_json: bool,
) -> int:
    """Import the data of a Redis into DIR (default: ./data), which nobody may serve meanwhile.

    With --rdb from a file of Redis 2 to 8 or of Valkey. Each key arrives whole or not at all; after
    an interruption what came before stays.

    With --from from a running Redis 2.8 to 8 or Valkey, as one of its replicas: first a copy, then
    every write as it happens, until Ctrl-C. The same command goes on where the last one was
    interrupted.

    Exit status 3 when something could not be represented, or both sides differ.
    """
    if (rdb is None) == (url is None):
        raise click.UsageError("give either --rdb or --from")
    if rdb is not None:
        if until_caught_up or cut_over_s is not None:
            raise click.UsageError("--until-caught-up and --cut-over belong to --from")
        return _import_file(directory, rdb, existing, as_json)
    if existing not in {"refuse", "clear"}:
        raise click.UsageError("with --from, keys that are in DIR are refused or cleared")
    goal = Goal(until_caught_up, cut_over_s, samples)
    return _import_live(directory, Address.parse(url or ""), existing, goal, as_json)


def _import_file(directory: Path, rdb: Path, existing: Existing, as_json: bool) -> int:
    if not rdb.exists():
        raise InvalidError(f"{rdb} does not exist; check the path")
    started = time.monotonic()
    with opened(directory, create=True) as database, meter(f"importing {rdb}") as shown:
        report = import_file(database, rdb, existing, shown.set)
    _print(report, time.monotonic() - started, "imported", as_json)
    return EXIT_FAILED if report.unfit else 0


def _import_live(
    directory: Path, address: Address, existing: Existing, goal: Goal, as_json: bool
) -> int:
    started = time.monotonic()
    with (
        _stop_signals() as received,
        opened(directory, create=True, clock=CLOCK) as database,
    ):
        console = _Console()
        live = LiveImport(database, address, console, directory)
        try:
            result = live.run(existing, goal, lambda: bool(received))
        finally:
            console.stop()
    return _print_live(result, time.monotonic() - started, directory, as_json)


class _Console:
    """Shows a live import: bars for the copy, a line for the lag."""

    def __init__(self) -> None:
        self._work = ""
        self._meter: Meter | None = None
        self._has_line = False

    def say(self, message: str) -> None:
        self.stop()
        note(message)

    def show(self, work: str, done: int, total: int) -> None:
        if self._meter is None or work != self._work:
            self.stop()
            self._work, self._meter = work, Meter(f"{work} the copy", total or None, "B")
        self._meter.set(done, total or None)

    def lag(self, meter: LagMeter) -> None:
        if not sys.stderr.isatty():
            return
        line = f"behind: {size_text(meter.bytes)}, {meter.seconds:.1f} s   (Ctrl-C to stop)"
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)
        self._has_line = True

    def stop(self) -> None:
        """Take away what is shown."""
        if self._meter is not None:
            self._meter.stop()
            self._meter = None
        if self._has_line:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._has_line = False


@contextmanager
def _stop_signals() -> Generator[list[int]]:
    """Collect SIGINT and SIGTERM; the second one ends the process as usual."""
    received: list[int] = []

    def collect(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        signal.signal(number, signal.SIG_DFL)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, collect) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _print_live(result: Result, seconds: float, directory: Path, as_json: bool) -> int:
    comparison = result.comparison
    more: dict[str, Any] = {"offset": result.offset, "is_done": result.is_done}
    if comparison is not None:
        more |= {"compared_keys": comparison.keys, "compared_values": comparison.sampled}
        more["differences"] = comparison.differences
    _print(result.report, seconds, "imported", as_json, more)
    if not as_json:
        click.echo(_outlook(comparison, result, directory))
    differs = comparison is not None and not comparison.is_same
    return EXIT_FAILED if differs or result.report.unfit else 0


def _outlook(comparison: Comparison | None, result: Result, directory: Path) -> str:
    """What the user may do now."""
    if comparison is None:
        return f"stopped at offset {result.offset}; the same command goes on from here"
    if not comparison.is_same:
        return "the two sides differ:\n  " + "\n  ".join(comparison.differences[:_UNFIT_SHOWN_MAX])
    same = f"both sides have the same {comparison.keys} keys; {comparison.sampled} values compared"
    if result.is_done:
        return f"{same}\nthe import has ended: start `aidb serve {directory}`, move your clients"
    return f"{same}\nthe same command goes on from here; --cut-over ends the import"


@click.command("export")
@_directory
@click.option(
    "--rdb",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The new file.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option(
    "--with-json",
    is_flag=True,
    help="Write JSON documents too; only a Redis with RedisJSON loads them.",
)
@json_option
def export_command(
    *, directory: Path, rdb: Path, force: bool, with_json: bool, as_json: bool
) -> int:
    """Export the Redis data in DIR (default: ./data) as an RDB file for redis-server 7.0 and newer.

    Nobody may serve DIR meanwhile. Of a running server export its checkpoint: SAVE makes one in
    DIR/checkpoint.

    Exit status 3 when something could not be represented.
    """
    if rdb.exists() and not force:
        raise InvalidError(f"{rdb} exists; choose another name, or --force")
    started = time.monotonic()
    with opened(directory) as database, meter(f"exporting {directory}", unit="keys") as shown:
        report = export_file(database, rdb, with_json=with_json, shown=shown.set)
    _print(report, time.monotonic() - started, "exported", as_json)
    return EXIT_FAILED if report.unfit else 0


def _print(
    report: Report,
    seconds: float,
    verb: str,
    as_json: bool,
    more: dict[str, Any] | None = None,
) -> None:
    keys = sum(report.keys.values())
    if as_json:
        unfit = [
            {"database": row.database, "key": _text(row.key), "why": row.why}
            for row in report.shown
        ]
        print_json({
            "keys": report.keys,
            "expired": report.expired,
            "kept": report.kept,
            "libraries": report.libraries,
            "commands": report.commands,
            "not_represented": report.unfit,
            "first_not_represented": unfit,
            "seconds": round(seconds, 3),
            **(more or {}),
        })  # fmt: skip
        return
    click.echo(f"{verb} {keys} keys in {duration_text(seconds)}")
    print_table(("type", "keys"), [(kind, str(n)) for kind, n in report.keys.items() if n])
    others = {
        "had expired, left out": report.expired,
        "were there, left alone": report.kept,
        "libraries of functions": report.libraries,
        "commands applied since the copy": report.commands,
        "not represented": report.unfit,
    }
    print_facts([(name, str(count)) for name, count in others.items() if count])
    for row in report.shown[:_UNFIT_SHOWN_MAX]:
        note(f"not represented: database {row.database}, key {_text(row.key)!r}: {row.why}")
    if report.unfit > _UNFIT_SHOWN_MAX:
        note(f"not represented: {report.unfit - _UNFIT_SHOWN_MAX} more")


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")
