"""What a node has seen it never forgets, and what is over it refuses."""

from __future__ import annotations

import pytest

from aidb.cluster.model import Topology
from aidb.cluster.orders import Fence
from aidb.cluster.standing import Standing
from aidb.errors import FencedError, InvalidError

SEEN = Standing("c", term=4, shard="s", epoch=7, topology=Topology("c", 9))


def test_higher_numbers_are_taken_over() -> None:
    after = SEEN.accept(Fence("c", 5, "s", 8))
    assert (after.term, after.epoch) == (5, 8)
    assert SEEN.accept(Fence("c", 4, "s", 7)) == SEEN
    fresh = Standing("c").accept(Fence("c", 1, "s", 1))
    assert fresh.shard == "s"


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        (Fence("other", 5, "s", 8), InvalidError),
        (Fence("c", 5, "t", 8), InvalidError),
        (Fence("c", 3, "s", 8), FencedError),
        (Fence("c", 5, "s", 6), FencedError),
    ],
)
def test_what_is_foreign_or_over_is_refused(order: Fence, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        SEEN.accept(order)


def test_only_a_higher_topology_is_applied() -> None:
    assert SEEN.accept_topology(4, Topology("c", 10)).topology_version == 10
    assert SEEN.accept_topology(4, Topology("c", 9)) == SEEN
    assert SEEN.accept_topology(4, Topology("c", 3)) == SEEN
    assert SEEN.accept_topology(6, None).term == 6
    with pytest.raises(FencedError):
        SEEN.accept_topology(3, Topology("c", 10))
    with pytest.raises(InvalidError):
        SEEN.accept_topology(4, Topology("other", 10))
