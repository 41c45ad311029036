"""A live import: a copy of a running Redis, then everything it does, until clients change over.

```text
nothing -> loading -> following -> done
   ^          |           |
   +----------+           +-- a lost link, Ctrl-C, kill -9: goes on at the stored offset
  an interrupted copy begins again
```

The phase, and in ``following`` the offset in the source's stream of commands, are stored with the
data, the offset by the same commit as the commands it counts. So a command is applied exactly once,
whatever is interrupted when. Nothing expires during an import: the source decides, as it does for
its replicas, and says DEL.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aidb import _core
from aidb.errors import InvalidError, UnavailableError
from aidb.migration.files import Existing, Report, load, prepare
from aidb.migration.link import LagMeter, Link, Spool
from aidb.migration.source import Address, Source
from aidb.migration.verify import Comparison, Moment, capture, compare, replication_offset

if TYPE_CHECKING:
    from aidb.database import Database

CLOCK = _core.StandingClock(1)
"""The clock of an importing database stands before every expiry."""
TAKE_BYTES = 1 << 20
WAIT_S = 0.2
RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Pauses between attempts to get a lost link back; the last one repeats."""


class Listener(Protocol):
    """Who shows how an import goes."""

    def say(self, message: str) -> None:
        """Something happened."""

    def show(self, work: str, done: int, total: int) -> None:
        """A long piece of work is at ``done`` of ``total`` bytes; 0 = not known."""

    def lag(self, meter: LagMeter) -> None:
        """How far behind we are, once a second."""


@dataclass(frozen=True)
class Goal:
    """When a live import ends by itself."""

    until_caught_up: bool = False
    cut_over_s: float | None = None
    """Once caught up, keep clients of the source from writing for this long, and end."""
    samples: int = 100


@dataclass(frozen=True)
class Result:
    """How a live import ended."""

    report: Report
    comparison: Comparison | None
    offset: int
    is_done: bool


@dataclass(frozen=True)
class _Place:
    """The stored progress."""

    phase: str
    database: int
    offset: int
    history: str
    source: str


