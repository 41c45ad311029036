"""A long replay of the log says how far it has come."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import aidb
from aidb.config import load_settings
from aidb.server.data_plane import DataPlane
from aidb.server.node import ReplayLog

KILLED = """
import os, sys, aidb
db = aidb.open(sys.argv[1], background=False)
for number in range(3000):
    db[b"%d" % number] = os.urandom(1000)
os._exit(9)
"""


@pytest.fixture
def unflushed(path: Path) -> Path:
    """A database whose process died with 3 MB in its log."""
    outcome = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert outcome.returncode == 9
    return path


def test_progress_grows_to_the_end(unflushed: Path) -> None:
    seen: list[tuple[int, int]] = []
    with aidb.open(unflushed, on_recovery_progress=lambda *at: seen.append(at)) as db:
        assert len(db) == 3000
        assert db.recovery()["batches_replayed"] == 3000
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert all(total == seen[0][1] for _, total in seen)
    assert seen[-1][0] == seen[-1][1]


def test_nothing_to_replay_says_nothing(path: Path) -> None:
    seen: list[tuple[int, int]] = []
    aidb.open(path, on_recovery_progress=lambda *at: seen.append(at)).close()
    assert seen == []


def test_what_is_not_callable_is_refused(path: Path) -> None:
    with pytest.raises(TypeError, match="on_recovery_progress"):
        aidb.open(path, on_recovery_progress=7)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_failing_callable_does_not_stop_the_recovery(unflushed: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise RuntimeError(f"{done} of {total}")

    with aidb.open(unflushed, on_recovery_progress=fail) as db:
        assert len(db) == 3000


def test_a_server_tells_the_same(unflushed: Path) -> None:
    seen: list[tuple[int, int]] = []
    flags = {"storage.directory": unflushed, "server.port": 0}
    settings = load_settings(file=None, environment={}, flags=flags).settings
    with DataPlane(settings, lambda *at: seen.append(at)) as data_plane:
        assert data_plane.recovery.batches >= 3000
    assert seen[-1][0] == seen[-1][1] > 3_000_000


def test_the_operator_gets_a_line_a_second() -> None:
    lines: list[str] = []
    now = [100.0]
    log = ReplayLog(lines.append, lambda: now[0])
    for step in range(26):
        now[0] = 100 + step / 10
        log(step * 10, 250)
    assert lines == [
        "replaying the log: 100 of 250 bytes (40 %)",
        "replaying the log: 200 of 250 bytes (80 %)",
    ]
