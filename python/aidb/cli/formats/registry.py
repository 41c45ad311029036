"""Which reader and writer a format has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from aidb.cli.formats import csv_rows, json_lines, lines
from aidb.cli.formats.record import BadInputError, Layout, Record
from aidb.errors import InvalidError


class PairWriter(Protocol):
    """Writes pairs to a file or a tree."""

    def write(self, key: bytes, value: bytes, expires_at: float | None = None) -> None:
        """Append a pair or refuse it with ``InvalidError``."""

    def close(self) -> None:
        """Hand everything to the target."""


FORMATS = ("lines", "csv", "jsonl", "tree")

_READERS: dict[str, Callable[[BinaryIO, str, Layout], Iterator[Record | BadInputError]]] = {
    "lines": lines.read,
    "csv": csv_rows.read,
    "jsonl": json_lines.read,
}
_WRITERS: dict[str, Callable[[BinaryIO, Layout], PairWriter]] = {
    "lines": lines.Writer,
    "csv": csv_rows.Writer,
    "jsonl": json_lines.Writer,
}
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "lines", ".tsv": "lines"}


def guess_format(path: Path) -> str:
    """The format of ``path``: ``tree`` for a directory, else by its suffix."""
    if path.is_dir():
        return "tree"
    known = _SUFFIXES.get(path.suffix.lower())
    if known is None:
        raise InvalidError(f"cannot tell the format of {path}; say --format {', '.join(FORMATS)}")
    return known


def open_reader(
    name: str, source: BinaryIO, source_name: str, layout: Layout
) -> Iterator[Record | BadInputError]:
    """Records of a stream in format ``name`` (not ``tree``)."""
    return _READERS[name](source, source_name, layout)


def open_writer(name: str, target: BinaryIO, layout: Layout) -> PairWriter:
    """Return a writer of format ``name`` (not ``tree``) on a stream."""
    return _WRITERS[name](target, layout)
