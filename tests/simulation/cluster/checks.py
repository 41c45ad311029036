"""What must hold of everything that clients saw, whatever went wrong."""

from __future__ import annotations

from collections import defaultdict

from tests.simulation.cluster.world import Acknowledged, World


def check_world(world: World) -> None:
    """Every promise of a cluster with `semi` of at least one."""
    check_nothing_lost(world)
    check_one_primary_per_epoch(world)
    check_epochs_follow_each_other(world)
    check_reads(world)


def check_nothing_lost(world: World) -> None:
    """Every acknowledged write is in the log of its shard, once, at the place it was given."""
    for shard, group in world.groups.items():
        log = world.nodes[group[0]].disk.log
        place = {value: seq for seq, value in enumerate(log, 1)}
        assert len(place) == len(log), f"a write of {shard} is there twice"
        for write in world.record.writes:
            if write.shard == shard:
                found = place.get(write.value)
                assert found == write.seq, f"{write} is at {found}"


def check_one_primary_per_epoch(world: World) -> None:
    """At most one node acknowledges at an epoch."""
    nodes: dict[tuple[str, int], set[str]] = defaultdict(set)
    for write in world.record.writes:
        nodes[write.shard, write.epoch].add(write.node)
    for (shard, epoch), found in nodes.items():
        assert len(found) == 1, f"{found} acknowledged at epoch {epoch} of {shard}"


def check_epochs_follow_each_other(world: World) -> None:
    """Acknowledgements at an epoch stop before the first one at the next.

    What a client got late was sent earlier: a second of travel is allowed for.
    """
    first: dict[tuple[str, int], float] = {}
    for write in sorted(world.record.writes, key=lambda write: write.at):
        first.setdefault((write.shard, write.epoch), write.at)
    for write in world.record.writes:
        later = [at for (shard, epoch), at in first.items() if _is_later(write, shard, epoch)]
        assert all(write.at <= at + 1.0 for at in later), f"{write} after a later epoch began"


def _is_later(write: Acknowledged, shard: str, epoch: int) -> bool:
    return shard == write.shard and epoch > write.epoch


def check_reads(world: World) -> None:
    """A read shows every write acknowledged before it began, and nothing that is lost later."""
    for read in world.record.reads:
        assert read.seq >= read.known_seq, f"{read} is stale"
        log = world.nodes[world.groups[read.shard][0]].disk.log
        assert not read.seq or log[read.seq - 1] == read.value, f"{read} showed what was lost"
