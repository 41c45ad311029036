"""The topology: one versioned document that says who owns which slots and who is who.

It is only ever replaced as a whole, by a compare-and-set on its version, and only by the leading
coordinator. Nodes keep the highest version they have seen and apply no lower one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from aidb.cluster.history import START, Position
from aidb.cluster.slots import SlotRanges
from aidb.errors import InvalidError


class Role(StrEnum):
    """What a member of a shard is for."""

    FULL = "full"
    """Holds the whole shard; may become its primary."""
    CACHE = "cache"
    """Holds what is asked for, within a budget; never a primary."""


class MemberState(StrEnum):
    """Whether the acknowledgements of a full member count."""

    SYNCING = "syncing"
    """Not known to hold everything acknowledged: no vote, not promotable, not read from."""
    READY = "ready"
    """Holds everything acknowledged when it was made ready: its acknowledgements count."""
    LEAVING = "leaving"
    """The primary shall count it no more, but may not know that yet: it still has its vote."""


class ShardState(StrEnum):
    """What a shard is doing."""

    INITIALIZING = "initializing"
    """Registered, no primary yet."""
    RUNNING = "running"
    ELECTING = "electing"
    """No primary: the epoch is taken, a successor is being chosen."""
    STOPPED = "stopped"
    """By an operator."""


@dataclass(frozen=True, slots=True)
class Member:
    """A node of a shard. The primary is a member as well; its state says nothing then."""

    node: str
    role: Role = Role.FULL
    state: MemberState = MemberState.SYNCING
    since_version: int = 0
    """Version of the topology that gave it this state."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard: its slots, its members and its reign.

    `authority` is the node of the last published reign: the primary while the shard is running, the
    last primary while it is electing. Its log holds everything that was ever acknowledged, because
    nobody acknowledges before its reign is published. That makes an election that died half-way
    safe to repeat.
    """

    id: str
    epoch: int = 0
    state: ShardState = ShardState.INITIALIZING
    authority: str | None = None
    members: tuple[Member, ...] = ()
    slots: SlotRanges = field(default_factory=SlotRanges)
    semi: int = 0
    """Full replicas that must hold a write durably before it is acknowledged; 0: asynchronous."""
    floor: Position = START
    """Where the published reign began: an authority whose log ends before it lost something."""
    failed_over_at: float = 0.0
    """When the last failover began, seconds since the Unix epoch."""

    @property
    def primary(self) -> str | None:
        """The node that serves writes; None while there is none."""
        return self.authority if self.state is ShardState.RUNNING else None

    @property
    def full_members(self) -> tuple[str, ...]:
        """Every node with a log of this shard, the primary included."""
        return tuple(member.node for member in self.members if member.role is Role.FULL)

    @property
    def voters(self) -> tuple[str, ...]:
        """Members whose acknowledgements the authority may have counted."""
        return tuple(
            member.node
            for member in self.members
            if member.role is Role.FULL
            and member.state is not MemberState.SYNCING
            and member.node != self.authority
        )

    @property
    def counted(self) -> tuple[str, ...]:
        """Members whose acknowledgements the primary shall count from now on."""
        ready = {m.node for m in self.members if m.state is MemberState.READY}
        return tuple(node for node in self.voters if node in ready)

    def member(self, node: str) -> Member | None:
        """The member that this node is."""
        return next((member for member in self.members if member.node == node), None)

    def with_member(self, changed: Member) -> Shard:
        """The shard with one member added or changed."""
        others = tuple(member for member in self.members if member.node != changed.node)
        members = sorted((*others, changed), key=lambda member: member.node)
        return replace(self, members=tuple(members))


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A registered process."""

    id: str
    address: str
    """Where other nodes and coordinators reach it, ``host:port``."""
    client_address: str = ""
    """Where clients reach it."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The whole document."""

    cluster_id: str
    version: int = 0
    nodes: tuple[NodeRecord, ...] = ()
    shards: tuple[Shard, ...] = ()

    def node(self, node_id: str) -> NodeRecord | None:
        """The record of a node."""
        return next((node for node in self.nodes if node.id == node_id), None)

    def shard(self, shard_id: str) -> Shard | None:
        """The record of a shard."""
        return next((shard for shard in self.shards if shard.id == shard_id), None)

    def shard_of(self, node_id: str) -> Shard | None:
        """The shard that a node is a member of."""
        return next((shard for shard in self.shards if shard.member(node_id)), None)

    def with_shard(self, changed: Shard) -> Topology:
        """The next version, with one shard added or replaced."""
        others = (shard for shard in self.shards if shard.id != changed.id)
        shards = tuple(sorted((*others, changed), key=lambda shard: shard.id))
        return replace(self, version=self.version + 1, shards=shards)

    def with_node(self, changed: NodeRecord) -> Topology:
        """The next version, with one node added or replaced."""
        others = (node for node in self.nodes if node.id != changed.id)
        nodes = tuple(sorted((*others, changed), key=lambda node: node.id))
        return replace(self, version=self.version + 1, nodes=nodes)

    def check(self) -> None:
        """Whether the document makes sense: each slot has one owner, each member one shard.

        Raises:
            InvalidError: A slot has two owners, a member is unknown or in two shards.
        """
        places: dict[str, str] = {}
        known = {node.id for node in self.nodes}
        SlotRanges.joined(bounds for shard in self.shards for bounds in shard.slots.ranges)
        for shard in self.shards:
            for member in shard.members:
                if member.node not in known:
                    raise InvalidError(f"shard {shard.id} has a member {member.node}: no such node")
                if member.node in places:
                    where = f"{places[member.node]} and {shard.id}"
                    raise InvalidError(f"node {member.node} is a member of {where}")
                places[member.node] = shard.id
            if shard.authority is not None and shard.authority not in shard.full_members:
                raise InvalidError(
                    f"{shard.authority} leads {shard.id} and is no full member of it"
                )
