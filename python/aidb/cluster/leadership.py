"""One coordinator leads: it owns a key of the metadata store for as long as it keeps a lease.

Each leadership has a number, the term, taken in the same transaction as the key. Every write of a
leader compares that key, so one that lost it changes nothing, however late it notices; and it stops
acting a margin before its lease can have ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from aidb.cluster.store import MetadataStore, Put, RevisionIs, ValueIs
from aidb.cluster.timing import Timing, Timings
from aidb.errors import ConflictError, UnavailableError

LEADER_KEY: Final = "leader"
TERM_KEY: Final = "term"


@dataclass(frozen=True, slots=True)
class Leader:
    """Who leads."""

    id: str
    address: str
    term: int

    def encode(self) -> bytes:
        """As the store keeps it."""
        fields = {"id": self.id, "address": self.address, "term": self.term}
        return json.dumps(fields, sort_keys=True).encode()


class Leadership:
    """The part of one coordinator in who leads."""

    def __init__(
        self, store: MetadataStore, name: str, address: str, timing: Timing, timings: Timings
    ) -> None:
        """Not leading yet.

        Args:
            store: Holds the key.
            name: Of this coordinator, unlike every other.
            address: Where this coordinator is reached.
            timing: The time of this process.
            timings: Lease and margin.
        """
        self._store, self._timing, self._timings = store, timing, timings
        self._name, self._address = name, address
        self._lease = 0
        self._acts_until = 0.0
        self.leader: Leader | None = None
        """Who leads, as far as is known."""

    @property
    def is_acting(self) -> bool:
        """Whether this coordinator leads and may act now."""
        return self._lease != 0 and self._timing.monotonic() < self._acts_until

    @property
    def term(self) -> int:
        """Number of this leadership, or of the last one known."""
        return self.leader.term if self.leader else 0

    def guard(self) -> ValueIs:
        """What every write of a leader compares.

        Raises:
            ConflictError: This coordinator does not lead.
        """
        if not self.is_acting or self.leader is None:
            raise ConflictError("this coordinator does not lead any more")
        return ValueIs(LEADER_KEY, self.leader.encode())

    async def campaign(self) -> bool:
        """Try once to lead; False: somebody else does.

        Raises:
            UnavailableError: The store is away.
        """
        found = await self._store.get(LEADER_KEY)
        if found is not None:
            self.leader = Leader(**json.loads(found.value))
            return False
        last = await self._store.get(TERM_KEY)
        term = (int(last.value) if last else 0) + 1
        asked_at = self._timing.monotonic()
        lease = await self._store.grant(self._timings.leadership_s)
        leader = Leader(self._name, self._address, term)
        outcome = await self._store.transact(
            [RevisionIs(LEADER_KEY, 0), RevisionIs(TERM_KEY, last.revision if last else 0)],
            [Put(LEADER_KEY, leader.encode(), lease), Put(TERM_KEY, str(term).encode())],
        )
        if not outcome.is_applied:
            await self._store.revoke(lease)
            return False
        self.leader = leader
        self._lease = lease
        self._extend(asked_at)
        return True

    async def renew(self) -> None:
        """Keep leading; when the lease has ended, stop."""
        asked_at = self._timing.monotonic()
        try:
            is_alive = await self._store.keep_alive(self._lease)
            found = await self._store.get(LEADER_KEY)
            # The key can go without the lease: removed by an operator, or an old copy restored.
            if is_alive and found and self.leader and found.value == self.leader.encode():
                self._extend(asked_at)
            else:
                self._lease = 0
        except UnavailableError:
            # The lease may go on: `is_acting` says for how long that may be believed.
            if not self.is_acting:
                self._lease = 0

    async def resign(self) -> None:
        """Let somebody else lead at once."""
        lease, self._lease = self._lease, 0
        if lease:
            await self._store.revoke(lease)

    def _extend(self, asked_at: float) -> None:
        self._acts_until = asked_at + self._timings.leads_s
