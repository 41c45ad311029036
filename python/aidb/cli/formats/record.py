"""What readers yield and how they complain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from aidb.cli.text import ENCODINGS, Encoding
from aidb.errors import InvalidError


class Record(NamedTuple):
    """One pair and where it came from."""

    key: bytes
    value: bytes
    place: str
    """For messages: ``words.txt line 7``."""
    consumed: int
    """Bytes of the source it took, for progress."""


class BadInputError(InvalidError):
    """A part of the source that cannot be loaded. ``place`` says which, ``reason`` what to do."""

    def __init__(self, place: str, reason: str) -> None:
        """Complain about ``place``."""
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.reason = reason


@dataclass(frozen=True)
class Layout:
    """How keys and values are found in a file; the same for reading and writing."""

    encoding: Encoding = field(default_factory=lambda: ENCODINGS["text"])
    key_field: str | None = None
    """Column or field of the key; default ``key``."""
    value_field: str | None = None
    """Column or field of the value; default ``value``, or the whole row if only a key is named."""
    separator: str = "\t"
    """Between key and value of the ``lines`` format."""
    delimiter: str = ","
    """Between columns of the ``csv`` format."""

    @property
    def key_name(self) -> str:
        """The column or field that holds the key."""
        return self.key_field or "key"

    @property
    def value_name(self) -> str | None:
        """The column or field that holds the value; ``None`` = the whole row."""
        if self.value_field is None and self.key_field is None:
            return "value"
        return self.value_field

    def decode(self, text: str, place: str) -> bytes:
        """Decode ``text``, complaining about ``place``."""
        try:
            return self.encoding.decode(text)
        except InvalidError as error:
            raise BadInputError(place, str(error)) from None
