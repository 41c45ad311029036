"""What coordinators and nodes say to each other.

Every order names its cluster, the term of the coordinator that gives it, the shard and the epoch it
is about. The receiver refuses another cluster and a lower term or epoch than it has seen, and keeps
a higher one on disk before it acts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from aidb.cluster.history import History, Position


@dataclass(frozen=True, slots=True)
class Order:
    """Base of what a coordinator tells a node."""

    cluster_id: str
    term: int
    shard: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Fence(Order):
    """Acknowledge and replicate nothing below this epoch any more; answer with what you hold."""


@dataclass(frozen=True, slots=True)
class Promote(Order):
    """Begin the reign of this epoch. Nothing is acknowledged before a lease is granted."""

    semi: int = 0


@dataclass(frozen=True, slots=True)
class Follow(Order):
    """Be a replica of this primary."""

    primary: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Pause(Order):
    """Let writes wait: a switchover is under way."""


@dataclass(frozen=True, slots=True)
class Resume(Order):
    """Let writes go on: the switchover was given up."""


@dataclass(frozen=True, slots=True)
class NewTopology:
    """The leader changed the topology: apply it, and ask for what follows from it."""

    cluster_id: str
    term: int
    topology: bytes


@dataclass(frozen=True, slots=True)
class Probe:
    """Are you there?"""

    cluster_id: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A primary that no coordinator answers asks a replica to refuse promotions for one lease."""

    cluster_id: str
    shard: str
    epoch: int
    primary: str


@dataclass(frozen=True, slots=True)
class Held:
    """Whether the replica holds."""

    is_held: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What a node is and has."""

    node: str
    shard: str = ""
    term: int = 0
    """The highest it has seen."""
    epoch: int = 0
    """The highest epoch it was fenced at, promoted at or follows."""
    is_primary: bool = False
    follows: str | None = None
    history: History = field(default_factory=History)
    """Of its durable log."""
    is_complete: bool = True
    """False while a full synchronization is half done."""
    caught_up: tuple[str, ...] = ()
    """Of a primary: replicas that lately held everything it had acknowledged."""
    topology_version: int = 0
    """The highest topology that it has applied."""
    settled_version: int = 0
    """Of a primary: the highest topology whose voters hold everything it has acknowledged."""
    is_paused: bool = False
    hold_s: float = 0.0
    """How long it will refuse promotions because its primary asked it to."""

    @property
    def position(self) -> Position:
        """Its last durable batch."""
        return self.history.position


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A node reports, and a primary asks for its lease."""

    cluster_id: str
    address: str
    client_address: str
    report: Report


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer of the leading coordinator to a heartbeat."""

    term: int
    has_lease: bool
    topology: bytes | None = None
    """The document, when the node has an older one."""


@dataclass(frozen=True, slots=True)
class NotLeading:
    """The answer of every other coordinator."""

    leader_address: str | None


Message = Order | NewTopology | Probe | Hold | Heartbeat
Reply = Report | Held | Granted | NotLeading


class Transport(Protocol):
    """Carries messages to processes."""

    async def call(self, address: str, message: Message, *, timeout_s: float) -> Reply:
        """Send and wait for the answer.

        Raises:
            UnavailableError: No answer in time; the message may have arrived.
            Error: What the receiver refused it with.
        """
        ...
