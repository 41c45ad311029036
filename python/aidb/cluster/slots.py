"""Slots: the unit of ownership. A key belongs to one of 16384 by the CRC16 of its hash tag."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from aidb.errors import InvalidError, invariant

SLOTS: Final = 16384


def key_slot(key: bytes) -> int:
    """The slot of a key, as Redis Cluster computes it.

    Only the part between the first ``{`` and the next ``}`` counts when it is not empty, so that
    keys with one hash tag share a slot.

    Args:
        key: Any bytes.
    """
    opening = key.find(b"{")
    if opening >= 0:
        closing = key.find(b"}", opening + 1)
        if closing > opening + 1:
            key = key[opening + 1 : closing]
    return crc_hqx(key, 0) % SLOTS


@dataclass(frozen=True, slots=True)
class SlotRanges:
    """A set of slots as sorted, disjoint, maximal ranges; both ends belong to a range."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, slots: Iterable[int]) -> SlotRanges:
        """The ranges that hold exactly these slots."""
        found: list[tuple[int, int]] = []
        for slot in sorted(set(slots)):
            invariant(0 <= slot < SLOTS, f"slot {slot} is not one of 0 to {SLOTS - 1}")
            if found and found[-1][1] == slot - 1:
                found[-1] = (found[-1][0], slot)
            else:
                found.append((slot, slot))
        return cls(tuple(found))

    @classmethod
    def parse(cls, text: str) -> SlotRanges:
        """The inverse of ``str()``: ``"0-99,200"``.

        Raises:
            InvalidError: Not ranges of slots, or they overlap.
        """
        found: list[tuple[int, int]] = []
        for part in text.split(",") if text else []:
            first, dash, last = part.partition("-")
            try:
                low, high = int(first), int(last if dash else first)
            except ValueError:
                raise InvalidError(f"`{part}` is no range of slots; write 0-5460 or 7") from None
            if not 0 <= low <= high < SLOTS:
                raise InvalidError(f"`{part}` is no range of slots 0 to {SLOTS - 1}")
            found.append((low, high))
        return cls.joined(found)

    @classmethod
    def joined(cls, ranges: Iterable[tuple[int, int]]) -> SlotRanges:
        """The union of disjoint ranges in any order.

        Raises:
            InvalidError: Two of them overlap.
        """
        found: list[tuple[int, int]] = []
        for low, high in sorted(ranges):
            if found and low <= found[-1][1]:
                raise InvalidError(f"slot {low} is named twice")
            if found and low == found[-1][1] + 1:
                found[-1] = (found[-1][0], high)
            else:
                found.append((low, high))
        return cls(tuple(found))

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high + 1)

    def __contains__(self, slot: object) -> bool:
        return isinstance(slot, int) and any(low <= slot <= high for low, high in self.ranges)
