"""A simulated data plane: a log, a disk that may forget what was not synced, and replication."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.cluster.machines import Machine, MachineTiming, Network

from aidb.cluster.agent import Agent, AgentSettings
from aidb.cluster.history import (
    Continue,
    Diverged,
    FullSync,
    History,
    Reign,
    Resumption,
    plan_resumption,
)
from aidb.cluster.orders import Message
from aidb.cluster.standing import Standing
from aidb.cluster.timing import Timings
from aidb.errors import Error, FencedError, UnavailableError

PULL_S = 0.05
BATCH = 64


@dataclass
class Disk:
    """What outlives a process: the log, its reigns, what was promised, what was saved."""

    log: list[str] = field(default_factory=list)
    synced: int = 0
    reigns: tuple[Reign, ...] = ()
    standing: Standing | None = None
    lost_found: list[list[str]] = field(default_factory=list)

    def lose_unsynced(self, random: Random) -> None:
        """What a power failure leaves."""
        del self.log[random.randint(self.synced, len(self.log)) :]

    def load(self) -> Standing | None:
        return self.standing

    async def store(self, standing: Standing) -> None:
        self.standing = standing


@dataclass(frozen=True)
class Pull:
    """A replica asks for what follows its log; everything it names is durable there."""

    replica: str
    epoch: int
    history: History


@dataclass(frozen=True)
class Sent:
    """Answer to a pull."""

    resumption: Resumption
    entries: tuple[str, ...] = ()
    reigns: tuple[Reign, ...] = ()


@dataclass(frozen=True)
class Write:
    """A client appends a value."""

    value: str


@dataclass(frozen=True)
class Read:
    """A client reads what was appended last."""


@dataclass(frozen=True)
class Done:
    """The write is acknowledged."""

    epoch: int
    seq: int


@dataclass(frozen=True)
class Contents:
    """Answer to a read: the last value and its place."""

    seq: int
    value: str


class SimulatedDataPlane:
    """Writes are appended, synced, replicated to `semi` voters and then acknowledged."""

    def __init__(
        self, name: str, disk: Disk, machine: Machine, network: Network, random: Random
    ) -> None:
        self.name, self.disk, self._machine, self._random = name, disk, machine, random
        self._timing = MachineTiming(machine)
        self._transport = network.from_machine(name)
        self._epoch = disk.standing.epoch if disk.standing else 0
        self._is_primary = False
        self._is_paused = False
        self._admitted_until = 0.0
        self._semi = 0
        self._voters: tuple[str, ...] = ()
        self._voters_version = 0
        self._settled_version = 0
        self._settle_seq = 0
        self._acknowledged = 0
        self._durable: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._caught_up: set[str] = set()
        self._is_complete = True
        self._changed = asyncio.Event()
        self.hurry: Callable[[], None] = lambda: None
        self._following: asyncio.Task[None] | None = None
        self._sync_turn = asyncio.Lock()

    # --- what the agent asks -----------------------------------------------------------------

    def history(self) -> History:
        return begun(self.disk.reigns, self.disk.synced)

    def is_complete(self) -> bool:
        return self._is_complete

    def caught_up(self) -> tuple[str, ...]:
        return tuple(sorted(self._caught_up))

    async def fence(self, epoch: int) -> None:
        self._epoch = epoch
        self._stop()

    async def promote(self, epoch: int, semi: int) -> None:
        self._stop()
        await self._sync()
        self.disk.reigns = (*self.disk.reigns, Reign(epoch, len(self.disk.log) + 1, self.name))
        self._epoch, self._semi, self._is_primary = epoch, semi, True
        self._acknowledged = len(self.disk.log)
        self._admitted_until = 0.0
        self._voters, self._voters_version, self._settled_version = (), 0, 0

    async def follow(self, epoch: int, primary: str, address: str) -> None:
        self._epoch = epoch
        self._stop()
        self._following = self._machine.spawn(self._replicate(primary, address))

    def count(self, voters: Sequence[str], version: int) -> None:
        if version > self._voters_version:
            self._voters, self._voters_version = tuple(voters), version
            self._settle_seq = self._acknowledged
            self._settle()

    def settled_version(self) -> int:
        return self._settled_version

    def admit_until(self, monotonic_s: float) -> None:
        self._admitted_until = max(self._admitted_until, monotonic_s)

    async def pause(self) -> None:
        self._is_paused = True
        await self._sync()

    def resume(self) -> None:
        self._is_paused = False

    # --- clients -----------------------------------------------------------------------------

    @property
    def is_serving(self) -> bool:
        """Whether it may acknowledge and answer now."""
        return self._is_primary and self._timing.monotonic() < self._admitted_until

    async def write(self, value: str) -> Done:
        if not self.is_serving or self._is_paused:
            raise UnavailableError("not a primary with a lease")
        epoch = self._epoch
        self.disk.log.append(value)
        seq = len(self.disk.log)
        if self._semi:
            await self._sync()
        while not self._is_replicated(seq):
            self._changed.clear()
            await self._changed.wait()
            if self._epoch != epoch or not self._is_primary:
                raise FencedError("a newer reign has begun", effect="unknown")
        if not self.is_serving or self._epoch != epoch:
            raise UnavailableError("the lease ended", effect="unknown")
        self._acknowledged = max(self._acknowledged, seq)
        return Done(epoch, seq)

    def read(self) -> Contents:
        if not self.is_serving:
            raise UnavailableError("not a primary with a lease")
        seq = self._acknowledged
        return Contents(seq, self.disk.log[seq - 1] if seq else "")

    def _is_replicated(self, seq: int) -> bool:
        holders = sum(self._durable.get(node, 0) >= seq for node in self._voters)
        return holders >= self._semi

    def _settle(self) -> None:
        is_new = self._settled_version != self._voters_version
        if is_new and (self._settle_seq == 0 or self._is_replicated(self._settle_seq)):
            self._settled_version = self._voters_version
            self.hurry()

    # --- the log -----------------------------------------------------------------------------

    async def _sync(self) -> None:
        async with self._sync_turn:
            wanted = len(self.disk.log)
            if wanted > self.disk.synced:
                await self._timing.sleep(self._random.uniform(0.0005, 0.01))
                self.disk.synced = max(self.disk.synced, min(wanted, len(self.disk.log)))

    async def sync_forever(self) -> None:
        while True:
            await self._timing.sleep(0.1)
            await self._sync()

    def answer_pull(self, pull: Pull) -> Sent:
        if not self._is_primary or pull.epoch != self._epoch:
            raise FencedError(f"this node does not lead epoch {pull.epoch}")
        resumption = plan_resumption(self._shipped(), 1, pull.history)
        if not isinstance(resumption, Continue):
            return Sent(resumption)
        if pull.history.position.epoch == self._epoch:
            self._note_durable(pull.replica, resumption.seq)
        last = min(resumption.seq + BATCH, self._shipped().end_seq)
        reigns = tuple(r for r in self.disk.reigns if r.first_seq <= last + 1)
        return Sent(resumption, tuple(self.disk.log[resumption.seq : last]), reigns)

    def _note_durable(self, replica: str, seq: int) -> None:
        self._durable[replica] = seq
        if seq >= self._asked.get(replica, 1 << 60) and replica not in self._caught_up:
            self._caught_up.add(replica)
            self.hurry()
        self._asked[replica] = self._acknowledged
        self._settle()
        self._changed.set()

    def _shipped(self) -> History:
        """With `semi` only what is durable here is sent."""
        end = self.disk.synced if self._semi else len(self.disk.log)
        return begun(self.disk.reigns, end)

    async def _replicate(self, primary: str, address: str) -> None:
        while True:
            pull = Pull(self.name, self._epoch, self.history())
            try:
                sent: Sent = await self._transport.call(address, pull, timeout_s=1.0)
                await self._append(sent)
            except Error:
                await self._timing.sleep(0.2)
            await self._timing.sleep(PULL_S)

    async def _append(self, sent: Sent) -> None:
        match sent.resumption:
            case Diverged(seq, _):
                self._cut(seq)
            case FullSync(_):
                self._cut(0)
            case Continue(seq):
                if len(self.disk.log) > seq:
                    # Not durable here, so the primary was not told of it: it is sent again.
                    del self.disk.log[seq:]
                self.disk.log.extend(sent.entries)
                self.disk.reigns = sent.reigns
                await self._sync()

    def _cut(self, seq: int) -> None:
        self.disk.lost_found.append(self.disk.log[seq:])
        del self.disk.log[seq:]
        self.disk.synced = min(self.disk.synced, seq)
        self.disk.reigns = begun(self.disk.reigns, seq).reigns

    def _stop(self) -> None:
        self._is_primary = self._is_paused = False
        self._durable.clear()
        self._asked.clear()
        self._caught_up.clear()
        self._changed.set()
        if self._following is not None:
            self._following.cancel()
            self._following = None


class SimulatedNode:
    """A machine with a disk, a data plane and an agent."""

    def __init__(self, name: str, network: Network, random: Random, timings: Timings) -> None:
        self.name, self._network, self._random = name, network, random
        self._timings = timings
        self.disk = Disk()
        self.machine = Machine(name, random)
        network.machines[name] = self.machine
        self.data_plane: SimulatedDataPlane | None = None
        self.agent: Agent | None = None

    def start(self, cluster_id: str, coordinators: tuple[str, ...]) -> None:
        data_plane = SimulatedDataPlane(
            self.name, self.disk, self.machine, self._network, self._random
        )
        settings = AgentSettings(
            self.name, cluster_id, self.name, self.name, coordinators, self._timings
        )
        transport = self._network.from_machine(self.name)
        timing = MachineTiming(self.machine)
        self.agent = Agent(settings, data_plane, self.disk, transport, timing)
        data_plane.hurry = self.agent.hurry
        self.data_plane = data_plane
        self.machine.start(self._handle)
        self.machine.spawn(self.agent.run())
        self.machine.spawn(data_plane.sync_forever())

    def kill(self, *, loses_power: bool = False) -> None:
        self.machine.kill()
        self.agent = self.data_plane = None
        if loses_power:
            self.disk.lose_unsynced(self._random)
        # Whatever a restarted process finds in its log it makes durable first.
        self.disk.synced = len(self.disk.log)
        self.disk.reigns = begun(self.disk.reigns, len(self.disk.log)).reigns

    async def _handle(self, message: Any) -> Any:
        assert self.agent is not None
        assert self.data_plane is not None
        match message:
            case Write(value):
                return await self.data_plane.write(value)
            case Read():
                return self.data_plane.read()
            case Pull():
                return self.data_plane.answer_pull(message)
            case _:
                reply: Message = message
                return await self.agent.handle(reply)


def begun(reigns: tuple[Reign, ...], end_seq: int) -> History:
    """The history of a log that ends there."""
    return History(tuple(r for r in reigns if r.first_seq <= end_seq + 1), end_seq)
