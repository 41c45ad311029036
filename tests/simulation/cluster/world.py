"""A whole cluster on virtual time: coordinators, a store, nodes, clients, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.cluster.machines import Machine, MachineTiming, Network
from tests.simulation.cluster.nodes import Contents, Done, Read, SimulatedNode, Write

from aidb.cluster.coordinator import Coordinator, CoordinatorSettings
from aidb.cluster.model import ShardState, Topology
from aidb.cluster.orders import Heartbeat
from aidb.cluster.store import Change, Comparison, Event, Item, Outcome
from aidb.cluster.store.memory import MemoryStore
from aidb.cluster.timing import Timings
from aidb.errors import Error, UnavailableError

CLUSTER = "simulated"
TIMINGS = Timings(failover_interval_s=10.0)


@dataclass
class Acknowledged:
    """A write that a client was told to be done."""

    value: str
    shard: str
    node: str
    epoch: int
    seq: int
    at: float


@dataclass
class Observed:
    """A read that a client got."""

    shard: str
    seq: int
    value: str
    known_seq: int
    """The last write that was acknowledged before it began."""


@dataclass
class Record:
    """Everything that clients saw."""

    writes: list[Acknowledged] = field(default_factory=list)
    reads: list[Observed] = field(default_factory=list)
    unknown: int = 0
    refused: int = 0


class FarStore:
    """The metadata store as one coordinator reaches it: over the network, or not at all."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name

    async def _reach(self, what: str, *arguments: Any) -> Any:
        return await self._world.network.call(self._name, "store", (what, arguments), 1.0)

    async def get(self, key: str) -> Item | None:
        found: Item | None = await self._reach("get", key)
        return found

    async def range(self, prefix: str) -> list[Item]:
        found: list[Item] = await self._reach("range", prefix)
        return found

    async def transact(
        self, comparisons: Sequence[Comparison], changes: Sequence[Change]
    ) -> Outcome:
        outcome: Outcome = await self._reach("transact", comparisons, changes)
        return outcome

    async def grant(self, ttl_s: float) -> int:
        lease: int = await self._reach("grant", ttl_s)
        return lease

    async def keep_alive(self, lease: int) -> bool:
        is_alive: bool = await self._reach("keep_alive", lease)
        return is_alive

    async def revoke(self, lease: int) -> None:
        await self._reach("revoke", lease)

    def watch(self, prefix: str) -> AsyncIterator[Event]:
        return self._world.store.watch(prefix)

    async def close(self) -> None:
        """The store belongs to the world."""


