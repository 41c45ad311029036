"""What the kernel knows about a process: memory and bytes written."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Self

_MIB = 1 << 20


def anonymous_bytes() -> int:
    """Resident memory that no file backs: heap, stacks, caches. Mapped tables do not count."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no RssAnon")


def written_bytes() -> int:
    """Bytes this process caused to be written to storage."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise RuntimeError("/proc/self/io has no write_bytes")


def drop_page_cache(directory: Path) -> None:
    """Write back every file below ``directory`` and evict it from the page cache."""
    os.sync()
    for root, _, names in os.walk(directory):
        for name in names:
            descriptor = os.open(Path(root, name), os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


class PeakMemory:
    """Samples anonymous memory ten times a second while the block runs.

    ``peak_mib`` is the highest sample above the memory at the start.
    """

    def __init__(self) -> None:
        """Remember where memory stands now."""
        self._start = self._peak = anonymous_bytes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        """Start sampling."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sampling."""
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.1):
            self._peak = max(self._peak, anonymous_bytes())

    @property
    def peak_mib(self) -> float:
        """Highest memory seen above the start, in MiB."""
        return (self._peak - self._start) / _MIB
