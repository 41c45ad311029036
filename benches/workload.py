"""Keys and values every side is given: the same ones, from the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

KEY_BYTES = 16
_VALUE_POOL_BYTES = 1 << 20
_MASK = (1 << 64) - 1


def mixed(number: int) -> int:
    """Scatter ``number`` over 64 bits, one to one (the finalizer of splitmix64)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def random_key(number: int) -> bytes:
    """The ``number``-th key in random order: 16 hexadecimal digits."""
    return b"%016x" % mixed(number)


def random_keys(start: int, count: int) -> list[bytes]:
    """Keys ``start`` to ``start + count`` in insertion order, which is random key order."""
    return [random_key(number) for number in range(start, start + count)]


def sequential_keys(count: int) -> list[bytes]:
    """Keys in ascending order."""
    return [b"%016d" % number for number in range(count)]


def sampled(keys: list[bytes], count: int, seed: int) -> list[bytes]:
    """``count`` of ``keys``, drawn uniformly with repetition."""
    return random.Random(seed).choices(keys, k=count)


class Values:
    """Values of one size that compress to about half, as those of RocksDB's ``db_bench`` do.

    Values are slices of one pool; making one costs a copy of its bytes and nothing else.
    """

    def __init__(self, size: int, seed: int = 7) -> None:
        """Prepare values of ``size`` bytes."""
        source = random.Random(seed)
        pieces: list[bytes] = []
        total = 0
        while total < _VALUE_POOL_BYTES + size:
            half = source.randbytes(50)
            pieces.append(half + half)
            total += 100
        self._pool = b"".join(pieces)
        self._size = size

    def __call__(self, number: int) -> bytes:
        """The ``number``-th value."""
        offset = number * 97 % _VALUE_POOL_BYTES
        return self._pool[offset : offset + self._size]

    def sequence(self, count: int) -> Iterator[bytes]:
        """The first ``count`` values, made as they are asked for."""
        return map(self, range(count))
