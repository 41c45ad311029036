"""Carries out elections and switchovers: asks `failover.next_step`, does that, asks again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from aidb.cluster.failover import (
    ANY,
    AskFence,
    Blocked,
    Circumstances,
    Election,
    Publish,
    Step,
    TakeEpoch,
    Tell,
    WaitUntil,
    Wish,
    next_step,
)
from aidb.cluster.history import Position
from aidb.cluster.leadership import Leadership
from aidb.cluster.model import MemberState, Role, Shard, ShardState
from aidb.cluster.orders import (
    Fence,
    Message,
    Order,
    Pause,
    Probe,
    Promote,
    Report,
    Resume,
    Transport,
)
from aidb.cluster.registry import Registry
from aidb.cluster.timing import Timing, Timings
from aidb.errors import ConflictError, Error, InvalidError, UnavailableError


class Knowledge(Protocol):
    """What the coordinator knows besides the topology."""

    def safe_at(self, shard: str) -> float:
        """From this monotonic time on no lease granted for the shard is valid."""
        ...

    def last_known(self, node: str | None) -> Position:
        """What the node last reported to have."""
        ...

    def note(self, report: Report) -> None:
        """A node answered."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What carrying out needs."""

    registry: Registry
    leadership: Leadership
    transport: Transport
    knowledge: Knowledge
    timing: Timing
    timings: Timings
    loss_max: int
    alarm: Callable[[str, str], None]
    """Gets a shard and what an operator should know about it."""


class Conductor:
    """Leads one shard through one election."""

    def __init__(self, tools: Tools, shard_id: str, wish: Wish = ANY) -> None:
        """Nothing has happened yet.

        Args:
            tools: What carrying out needs.
            shard_id: The shard to find a primary for.
            wish: Why.
        """
        self._tools, self._shard_id, self._wish = tools, shard_id, wish
        self._election: Election | None = None

    async def run(self) -> Shard:
        """Go on until the shard has a primary.

        Raises:
            ConflictError: This coordinator does not lead any more.
            UnavailableError: The metadata store is away; a later leader finishes.
        """
        while True:
            step = next_step(self._shard, self._election, self._wish, self._circumstances())
            await self._do(step)
            if isinstance(step, Publish):
                return self._shard

    @property
    def _shard(self) -> Shard:
        return _known_shard(self._tools.registry, self._shard_id)

    def _circumstances(self) -> Circumstances:
        knowledge = self._tools.knowledge
        return Circumstances(
            now=self._tools.timing.monotonic(),
            safe_at=knowledge.safe_at(self._shard_id),
            last_known=knowledge.last_known(self._shard.authority),
            grace_s=self._tools.timings.election_grace_s,
            loss_max=self._tools.loss_max,
        )

    async def _do(self, step: Step) -> None:
        self._tools.leadership.guard()
        match step:
            case TakeEpoch():
                failed_at = None if self._wish.target else self._tools.timing.now()
                shard = await self._change(take_epoch(failed_at))
                self._election = Election(shard.epoch, self._tools.timing.monotonic())
            case AskFence(nodes, _):
                await self._ask(nodes)
            case WaitUntil(_):
                # The last primary may answer meanwhile, which ends the waiting.
                await self._ask(self._unanswered())
                await self._tools.timing.sleep(self._tools.timings.round_min_s)
            case Tell(node):
                await self._tell(node)
            case Publish(node, floor):
                version = self._tools.registry.topology.version + 1
                await self._change(publish(node, floor, version))
            case Blocked(why):
                self._tools.alarm(self._shard_id, why)
                await self._tools.timing.sleep(self._tools.timings.round_s)

    async def _change(self, how: Callable[[Shard], Shard]) -> Shard:
        return await self._tools.registry.change_shard(self._shard_id, how)

    def _unanswered(self) -> tuple[str, ...]:
        answers = self._election.answers if self._election else {}
        return tuple(node for node in self._shard.full_members if node not in answers)

    async def _ask(self, nodes: Iterable[str]) -> None:
        reports = await asyncio.gather(*(self._ask_one(node) for node in nodes))
        if None in reports:
            await self._tools.timing.sleep(self._tools.timings.round_s)
        for report in reports:
            if report is not None and self._election and report.epoch == self._election.epoch:
                answers = {**self._election.answers, report.node: report}
                self._election = replace(self._election, answers=answers)

    async def _ask_one(self, node: str) -> Report | None:
        try:
            return await give(self._tools, node, Fence(*self._heading()))
        except Error:
            return None

    async def _tell(self, node: str) -> None:
        try:
            order = Promote(*self._heading(), semi=self._shard.semi)
            report = await give(self._tools, node, order)
        except Error:
            # It may have begun its reign: somebody else must get another epoch.
            self._election = None
            return
        if self._election and report.is_primary and report.epoch == self._election.epoch:
            self._election = replace(self._election, promoted=report)

    def _heading(self) -> tuple[str, int, str, int]:
        topology = self._tools.registry.topology
        return topology.cluster_id, self._tools.leadership.term, self._shard_id, self._shard.epoch