class World:
    """`shards` shards of `copies` nodes each, and `coordinators` coordinators."""

    def __init__(
        self, seed: int, *, shards: int = 2, copies: int = 3, semi: int = 1, coordinators: int = 2
    ) -> None:
        self.random = Random(seed)
        self.semi = semi
        self.network = Network(self.random)
        self.record = Record()
        self.alarms: Counter[str] = Counter()
        self._store_machine = self._machine("store")
        self.store = MemoryStore(MachineTiming(self._store_machine))
        self.coordinators: dict[str, Coordinator] = {}
        names = [f"c{number}" for number in range(1, coordinators + 1)]
        self._coordinator_machines = {name: self._machine(name) for name in names}
        self.groups = {
            f"s{s}": [f"n{s}{copy}" for copy in "abcdefg"[:copies]] for s in range(1, shards + 1)
        }
        self.nodes = {
            name: SimulatedNode(name, self.network, self.random, TIMINGS)
            for group in self.groups.values()
            for name in group
        }
        self._values = 0
        self._last_topology = Topology(CLUSTER)
        self._clients: list[asyncio.Task[None]] = []

    def _machine(self, name: str) -> Machine:
        machine = Machine(name, self.random)
        self.network.machines[name] = machine
        return machine

    # --- beginning and end -------------------------------------------------------------------

    async def begin(self) -> None:
        """Start everything and wait until every shard has a primary and its voters."""
        self._store_machine.start(self._serve_store)
        for name in self._coordinator_machines:
            self.start_coordinator(name)
        for name in self.nodes:
            self.start_node(name)
        await self.until(lambda: len(self.topology.nodes) == len(self.nodes))
        while True:
            leader = next((c for c in self.coordinators.values() if c.is_leading), None)
            try:
                if leader is not None:
                    await leader.create_shards(self.groups, self.semi)
                    break
            except Error:
                pass
            await asyncio.sleep(0.5)
        await self.until(self.is_whole)
        self._clients = [
            asyncio.get_running_loop().create_task(self._client(shard))
            for shard in self.groups
            for _ in range(2)
        ]

    async def finish(self) -> None:
        """Heal everything, let the cluster converge, stop the clients."""
        self.heal()
        await self.until(self.is_whole, within_s=60)
        wanted = {shard: len(self.acknowledged(shard)) + 3 for shard in self.groups}
        await self.until(
            lambda: all(len(self.acknowledged(s)) >= n for s, n in wanted.items()), within_s=60
        )
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self.until(self.are_alike, within_s=60)

    async def until(self, holds: Any, within_s: float = 120) -> None:
        """Wait for something to become true."""
        deadline = asyncio.get_running_loop().time() + within_s
        while not holds():
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not within {within_s} s: {self.describe()}")
            await asyncio.sleep(0.1)

    # --- the parts ---------------------------------------------------------------------------

    async def _serve_store(self, message: Any) -> Any:
        what, arguments = message
        return await getattr(self.store, what)(*arguments)

    def start_coordinator(self, name: str) -> None:
        machine = self._coordinator_machines[name]
        settings = CoordinatorSettings(name, name, CLUSTER, TIMINGS)
        coordinator = Coordinator(
            settings,
            FarStore(self, name),
            self.network.from_machine(name),
            MachineTiming(machine),
            lambda shard, why: self.alarms.update([f"{shard}: {why}"]),
        )
        self.coordinators[name] = coordinator

        async def handle(message: Any) -> Any:
            assert isinstance(message, Heartbeat)
            return await coordinator.heartbeat(message)

        machine.start(handle)
        machine.spawn(coordinator.run())

    def kill_coordinator(self, name: str) -> None:
        self._coordinator_machines[name].kill()
        self.coordinators.pop(name, None)

    def start_node(self, name: str) -> None:
        self.nodes[name].start(CLUSTER, tuple(self._coordinator_machines))

    def heal(self) -> None:
        """Every machine runs, every message arrives."""
        self.network.heal()
        for machine in self.network.machines.values():
            machine.resume()
        self._store_machine.start(self._serve_store)
        for name in self._coordinator_machines:
            if name not in self.coordinators:
                self.start_coordinator(name)
        for name, node in self.nodes.items():
            if node.agent is None:
                self.start_node(name)

    @property
    def topology(self) -> Topology:
        """The highest version that any coordinator had so far."""
        known = [self._last_topology, *(c.topology for c in self.coordinators.values())]
        self._last_topology = max(known, key=lambda topology: topology.version)
        return self._last_topology

    # --- what should come true ---------------------------------------------------------------

    def is_whole(self) -> bool:
        """Every shard runs and all its members are ready."""
        topology = self.topology
        return len(topology.shards) == len(self.groups) and all(
            shard.state is ShardState.RUNNING and len(shard.counted) == len(shard.full_members) - 1
            for shard in topology.shards
        )

    def are_alike(self) -> bool:
        """All members of a shard hold the same log."""
        return all(
            len({tuple(self.nodes[name].disk.log) for name in group}) == 1
            for group in self.groups.values()
        )

    def describe(self) -> str:
        """For the message of a failure."""
        lines = []
        for shard in self.topology.shards:
            states = {member.node: member.state.value for member in shard.members}
            lines.append(f"{shard.id} {shard.state} epoch {shard.epoch} {shard.authority} {states}")
        for name, node in self.nodes.items():
            found = node.agent.report() if node.agent else None
            lines.append(
                f"{name} epoch {found.epoch} primary {found.is_primary} follows {found.follows}"
                f" at {found.position} topology {found.topology_version} hold {found.hold_s:.1f}"
                if found
                else f"{name} is down"
            )
        lines.append(f"leading {[name for name, c in self.coordinators.items() if c.is_leading]}")
        lines += [f"{count} x {alarm}" for alarm, count in self.alarms.most_common(8)]
        return "\n".join(("", *lines))

    # --- clients -----------------------------------------------------------------------------

    def acknowledged(self, shard: str) -> list[str]:
        return [write.value for write in self.record.writes if write.shard == shard]

    async def _client(self, shard_id: str) -> None:
        """Stay with the node that answered last, and look for another when it does not."""
        node: str | None = None
        while True:
            await asyncio.sleep(self.random.uniform(0.01, 0.1))
            if node is None:
                shard = self.topology.shard(shard_id)
                known = shard.primary if shard and self.random.random() < 0.7 else None
                node = known or self.random.choice(self.groups[shard_id])
            work = self._read if self.random.random() < 0.3 else self._write
            if not await work(shard_id, node):
                node = None

    async def _write(self, shard: str, node: str) -> bool:
        self._values += 1
        value = f"{shard}-{self._values}"
        try:
            done: Done = await self.network.call("client", node, Write(value), 1.0)
        except UnavailableError as error:
            self.record.unknown += error.effect == "unknown"
            self.record.refused += error.effect == "none"
            return False
        except Error:
            return False
        now = asyncio.get_running_loop().time()
        self.record.writes.append(Acknowledged(value, shard, node, done.epoch, done.seq, now))
        return True

    async def _read(self, shard: str, node: str) -> bool:
        known_seq = max((w.seq for w in self.record.writes if w.shard == shard), default=0)
        try:
            contents: Contents = await self.network.call("client", node, Read(), 1.0)
        except Error:
            return False
        self.record.reads.append(Observed(shard, contents.seq, contents.value, known_seq))
        return True
