"""Which shard owns which slot: a consistent-hash ring with virtual nodes and a bound on load.

The ring is the circle of the slots themselves. Every shard stands at `VIRTUAL_NODES` points of it;
a slot belongs to the first shard at or after it that is not full, so neighbours mostly go together
and the slots of a shard are some hundred ranges, not thousands. Full is the even share: without a
bound 150 points leave about 8 % of deviation and now and then 20 %. (Consistent hashing with
bounded loads: Mirrokni, Thorup, Zadimoghaddam 2016.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

from aidb.cluster.slots import SLOTS, SlotRanges
from aidb.errors import InvalidError

VIRTUAL_NODES: Final = 150


def place_slots(shards: Iterable[str], virtual_nodes: int = VIRTUAL_NODES) -> dict[str, SlotRanges]:
    """The slots of every shard of a new cluster.

    The result depends on the names only, not on their order.

    Args:
        shards: Ids of the shards; at least one.
        virtual_nodes: Points of each shard on the ring.

    Raises:
        InvalidError: No shard, one named twice, or more shards than slots.
    """
    names = _checked(shards)
    points = ((_point(f"{name}#{n}") % SLOTS, name) for name in names for n in range(virtual_nodes))
    ring = sorted(points)
    room = _shares(names)
    owned: dict[str, list[int]] = {name: [] for name in names}
    for slot in range(SLOTS):
        at = bisect_left(ring, (slot, ""))
        owner = next(
            name
            for _, name in (ring[(at + step) % len(ring)] for step in range(len(ring)))
            if len(owned[name]) < room[name]
        )
        owned[owner].append(slot)
    return {name: SlotRanges.of(slots) for name, slots in owned.items()}


def plan_moves(current: Mapping[str, SlotRanges], shards: Iterable[str]) -> dict[int, str]:
    """Slots to move, and where to, so that `shards` own them all and evenly.

    A slot moves only when its owner goes, or to a shard that is below its share: adding one shard
    to n moves about 1/(n+1) of the slots, all of them to it.

    Args:
        current: The slots that each shard owns now; slots that nobody owns are placed as well.
        shards: The shards that shall own the slots then.

    Raises:
        InvalidError: As :func:`place_slots`.
    """
    names = _checked(shards)
    wanted = place_slots(names)
    wish = {slot: name for name, slots in wanted.items() for slot in slots}
    owner = {slot: name for name, slots in current.items() for slot in slots if name in names}
    load = dict.fromkeys(names, 0)
    for name in owner.values():
        load[name] += 1
    moves: dict[int, str] = {}
    share = _shares(names)

    def needs(name: str) -> bool:
        return load[name] < share[name]

    orphans = [slot for slot in range(SLOTS) if slot not in owner]
    # Where the ring wants a slot of a loaded shard to be is the best place to move it to.
    givers = sorted(owner, key=lambda slot: (wish[slot] == owner[slot], slot))
    for slot in (*orphans, *givers):
        source = owner.get(slot)
        if source is not None and load[source] <= share[source]:
            continue
        target = wish[slot] if needs(wish[slot]) else max(names, key=lambda n: share[n] - load[n])
        if source is None or needs(target):
            moves[slot] = target
            load[target] += 1
            if source is not None:
                load[source] -= 1
    return moves


def _checked(shards: Iterable[str]) -> list[str]:
    names = list(shards)
    if not names or len(set(names)) != len(names) or len(names) > SLOTS:
        raise InvalidError(f"shards {names} cannot own {SLOTS} slots: name 1 to {SLOTS}, each once")
    return names


def _shares(names: list[str]) -> dict[str, int]:
    even, rest = divmod(SLOTS, len(names))
    return {name: even + (index < rest) for index, name in enumerate(sorted(names))}


def _point(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
