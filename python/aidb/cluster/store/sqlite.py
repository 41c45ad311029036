"""A metadata store in one SQLite file: for one coordinator, or several on one machine.

SQLite writes with ``synchronous=FULL``: what was committed survives power loss. Its calls run on a
thread of their own, so that a slow disk never holds up heartbeats. Leases end by the clock of the
machine since boot; after a reboot all of them have ended, which is what a new boot means.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from aidb.cluster.store.base import (
    Change,
    Comparison,
    Event,
    Item,
    Outcome,
    Put,
    RevisionIs,
    ValueIs,
)
from aidb.cluster.timing import SystemTiming, Timing
from aidb.errors import ConflictError, CorruptionError, InvalidError, UnavailableError

APPLICATION_ID: Final = 0x61694442
FORMAT: Final = 1
POLL_S: Final = 0.1
"""How soon a watch hears of a change that another process made."""
EVENTS_KEPT: Final = 10_000
BUSY_S: Final = 2.0
"""How long a call waits for another process before the store counts as away."""

_SCHEMA: Final = """
CREATE TABLE items (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL,
                    lease INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE leases (id INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL, ttl_s REAL NOT NULL,
                     ends_at REAL NOT NULL);
CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, revision INTEGER NOT NULL,
                     key TEXT NOT NULL, value BLOB);
