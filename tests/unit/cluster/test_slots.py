"""Slots as Redis Cluster computes them, and sets of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidb.cluster.slots import SLOTS, SlotRanges, key_slot
from aidb.errors import InvalidError


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        (b"123456789", 0x31C3 % SLOTS),
        (b"foo", 12182),
        (b"bar", 5061),
        (b"", 0),
        (b"{user1000}.following", key_slot(b"user1000")),
        (b"foo{}{bar}", key_slot(b"foo{}{bar}")),
        (b"foo{{bar}}zap", key_slot(b"{bar")),
        (b"foo{bar}{zap}", 5061),
        (b"foo{bar", key_slot(b"foo{bar")),
    ],
)
def test_the_slot_of_a_key_is_that_of_its_hash_tag(key: bytes, slot: int) -> None:
    assert key_slot(key) == slot


@given(st.sets(st.integers(0, SLOTS - 1), max_size=60))
def test_ranges_hold_what_they_were_made_of(slots: set[int]) -> None:
    ranges = SlotRanges.of(slots)
    assert set(ranges) == slots
    assert len(ranges) == len(slots)
    assert SlotRanges.parse(str(ranges)) == ranges
    assert all(slot in ranges for slot in slots)
    gaps = zip(ranges.ranges, ranges.ranges[1:], strict=False)
    assert all(after[0] > before[1] + 1 for before, after in gaps)


@pytest.mark.parametrize("text", ["a", "1-", "-1", "5-3", "0-16384", "1,1", "1-5,5", "1,,2"])
def test_what_is_no_set_of_slots_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        SlotRanges.parse(text)
