"""What was acknowledged is there after kill -9, restart, SHUTDOWN and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import ConnectionClosedError, Failure, Status, Wire

ROUNDS = int(os.environ.get("AIDB_KILL_ROUNDS", "3"))
WRITERS = 4
WINDOW = 16


def write_until_dead(port: int, writer: int, first: int, acknowledged: dict[int, int]) -> None:
    """Pipelines numbered writes; notes the last one that was acknowledged."""
    number = first
    try:
        with Wire(port) as wire:
            while True:
                batch = range(number, number + WINDOW)
                replies = wire.pipeline([("SET", f"w{writer}:{n}", n) for n in batch])
                assert replies == [Status(b"OK")] * WINDOW
                number += WINDOW
                acknowledged[writer] = number
    except (ConnectionClosedError, ConnectionError):
        return


@pytest.mark.timeout(max(60, ROUNDS * 15))
@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path, appendfsync: str) -> None:
    acknowledged = dict.fromkeys(range(WRITERS), 0)
    for _ in range(ROUNDS):
        options = ("--appendfsync", appendfsync, "--memory", "64MB")
        with aidb_server(tmp_path / "data", *options) as server:
            check(server, acknowledged)
            threads = [
                threading.Thread(
                    target=write_until_dead,
                    args=(server.port, writer, acknowledged[writer], acknowledged),
                )
                for writer in range(WRITERS)
            ]
            for thread in threads:
                thread.start()
            time.sleep(0.7)
            server.kill()
            for thread in threads:
                thread.join()
    assert sum(acknowledged.values()) > 0
    with aidb_server(tmp_path / "data") as server:
        check(server, acknowledged)


def check(server: AidbServer, acknowledged: dict[int, int]) -> None:
    with server.connect() as wire:
        for writer, end in acknowledged.items():
            for start in range(0, end, 1000):
                numbers = range(start, min(end, start + 1000))
                values = wire("MGET", *[f"w{writer}:{n}" for n in numbers])
                assert values == [b"%d" % n for n in numbers]
        size = wire("DBSIZE")
        most = sum(end + WINDOW for end in acknowledged.values())
        assert sum(acknowledged.values()) <= size <= most


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server:
        with server.connect() as wire:
            wire.pipeline([("SET", f"k{n}", n) for n in range(1000)])
            wire("SET", "gone", "v", "PX", "1")
            wire("SET", "later", "v", "EX", "1000")
            wire("SELECT", 3)
            wire("SET", "k", "three")
            wire("SWAPDB", 3, 5)
            wire("APPEND", "built", "in pieces")
        assert server.terminate()[0] == 0
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        assert wire("DBSIZE") in (1001, 1002)
        assert wire("MGET", "k0", "k999", "gone") == [b"0", b"999", None]
        assert 900 < wire("TTL", "later") <= 1000
        wire("SELECT", 5)
        assert wire("GET", "k") == b"three"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_gracefully(tmp_path: Path, number: signal.Signals) -> None:
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        wire("SET", "k", "v")
        server.process.send_signal(number)
        status, printed = server.wait()
        assert status == 0
        assert f"stopping: {number.name}" in printed
        assert wire.is_closed()


def test_shutdown_stops_and_closes(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server:
        with server.connect() as wire, server.connect() as sleeper:
            wire("SET", "k", "v")
            sleeper.send(b"DEBUG SLEEP 100\r\n")
            wire.send(b"SHUTDOWN\r\n")
            assert wire.is_closed()
        status, printed = server.wait()
        assert status == 0
        assert "stopped; everything acknowledged is on disk" in printed
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        assert wire("GET", "k") == b"v"


def test_the_banner_says_where_what_and_how(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data", "--appendfsync", "always") as server:
        server.terminate()
        assert f"127.0.0.1:{server.port}" in "".join(server.banner)


def test_a_second_server_on_a_directory_or_port_is_refused(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server:
        for directory, port in ((tmp_path / "data", 0), (tmp_path / "other", server.port)):
            command = [sys.executable, "-m", "aidb", "serve", str(directory), "--port", str(port)]
            result = subprocess.run(command, capture_output=True, text=True, timeout=20)
            assert result.returncode == 3
            expected = str(server.process.pid) if port == 0 else "the port is in use"
            assert expected in result.stderr


def test_a_full_disk_refuses_writes_and_still_reads(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    options = ["-t", "tmpfs", "-o", "size=96m", "none", str(mount)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        with aidb_server(mount / "data", "--memory", "64MB") as server, server.connect() as wire:
            wire("SET", "first", "v")
            reply = fill(wire)
            assert reply.code == b"MISCONF"
            assert b"reads go on" in reply.text or b"disk" in reply.text
            assert wire("GET", "first") == b"v"
            assert wire("PING") == Status(b"PONG")
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def fill(wire: Wire) -> Failure:
    for number in range(2000):
        reply = wire("SET", f"fill:{number}", os.urandom(1 << 20))
        if isinstance(reply, Failure):
            return reply
    raise AssertionError("the disk did not fill up")