async def switch_over(tools: Tools, shard_id: str, target: str) -> Shard:
    """Make a replica the primary without losing a write: pause, catch up, elect.

    Args:
        tools: What carrying out needs.
        shard_id: A running shard.
        target: A full member of it that is ready.

    Raises:
        InvalidError: Not such a shard or member.
        UnavailableError: The target did not catch up, or a node did not answer; writes go on where
            they were.
    """
    shard = _known_shard(tools.registry, shard_id)
    if shard.primary is None or target not in shard.counted:
        ready = list(shard.counted)
        raise InvalidError(
            f"{target} cannot take over {shard_id}: choose one that is ready, {ready}"
        )
    heading = (
        tools.registry.topology.cluster_id, tools.leadership.term, shard_id, shard.epoch
    )  # fmt: skip
    try:
        paused = await give(tools, shard.primary, Pause(*heading))
        await _catch_up(tools, target, paused.position)
    except Error as error:
        await _resume(tools, shard.primary, Resume(*heading))
        raise UnavailableError(f"switchover of {shard_id} to {target} given up: {error}") from error
    return await Conductor(tools, shard_id, Wish(target=target)).run()


async def _catch_up(tools: Tools, target: str, wanted: Position) -> None:
    deadline = tools.timing.monotonic() + tools.timings.switchover_s
    probe = Probe(tools.registry.topology.cluster_id)
    while (report := await give(tools, target, probe)).position < wanted:
        if tools.timing.monotonic() > deadline:
            raise UnavailableError(f"{target} is at {report.position}, {wanted} is needed")
        await tools.timing.sleep(0.01)


async def _resume(tools: Tools, primary: str, order: Resume) -> None:
    try:
        await give(tools, primary, order)
    except Error:
        # The next round finds it paused and tells it again.
        tools.alarm(order.shard, f"{primary} holds writes back and does not answer")


async def give(tools: Tools, node: str, message: Order | Probe) -> Report:
    """Send an order to a node and note what it reports.

    Raises:
        UnavailableError: No answer in time; the order may have been carried out.
        Error: What the node refused it with.
    """
    record = tools.registry.topology.node(node)
    if record is None:
        raise InvalidError(f"there is no node {node}")
    reply = await _call(tools, record.address, message)
    if not isinstance(reply, Report) or reply.node != node:
        raise ConflictError(f"{record.address} answers as somebody else than {node}")
    tools.knowledge.note(reply)
    return reply


async def _call(tools: Tools, address: str, message: Message) -> object:
    return await tools.transport.call(address, message, timeout_s=tools.timings.order_timeout_s)


def take_epoch(failed_at: float | None) -> Callable[[Shard], Shard]:
    """The shard begins to elect. Its last primary counts as a replica that has yet to catch up.

    Args:
        failed_at: Seconds since the Unix epoch, when a running primary is given up.
    """

    def change(shard: Shard) -> Shard:
        taken = replace(shard, epoch=shard.epoch + 1, state=ShardState.ELECTING)
        if failed_at is not None and shard.primary:
            taken = replace(taken, failed_over_at=failed_at)
        last = shard.member(shard.authority) if shard.authority else None
        return taken.with_member(replace(last, state=MemberState.SYNCING)) if last else taken

    return change


def publish(winner: str, floor: Position, version: int) -> Callable[[Shard], Shard]:
    """The winner leads; every other full member has to show anew that it caught up."""

    def change(shard: Shard) -> Shard:
        members = tuple(
            replace(member, state=MemberState.SYNCING, since_version=version)
            if member.role is Role.FULL
            else member
            for member in shard.members
        )
        return replace(
            shard, state=ShardState.RUNNING, authority=winner, floor=floor, members=members
        )

    return change


def _known_shard(registry: Registry, shard_id: str) -> Shard:
    shard = registry.topology.shard(shard_id)
    if shard is None:
        raise InvalidError(f"there is no shard {shard_id}")
    return shard
