"""Seeded worlds: a failure names the seed, and the seed replays it."""

from __future__ import annotations

import asyncio

import pytest
from tests.simulation.cluster.checks import check_world
from tests.simulation.cluster.faults import break_things
from tests.simulation.cluster.virtual import run_virtually
from tests.simulation.cluster.world import World

SEEDS = range(40)


async def live_through(world: World, seconds: float) -> None:
    await world.begin()
    await break_things(world, seconds)
    await world.finish()
    check_world(world)


def test_a_quiet_cluster_serves() -> None:
    world = World(1)

    async def live() -> None:
        await world.begin()
        await asyncio.sleep(10)
        await world.finish()

    run_virtually(live())
    check_world(world)
    assert len(world.record.writes) > 100
    assert len({write.epoch for write in world.record.writes}) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_acknowledged_is_lost_whatever_dies(seed: int) -> None:
    run_virtually(live_through(World(seed), 60))
