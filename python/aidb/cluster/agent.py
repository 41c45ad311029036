"""A node's side of the control plane: reports, obeys, and knows when it must not acknowledge.

The data plane acknowledges writes until the moment that the agent gave it last, `admit_until`, and
stops by itself when it passes: an agent that hangs makes nothing unsafe. The moment moves on when
a coordinator grants the lease, or, while none does, when every replica that may be promoted holds:
promises to refuse promotions for one lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aidb.cluster.document import decode_topology
from aidb.cluster.history import History
from aidb.cluster.model import Topology
from aidb.cluster.orders import (
    Fence,
    Follow,
    Granted,
    Heartbeat,
    Held,
    Hold,
    Message,
    NewTopology,
    NotLeading,
    Order,
    Pause,
    Probe,
    Promote,
    Reply,
    Report,
    Resume,
    Transport,
)
from aidb.cluster.standing import Standing, StandingFile
from aidb.cluster.timing import DEFAULTS, Timing, Timings, wait_for
from aidb.errors import ConflictError, Error, FencedError, InvalidError, UnavailableError


class DataPlane(Protocol):
    """What the agent needs of the process that holds the data."""

    def history(self) -> History:
        """Of the durable log."""
        ...

    def is_complete(self) -> bool:
        """False while a full synchronization is half done."""
        ...

    def caught_up(self) -> tuple[str, ...]:
        """Replicas that lately held everything acknowledged, earlier reigns included."""
        ...

    async def fence(self, epoch: int) -> None:
        """Acknowledge and replicate nothing below the epoch from now on."""
        ...

    async def promote(self, epoch: int, semi: int) -> None:
        """Begin a reign, durably; acknowledge nothing before `admit_until` allows it."""
        ...

    async def follow(self, epoch: int, primary: str, address: str) -> None:
        """Be a replica."""
        ...

    def count(self, voters: Sequence[str], version: int) -> None:
        """Whose acknowledgements count from this version of the topology on."""
        ...

    def settled_version(self) -> int:
        """The last version given to `count` whose voters hold everything acknowledged before.

        That is, every batch acknowledged so far is on as many of them as a write needs. Only then
        may those who were counted before, and are no more, lose their vote.
        """
        ...

    def admit_until(self, monotonic_s: float) -> None:
        """Acknowledge writes until then; never an earlier moment than before."""
        ...

    async def pause(self) -> None:
        """Let new writes wait; return when those under way are done and durable."""
        ...

    def resume(self) -> None:
        """Let writes go on."""
        ...


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """What one agent is told."""

    node: str
    cluster_id: str
    address: str
    client_address: str
    coordinators: tuple[str, ...]
    """Addresses; any may lead."""
    timings: Timings = DEFAULTS


class Agent:
    """The agent of one node."""

    def __init__(
        self,
        settings: AgentSettings,
        data_plane: DataPlane,
        standing_file: StandingFile,
        transport: Transport,
        timing: Timing,
    ) -> None:
        """Takes up what the node promised before it was restarted; leads nothing.

        Raises:
            InvalidError: The directory belongs to another cluster.
        """
        self._settings, self._timings = settings, settings.timings
        self._data_plane, self._file = data_plane, standing_file
        self._transport, self._timing = transport, timing
        self._standing = standing_file.load() or Standing(settings.cluster_id)
        self._standing.check_cluster(settings.cluster_id)
        self._is_primary = False
        self._is_paused = False
        self._follows: str | None = None
        self._hold_until = 0.0
        self._granted_at: float | None = None
        self._promotable: set[str] = set()
        self._asked = 0
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def topology(self) -> Topology | None:
        """The highest version seen."""
        return self._standing.topology

    def hurry(self) -> None:
        """Send the next heartbeat now: something in the report changed."""
        self._news.set()

    def report(self) -> Report:
        """What this node is and has."""
        caught_up = self._data_plane.caught_up() if self._is_primary else ()
        # From here on the coordinator may promote them, so they have to hold.
        self._promotable.update(caught_up)
        return Report(
            node=self._settings.node,
            shard=self._standing.shard,
            term=self._standing.term,
            epoch=self._standing.epoch,
            is_primary=self._is_primary,
            follows=self._follows,
            history=self._data_plane.history(),
            is_complete=self._data_plane.is_complete(),
            caught_up=caught_up,
            topology_version=self._standing.topology_version,
            settled_version=self._data_plane.settled_version() if self._is_primary else 0,
            is_paused=self._is_paused,
            hold_s=max(0.0, self._hold_until - self._timing.monotonic()),
        )

    # --- heartbeats --------------------------------------------------------------------------

    async def run(self) -> None:
        """Send heartbeats until cancelled."""
        while True:
            asked_at = self._timing.monotonic()
            if not await self._beat(asked_at):
                await self._hold_on()
            took = self._timing.monotonic() - asked_at
            pause_s = max(self._timings.round_min_s, self._timings.heartbeat_s - took)
            await wait_for(self._timing, self._news, pause_s)

    async def _beat(self, asked_at: float) -> bool:
        """One heartbeat; False: this node leads its shard and got no lease."""
        settings = self._settings
        beat = Heartbeat(
            settings.cluster_id, settings.address, settings.client_address, self.report()
        )
        for address in self._coordinators():
            try:
                reply = await self._transport.call(
                    address, beat, timeout_s=self._timings.heartbeat_s
                )
                if isinstance(reply, Granted):
                    await self._take(beat.report, reply, asked_at)
                    return reply.has_lease or not self._is_primary
            except Error:
                reply = None
            self._asked += 1
            if isinstance(reply, NotLeading) and reply.leader_address in settings.coordinators:
                self._asked = settings.coordinators.index(reply.leader_address)
        return not self._is_primary

    def _coordinators(self) -> list[str]:
        """Where to ask: the one that answered last, then the next."""
        addresses = self._settings.coordinators
        first = self._asked % len(addresses)
        return [addresses[first], addresses[(first + 1) % len(addresses)]][: len(addresses)]

    async def _take(self, asked_with: Report, granted: Granted, asked_at: float) -> None:
        async with self._turn:
            await self._apply(granted.term, granted.topology)
            # What was granted was granted to the reign that asked.
            still = self._is_primary and self._standing.epoch == asked_with.epoch
            if granted.has_lease and still:
                self._granted_at = asked_at
                self._data_plane.admit_until(asked_at + self._timings.serves_s)

    async def _apply(self, term: int, document: bytes | None) -> None:
        topology = decode_topology(document) if document else None
        await self._keep(self._standing.accept_topology(term, topology))
        self._count_voters()

    def _count_voters(self) -> None:
        topology = self._standing.topology
        shard = topology.shard(self._standing.shard) if topology else None
        is_mine = shard is not None and shard.epoch == self._standing.epoch
        if self._is_primary and topology is not None and shard is not None and is_mine:
            self._data_plane.count(shard.counted, topology.version)
            self._promotable.update(shard.voters)

    async def _hold_on(self) -> None:
        """No coordinator grants: go on if every replica that could be promoted holds."""
        if self._granted_at is None or not self._is_primary or self._is_paused:
            return
        asked_at = self._timing.monotonic()
        epoch = self._standing.epoch
        replicas = sorted(self._promotable)
        held = await asyncio.gather(*(self._ask_hold(node, epoch) for node in replicas))
        if all(held) and self._is_primary and self._standing.epoch == epoch:
            self._data_plane.admit_until(asked_at + self._timings.serves_s)

    async def _ask_hold(self, node: str, epoch: int) -> bool:
        topology = self._standing.topology
        record = topology.node(node) if topology else None
        if record is None:
            return False
        message = Hold(self._settings.cluster_id, self._standing.shard, epoch, self._settings.node)
        try:
            reply = await self._transport.call(
                record.address, message, timeout_s=self._timings.heartbeat_s
            )
        except Error:
            return False
        return isinstance(reply, Held) and reply.is_held

    # --- orders ------------------------------------------------------------------------------

    async def handle(self, message: Message) -> Reply:
        """Do what a message says.

        Raises:
            InvalidError: It is for another cluster, shard or kind of process.
            FencedError: Its term or epoch is over.
            UnavailableError: This node holds: its primary is alive.
        """
        match message:
            case Probe(cluster_id):
                self._standing.check_cluster(cluster_id)
                return self.report()
            case NewTopology(cluster_id, term, document):
                self._standing.check_cluster(cluster_id)
                async with self._turn:
                    await self._apply(term, document)
                self.hurry()
                return self.report()
            case Hold():
                async with self._turn:
                    return self._answer_hold(message)
            case Order():
                async with self._turn:
                    return await self._obey(message)
            case _:
                raise InvalidError("this is a node, heartbeats go to a coordinator")

    def _answer_hold(self, message: Hold) -> Held:
        standing = self._standing
        standing.check_cluster(message.cluster_id)
        is_mine = standing.epoch == message.epoch and self._follows == message.primary
        if is_mine:
            self._hold_until = self._timing.monotonic() + self._timings.lease_s
        return Held(is_mine)

    async def _obey(self, order: Order) -> Report:
        standing = self._standing.accept(order)
        if standing.epoch > self._standing.epoch:
            self._refuse_held()
        await self._keep(standing)
        await self._execution(order)()
        return self.report()

    def _refuse_held(self) -> None:
        left = self._hold_until - self._timing.monotonic()
        if left > 0:
            raise UnavailableError(
                f"node {self._settings.node} holds for {left:.1f} s more: its primary is alive"
            )

    async def _keep(self, standing: Standing) -> None:
        """Make the standing durable before anything follows from it."""
        if standing == self._standing:
            return
        is_new_epoch = standing.epoch > self._standing.epoch
        if is_new_epoch:
            self._step_down()
        await self._file.store(standing)
        self._standing = standing
        if is_new_epoch:
            await self._data_plane.fence(standing.epoch)

    def _step_down(self) -> None:
        self._is_primary = self._is_paused = False
        self._follows = None
        self._granted_at = None
        self._promotable.clear()

    def _execution(self, order: Order) -> Callable[[], Awaitable[None]]:
        async def nothing() -> None:
            """A fence is obeyed by keeping the standing."""

        match order:
            case Promote():
                return lambda: self._promote(order)
            case Follow():
                return lambda: self._follow(order)
            case Pause():
                return self._pause
            case Resume():
                return self._resume
            case Fence():
                return nothing
            case _:
                raise InvalidError(f"unknown order {type(order).__name__}: upgrade this node")

    async def _promote(self, order: Promote) -> None:
        if self._follows is not None:
            raise FencedError(f"epoch {order.epoch} has another primary already: {self._follows}")
        if not self._data_plane.is_complete():
            raise ConflictError("half a copy cannot lead: the full synchronization is under way")
        if not self._is_primary:
            # After a restart the end of the reign's log may be lost: it must not go on elsewhere.
            if self._data_plane.history().position.epoch >= order.epoch:
                raise FencedError(f"epoch {order.epoch} has begun on this node before: elect anew")
            await self._data_plane.promote(order.epoch, order.semi)
            self._is_primary = True

    async def _follow(self, order: Follow) -> None:
        if order.primary == self._settings.node:
            raise InvalidError("a node cannot follow itself")
        self._step_down()
        await self._data_plane.follow(order.epoch, order.primary, order.address)
        self._follows = order.primary

    async def _pause(self) -> None:
        if not self._is_primary:
            raise ConflictError("only a primary can let writes wait")
        self._is_paused = True
        await self._data_plane.pause()

    async def _resume(self) -> None:
        self._is_paused = False
        self._data_plane.resume()
