"""Elections and switchovers, interrupted after every message of their leader."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from tests.simulation.cluster.checks import check_one_primary_per_epoch, check_world
from tests.simulation.cluster.virtual import run_virtually
from tests.simulation.cluster.world import World

from aidb.cluster.model import ShardState
from aidb.cluster.orders import Order
from aidb.errors import ConflictError, Error, InvalidError, UnavailableError


def leader_of(world: World) -> str:
    return next(name for name, found in world.coordinators.items() if found.is_leading)


class Interruption:
    """Kills the leading coordinator when it has sent so many orders and transactions."""

    def __init__(self, world: World, after: int) -> None:
        self.world, self.left = world, after
        self.is_over = False
        self._exchange = world.network._exchange
        world.network._exchange = self.exchange  # type: ignore[method-assign]

    async def exchange(self, source: str, target: str, message: Any) -> Any:
        counts = isinstance(message, Order) or (target == "store" and message[0] == "transact")
        if counts and source in self.world.coordinators and not self.is_over:
            if self.left == 0:
                self.is_over = True
                self.world.kill_coordinator(source)
            self.left -= 1
        return await self._exchange(source, target, message)


@pytest.mark.parametrize("semi", [0, 1])
@pytest.mark.parametrize("after", range(9))
def test_a_failover_may_be_interrupted_anywhere(after: int, semi: int) -> None:
    world = World(after, shards=1, semi=semi)

    async def live() -> None:
        await world.begin()
        await asyncio.sleep(15)
        primary = world.topology.shards[0].primary
        assert primary
        Interruption(world, after)
        world.nodes[primary].kill()
        await asyncio.sleep(25)
        shard = world.topology.shards[0]
        assert shard.state is ShardState.RUNNING
        assert shard.primary != primary
        await world.finish()

    run_virtually(live())
    if semi:
        check_world(world)


@pytest.mark.parametrize("after", range(9))
def test_a_switchover_may_be_interrupted_anywhere(after: int) -> None:
    world = World(after, shards=1)

    async def live() -> None:
        await world.begin()
        await asyncio.sleep(10)
        target = world.topology.shards[0].counted[0]
        leader = world.coordinators[leader_of(world)]
        Interruption(world, after)
        with contextlib.suppress(Error, asyncio.CancelledError):
            await leader.switch_over("s1", target)
        await asyncio.sleep(25)
        await world.finish()

    run_virtually(live())
    check_world(world)


def test_a_switchover_loses_nothing_and_writes_wait_less_than_a_second() -> None:
    world = World(3, shards=1)

    async def live() -> tuple[str, float]:
        await world.begin()
        await asyncio.sleep(10)
        target = world.topology.shards[0].counted[0]
        await world.coordinators[leader_of(world)].switch_over("s1", target)
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(10)
        await world.finish()
        return target, began

    target, began = run_virtually(live())
    check_world(world)
    assert world.topology.shards[0].primary == target
    before = max(write.at for write in world.record.writes if write.node != target)
    after = min(write.at for write in world.record.writes if write.node == target)
    assert before < began
    assert after - before < 0.5


def test_what_cannot_be_switched_over_is_refused_and_changes_nothing() -> None:
    world = World(4, shards=1)

    async def live() -> None:
        await world.begin()
        leader = world.coordinators[leader_of(world)]
        primary = world.topology.shards[0].primary
        assert primary
        for target in ("nobody", primary):
            with pytest.raises(InvalidError, match="ready"):
                await leader.switch_over("s1", target)
        with pytest.raises(InvalidError, match="no shard"):
            await leader.switch_over("s9", "n1b")
        other = next(c for name, c in world.coordinators.items() if name != leader_of(world))
        with pytest.raises(ConflictError, match="does not lead"):
            await other.switch_over("s1", "n1b")
        target = world.topology.shards[0].counted[0]
        world.network.isolate(target)
        with pytest.raises(UnavailableError, match="given up"):
            await leader.switch_over("s1", target)
        await world.finish()
        assert world.topology.shards[0].epoch == 1

    run_virtually(live())
    check_world(world)


def test_a_store_that_was_set_back_changes_nothing_and_writes_go_on() -> None:
    world = World(6, shards=1)

    async def live() -> None:
        await world.begin()
        await asyncio.sleep(10)
        old = dict(world.store._items)
        first = world.topology.shards[0].primary
        assert first
        world.nodes[first].kill()
        await asyncio.sleep(20)
        second = world.topology.shards[0].primary
        world.start_node(first)
        await world.until(world.is_whole)
        for name in list(world.coordinators):
            world.kill_coordinator(name)
        world.store._items = {key: old[key] for key in ("topology", "term")}
        for name in world._coordinator_machines:
            world.start_coordinator(name)
        count = len(world.acknowledged("s1"))
        await asyncio.sleep(30)
        assert len(world.acknowledged("s1")) > count + 100
        assert {write.node for write in world.record.writes[count:]} == {second}
        frozen = [found.frozen for found in world.coordinators.values() if found.is_leading]
        assert len(frozen) == 1
        assert "restored from an old copy" in str(frozen[0])

    run_virtually(live())
    check_one_primary_per_epoch(world)


def test_a_failure_is_detected_and_healed_within_the_aims() -> None:
    world = World(5, shards=3)

    async def live() -> tuple[float, float]:
        await world.begin()
        await asyncio.sleep(30)
        primary = world.topology.shards[0].primary
        assert primary
        loop = asyncio.get_running_loop()
        died_at = loop.time()
        world.nodes[primary].kill()
        await world.until(lambda: world.topology.shards[0].state is ShardState.ELECTING)
        detected_s = loop.time() - died_at
        count = len(world.acknowledged("s1"))
        await world.until(lambda: len(world.acknowledged("s1")) > count)
        healed_s = loop.time() - died_at
        await world.finish()
        return detected_s, healed_s

    detected_s, healed_s = run_virtually(live())
    check_world(world)
    # Virtual seconds: the protocol's own time, whatever the machine does.
    assert detected_s < 5
    assert healed_s < 8
