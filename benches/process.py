"""What the kernel knows about a process: memory and bytes written."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Self

_MIB = 1 << 20


def anonymous_bytes() -> int:
    """Resident memory that no file backs: heap, stacks, caches. Mapped tables do not count."""
    return _status_bytes("RssAnon:")


def resident_bytes() -> int:
    """Resident memory with the pages of mapped files, which the system takes back when it likes."""
    return _status_bytes("VmRSS:")


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


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
    """Samples the memory of the process ten times a second while the block runs.

    ``peak_mib`` is the highest sample of anonymous memory above that at the start,
    ``resident_peak_mib`` the same of all resident memory.
    """

    def __init__(self) -> None:
        """Remember where memory stands now."""
        self._start = self._peak = anonymous_bytes()
        self._resident_start = self._resident_peak = resident_bytes()
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
            self._resident_peak = max(self._resident_peak, resident_bytes())

    @property
    def peak_mib(self) -> float:
        """Highest anonymous memory seen above the start, in MiB."""
        return (self._peak - self._start) / _MIB

    @property
    def resident_peak_mib(self) -> float:
        """Highest resident memory seen above the start, in MiB."""
        return (self._resident_peak - self._resident_start) / _MIB
