"""Sizes and durations as people write them: ``"64MB"``, ``"1.5 GiB"``, ``"10s"``, ``"7d"``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from aidb.errors import InvalidError

# Memory is sized in powers of 1024 by everybody, so KB and KiB mean the same here.
_SIZE_UNITS: Final[dict[str, int]] = {
    "": 1,
    "b": 1,
    **{
        f"{prefix}{suffix}": 1024**power
        for power, prefix in enumerate("kmgt", 1)
        for suffix in ("", "b", "ib")
    },
}
_DURATION_UNITS: Final[dict[str, float]] = {
    "ms": 0.001,
    "": 1.0,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_NUMBER: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def parse_size(size: int | str) -> int:
    """Bytes of a size such as ``65536``, ``"64KB"`` or ``"1.5GiB"``; units count by 1024.

    Raises:
        InvalidError: The text is not a size, or the size is negative.
    """
    if isinstance(size, bool) or not (isinstance(size, str) or hasattr(size, "__index__")):
        kind = type(size).__name__
        raise TypeError(f'a size is a number of bytes or text such as "64MB", not {kind}')
    if not isinstance(size, str):
        if size < 0:
            raise InvalidError(f"a size is not negative: {size}")
        return int(size)
    number, unit = _split(size, "size", 'write "64MB", "1.5GiB" or a number of bytes')
    if unit.lower() not in _SIZE_UNITS:
        raise InvalidError(f"unknown unit {unit!r} in size {size!r}; use B, KB, MB, GB or TB")
    return int(number * _SIZE_UNITS[unit.lower()])


def parse_duration(duration: float | str | timedelta) -> float:
    """Seconds of a duration such as ``1.5``, ``"10s"``, ``"7d"`` or a ``timedelta``.

    Raises:
        InvalidError: The text is not a duration, or the duration is negative.
    """
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    if isinstance(duration, int | float):
        if not duration >= 0:
            raise InvalidError(f"a duration is not negative: {duration}")
        return float(duration)
    number, unit = _split(duration, "duration", 'write "500ms", "10s", "5m", "2h" or "7d"')
    if unit.lower() not in _DURATION_UNITS:
        raise InvalidError(f"unknown unit {unit!r} in duration {duration!r}; use ms, s, m, h, d, w")
    return number * _DURATION_UNITS[unit.lower()]


def format_size(size: int) -> str:
    """A size for people: ``"64.0 MB"``, by the same units that :func:`parse_size` reads."""
    amount = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024:
            return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"


def _split(text: str, what: str, remedy: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise InvalidError(f"{text!r} is not a {what}; {remedy}")
    return float(match[1]), match[2]
