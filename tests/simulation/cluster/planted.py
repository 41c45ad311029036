"""Bugs planted on purpose: each must be caught by the worlds, which measures their checks.

Run by ``make planted``: prints for every bug the seed that caught it, fails if one got away.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tests.simulation.cluster import nodes
from tests.simulation.cluster.checks import check_world
from tests.simulation.cluster.faults import break_things
from tests.simulation.cluster.virtual import run_virtually
from tests.simulation.cluster.world import World

from aidb.cluster import agent, coordinator, election, failover, standing, supervision
from aidb.cluster.history import Continue, History
from aidb.cluster.model import MemberState, ShardState

SEEDS = 100


def acknowledge_without_lease() -> Any:
    return patch.object(nodes.SimulatedDataPlane, "is_serving", property(lambda s: s._is_primary))


def promote_the_one_behind() -> Any:
    def worst(settled: Any, members: Any) -> str | None:
        return min(sorted(members), key=lambda node: settled[node], default=None)

    return patch.object(failover, "_best", worst)


def resume_by_sequence_only() -> Any:
    def plan(primary: History, retained_from: int, replica: History) -> Continue:
        return Continue(min(primary.end_seq, replica.end_seq))

    return patch.object(nodes, "plan_resumption", plan)


def new_leader_does_not_wait() -> Any:
    return patch.object(coordinator.Coordinator, "safe_at", lambda _self, _shard: 0.0)


def one_answer_is_enough() -> Any:
    choose = failover.choose_successor

    def hasty(shard: Any, election: Any, wish: Any, around: Any) -> Any:
        return choose(replace(shard, semi=len(shard.voters) or 1), election, wish, around)

    return patch.object(failover, "choose_successor", hasty)


def leaver_loses_its_vote_at_once() -> Any:
    following = supervision._next_state

    def hasty(member: Any, *rest: Any, **named: Any) -> Any:
        state = following(member, *rest, **named)
        return MemberState.SYNCING if state is MemberState.LEAVING else state

    return patch.object(supervision, "_next_state", hasty)


def members_keep_their_vote() -> Any:
    """After a failover nobody has to show that it holds what the new primary has."""

    def publish(winner: str, floor: Any, version: int) -> Any:
        del version

        def change(shard: Any) -> Any:
            running = ShardState.RUNNING
            members = tuple(replace(m, state=MemberState.READY) for m in shard.members)
            return replace(shard, state=running, authority=winner, floor=floor, members=members)

        return change

    return patch.object(election, "publish", publish)


def promises_are_forgotten() -> Any:
    return patch.object(nodes.Disk, "load", lambda _self: None)


def epochs_are_not_compared() -> Any:
    def accept(self: Any, order: Any) -> Any:
        return replace(self, term=order.term, shard=order.shard, epoch=order.epoch)

    return patch.object(standing.Standing, "accept", accept)


def fenced_primary_goes_on() -> Any:
    async def fence(self: Any, epoch: int) -> None:
        del self, epoch

    return patch.multiple(agent.Agent, _step_down=lambda _self: None), patch.object(
        nodes.SimulatedDataPlane, "fence", fence
    )


def replica_acknowledges_before_sync() -> Any:
    def history(self: Any) -> History:
        return nodes.begun(self.disk.reigns, len(self.disk.log))

    return patch.object(nodes.SimulatedDataPlane, "history", history)


def holds_are_ignored() -> Any:
    return patch.object(agent.Agent, "_refuse_held", lambda _self: None)


BUGS: list[Callable[[], Any]] = [
    acknowledge_without_lease,
    promote_the_one_behind,
    resume_by_sequence_only,
    new_leader_does_not_wait,
    one_answer_is_enough,
    leaver_loses_its_vote_at_once,
    members_keep_their_vote,
    promises_are_forgotten,
    epochs_are_not_compared,
    fenced_primary_goes_on,
    replica_acknowledges_before_sync,
    holds_are_ignored,
]


@contextmanager
def planted(bug: Callable[[], Any]) -> Iterator[None]:
    """While the block runs, the bug is there."""
    patches = bug()
    every = patches if isinstance(patches, tuple) else (patches,)
    for one in every:
        one.start()
    try:
        yield
    finally:
        for one in every:
            one.stop()


async def _live(world: World) -> None:
    await world.begin()
    await break_things(world, 60)
    await world.finish()


def first_catch(bug: Callable[[], Any], seeds: range) -> tuple[int, str] | None:
    """The first seed whose world fails with the bug, and what it says."""
    for seed in seeds:
        world = World(seed)
        try:
            with planted(bug):
                run_virtually(_live(world))
            check_world(world)
        except Exception as error:
            return seed, str(error).strip().splitlines()[0]
    return None


def main() -> int:
    """Plant every bug in turn."""
    chosen = [bug for bug in BUGS if not sys.argv[1:] or bug.__name__ in sys.argv[1:]]
    missed = 0
    for bug in chosen:
        caught = first_catch(bug, range(SEEDS))
        missed += caught is None
        print(f"{bug.__name__}: {f'seed {caught[0]}: {caught[1]}' if caught else 'NOT CAUGHT'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
