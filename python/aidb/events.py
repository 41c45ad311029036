"""What happens inside a database, as typed events.

    for event in db.events():          # waits for the next one; ends when the database is closed
        match event:
            case WritePressure(level="stopped", scarcity=why):
                ...

or, on a thread of its own, ``aidb.events.listen(db, print)``. The engine never waits for a
listener: one that is 1,024 events behind misses the oldest.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aidb._core import Events
    from aidb.database import Database

__all__ = [
    "BackgroundError",
    "Closed",
    "Compacted",
    "Event",
    "EventStream",
    "Flushed",
    "ReadOnly",
    "WritePressure",
    "listen",
]


@dataclass(frozen=True)
class Flushed:
    """A memtable became tables."""

    seq: int
    """Every batch up to here is in tables."""
    duration_ms: int


@dataclass(frozen=True)
class Compacted:
    """A compaction finished."""

    bytes_in: int
    bytes_out: int
    duration_ms: int


@dataclass(frozen=True)
class WritePressure:
    """Writers are slowed down or stopped, or free again."""

    level: Literal["free", "slowed", "stopped"]
    scarcity: Literal["memory", "level 0"] | None
    """What has to be flushed or compacted first; ``None`` when writers are free."""


@dataclass(frozen=True)
class BackgroundError:
    """A flush, compaction or sync failed; it will be tried again."""

    message: str


@dataclass(frozen=True)
class ReadOnly:
    """Writes are refused from now on."""

    reason: str


@dataclass(frozen=True)
class Closed:
    """The database is closed."""

    directory: Path


Event: TypeAlias = Flushed | Compacted | WritePressure | BackgroundError | ReadOnly | Closed
"""Anything that a stream yields."""

_TYPES: Final[dict[str, Callable[..., Event]]] = {
    kind.__name__: kind
    for kind in (Flushed, Compacted, WritePressure, BackgroundError, ReadOnly, Closed)
}


class EventStream:
    """The events of a database from now on; an iterator that waits for the next one.

    Ends when the database is closed, or by :meth:`close`.
    """

    __slots__ = ("_events",)

    def __init__(self, events: Events) -> None:
        self._events = events

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        name, fields = next(self._events)
        return _TYPES[name](**fields)

    @property
    def missed(self) -> int:
        """Events that were lost because this stream was not read in time."""
        return self._events.missed

    def close(self) -> None:
        """Ends the stream, also for a thread that waits in it."""
        self._events.close()


def listen(database: Database, listener: Callable[[Event], Any]) -> EventStream:
    """Calls ``listener`` with every event from now on, on a daemon thread of its own.

    What it raises goes to ``sys.unraisablehook``, and listening goes on. Closing the stream that is
    returned, or the database, ends the thread.
    """
    stream: EventStream = database.events()

    def run() -> None:
        for event in stream:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 -- a listener must not stop the others
                _report(error, listener)

    threading.Thread(target=run, name="aidb-events", daemon=True).start()
    return stream


def _report(error: Exception, listener: object) -> None:
    kind, traceback = type(error), error.__traceback__
    details: Any = _Unraisable(kind, error, traceback, "in a listener of aidb events", listener)
    sys.unraisablehook(details)


@dataclass(frozen=True)
class _Unraisable:
    """As ``sys.UnraisableHookArgs``, which cannot be made from Python."""

    exc_type: type[BaseException]
    exc_value: BaseException
    exc_traceback: Any
    err_msg: str
    object: object
