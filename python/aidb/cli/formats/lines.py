"""One pair per line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from aidb.cli.formats.record import BadInputError, Layout, Record
from aidb.cli.text import shown
from aidb.errors import InvalidError


def read(source: BinaryIO, name: str, layout: Layout) -> Iterator[Record | BadInputError]:
    """Yield the pair of every line that is not empty; a CR before the line end belongs to it."""
    for number, line in enumerate(source, 1):
        # surrogateescape: with the `text` encoding any bytes pass through a line unchanged.
        text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        if not text:
            continue
        place = f"{name} line {number}"
        key, _, value = text.partition(layout.separator)
        try:
            record = Record(
                layout.decode(key, place), layout.decode(value, place), place, len(line)
            )
        except BadInputError as error:
            yield error
            continue
        yield record


class Writer:
    """Writes one line per pair; a pair that would not read back the same is refused."""

    def __init__(self, target: BinaryIO, layout: Layout) -> None:
        """Write to ``target``."""
        self._target, self._layout = target, layout

    def write(self, key: bytes, value: bytes, expires_at: float | None = None) -> None:
        """Append a pair; one that expires is refused."""
        self._layout.refuse_expiry(key, expires_at, "lines")
        encode, separator = self._layout.encoding.encode, self._layout.separator
        key_text, value_text = encode(key), encode(value)
        if separator in key_text or _breaks_line(key_text) or _breaks_line(value_text):
            raise InvalidError(
                f"the pair of key {shown(key)} holds a line end or the separator, which the lines "
                "format cannot keep; choose --encoding escape, or the format csv or jsonl"
            )
        line = (
            f"{key_text}{separator}{value_text}\n"
            if value_text or not key_text
            else f"{key_text}\n"
        )
        self._target.write(line.encode())

    def close(self) -> None:
        """Nothing is buffered."""


def _breaks_line(text: str) -> bool:
    return "\n" in text or "\r" in text
