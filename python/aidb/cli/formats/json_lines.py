"""One JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from aidb.cli.formats.record import BadInputError, Layout, Record


def read(source: BinaryIO, name: str, layout: Layout) -> Iterator[Record | BadInputError]:
    """Yield a pair per object; without a value field the value is the line itself."""
    for number, line in enumerate(source, 1):
        stripped = line.strip()
        if not stripped:
            continue
        place = f"{name} line {number}"
        try:
            record = _record(stripped, place, layout)
        except BadInputError as error:
            yield error
            continue
        yield record._replace(consumed=len(line))


def _record(line: bytes, place: str, layout: Layout) -> Record:
    row = _parsed(line, place)
    key = layout.decode(_text(_field(row, layout.key_name, place), place), place)
    value = line
    if layout.value_name is not None:
        value = _value(_field(row, layout.value_name, place), place, layout)
    expiry = None if layout.expiry_name is None else row.get(layout.expiry_name)
    return Record(key, value, place, len(line), layout.expiry(expiry, place))


def _parsed(line: bytes, place: str) -> dict[str, Any]:
    try:
        row: Any = json.loads(line)
    except UnicodeDecodeError as error:
        raise BadInputError(place, f"not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise BadInputError(place, f"bad JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise BadInputError(place, "JSON nested too deeply") from None
    if not isinstance(row, dict):
        raise BadInputError(place, f"not a JSON object but {type(row).__name__}")
    return cast("dict[str, Any]", row)


def _field(row: dict[str, Any], wanted: str, place: str) -> Any:
    if wanted not in row:
        raise BadInputError(
            place,
            f"no field {wanted!r}; the fields are {', '.join(row) or 'none'} "
            "(choose with --key and --value)",
        )
    return row[wanted]


def _text(key: Any, place: str) -> str:
    if isinstance(key, bool) or not isinstance(key, str | int):
        found = json.dumps(key)[:80]
        raise BadInputError(place, f"a key must be a string or an integer, not {found}")
    return str(key)


def _value(value: Any, place: str, layout: Layout) -> bytes:
    if isinstance(value, str):
        return layout.decode(value, place)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Writer:
    """Writes an object per pair."""

    def __init__(self, target: BinaryIO, layout: Layout) -> None:
        """Write to ``target``."""
        self._target, self._layout = target, layout

    def write(self, key: bytes, value: bytes, expires_at: float | None = None) -> None:
        """Append an object, with a field for the expiry time if there is one."""
        encode, names = self._layout.encoding.encode, self._layout
        row: dict[str, str | float] = {
            names.key_name: encode(key),
            names.value_name or "value": encode(value),
        }
        if expires_at is not None:
            row[names.expiry_name or "expires_at"] = expires_at
        self._target.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        """Nothing is buffered."""
