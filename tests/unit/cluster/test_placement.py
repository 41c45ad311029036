"""The ring: even, stable, and moving the least."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aidb.cluster.placement import place_slots, plan_moves
from aidb.cluster.slots import SLOTS, SlotRanges
from aidb.errors import InvalidError


def names(count: int) -> list[str]:
    return [f"shard-{number}" for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 100])
def test_every_slot_has_one_owner_and_shares_are_even(count: int) -> None:
    placed = place_slots(names(count))
    owned = sorted(slot for slots in placed.values() for slot in slots)
    assert owned == list(range(SLOTS))
    assert {len(slots) for slots in placed.values()} <= {SLOTS // count, -(-SLOTS // count)}


def test_the_order_of_the_names_does_not_matter() -> None:
    assert place_slots(names(5)) == place_slots(reversed(names(5)))


def test_slots_of_a_shard_are_ranges() -> None:
    assert sum(len(slots.ranges) for slots in place_slots(names(3)).values()) < 500


@pytest.mark.parametrize("count", [1, 3, 10, 99])
def test_a_new_shard_takes_its_share_and_nothing_else_moves(count: int) -> None:
    moves = plan_moves(place_slots(names(count)), [*names(count), "new"])
    assert set(moves.values()) == {"new"}
    assert abs(len(moves) - SLOTS // (count + 1)) <= 1


@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_shard_that_goes_leaves_its_slots_and_nothing_else_moves(count: int) -> None:
    placed = place_slots(names(count))
    moves = plan_moves(placed, names(count)[1:])
    assert set(moves) == set(placed["shard-0"])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d", ""]), min_size=64, max_size=64))
def test_whatever_is_placed_becomes_even(owners: list[str]) -> None:
    owned: dict[str, list[int]] = {}
    for slot in range(SLOTS):
        owned.setdefault(owners[slot % 64], []).append(slot)
    current = {name: SlotRanges.of(slots) for name, slots in owned.items() if name}
    moves = plan_moves(current, ["a", "b", "e"])
    owner = {slot: name for name, slots in current.items() for slot in slots} | moves
    counts = [sum(name == wanted for name in owner.values()) for wanted in "abe"]
    assert sum(counts) == SLOTS
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("shards", [[], ["a", "a"], names(SLOTS + 1)])
def test_impossible_sets_of_shards_are_refused(shards: list[str]) -> None:
    with pytest.raises(InvalidError):
        place_slots(shards)
