"""The topology in the metadata store: read, and replaced by compare-and-set under a leadership."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aidb.cluster.document import decode_topology, encode_topology
from aidb.cluster.leadership import Leadership
from aidb.cluster.model import Shard, Topology
from aidb.cluster.store import Comparison, Item, MetadataStore, Put, RevisionIs
from aidb.errors import ConflictError, InvalidError

TOPOLOGY_KEY: Final = "topology"


class Registry:
    """The one place that writes the topology."""

    def __init__(self, store: MetadataStore, leadership: Leadership, cluster_id: str) -> None:
        """Nothing is read yet."""
        self._store, self._leadership = store, leadership
        self._cluster_id = cluster_id
        self.topology = Topology(cluster_id)
        """As last read or written."""
        self._revision = 0
        # A read that began before a write must not take the place of what was written.
        self._turn = asyncio.Lock()

    async def load(self) -> Topology:
        """Read the topology; an empty one when there is none yet.

        Raises:
            InvalidError: The store belongs to another cluster.
            UnavailableError: The store is away.
            CorruptionError: What it holds is no topology.
        """
        async with self._turn:
            self._adopt(await self._store.get(TOPOLOGY_KEY))
            return self.topology

    async def change(self, how: Callable[[Topology], Topology]) -> Topology:
        """Replace the topology by what `how` makes of the last one read.

        Args:
            how: Pure; returns its argument to change nothing.

        Raises:
            ConflictError: Somebody else changed it, or this coordinator does not lead: load again.
            UnavailableError: The store is away; the change may have happened.
        """
        async with self._turn:
            changed = how(self.topology)
            if changed is self.topology:
                return changed
            changed.check()
            comparisons: list[Comparison] = [
                self._leadership.guard(),
                RevisionIs(TOPOLOGY_KEY, self._revision),
            ]
            document = encode_topology(changed)
            outcome = await self._store.transact(comparisons, [Put(TOPOLOGY_KEY, document)])
            if not outcome.is_applied:
                raise ConflictError("the topology was changed meanwhile, or the leader")
            self.topology, self._revision = changed, outcome.revision
            return changed

    async def change_shard(self, shard_id: str, how: Callable[[Shard], Shard]) -> Shard:
        """The same for one shard.

        Raises:
            InvalidError: There is no such shard.
            ConflictError: As :meth:`change`.
            UnavailableError: As :meth:`change`.
        """

        def change(topology: Topology) -> Topology:
            found = topology.shard(shard_id)
            if found is None:
                raise InvalidError(f"there is no shard {shard_id}")
            changed = how(found)
            return topology if changed == found else topology.with_shard(changed)

        topology = await self.change(change)
        return next(shard for shard in topology.shards if shard.id == shard_id)

    def _adopt(self, item: Item | None) -> None:
        if item is None:
            self.topology, self._revision = Topology(self._cluster_id), 0
            return
        if item.revision == self._revision:
            return
        topology = decode_topology(item.value)
        if topology.cluster_id != self._cluster_id:
            raise InvalidError(
                f"the store belongs to cluster {topology.cluster_id}, not to {self._cluster_id}:"
                " check the address of the store or name the right cluster"
            )
        self.topology, self._revision = topology, item.revision
