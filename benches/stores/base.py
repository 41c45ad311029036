"""What a store under test must offer."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Pair = tuple[bytes, bytes]


@dataclass(frozen=True)
class StoreOptions:
    """Settings every store gets."""

    path: str
    memtable_bytes: int = 64 << 20
    cache_bytes: int = 256 << 20
    filter_bits: int = 10
    compression: bool = True
    map_bytes: int = 64 << 30
    """Address space LMDB reserves."""


class Store(ABC):
    """A store under test.

    Hot calls are attributes, bound to the binding's own methods where its calling convention
    allows, so that no wrapper is measured.
    """

    name: str
    put: Callable[[bytes, bytes], Any]
    get: Callable[[bytes], bytes | None]
    put_many: Callable[[Sequence[Pair]], Any]
    get_many: Callable[[list[bytes]], Sequence[bytes | None]]
    scan: Callable[[bytes, int], list[Pair]]

    def __init__(self, options: StoreOptions) -> None:
        """Open or create the store in ``options.path``."""
        self.options = options
        Path(options.path).mkdir(parents=True, exist_ok=True)

    def settle(self) -> None:
        """Write memory to tables and wait until all compaction debt is paid."""
        wait_until_quiet(Path(self.options.path))

    def begin_reads(self) -> None:
        """Called before a row that only reads."""
        return

    def end_reads(self) -> None:
        """Called after a row that only reads."""
        return

    def properties(self) -> dict[str, Any]:
        """Statistics of the store that a benchmark records."""
        return {}

    @abstractmethod
    def close(self) -> None:
        """Close the store."""


def directory_bytes(path: Path) -> int:
    """Allocated bytes of every file below ``path``."""
    total = 0
    for root, _, names in os.walk(path):
        for name in names:
            try:
                total += Path(root, name).stat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def wait_until_quiet(path: Path, quiet_s: float = 1.0, deadline_s: float = 3600.0) -> None:
    """Wait until the process uses no processor time and the directory keeps its size."""
    end = time.monotonic() + deadline_s
    before = (directory_bytes(path), time.process_time())
    while time.monotonic() < end:
        time.sleep(quiet_s)
        now = (directory_bytes(path), time.process_time())
        if now[0] == before[0] and now[1] - before[1] < 0.05 * quiet_s:
            return
        before = now
    raise TimeoutError(f"{path} was still being compacted after {deadline_s:.0f} s")
