"""A coordinator: leads if it can, listens to heartbeats, and keeps the cluster as it shall be.

One round, a few times per second: keep the leadership, read the topology, probe who is silent, ask
`supervision` what differs from what shall be, and start what it says. Elections run beside the
rounds, one per shard. Everything in memory may be lost at any moment; the topology may not, and
every change of it compares the leader and the revision it was computed from.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from aidb.cluster.document import encode_topology
from aidb.cluster.election import Conductor, Tools, give, switch_over
from aidb.cluster.failover import Wish
from aidb.cluster.health import Health, Sighting, assess_node
from aidb.cluster.history import START, Position
from aidb.cluster.leadership import Leadership
from aidb.cluster.model import Member, NodeRecord, Shard, Topology
from aidb.cluster.orders import (
    Follow,
    Granted,
    Heartbeat,
    NewTopology,
    NotLeading,
    Probe,
    Report,
    Resume,
    Transport,
)
from aidb.cluster.placement import place_slots
from aidb.cluster.registry import Registry
from aidb.cluster.store import MetadataStore
from aidb.cluster.supervision import (
    Alarm,
    Decision,
    Elect,
    LetFollow,
    LetResume,
    Seen,
    SetState,
    assess_cluster,
)
from aidb.cluster.timing import DEFAULTS, Timing, Timings, wait_for
from aidb.errors import ConflictError, Error, InvalidError, UnavailableError


@dataclass(frozen=True, slots=True)
class CoordinatorSettings:
    """What one coordinator is told."""

    name: str
    """Unlike that of every other coordinator."""
    address: str
    cluster_id: str
    timings: Timings = DEFAULTS
    loss_max: int = 1000
    """Batches that the failover of an asynchronous shard may lose without an operator."""


class Coordinator:
    """One coordinator process."""

    def __init__(
        self,
        settings: CoordinatorSettings,
        store: MetadataStore,
        transport: Transport,
        timing: Timing,
        alarm: Callable[[str, str], None] = lambda _shard, _why: None,
    ) -> None:
        """Not leading yet.

        Args:
            settings: Who it is.
            store: What must not be lost.
            transport: Reaches the nodes.
            timing: The time of this process.
            alarm: Gets a shard and what an operator should know about it.
        """
        self._settings, self._timings = settings, settings.timings
        self._timing, self._transport = timing, transport
        self._leadership = Leadership(
            store, settings.name, settings.address, timing, settings.timings
        )
        self._registry = Registry(store, self._leadership, settings.cluster_id)
        self._alarm = alarm
        self._sightings: dict[str, Sighting] = {}
        self._granted_at: dict[str, float] = {}
        self._leads_since = 0.0
        self._operations: dict[str, asyncio.Task[Any]] = {}
        self._messages: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._spread_version = 0
        self._frozen: str | None = None
        self._tools = Tools(
            self._registry, self._leadership, transport, self, timing, self._timings,
            settings.loss_max, alarm,
        )  # fmt: skip

    # --- what elections ask ------------------------------------------------------------------

    def safe_at(self, shard: str) -> float:
        """From this monotonic time on no lease granted for the shard is valid.

        A former leader may go on granting for as long as it believes in its leadership, even if the
        store lost its key early.
        """
        last_of_former = self._leads_since + self._timings.leads_s
        granted_at = max(self._granted_at.get(shard, last_of_former), last_of_former)
        return granted_at + self._timings.safe_after_s

    def last_known(self, node: str | None) -> Position:
        """What the node last reported to have."""
        sighting = self._sightings.get(node or "")
        return sighting.report.position if sighting and sighting.report else START

    def note(self, report: Report) -> None:
        """A node answered."""
        now = self._timing.monotonic()
        before = self._sighting(report.node)
        self._sightings[report.node] = before.heard(report, now)
        if before.report is None or _is_news(before.report, report):
            self._news.set()

    # --- the rounds --------------------------------------------------------------------------

    @property
    def is_leading(self) -> bool:
        """Whether this coordinator leads and may act now."""
        return self._leadership.is_acting

    @property
    def topology(self) -> Topology:
        """As last read or written by this coordinator."""
        return self._registry.topology

    @property
    def frozen(self) -> str | None:
        """Why nothing is changed; None: all is well."""
        return self._frozen

    async def run(self) -> None:
        """Lead whenever possible, until cancelled."""
        try:
            while True:
                await self._lead_once()
                await self._timing.sleep(self._timings.round_s)
        finally:
            await self._drop_operations()

    async def _lead_once(self) -> None:
        try:
            if not await self._leadership.campaign():
                return
            await self._registry.load()
        except (UnavailableError, ConflictError):
            return
        self._sightings.clear()
        self._granted_at.clear()
        self._spread_version = 0
        self._leads_since = self._timing.monotonic()
        self._frozen = None
        while self._leadership.is_acting:
            await self._round()
            await self._pause()
        await self._drop_operations()

    async def _pause(self) -> None:
        """Wait for the next round, less when something happens; notice if it took too long."""
        before = self._timing.monotonic()
        await self._timing.sleep(self._timings.round_min_s)
        await wait_for(self._timing, self._news, self._timings.round_s)
        now = self._timing.monotonic()
        if now - before > self._timings.round_s + self._timings.stall_s:
            self._excuse_silence(now)

    async def _round(self) -> None:
        await self._leadership.renew()
        try:
            await self._registry.load()
        except UnavailableError:
            return
        self._frozen = self._find_rollback()
        if self._frozen:
            self._alarm("", self._frozen)
            return
        self._spread()
        await self._probe_silent()
        for decision in assess_cluster(self._registry.topology, self._seen(), self._timings):
            await self._carry_out(decision)
        self._spread()

    def _spread(self) -> None:
        """Give the topology to every node that has an older one; heartbeats bring it as well."""
        topology = self._registry.topology
        if topology.version == self._spread_version:
            return
        self._spread_version = topology.version
        message = NewTopology(topology.cluster_id, self._leadership.term, encode_topology(topology))
        for node in topology.nodes:
            task = asyncio.get_running_loop().create_task(self._give_topology(node, message))
            self._messages.add(task)
            task.add_done_callback(self._messages.discard)

    async def _give_topology(self, node: NodeRecord, message: NewTopology) -> None:
        timeout_s = self._timings.order_timeout_s
        with contextlib.suppress(Error):
            reply = await self._transport.call(node.address, message, timeout_s=timeout_s)
            if isinstance(reply, Report) and reply.node == node.id:
                self.note(reply)

    def _find_rollback(self) -> str | None:
        """A node that knows a later topology than the store: the store was set back."""
        known = self._registry.topology
        for node, sighting in self._sightings.items():
            report = sighting.report
            if report is None:
                continue
            if report.topology_version > known.version or report.term > self._leadership.term:
                return (
                    f"node {node} knows topology {report.topology_version} and term {report.term},"
                    f" the store {known.version} and {self._leadership.term}: it was restored from"
                    " an old copy, or another coordinator leads"
                )
        return None

    def _seen(self) -> Seen:
        now = self._timing.monotonic()
        sightings = {node.id: self._sighting(node.id) for node in self._registry.topology.nodes}
        health = {node: assess_node(s, now, self._timings) for node, s in sightings.items()}
        reports = {node: s.report for node, s in sightings.items() if s.report}
        return Seen(health, reports, self._timing.now())

    def _sighting(self, node: str) -> Sighting:
        return self._sightings.setdefault(node, Sighting(self._timing.monotonic()))

    def _excuse_silence(self, now: float) -> None:
        self._sightings = {node: s.excused(now) for node, s in self._sightings.items()}

    async def _probe_silent(self) -> None:
        now = self._timing.monotonic()
        silent = [
            node
            for node in self._registry.topology.nodes
            if assess_node(self._sighting(node.id), now, self._timings)
            in {Health.SUSPECT, Health.FAILED}
        ]
        await asyncio.gather(*(self._probe(node) for node in silent))

    async def _probe(self, node: NodeRecord) -> None:
        probe = Probe(self._settings.cluster_id)
        try:
            reply = await self._transport.call(
                node.address, probe, timeout_s=self._timings.probe_timeout_s
            )
        except Error:
            self._sightings[node.id] = self._sighting(node.id).missed()
            return
        if isinstance(reply, Report) and reply.node == node.id:
            self.note(reply)

    # --- decisions ---------------------------------------------------------------------------

    async def _carry_out(self, decision: Decision) -> None:
        if decision.shard in self._operations:
            return
        try:
            match decision:
                case Elect(shard, why):
                    self._alarm(shard, why)
                    self._begin(shard, Conductor(self._tools, shard).run())
                case SetState(shard, node, state):
                    version = self._registry.topology.version + 1
                    found = self._shard(shard).member(node)
                    if found is not None:
                        member = replace(found, state=state, since_version=version)
                        await self._registry.change_shard(shard, lambda s: s.with_member(member))
                case LetFollow(shard, node):
                    await give(self._tools, node, self._follow_order(shard))
                case LetResume(shard, node):
                    await give(self._tools, node, Resume(*self._heading(self._shard(shard))))
                case Alarm(shard, why):
                    self._alarm(shard, why)
        except Error as error:
            # Whatever failed is decided anew in the next round.
            self._alarm(decision.shard, str(error))

    def _follow_order(self, shard_id: str) -> Follow:
        shard = self._shard(shard_id)
        primary = self._registry.topology.node(shard.primary or "")
        if primary is None:
            raise ConflictError(f"shard {shard_id} has no primary to follow")
        return Follow(*self._heading(shard), primary=primary.id, address=primary.address)

    def _heading(self, shard: Shard) -> tuple[str, int, str, int]:
        return self._settings.cluster_id, self._leadership.term, shard.id, shard.epoch

    def _shard(self, shard_id: str) -> Shard:
        shard = self._registry.topology.shard(shard_id)
        if shard is None:
            raise InvalidError(f"there is no shard {shard_id}")
        return shard

    def _begin(self, shard_id: str, work: Coroutine[Any, Any, Shard]) -> asyncio.Task[Shard]:
        task = asyncio.get_running_loop().create_task(work, name=f"operation on {shard_id}")
        self._operations[shard_id] = task
        task.add_done_callback(lambda done: self._ended(shard_id, done))
        return task

    def _ended(self, shard_id: str, task: asyncio.Task[Shard]) -> None:
        self._operations.pop(shard_id, None)
        self._news.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._alarm(shard_id, str(error))

    async def _drop_operations(self) -> None:
        tasks = [*self._operations.values(), *self._messages]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what others ask ---------------------------------------------------------------------

    async def heartbeat(self, beat: Heartbeat) -> Granted | NotLeading:
        """A node reports.

        Raises:
            InvalidError: It belongs to another cluster.
        """
        if beat.cluster_id != self._settings.cluster_id:
            raise InvalidError(
                f"node {beat.report.node} is of cluster {beat.cluster_id}, this coordinator of"
                f" {self._settings.cluster_id}: check the addresses of the coordinators"
            )
        if not self._leadership.is_acting:
            leader = self._leadership.leader
            known = leader.address if leader and leader.id != self._settings.name else None
            return NotLeading(known)
        self.note(beat.report)
        await self._register(beat)
        topology = self._registry.topology
        is_older = beat.report.topology_version < topology.version
        document = encode_topology(topology) if is_older else None
        return Granted(self._leadership.term, self._grant(beat.report), document)

    def _grant(self, report: Report) -> bool:
        shard = self._registry.topology.shard_of(report.node)
        if (
            shard is None
            or self._frozen
            or shard.primary != report.node
            or not report.is_primary
            or report.epoch != shard.epoch
            or shard.id in self._operations
            or not self._leadership.is_acting
        ):
            return False
        self._granted_at[shard.id] = self._timing.monotonic()
        return True

    async def _register(self, beat: Heartbeat) -> None:
        record = NodeRecord(beat.report.node, beat.address, beat.client_address)
        if self._frozen or self._registry.topology.node(record.id) == record:
            return
        try:
            await self._registry.change(lambda topology: topology.with_node(record))
        except (ConflictError, UnavailableError) as error:
            self._alarm("", f"node {record.id} is not registered yet: {error}")

    # --- what operators order ----------------------------------------------------------------

    async def create_shards(self, groups: dict[str, list[str]], semi: int = 0) -> Topology:
        """Make the shards of a new cluster and give them all slots.

        Args:
            groups: The registered nodes of each shard.
            semi: Full replicas that must hold a write before it is acknowledged.

        Raises:
            InvalidError: The cluster has shards already, or a node is unknown or named twice.
            ConflictError: This coordinator does not lead.
        """
        if self._registry.topology.shards:
            raise InvalidError("the cluster has shards already: add a shard instead")
        placed = place_slots(groups)

        def create(topology: Topology) -> Topology:
            for name, nodes in groups.items():
                members = tuple(Member(node) for node in sorted(nodes))
                shard = Shard(name, members=members, slots=placed[name], semi=semi)
                topology = topology.with_shard(shard)
            return topology

        return await self._registry.change(create)

    async def switch_over(self, shard_id: str, target: str) -> Shard:
        """Make a replica the primary without losing a write.

        Raises:
            InvalidError: Not a running shard, or not a ready member of it.
            ConflictError: Something else is under way on the shard, or this one does not lead.
            UnavailableError: The target did not catch up; writes go on where they were.
        """
        self._refuse_busy(shard_id)
        return await self._begin(shard_id, switch_over(self._tools, shard_id, target))

    async def fail_over(self, shard_id: str, *, is_forced: bool = False) -> Shard:
        """Elect a primary anew.

        Args:
            shard_id: Any shard with members.
            is_forced: Accept that what only the last primary had is lost.

        Raises:
            ConflictError: Something else is under way on the shard, or this one does not lead. A
                forced failover takes the place of what is under way.
        """
        under_way = self._operations.get(shard_id)
        if is_forced and under_way is not None:
            under_way.cancel()
            await asyncio.wait([under_way])
        self._refuse_busy(shard_id)
        wish = Wish(is_forced=is_forced)
        return await self._begin(shard_id, Conductor(self._tools, shard_id, wish).run())

    def _refuse_busy(self, shard_id: str) -> None:
        self._leadership.guard()
        self._shard(shard_id)
        if shard_id in self._operations:
            name = self._operations[shard_id].get_name()
            raise ConflictError(f"{name} is under way: wait for it")


def _is_news(before: Report, after: Report) -> bool:
    """Whether a report may ask for a decision that the one before did not."""
    watched = ("epoch", "is_primary", "follows", "caught_up", "settled_version", "is_paused")
    return any(getattr(before, name) != getattr(after, name) for name in watched)
