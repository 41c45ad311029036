"""What a node has promised: kept on disk before the node acts on it.

A pure state machine: orders go in, the next standing comes out or a refusal is raised. The agent
writes the standing through `StandingFile` and only then does what the order says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from aidb.cluster.model import Topology
from aidb.cluster.orders import Order
from aidb.errors import FencedError, InvalidError


@dataclass(frozen=True, slots=True)
class Standing:
    """The highest numbers that a node has seen."""

    cluster_id: str
    term: int = 0
    shard: str = ""
    epoch: int = 0
    topology: Topology | None = None

    @property
    def topology_version(self) -> int:
        """Version of the topology it applied; 0 before the first."""
        return self.topology.version if self.topology else 0

    def accept(self, order: Order) -> Standing:
        """The standing after an order.

        Raises:
            InvalidError: The order is for another cluster or shard.
            FencedError: Its term or epoch is over.
        """
        self.check_cluster(order.cluster_id)
        if self.shard and order.shard != self.shard:
            raise InvalidError(f"this node belongs to shard {self.shard}, not to {order.shard}")
        if order.term < self.term:
            raise FencedError(f"term {order.term} is over: this node has seen term {self.term}")
        if order.epoch < self.epoch:
            raise FencedError(f"epoch {order.epoch} is over: this node has seen {self.epoch}")
        return replace(self, term=order.term, shard=order.shard, epoch=order.epoch)

    def accept_topology(self, term: int, topology: Topology | None) -> Standing:
        """The standing after an answer to a heartbeat; an older topology changes nothing.

        Raises:
            InvalidError: The topology is of another cluster.
            FencedError: The answer comes from a leader whose term is over.
        """
        if term < self.term:
            raise FencedError(f"term {term} is over: this node has seen term {self.term}")
        if topology is None or topology.version <= self.topology_version:
            return replace(self, term=term)
        self.check_cluster(topology.cluster_id)
        return replace(self, term=term, topology=topology)

    def check_cluster(self, cluster_id: str) -> None:
        """Whether a message is of this cluster.

        Raises:
            InvalidError: It is not.
        """
        if cluster_id != self.cluster_id:
            raise InvalidError(
                f"message of cluster {cluster_id}, this node belongs to {self.cluster_id}:"
                " check the addresses of the coordinators"
            )


class StandingFile(Protocol):
    """Where a node keeps its standing."""

    def load(self) -> Standing | None:
        """What was stored last; None: nothing yet."""
        ...

    async def store(self, standing: Standing) -> None:
        """Make it durable before returning."""
        ...
