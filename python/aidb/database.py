"""Opening a database, and the handle that comes out.

``Database`` *is* the native class: ``db[key]``, ``db.get``, ``db.put`` and every other hot call
enter Rust without a Python frame. This module adds what is cold: checking of options, namespaces,
pickling.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict, Unpack

from aidb._core import Database as NativeDatabase
from aidb._core import ManualClock, StandingClock, option_names
from aidb.mapping import StoreMapping
from aidb.namespace import Namespace
from aidb.units import parse_duration, parse_size

if TYPE_CHECKING:
    from aidb.events import EventStream

MEMORY: Final = ":memory:"
"""Path of a database that lives in memory and is gone when it is closed."""

Durability = Literal["none", "everysec", "sync"]
Compression = Literal["none", "lz4", "snappy", "zstd"]
Size = int | str
StrPath = str | os.PathLike[str]


class OpenOptions(TypedDict, total=False):
    """Options of :func:`aidb.open`; what is left out keeps the engine's default."""

    durability: Durability
    create_if_missing: bool
    error_if_exists: bool
    read_only: bool
    salvage_log: bool
    log_mode: Literal["auto", "mapped", "append"]
    memtable_bytes_max: Size
    memtables_bytes_max: Size
    cache_bytes_max: Size
    block_bytes: Size
    table_bytes_max: Size
    filter_bits_per_key: int
    compression: Compression | Sequence[Compression]
    """Codec of the levels above the last one, or a list of seven: one for each level, 0 to 6."""
    compression_bottom: Compression
    """Codec of the last level, where most data is."""
    l0_runs_trigger: int
    l0_runs_slowdown: int
    l0_runs_stop: int
    level_base_bytes: Size
    level_fanout: int
    blob_bytes_min: Size
    blob_live_ratio_min: float
    background: bool
    clock: ManualClock | StandingClock
    on_recovery_progress: Callable[[int, int], object] | None
    """Called with bytes replayed and bytes in all after every log segment that opening replays."""


_SIZES: Final = frozenset({
    "memtable_bytes_max", "memtables_bytes_max", "cache_bytes_max", "block_bytes",
    "table_bytes_max", "level_base_bytes", "blob_bytes_min",
})  # fmt: skip


class Database(NativeDatabase, StoreMapping):
    """An open database: an ordered ``MutableMapping`` of bytes to bytes, and more.

    Safe to use from any number of threads. Closing it (or leaving its ``with`` block) invalidates
    every scan, snapshot, batch and namespace made from it: they raise ``ClosedError``.

    Args:
        path: A directory, or ``":memory:"``.
        options: See :class:`OpenOptions`.
    """

    __slots__ = ("__weakref__", "_options")

    _options: dict[str, Any]

    def __new__(cls, path: StrPath, /, **options: Unpack[OpenOptions]) -> Self:
        """Opens the database; see :func:`open`."""
        where = os.fspath(path)
        given = dict(options)
        database = super().__new__(cls, None if where == MEMORY else where, _normalize(given))
        database._options = {k: v for k, v in given.items() if k != "on_recovery_progress"}
        return database

    def namespace(
        self,
        name: str,
        *,
        create: bool = True,
        ttl: float | timedelta | str | None = None,
        compression: Compression | None = None,
        blob_bytes_min: Size | None = None,
    ) -> Namespace:
        """Finds a namespace, creating it with these options when it does not exist.

        Args:
            name: 1 to 255 bytes of UTF-8.
            create: ``False`` refuses a name that does not exist.
            ttl: Time to live of writes that give none: seconds, ``"7d"`` or a ``timedelta``.
            compression: Codec of its tables.
            blob_bytes_min: Values of at least this size are kept in blob files; 0 = never.

        Raises:
            InvalidError: It exists with other options, or does not exist and ``create`` is false.
        """
        return Namespace(
            self,
            name,
            create=create,
            ttl=None if ttl is None else parse_duration(ttl),
            compression=compression,
            blob_bytes_min=None if blob_bytes_min is None else parse_size(blob_bytes_min),
        )

    def events(self) -> EventStream:
        """What happens inside from now on, as typed events; see :mod:`aidb.events`."""
        from aidb.events import EventStream  # noqa: PLC0415 - only for who listens

        return EventStream(self.native_events())

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        if self.path is None:
            raise TypeError("a database in memory cannot be pickled; use a directory")
        return (_reopen, (type(self), str(self.path.absolute()), self._options))

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<aidb.Database {str(self.path or MEMORY)!r}{state}>"


def open(path: StrPath, /, **options: Unpack[OpenOptions]) -> Database:
    """Opens a database directory, creating it when there is none.

    One process writes at a time; others may open it with ``read_only=True``.

    Args:
        path: A directory, or ``":memory:"`` for a database that lives and dies with the handle.
        options: See :class:`OpenOptions`. Sizes are bytes or text such as ``"64MB"``.

    Raises:
        InvalidError: An option is wrong, or the directory holds something else.
        UnavailableError: Another handle has it open; the message names the holder's pid.
        CorruptionError: Its files are damaged; the message names path and offset.
        TypeError: There is no such option; the message names the nearest one.
    """
    return Database(path, **options)


def _normalize(options: dict[str, Any]) -> dict[str, Any]:
    """Checks names, turns sizes into bytes."""
    known = option_names()
    for name in options:
        if name not in known:
            import difflib  # noqa: PLC0415 - slow to import, and only for this message

            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise TypeError(f"aidb.open has no option {name!r}{hint}")
    return {name: parse_size(value) if name in _SIZES else value for name, value in options.items()}


def _reopen(kind: type[Database], path: str, options: OpenOptions) -> Database:
    return kind(path, **options)
