"""Moving in from a real Redis, and out to one: files, and a live import under writes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from tests.conformance.servers import aidb_server, redis_server
from tests.conformance.streams import Stream
from tests.conformance.test_dump import content, fill, keys
from tests.conformance.wire import Failure, Wire

DATABASES = range(4)
DIFFER_IN_ENCODING = (b"string", b"bits", b"loglog")


def command(*words: str | Path, status: int | None = 0) -> Any:
    """Run ``aidb`` with ``--json`` and give what it printed."""
    line = [sys.executable, "-m", "aidb", *map(str, words), "--json"]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=100, check=False)
    assert status is None or ended.returncode == status, (ended.stdout, ended.stderr)
    return json.loads(ended.stdout) if ended.stdout else ended.stderr


def everything(wire: Wire) -> dict[tuple[int, bytes], Any]:
    """Every key of the first databases with its value and expiry."""
    found: dict[tuple[int, bytes], Any] = {}
    for number in DATABASES:
        wire("SELECT", number)
        for key in keys(wire):
            kind, _, value = content(wire, key)
            if kind == b"stream":
                value = without_times(value)
            found[number, key] = kind, value, wire("PEXPIRETIME", key)
        assert wire("DBSIZE") == len(keys(wire))
    return found


UNREPLICATED = {b"seen-time", b"entries-read", b"lag"}


def without_times(value: Any) -> Any:
    """A stream without what Redis does not tell its replicas: when consumers were seen, and those
    that have no entry; how many entries a group has read."""
    if isinstance(value, list) and value and value[0] == b"name":
        described = dict(zip(value[::2], value[1::2], strict=True))
        consumers = described.get(b"consumers", [])
        described[b"consumers"] = [one for one in consumers if one[one.index(b"pel-count") + 1]]
        kept = {name: part for name, part in described.items() if name not in UNREPLICATED}
        return {name: without_times(part) for name, part in kept.items()}
    if isinstance(value, list | tuple):
        return [without_times(part) for part in value]
    return value


def assert_served(directory: Path, expected: dict[tuple[int, bytes], Any]) -> None:
    with aidb_server(directory) as server, server.connect() as wire:
        found = everything(wire)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert found[key] == value, key


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    """One of Redis's, and one for the import."""
    (tmp_path / "redis").mkdir()
    return tmp_path / "redis", tmp_path / "data"


@pytest.mark.timeout(120)
def test_a_file_arrives_whole(directories: tuple[Path, Path]) -> None:
    theirs, ours = directories
    with redis_server(theirs) as port, Wire(port) as redis:
        fill(redis)
        redis("EXPIRE", "list:small", 10_000)
        redis("SET", "soon", "x", "PX", 1)
        redis("SELECT", 3)
        redis("SET", "other", "x")
        redis("SAVE")
        expected = everything(redis)
    expected.pop((0, b"soon"), None)
    report = command("import", ours, "--rdb", theirs / "dump.rdb")
    assert report["not_represented"] == 0
    assert sum(report["keys"].values()) == len(expected)
    assert_served(ours, expected)


@pytest.mark.timeout(120)
def test_an_export_is_loaded_by_redis(directories: tuple[Path, Path]) -> None:
    theirs, ours = directories
    with aidb_server(ours) as server, server.connect() as wire:
        fill(wire)
        wire("EXPIRE", "list:small", 10_000)
        wire(
            "FUNCTION",
            "LOAD",
            "#!lua name=lib\nredis.register_function('f', function() return 7 end)",
        )
        wire("SELECT", 3)
        wire("SET", "other", "x")
        expected = everything(wire)
        server.terminate()
    report = command("export", ours, "--rdb", theirs / "dump.rdb")
    assert sum(report["keys"].values()) == len(expected)
    checked = subprocess.run(
        ["redis-check-rdb", theirs / "dump.rdb"], check=False, capture_output=True
    )
    assert checked.returncode == 0, checked.stdout
    assert "exists" in command("export", ours, "--rdb", theirs / "dump.rdb", status=3)
    with redis_server(theirs, "--dbfilename", "dump.rdb") as port, Wire(port) as redis:
        found = everything(redis)
        assert redis("FCALL", "f", 0) == 7
    assert found == expected


def test_keys_that_are_there_are_treated_as_told(directories: tuple[Path, Path]) -> None:
    theirs, ours = directories
    with redis_server(theirs) as port, Wire(port) as redis:
        redis("MSET", "a", "theirs", "b", "theirs")
        redis("SAVE")
    with aidb_server(ours) as server, server.connect() as wire:
        wire("MSET", "a", "ours", "c", "ours")
        server.terminate()
    rdb = theirs / "dump.rdb"
    assert "has 2 keys" in command("import", ours, "--rdb", rdb, status=3)
    assert command("import", ours, "--rdb", rdb, "--existing", "keep")["kept"] == 1
    assert values(ours) == {b"a": b"ours", b"b": b"theirs", b"c": b"ours"}
    command("import", ours, "--rdb", rdb, "--existing", "replace")
    assert values(ours) == {b"a": b"theirs", b"b": b"theirs", b"c": b"ours"}
    command("import", ours, "--rdb", rdb, "--existing", "clear")
    assert values(ours) == {b"a": b"theirs", b"b": b"theirs"}


def values(directory: Path) -> dict[bytes, bytes]:
    with aidb_server(directory) as server, server.connect() as wire:
        found = {key: wire("GET", key) for key in keys(wire)}
        server.terminate()
        return found


