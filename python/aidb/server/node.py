"""A server process from start to end: the composition root of ``aidb serve``."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType

from aidb.config import Settings
from aidb.errors import Error
from aidb.server.data_plane import DataPlane

POLL_S = 0.1
"""How long a signal may wait for its turn."""

DURABILITY = {
    "always": "an acknowledged write survives power loss (synced before the reply)",
    "everysec": "an acknowledged write survives kill -9; power loss may cost the last second",
    "no": "an acknowledged write survives kill -9; power loss may cost what the kernel holds",
}


def run_server(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until a signal or SHUTDOWN, then stop gracefully.

    A second signal ends the process at once: that is as safe as kill -9, which loses nothing
    that was acknowledged.

    Args:
        settings: Everything that can be set.
        announce: Gets the lines for the operator.

    Raises:
        Error: The server could not start, or its last writes may not be durable.
    """
    with _stop_signals() as received, _reload_signal() as reload_asked:
        with DataPlane(settings, ReplayLog(announce)) as data_plane:
            for line in banner(settings, data_plane):
                announce(line)
            reason = None
            while reason is None:
                if reload_asked:
                    reload_asked.clear()
                    announce(_reload(data_plane))
                reason = received[0] if received else data_plane.wait(POLL_S)
            announce(f"stopping: {reason}")
        announce("stopped; everything acknowledged is on disk")


class ReplayLog:
    """Tells the operator how a long replay of the log goes: at most a line per second."""

    def __init__(
        self, announce: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is said in the first second."""
        self._announce, self._clock = announce, clock
        self._said_at = clock()

    def __call__(self, bytes_done: int, bytes_total: int) -> None:
        """Note progress; say it when a second has passed."""
        now = self._clock()
        if now - self._said_at >= 1:
            self._said_at = now
            share = 100 * bytes_done // max(bytes_total, 1)
            self._announce(f"replaying the log: {bytes_done} of {bytes_total} bytes ({share} %)")


def banner(settings: Settings, data_plane: DataPlane) -> Iterator[str]:
    """Where it listens, what it guarantees, how to connect."""
    storage = settings.storage
    places = [f"{host}:{port}" for host, port in data_plane.addresses]
    places += [f"{host}:{port} (TLS)" for host, port in data_plane.tls_addresses]
    places += [str(path) for path in [settings.server.unixsocket] if path]
    shown = ", ".join(places)
    yield f"aidb serves {storage.directory.resolve()} on {shown} (pid {os.getpid()})"
    yield f"  durability  appendfsync {storage.appendfsync}: {DURABILITY[storage.appendfsync]}"
    recovery = data_plane.recovery
    if recovery.batches or recovery.torn_bytes:
        torn = f", {recovery.torn_bytes} torn bytes cut" if recovery.torn_bytes else ""
        yield f"  recovered   {recovery.batches} batches in {recovery.duration_ms} ms{torn}"
    yield from _how_to_connect(settings, data_plane)
    yield "  stop        Ctrl-C, SIGTERM or SHUTDOWN"


def _how_to_connect(settings: Settings, data_plane: DataPlane) -> Iterator[str]:
    for host, port in data_plane.addresses[:1]:
        yield f"  connect     redis-cli -h {host} -p {port}"
        yield f'              python -c "import redis; print(redis.Redis({host!r}, {port}).ping())"'
        return
    for host, port in data_plane.tls_addresses[:1]:
        yield f"  connect     redis-cli --tls -h {host} -p {port} --cacert CA.pem"
        return
    yield f"  connect     redis-cli -s {settings.server.unixsocket}"


def _reload(data_plane: DataPlane) -> str:
    try:
        data_plane.reload_certificates()
    except Error as error:
        return f"certificates not reloaded: {error}"
    return "certificates reloaded; new connections use them"


@contextmanager
def _reload_signal() -> Generator[list[str]]:
    """Collect SIGHUP."""
    received: list[str] = []
    before = signal.signal(signal.SIGHUP, lambda *_: received.append("SIGHUP"))
    try:
        yield received
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def _stop_signals() -> Generator[list[str]]:
    """Collect SIGTERM and SIGINT instead of dying of them; the second one kills."""
    received: list[str] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if received:
            os._exit(128 + number)
        received.append(signal.Signals(number).name)

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