class LiveImport:
    """One live import into an open database, whose clock must be :data:`CLOCK`."""

    def __init__(
        self, database: Database, address: Address, listener: Listener, directory: Path
    ) -> None:
        """Prepare; ``directory`` has room for the copy and for commands that wait."""
        self._database = database
        self._address = address
        self._listener = listener
        self._directory = directory
        self._importer = _core.RedisImport(database, replace=True)
        self._waiting = b""
        self._lag = LagMeter()
        self._asked_at = 0.0
        self._is_stopped: Callable[[], bool] = lambda: False

    def run(self, existing: Existing, goal: Goal, is_stopped: Callable[[], bool]) -> Result:
        """Import until the goal is reached or somebody stops it.

        Raises:
            InvalidError: The database has other data, or an import into it has ended.
            UnavailableError: The source cannot be reached at the beginning.
        """
        self._is_stopped = is_stopped
        self._begin(existing)
        attempts = 0
        while True:
            try:
                with Link(self._address, self._directory) as link, Source(self._address) as source:
                    self._connect(link)
                    attempts = 0
                    comparison = self._follow(link, link.begin(), source, goal)
                return self._end(comparison, goal)
            except UnavailableError as error:
                if is_stopped():
                    return self._end(None, goal)
                if self._place() is None:
                    raise
                pause = RETRY_S[min(attempts, len(RETRY_S) - 1)]
                self._listener.say(f"{error}; trying again in {pause:g} s")
                attempts += 1
                time.sleep(pause)

    def _place(self) -> _Place | None:
        stored = self._importer.progress()
        return None if stored is None else _Place(*stored)

    def _begin(self, existing: Existing) -> None:
        place = self._place()
        if existing == "clear" or (place is not None and place.phase == "loading"):
            if place is not None:
                self._listener.say("removing what an earlier import left")
            self._importer.clear()
        elif place is None:
            prepare(self._importer, existing)
        elif place.phase == "done":
            raise InvalidError(
                f"the import from {place.source} into this database has ended; import into another "
                "directory, or begin again with --existing clear"
            )
        elif place.source != str(self._address):
            self._listener.say(f"the import began at {place.source}, and goes on here")

    def _connect(self, link: Link) -> None:
        """Go on where we were, or begin with a copy."""
        place = self._place()
        if place is None or place.phase != "following":
            link.ask("", 0)
        elif link.ask(place.history, place.offset):
            self._save("following", link, place.database)
            self._listener.say(f"going on at offset {place.offset}")
            return
        else:
            self._listener.say("the source no longer has the commands we miss; copying again")
        self._importer.clear()
        self._save("loading", link, 0)
        # Whoever is interrupted must not take the beginning of a copy for all of it.
        self._database.sync()
        copy = self._directory / "import.rdb.unfinished"
        try:
            link.receive_copy(copy, lambda done, total: self._show("receiving", done, total))
            self._load(link, copy)
        finally:
            copy.unlink(missing_ok=True)

    def _load(self, link: Link, copy: Path) -> None:
        self._waiting = b""
        load(self._importer, copy, lambda done, total: self._show("loading", done, total))
        # The copy first: an offset must not be durable before what it stands on.
        self._database.sync()
        self._save("following", link, self._stream_database())
        keys = sum(self._importer.lengths())
        self._listener.say(f"loaded the copy: {keys} keys, as of offset {link.offset}")

    def _stream_database(self) -> int:
        """The logical database that the stream of commands begins in."""
        facts = dict(self._importer.report()["facts"])
        return max(0, int(facts.get("repl-stream-db", "0")))

    def _save(self, phase: str, link: Link, database: int) -> None:
        self._importer.save((phase, database, link.offset, link.history, str(self._address)))

    def _show(self, work: str, done: int, total: int) -> None:
        if self._is_stopped():
            raise UnavailableError("stopped")
        self._listener.show(work, done, total)

    def _follow(self, link: Link, spool: Spool, source: Source, goal: Goal) -> Comparison | None:
        """Apply commands until the goal is reached or somebody stops us."""
        self._waiting = b""
        while not self._is_stopped():
            self._apply(link, spool.take(TAKE_BYTES, WAIT_S))
            if self._measure(link, source) and self._lag.bytes == 0:
                if goal.cut_over_s is not None:
                    return self._cut_over(link, spool, source, goal)
                if goal.until_caught_up:
                    return self._verify(link, spool, source, goal)
        return None

    def _apply(self, link: Link, data: bytes) -> None:
        if not data:
            return
        self._waiting += data
        used, wants_offset = self._importer.apply(self._waiting)
        self._waiting = self._waiting[used:]
        offset = link.offset + used
        if wants_offset:
            link.acknowledge(offset)
        link.offset = offset

    def _measure(self, link: Link, source: Source) -> bool:
        """Ask the source where it is, once a second; whether that was asked now."""
        now = time.monotonic()
        if now - self._asked_at < 1.0 and self._lag.bytes:
            return False
        if now - self._asked_at < WAIT_S:
            return False
        self._asked_at = now
        self._lag.update(replication_offset(source), link.offset)
        self._listener.lag(self._lag)
        return True

    def _cut_over(self, link: Link, spool: Spool, source: Source, goal: Goal) -> Comparison:
        milliseconds = int((goal.cut_over_s or 0) * 1000)
        source.command("CLIENT", "PAUSE", milliseconds, "WRITE")
        self._listener.say(f"clients of the source cannot write for {goal.cut_over_s:g} s")
        comparison = self._verify(link, spool, source, goal)
        if not comparison.is_same:
            source.command("CLIENT", "UNPAUSE")
            self._listener.say("the two sides differ: clients of the source can write again")
        return comparison

    def _verify(self, link: Link, spool: Spool, source: Source, goal: Goal) -> Comparison:
        """Apply exactly up to a moment of the source, and compare."""
        moment: Moment = capture(source, goal.samples)
        while link.offset < moment.offset:
            left = moment.offset - link.offset - len(self._waiting)
            self._apply(link, spool.take(min(TAKE_BYTES, left), WAIT_S))
        return compare(self._importer, moment)

    def _end(self, comparison: Comparison | None, goal: Goal) -> Result:
        place = self._place()
        is_done = goal.cut_over_s is not None and comparison is not None and comparison.is_same
        if place is not None and is_done:
            stored = ("done", place.database, place.offset, place.history, place.source)
            self._importer.save(stored)
        self._database.sync()
        report = Report.of(self._importer.report())
        return Result(report, comparison, 0 if place is None else place.offset, is_done)
