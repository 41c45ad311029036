"""A metadata store in the memory of one process: for tests and simulations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

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
from aidb.cluster.timing import Timing
from aidb.errors import ConflictError


@dataclass(slots=True)
class _Lease:
    ttl_s: float
    ends_at: float
    keys: set[str] = field(default_factory=set)


class MemoryStore:
    """Leases end by the given time, at the next call after their end."""

    def __init__(self, timing: Timing) -> None:
        """An empty store."""
        self._timing = timing
        self._items: dict[str, Item] = {}
        self._leases: dict[int, _Lease] = {}
        self._revision = 0
        self._lease_ids = 0
        self._watchers: list[tuple[str, asyncio.Queue[Event]]] = []

    async def get(self, key: str) -> Item | None:
        """As the protocol says."""
        self._end_leases()
        return self._items.get(key)

    async def range(self, prefix: str) -> list[Item]:
        """As the protocol says."""
        self._end_leases()
        return [item for key, item in sorted(self._items.items()) if key.startswith(prefix)]

    async def transact(
        self, comparisons: Sequence[Comparison], changes: Sequence[Change]
    ) -> Outcome:
        """As the protocol says."""
        self._end_leases()
        is_applied = all(self._holds(comparison) for comparison in comparisons)
        if is_applied and changes:
            for change in changes:
                if isinstance(change, Put) and change.lease and change.lease not in self._leases:
                    raise ConflictError(f"lease {change.lease} of {change.key} has ended")
            self._apply(changes)
        return Outcome(is_applied, self._revision)

    async def grant(self, ttl_s: float) -> int:
        """As the protocol says."""
        self._lease_ids += 1
        self._leases[self._lease_ids] = _Lease(ttl_s, self._timing.monotonic() + ttl_s)
        return self._lease_ids

    async def keep_alive(self, lease: int) -> bool:
        """As the protocol says."""
        self._end_leases()
        found = self._leases.get(lease)
        if found is not None:
            found.ends_at = self._timing.monotonic() + found.ttl_s
        return found is not None

    async def revoke(self, lease: int) -> None:
        """As the protocol says."""
        self._end(lease)

    async def watch(self, prefix: str) -> AsyncIterator[Event]:
        """As the protocol says."""
        watcher = (prefix, asyncio.Queue[Event]())
        self._watchers.append(watcher)
        try:
            while True:
                yield await watcher[1].get()
        finally:
            self._watchers.remove(watcher)

    async def close(self) -> None:
        """Nothing is held open."""

    def _holds(self, comparison: Comparison) -> bool:
        found = self._items.get(comparison.key)
        match comparison:
            case RevisionIs(_, revision):
                return (found.revision if found else 0) == revision
            case ValueIs(_, value):
                return found is not None and found.value == value

    def _apply(self, changes: Sequence[Change]) -> None:
        self._revision += 1
        for change in changes:
            for lease in self._leases.values():
                lease.keys.discard(change.key)
            if isinstance(change, Put):
                item = Item(change.key, change.value, self._revision)
                self._items[change.key] = item
                if change.lease in self._leases:
                    self._leases[change.lease].keys.add(change.key)
                self._tell(Event(change.key, item, self._revision))
            elif self._items.pop(change.key, None):
                self._tell(Event(change.key, None, self._revision))

    def _tell(self, event: Event) -> None:
        for prefix, queue in self._watchers:
            if event.key.startswith(prefix):
                queue.put_nowait(event)

    def _end_leases(self) -> None:
        now = self._timing.monotonic()
        for lease in [lease for lease, found in self._leases.items() if found.ends_at <= now]:
            self._end(lease)

    def _end(self, lease: int) -> None:
        ended = self._leases.pop(lease, None)
        if ended and ended.keys:
            self._revision += 1
            for key in sorted(ended.keys):
                del self._items[key]
                self._tell(Event(key, None, self._revision))
