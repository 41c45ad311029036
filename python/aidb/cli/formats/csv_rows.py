"""Rows of a CSV file."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator
from typing import BinaryIO

from aidb.cli.formats.record import BadInputError, Layout, Record

_FIELD_CHARACTERS_MAX = 1 << 30


def read(source: BinaryIO, name: str, layout: Layout) -> Iterator[Record | BadInputError]:
    """Yield a pair per row; an unknown column is refused before any row."""
    csv.field_size_limit(_FIELD_CHARACTERS_MAX)
    rows = csv.reader(_lines(source), delimiter=layout.delimiter, strict=True)
    try:
        header = next(rows, None)
        if header is None:
            raise BadInputError(name, "the file is empty; the first line must name the columns")
        key_at = _column(header, layout.key_name, name)
        value_at = None if layout.value_name is None else _column(header, layout.value_name, name)
        expiry_at = _expiry_column(header, layout, name)

        def record_of(row: list[str], place: str) -> Record:
            consumed = sum(map(len, row)) + len(row)
            key = layout.decode(row[key_at], place)
            expiry = None if expiry_at is None else layout.expiry(row[expiry_at], place)
            if value_at is None:
                whole = json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False)
                value = whole.encode("utf-8", "surrogateescape")
            else:
                value = layout.decode(row[value_at], place)
            return Record(key, value, place, consumed, expiry)

        first_line = rows.line_num + 1
        for row in rows:
            place = f"{name} line {first_line}"
            first_line = rows.line_num + 1
            if not row:
                continue
            if len(row) != len(header):
                yield BadInputError(place, f"{len(row)} columns instead of {len(header)}")
                continue
            try:
                record = record_of(row, place)
            except BadInputError as error:
                yield error
                continue
            yield record
    except csv.Error as error:
        raise BadInputError(f"{name} line {rows.line_num}", f"bad CSV: {error}") from None


def _lines(source: BinaryIO) -> Iterator[str]:
    """Lines with their ends, as the module csv wants them, without a byte order mark."""
    for number, line in enumerate(source):
        text = line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
        yield text.decode("utf-8", "surrogateescape")


def _column(header: list[str], wanted: str, name: str) -> int:
    if wanted not in header:
        raise BadInputError(
            f"{name} line 1",
            f"no column {wanted!r}; the columns are {', '.join(header)} "
            "(choose with --key and --value)",
        )
    return header.index(wanted)


def _expiry_column(header: list[str], layout: Layout, name: str) -> int | None:
    """Where the expiry time is; a file without that column has none unless it was asked for."""
    wanted = layout.expiry_name
    if wanted is None or (layout.expiry_field is None and wanted not in header):
        return None
    return _column(header, wanted, name)


class Writer:
    """Writes a header and a row per pair."""

    def __init__(self, target: BinaryIO, layout: Layout) -> None:
        """Write the header to ``target``."""
        self._layout = layout
        self._text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
        self._rows = csv.writer(self._text, delimiter=layout.delimiter, lineterminator="\r\n")
        names = [layout.key_name, layout.value_name or "value"]
        if layout.with_expiry:
            names.append(layout.expiry_name or "expires_at")
        self._rows.writerow(names)

    def write(self, key: bytes, value: bytes, expires_at: float | None = None) -> None:
        """Append a row; the expiry time of a pair that never expires is empty."""
        encode = self._layout.encoding.encode
        row = [encode(key), encode(value)]
        if self._layout.with_expiry:
            row.append("" if expires_at is None else repr(expires_at))
        self._rows.writerow(row)

    def close(self) -> None:
        """Hand the target back, flushed."""
        self._text.flush()
        self._text.detach()
