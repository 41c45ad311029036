"""The topology as bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aidb.cluster.document import decode_topology, encode_topology
from aidb.cluster.history import Position
from aidb.cluster.model import Member, MemberState, NodeRecord, Role, Shard, ShardState, Topology
from aidb.cluster.slots import SlotRanges
from aidb.errors import CorruptionError, InvalidError


def sample() -> Topology:
    return Topology(
        "c",
        7,
        (NodeRecord("n1", "127.0.0.1:1", "127.0.0.1:2"), NodeRecord("n2", "127.0.0.1:3")),
        (
            Shard(
                "s1",
                3,
                ShardState.RUNNING,
                "n1",
                (Member("n1"), Member("n2", Role.CACHE, MemberState.READY, 5)),
                SlotRanges.parse("0-99,200"),
                1,
                Position(2, 44),
                1.5,
            ),
        ),
    )


def test_what_is_encoded_comes_back() -> None:
    assert decode_topology(encode_topology(sample())) == sample()
    assert encode_topology(sample()) == encode_topology(sample())


def test_a_newer_format_is_refused_with_the_remedy() -> None:
    document = json.loads(encode_topology(sample())) | {"format": 2}
    with pytest.raises(InvalidError, match="upgrade"):
        decode_topology(json.dumps(document).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"version": "x"},
        {"cluster": 5},
        {"nodes": [{"id": "n1"}]},
        {"shards": [{}]},
        {"shards": None},
    ],
)
def test_what_is_no_topology_is_corruption(change: dict[str, Any]) -> None:
    document = json.loads(encode_topology(sample())) | change
    with pytest.raises(CorruptionError):
        decode_topology(json.dumps(document).encode())


def test_every_cut_is_corruption() -> None:
    data = encode_topology(sample())
    for length in range(0, len(data), 7):
        with pytest.raises(CorruptionError):
            decode_topology(data[:length])


def test_a_topology_that_contradicts_itself_is_refused() -> None:
    twice = sample().with_shard(Shard("s2", slots=SlotRanges.parse("50")))
    stranger = sample().with_shard(Shard("s2", members=(Member("n9"),)))
    shared = sample().with_shard(Shard("s2", members=(Member("n1"),)))
    led_by_cache = sample().with_shard(Shard("s2", authority="n2", members=()))
    for broken in (twice, stranger, shared, led_by_cache):
        with pytest.raises(InvalidError):
            broken.check()
        with pytest.raises(CorruptionError):
            decode_topology(encode_topology(broken))
