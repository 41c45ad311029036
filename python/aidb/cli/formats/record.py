"""What readers yield and how they complain."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aidb.cli.text import ENCODINGS, Encoding, shown
from aidb.errors import InvalidError

_EXPIRY_S_MAX: Final = 1e12


class Record(NamedTuple):
    """One pair and where it came from."""

    key: bytes
    value: bytes
    place: str
    """For messages: ``words.txt line 7``."""
    consumed: int
    """Bytes of the source it took, for progress."""
    expires_at: float | None = None
    """Seconds since the Unix epoch; ``None`` = never."""


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
    expiry_field: str | None = None
    """Column or field of the expiry time; default ``expires_at``, unless the value is the row."""
    with_expiry: bool = True
    """Whether expiry times are kept."""
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

    @property
    def expiry_name(self) -> str | None:
        """The column or field that may hold the expiry time; ``None`` = none is looked at."""
        if not self.with_expiry or (self.expiry_field is None and self.value_name is None):
            return None
        return self.expiry_field or "expires_at"

    def decode(self, text: str, place: str) -> bytes:
        """Decode ``text``, complaining about ``place``."""
        try:
            return self.encoding.decode(text)
        except InvalidError as error:
            raise BadInputError(place, str(error)) from None

    def expiry(self, given: object, place: str) -> float | None:
        """The expiry time ``given`` in a field: a number of seconds, or nothing for never."""
        if given is None or given == "":
            return None
        try:
            seconds = float(given) if isinstance(given, int | float | str) else math.nan
        except ValueError:
            seconds = math.nan
        if isinstance(given, bool) or not 0 < seconds <= _EXPIRY_S_MAX:
            raise BadInputError(
                place,
                f"{self.expiry_name} is no time in seconds since 1970 "
                "(choose its field with --expiry, or --no-expiry)",
            )
        return seconds

    def refuse_expiry(self, key: bytes, expires_at: float | None, format_name: str) -> None:
        """Complain about a pair that expires, for a format without a place for that."""
        if expires_at is not None:
            raise InvalidError(
                f"key {shown(key)} expires, which the format {format_name} cannot keep; choose the "
                "format csv or jsonl, or --no-expiry"
            )
