"""Real server processes: ours and Redis's."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.conformance.wire import Wire

START_S = 20


class AidbServer:
    """An ``aidb serve`` process on a free port."""

    def __init__(self, directory: Path, *options: str, environment: dict[str, str] | None = None):
        self.directory = directory
        self._options = options
        self._environment = environment or {}
        self.process: subprocess.Popen[str] = self._start()
        self.banner: list[str] = []
        self.port = self._read_port()

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "aidb", "serve", str(self.directory), "--port", "0"]
        return subprocess.Popen(
            [*command, *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environment},
        )

    @property
    def output(self) -> IO[str]:
        """What it prints."""
        assert self.process.stdout is not None
        return self.process.stdout

    def _read_port(self) -> int:
        for line in self.output:
            self.banner.append(line)
            if found := re.search(r" on [^ ]*:(\d+)", line):
                return int(found[1])
        raise AssertionError(f"no server: {''.join(self.banner)}")

    def connect(self, protocol: int = 2) -> Wire:
        """A new connection."""
        return Wire(self.port, protocol=protocol)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.kill()
        self.process.wait()
        self.output.close()

    def terminate(self) -> tuple[int, str]:
        """SIGTERM, and wait; status and what it printed since the banner."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        """Wait for the end; status and what it printed since the banner."""
        printed = self.output.read()
        status = self.process.wait(START_S)
        self.output.close()
        return status, printed

    def resident_bytes(self) -> int:
        """Resident memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


@contextmanager
def aidb_server(directory: Path, *options: str, **keywords: dict[str, str]) -> Iterator[AidbServer]:
    """Our server, killed at the end if it still runs."""
    server = AidbServer(directory, *options, **keywords)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
        elif not server.output.closed:
            server.output.close()


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def redis_server(directory: Path, *options: str) -> Iterator[int]:
    """Debian's redis-server without persistence; gives its port."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--dir", str(directory), "--save", ""]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield port
    finally:
        process.kill()
        process.wait()


def wait_for_port(port: int) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"nobody listens on port {port}")
