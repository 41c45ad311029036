"""The replication link: a source's data as it was at one moment, and every command since."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Self

from aidb.errors import UnavailableError
from aidb.migration.files import Shown
from aidb.migration.source import Address, RefusedError, Source

ACKNOWLEDGE_S = 1.0
_MARK_BYTES = 40


class Spool:
    """Bytes between two threads, in a file: the source is never kept waiting, memory stays small.

    **Concurrency**: one thread appends, another one takes.
    """

    def __init__(self, directory: Path) -> None:
        """An empty spool with a nameless file in ``directory``."""
        self._file: IO[bytes] = TemporaryFile(dir=directory)  # noqa: SIM115 - see close()
        self._changed = threading.Condition()
        self._taken = self._written = 0
        self._failure: Exception | None = None

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        with self._changed:
            self._file.seek(self._written)
            self._file.write(data)
            self._written += len(data)
            self._changed.notify()

    def fail(self, failure: Exception) -> None:
        """Let whoever takes know, once everything is taken, that nothing will come."""
        with self._changed:
            self._failure = failure
            self._changed.notify()

    def take(self, most: int, wait_s: float) -> bytes:
        """The next bytes; none when nothing came in ``wait_s``.

        Raises:
            UnavailableError: Nothing will come any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._written > self._taken or self._failure, wait_s)
            if self._written == self._taken:
                if self._failure is not None:
                    raise self._failure
                return b""
            self._file.seek(self._taken)
            data = self._file.read(min(most, self._written - self._taken))
            self._taken += len(data)
            if self._taken == self._written:
                self._file.truncate(0)
                self._taken = self._written = 0
            return data

    def close(self) -> None:
        """Give up the file."""
        with self._changed:
            self._file.close()


class Link:
    """A replication link; a context manager that ends it.

    Once commands come, one thread receives them into a spool and another one tells the source how
    far we are, so that neither loading nor applying ever makes the source give up on us.
    """

    def __init__(self, address: Address, directory: Path) -> None:
        """Connect; ``directory`` is where spools go."""
        self._source = Source(address)
        self._directory = directory
        self._spool: Spool | None = None
        self._sending = threading.Lock()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self.history = ""
        self.offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._source.close()
        for thread in self._threads:
            thread.join()
        if self._spool is not None:
            self._spool.close()

    def ask(self, history: str, offset: int) -> bool:
        """Ask for the commands from ``offset`` of a history on; whether they come.

        If not, a whole copy comes: call :meth:`receive_copy`. Without a history only that is asked.

        Raises:
            UnavailableError: The source is loading, or is itself without its source.
        """
        # Redis before 2.8.18 knows no capabilities.
        with suppress(RefusedError):
            self._source.command("REPLCONF", "capa", "eof", "capa", "psync2")
        asked = (history, offset + 1) if history else ("?", -1)
        self._source.send("PSYNC", *asked)
        answer = self._source.line()
        while not answer:
            answer = self._source.line()
        words = answer.decode("utf-8", "replace").split()
        match words[0]:
            case "+CONTINUE":
                self.history, self.offset = words[1] if len(words) > 1 else history, offset
                return True
            case "+FULLRESYNC":
                self.history, self.offset = words[1], int(words[2])
                return False
            case _:
                raise UnavailableError(
                    f"{self._source.address} gives no copy: {' '.join(words)}; a live import needs "
                    "Redis 2.8 or newer, and a user who may PSYNC and REPLCONF"
                )

    def receive_copy(self, target: Path, shown: Shown) -> None:
        """Receive the source's data as an RDB file; ``shown`` gets bytes there and bytes in all."""
        header = self._source.line()
        while not header:
            # The source is alive, and writing its copy.
            shown(0, 0)
            header = self._source.line()
        with target.open("wb") as file:
            if header.startswith(b"$EOF:"):
                self._receive_marked(file, header[5:], shown)
            elif header.startswith(b"$"):
                self._receive_counted(file, int(header[1:]), shown)
            else:
                raise UnavailableError(f"{self._source.address} sent no copy: {header[:80]!r}")

    def _receive_counted(self, file: IO[bytes], total: int, shown: Shown) -> None:
        left = total
        while left:
            data = self._source.exactly(min(left, 1 << 16))
            file.write(data)
            left -= len(data)
            shown(total - left, total)

    def _receive_marked(self, file: IO[bytes], mark: bytes, shown: Shown) -> None:
        """A copy of unknown size: its end is the mark."""
        tail = b""
        received = 0
        while not tail.endswith(mark):
            data = tail + self._source.some()
            # The mark may come in pieces; nothing follows it before we acknowledge.
            file.write(data[:-_MARK_BYTES])
            received += len(data) - len(tail)
            tail = data[-_MARK_BYTES:]
            shown(received, 0)

    def begin(self) -> Spool:
        """Receive commands from now on."""
        spool = self._spool = Spool(self._directory)
        self._threads = [
            threading.Thread(target=self._receive, args=(spool,), name="import-receive"),
            threading.Thread(target=self._acknowledge, name="import-acknowledge"),
        ]
        for thread in self._threads:
            thread.daemon = True
            thread.start()
        return spool

    def acknowledge(self, offset: int | None = None) -> None:
        """Tell the source how far we are, and remember it."""
        with self._sending:
            self.offset = self.offset if offset is None else offset
            self._source.send("REPLCONF", "ACK", self.offset)

    def _receive(self, spool: Spool) -> None:
        try:
            while True:
                spool.append(self._source.some())
        except (UnavailableError, OSError) as error:
            # Also a spool that finds no room: the link is ended, and asked for again later.
            spool.fail(UnavailableError(str(error)))

    def _acknowledge(self) -> None:
        while not self._stopped.wait(ACKNOWLEDGE_S):
            try:
                self.acknowledge()
            except UnavailableError:
                return  # The receiving thread says so.


class LagMeter:
    """How far behind the source we are, in bytes and in seconds."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._seen: list[tuple[float, int]] = []
        self.bytes = 0
        self.seconds = 0.0

    def update(self, source_offset: int, applied: int) -> None:
        """Note where the source is and where we are.

        The lag in seconds is the age of the oldest place of the source that we have not reached.
        """
        now = time.monotonic()
        self._seen.append((now, source_offset))
        self._seen = [(at, offset) for at, offset in self._seen if offset > applied]
        self.bytes = max(0, source_offset - applied)
        self.seconds = now - self._seen[0][0] if self._seen else 0.0
