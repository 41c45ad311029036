"""What commands print: tables for people, JSON for programs, progress on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

PROGRESS_AFTER_S = 1.0
_PROGRESS_EVERY_S = 0.1
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size_text(count: float) -> str:
    """A number of bytes in the largest unit that leaves at least one: ``1.5 MiB``."""
    unit = 0
    while abs(count) >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


def duration_text(seconds: float) -> str:
    """A duration in the unit that reads best."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def print_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None
) -> None:
    """Print a table; columns after the first are aligned right when they hold figures."""
    body = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for at, name in enumerate(header):
        figures = body and all(row[at][:1].isdigit() or row[at] in ("", "-") for row in body)
        table.add_column(name, justify="right" if at and figures else "left", overflow="fold")
    for row in body:
        # Data is never markup: a key may look like [red].
        table.add_row(*(cell.replace("[", "\\[") for cell in row))
    _console().print(table)


def print_facts(facts: Sequence[tuple[str, str]], title: str | None = None) -> None:
    """Print names and values in two columns."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, value.replace("[", "\\["))
    _console().print(table)


def note(message: str) -> None:
    """Say something about the work, beside its output."""
    click.echo(message, err=True)


def _console() -> Console:
    # A pipe gets full lines: whoever reads it should not see them folded at 80 columns.
    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 10_000)


class Meter:
    """Progress of one piece of work; ``advance`` is cheap enough for every item."""

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        """Describe the work; nothing is shown before it has taken a second."""
        self._title, self._total, self._unit = title, total, unit
        self._done = 0
        self._shown_at = time.monotonic() + PROGRESS_AFTER_S
        self._progress: Progress | None = None
        self._wanted = sys.stderr.isatty()

    def advance(self, amount: int = 1) -> None:
        """Count ``amount`` more items or bytes as done."""
        self._done += amount
        self.show()

    def set(self, done: int, total: int | None = None) -> None:
        """Say how much is done in all, and how much there is."""
        self._done = done
        self._total = total if total is not None else self._total
        self.show()

    def show(self) -> None:
        """Redraw if it is time to."""
        now = time.monotonic()
        if not self._wanted or now < self._shown_at:
            return
        self._shown_at = now + _PROGRESS_EVERY_S
        if self._progress is None:
            self._progress = Progress(
                *self._columns(), console=Console(stderr=True), transient=True
            )
            self._progress.start()
            self._progress.add_task(self._title, total=self._total)
        self._progress.update(self._progress.task_ids[0], completed=self._done, total=self._total)

    def stop(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()

    def _columns(self) -> list[ProgressColumn]:
        amount = DownloadColumn(binary_units=True) if self._unit == "B" else MofNCompleteColumn()
        return [
            TextColumn("{task.description}"),
            BarColumn(),
            amount,
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        ]


@contextmanager
def meter(title: str, total: int | None = None, unit: str = "B") -> Generator[Meter]:
    """A progress bar on standard error for work that takes longer than a second."""
    shown = Meter(title, total, unit)
    try:
        yield shown
    finally:
        shown.stop()