def test_what_cannot_be_represented_is_reported(directories: tuple[Path, Path]) -> None:
    theirs, ours = directories
    with redis_server(theirs, "--databases", "20") as port, Wire(port) as redis:
        redis("SET", "k" * 40_000, "x")
        redis("SADD", "set", "m" * 70_000, "small")
        redis("SET", "fine", "x")
        redis("SELECT", 17)
        redis("SET", "beyond", "x")
        redis("SAVE")
    report = command("import", ours, "--rdb", theirs / "dump.rdb", status=3)
    assert (report["not_represented"], report["keys"]["string"]) == (3, 1)
    reasons = " ".join(row["why"] for row in report["first_not_represented"])
    assert all(word in reasons for word in ("40000 bytes", "70000 bytes", "end at 15"))
    assert values(ours) == {b"fine": b"x"}


def test_a_damaged_file_is_refused(directories: tuple[Path, Path]) -> None:
    theirs, ours = directories
    with redis_server(theirs) as port, Wire(port) as redis:
        redis("MSET", *[f"{word}{n}" for n in range(2000) for word in ("key", "value")])
        redis("SAVE")
    rdb = theirs / "dump.rdb"
    whole = rdb.read_bytes()
    for damaged in (whole[:-3000], whole[:5000] + b"\xf6" + whole[5001:], b"no file of Redis"):
        rdb.write_bytes(damaged)
        assert "RDB bytes" in command("import", ours, "--rdb", rdb, "--existing", "clear", status=3)


class Writers:
    """Clients that go on writing until they are told to stop, or cannot."""

    def __init__(self, port: int, password: str, count: int = 3) -> None:
        self._port, self._password = port, password
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(count)]

    def _write(self, number: int) -> None:
        stream = Stream(number)
        with Wire(self._port) as wire:
            wire("AUTH", self._password)
            while not self._stop.is_set():
                wire("SELECT", number % 3)
                batch = [tuple(stream.command()) for _ in range(20)]
                batch = [line for line in batch if line and line[0].lower() not in LOCAL]
                batch += [(b"DISCARD",), (b"SELECT", b"0"), (b"INCR", b"counter:%d" % number)]
                batch += [(b"SET", b"passing", b"x", b"PX", b"30")]
                wire.pipeline(batch)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


LOCAL = {
    b"subscribe",
    b"psubscribe",
    b"ssubscribe",
    b"quit",
    b"reset",
    b"hello",
    b"client",
    b"auth",
}


def importing(port: int, ours: Path, *options: str) -> subprocess.Popen[str]:
    url = f"redis://:secret@127.0.0.1:{port}"
    line = [sys.executable, "-m", "aidb", "import", str(ours), "--from", url, *options, "--json"]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str], status: int = 0) -> Any:
    out, err = process.communicate(timeout=90)
    assert process.returncode == status, (out, err)
    return json.loads(out)


def is_following(redis: Wire) -> bool:
    """Whether the source has a replica that acknowledged something."""
    info = redis("INFO", "replication").decode()
    return "state=online" in info


def wait_until_following(redis: Wire) -> None:
    deadline = time.monotonic() + 60
    while not is_following(redis):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def busy_redis(directory: Path, *options: str) -> Iterator[tuple[int, Wire]]:
    replication = ("--repl-diskless-sync-delay", "0", "--repl-backlog-size", "100mb")
    settings = ("--requirepass", "secret", *replication, *options)
    with redis_server(directory, *settings) as port, Wire(port) as redis:
        assert not isinstance(redis("AUTH", "secret"), Failure)
        fill(redis)
        yield port, redis


@pytest.mark.timeout(150)
@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_busy_redis_is_imported_and_cut_over(
    directories: tuple[Path, Path], diskless: str
) -> None:
    theirs, ours = directories
    with busy_redis(theirs, "--repl-diskless-sync", diskless) as (port, _):
        with Writers(port, "secret"):
            process = importing(port, ours, "--cut-over", "3")
            report = ended(process)
        assert report["is_done"] and report["differences"] == []
        assert report["compared_values"] > 20
    again = subprocess.run(
        [sys.executable, "-m", "aidb", "import", str(ours), "--from", f"redis://127.0.0.1:{port}"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert again.returncode == 3
    assert "has ended" in again.stderr


@pytest.mark.timeout(150)
def test_an_import_goes_on_after_kill_and_lost_links(directories: tuple[Path, Path]) -> None:
    theirs, ours = directories
    with busy_redis(theirs) as (port, redis):
        with Writers(port, "secret"):
            for _ in range(2):
                process = importing(port, ours)
                wait_until_following(redis)
                time.sleep(0.5)
                process.kill()
                process.communicate()
            process = importing(port, ours)
            wait_until_following(redis)
            for _ in range(2):
                redis("CLIENT", "KILL", "TYPE", "replica")
                time.sleep(1.2)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            assert "trying again" in err
            assert json.loads(out)["is_done"] is False
        report = ended(importing(port, ours, "--until-caught-up"))
        assert report["differences"] == []
        # Never copied again.
        assert report["keys"]["string"] == 0
        assert redis("INFO", "stats").decode().split("sync_full:")[1].split()[0] == "1"
        expected = everything(redis)
    assert_served(ours, expected)


def test_a_source_that_refuses_is_named(directories: tuple[Path, Path]) -> None:
    theirs, ours = directories
    with redis_server(theirs, "--requirepass", "secret") as port:
        url = f"redis://:wrong@127.0.0.1:{port}"
        message = command("import", ours, "--from", url, status=3)
        assert "WRONGPASS" in message
        assert ":wrong@" not in message
    assert "cannot reach" in command(
        "import", ours, "--from", f"redis://127.0.0.1:{port}", status=3
    )