CREATE TABLE state (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO state VALUES ('revision', 0);
"""

Result = TypeVar("Result")


class SqliteStore:
    """One open file. Use from one event loop; other processes may have it open as well."""

    def __init__(self, path: Path | str, timing: Timing | None = None) -> None:
        """Open the file, or make it.

        Args:
            path: Of the file; its directory must exist.
            timing: By which leases end; the machine's when not given.

        Raises:
            InvalidError: The file is another program's, or of a newer format.
            UnavailableError: It cannot be opened.
        """
        self._path = str(path)
        self._timing = timing or SystemTiming()
        self._boot = _boot_id()
        self._thread = ThreadPoolExecutor(1, "metadata-store")
        self._connection = self._thread.submit(self._open).result()

    async def get(self, key: str) -> Item | None:
        """As the protocol says."""
        return await self._run(lambda: self._get(key))

    async def range(self, prefix: str) -> list[Item]:
        """As the protocol says."""
        query = "SELECT key, value, revision FROM items WHERE substr(key, 1, ?) = ? ORDER BY key"
        arguments = (len(prefix), prefix)
        return await self._run(
            lambda: [Item(*row) for row in self._connection.execute(query, arguments)]
        )

    async def transact(
        self, comparisons: Sequence[Comparison], changes: Sequence[Change]
    ) -> Outcome:
        """As the protocol says."""
        return await self._run(lambda: self._transact(comparisons, changes))

    async def grant(self, ttl_s: float) -> int:
        """As the protocol says."""
        insert = "INSERT INTO leases (boot, ttl_s, ends_at) VALUES (?, ?, ?) RETURNING id"
        ends_at = self._timing.monotonic() + ttl_s
        row = (self._boot, ttl_s, ends_at)
        return await self._run(lambda: int(self._connection.execute(insert, row).fetchone()[0]))

    async def keep_alive(self, lease: int) -> bool:
        """As the protocol says."""
        update = "UPDATE leases SET ends_at = ttl_s + ? WHERE id = ?"
        arguments = (self._timing.monotonic(), lease)
        return await self._run(lambda: self._connection.execute(update, arguments).rowcount == 1)

    async def revoke(self, lease: int) -> None:
        """As the protocol says."""
        await self._run(lambda: self._end_leases("id = ?", (lease,)))

    async def watch(self, prefix: str) -> AsyncIterator[Event]:
        """As the protocol says."""
        last = await self._run(self._last_event)
        while True:
            for number, event in await self._run(lambda: self._events_after(last)):  # noqa: B023
                last = number
                if event.key.startswith(prefix):
                    yield event
            await self._timing.sleep(POLL_S)

    async def close(self) -> None:
        """Close the file. Calls after it raise `RuntimeError`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    # --- on the thread -----------------------------------------------------------------------

    async def _run(self, work: Callable[[], Result]) -> Result:
        """One SQLite transaction around `work`; ended leases are gone before it begins."""

        def transaction() -> Result:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    ended = "boot != ? OR ends_at <= ?"
                    self._end_leases(ended, (self._boot, self._timing.monotonic()))
                    result = work()
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                raise _translated(self._path, error) from error
            return result

        return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            self._prepare(connection)
            connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise _translated(self._path, error) from error
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        elif application != APPLICATION_ID:
            raise InvalidError(f"{self._path} belongs to another program: name another file")
        elif found != FORMAT:
            raise InvalidError(f"{self._path} has format {found}, {FORMAT} is known: upgrade")

    def _get(self, key: str) -> Item | None:
        query = "SELECT key, value, revision FROM items WHERE key = ?"
        row = self._connection.execute(query, (key,)).fetchone()
        return Item(*row) if row else None

    def _transact(self, comparisons: Sequence[Comparison], changes: Sequence[Change]) -> Outcome:
        if not all(self._holds(comparison) for comparison in comparisons):
            return Outcome(is_applied=False, revision=self._revision())
        if not changes:
            return Outcome(is_applied=True, revision=self._revision())
        revision = self._next_revision()
        for change in changes:
            if isinstance(change, Put):
                self._put(change, revision)
            else:
                self._delete(change.key, revision)
        return Outcome(is_applied=True, revision=revision)

    def _holds(self, comparison: Comparison) -> bool:
        found = self._get(comparison.key)
        match comparison:
            case RevisionIs(_, revision):
                return (found.revision if found else 0) == revision
            case ValueIs(_, value):
                return found is not None and found.value == value

    def _put(self, put: Put, revision: int) -> None:
        if put.lease:
            known = self._connection.execute("SELECT 1 FROM leases WHERE id = ?", (put.lease,))
            if known.fetchone() is None:
                raise ConflictError(f"lease {put.lease} of {put.key} has ended")
        row = (put.key, put.value, revision, put.lease)
        self._connection.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", row)
        self._note(revision, put.key, put.value)

    def _delete(self, key: str, revision: int) -> None:
        if self._connection.execute("DELETE FROM items WHERE key = ?", (key,)).rowcount:
            self._note(revision, key, None)

    def _note(self, revision: int, key: str, value: bytes | None) -> None:
        insert = "INSERT INTO events (revision, key, value) VALUES (?, ?, ?) RETURNING number"
        (number,) = self._connection.execute(insert, (revision, key, value)).fetchone()
        self._connection.execute("DELETE FROM events WHERE number <= ?", (number - EVENTS_KEPT,))

    def _end_leases(self, which: str, arguments: tuple[object, ...]) -> None:
        ended = self._connection.execute(f"SELECT id FROM leases WHERE {which}", arguments)  # noqa: S608
        ids = [lease for (lease,) in ended.fetchall()]
        for lease in ids:
            self._connection.execute("DELETE FROM leases WHERE id = ?", (lease,))
            held = self._connection.execute("SELECT key FROM items WHERE lease = ?", (lease,))
            keys = [key for (key,) in held.fetchall()]
            revision = self._next_revision() if keys else 0
            for key in keys:
                self._delete(key, revision)

    def _revision(self) -> int:
        query = "SELECT number FROM state WHERE name = 'revision'"
        return int(self._connection.execute(query).fetchone()[0])

    def _next_revision(self) -> int:
        self._connection.execute("UPDATE state SET number = number + 1 WHERE name = 'revision'")
        return self._revision()

    def _last_event(self) -> int:
        query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"
        return int(self._connection.execute(query).fetchone()[0])

    def _events_after(self, last: int) -> list[tuple[int, Event]]:
        query = "SELECT number, revision, key, value FROM events WHERE number > ? ORDER BY number"
        return [
            (
                number,
                Event(key, Item(key, value, revision) if value is not None else None, revision),
            )
            for number, revision, key, value in self._connection.execute(query, (last,))
        ]


def _translated(path: str, error: sqlite3.DatabaseError) -> Exception:
    if isinstance(error, sqlite3.OperationalError):
        return UnavailableError(f"the metadata store {path} is away: {error}", effect="unknown")
    return CorruptionError(f"{path} is no metadata store: {error}; restore it or name another file")


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
