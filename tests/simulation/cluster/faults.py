"""What goes wrong: chosen by the seed of the world, several things at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from tests.simulation.cluster.world import World

from aidb.cluster.store import Delete

DELAY_MAX_S = 6.0
Fault = Callable[[World, Random], None]


async def break_things(world: World, seconds: float) -> None:
    """Let faults happen for a time; each lasts for a while, some are healed in between."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        fault = world.random.choice(FAULTS)
        fault(world, world.random)
        await asyncio.sleep(world.random.uniform(0.1, 8))
        if world.random.random() < 0.4:
            world.heal()
            await asyncio.sleep(world.random.uniform(0.5, 12))
    # Nothing that was put off happens after this.
    await asyncio.sleep(DELAY_MAX_S)


def kill_node(world: World, random: Random) -> None:
    _kill(world, random, loses_power=False)


def cut_power(world: World, random: Random) -> None:
    _kill(world, random, loses_power=True)


def restart_node(world: World, random: Random) -> None:
    """So quickly that its absence may not be noticed."""
    name = _some_node(world, random)
    world.nodes[name].kill(loses_power=random.random() < 0.5)
    world.start_node(name)


def pause_machine(world: World, random: Random) -> None:
    """SIGSTOP; nobody resumes it before it is healed, unless it is short."""
    machine = random.choice(list(world.network.machines.values()))
    machine.pause()
    if random.random() < 0.5:
        asyncio.get_running_loop().call_later(random.uniform(0.5, 8), machine.resume)


def kill_coordinator(world: World, random: Random) -> None:
    if world.coordinators:
        world.kill_coordinator(random.choice(sorted(world.coordinators)))


def isolate_machine(world: World, random: Random) -> None:
    world.network.isolate(random.choice(sorted(world.network.machines)))


def cut_one_way(world: World, random: Random) -> None:
    for _ in range(random.randint(1, 4)):
        source, target = random.sample(sorted(world.network.machines), 2)
        world.network.cut(source, target)


def orphan_primary(world: World, random: Random) -> None:
    """A primary that clients still reach is cut off from coordinators, and maybe from replicas."""
    shard = random.choice(world.topology.shards)
    if shard.primary is None:
        return
    for coordinator in world.coordinators:
        world.network.cut(shard.primary, coordinator)
    share = random.choice([0.0, 0.4, 1.0])
    for member in shard.full_members:
        if random.random() < share:
            world.network.cut(shard.primary, member)
            world.network.cut(member, shard.primary)
    if random.random() < 0.4:
        leading = [name for name, c in world.coordinators.items() if c.is_leading]
        for name in leading:
            world.kill_coordinator(name)


def kill_group(world: World, random: Random) -> None:
    """Several members of one shard, one shortly after the other."""
    group = random.choice(list(world.groups.values()))
    for name in random.sample(group, random.randint(2, len(group))):
        kill = world.nodes[name].kill
        asyncio.get_running_loop().call_later(random.uniform(0, DELAY_MAX_S), kill)


def lose_messages(world: World, random: Random) -> None:
    world.network.loss = random.uniform(0, 0.3)
    world.network.repeats = random.uniform(0, 0.2)
    world.network.delay_max_s = random.choice([0.005, 0.1, 0.4])


def end_all_leases(world: World, random: Random) -> None:
    """A store whose leader stood still."""
    work = world.store.transact([], [Delete("leader")])
    asyncio.get_running_loop().create_task(work)


def _some_node(world: World, random: Random) -> str:
    """Primaries are more often of interest."""
    primaries = [shard.primary for shard in world.topology.shards if shard.primary]
    if primaries and random.random() < 0.6:
        return random.choice(primaries)
    return random.choice(sorted(world.nodes))


def _kill(world: World, random: Random, *, loses_power: bool) -> None:
    name = _some_node(world, random)
    world.nodes[name].kill(loses_power=loses_power)


FAULTS: list[Fault] = [
    kill_node,
    cut_power,
    restart_node,
    pause_machine,
    kill_coordinator,
    isolate_machine,
    cut_one_way,
    orphan_primary,
    orphan_primary,
    kill_group,
    lose_messages,
    end_all_leases,
]
