"""A process killed at any instant leaves a database with every acknowledged batch, each whole.

``AIDB_KILL_ROUNDS`` kills more often.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

import aidb
from aidb import maintenance

ROUNDS = int(os.environ.get("AIDB_KILL_ROUNDS", "4"))
PROGRAM = Path(__file__).with_name("writer.py")


def load_writer() -> Any:
    spec = importlib.util.spec_from_file_location("fault_writer", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


writer = load_writer()


def run_and_kill(path: Path, durability: str, log_mode: str, seconds: float) -> int:
    """Lets a writer work for a while after its first batch; the last batch it saw acknowledged."""
    command = [sys.executable, str(PROGRAM), str(path), durability, log_mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    # The last line may be cut by the kill.
    lines = (first + rest).split(b"\n")[:-1]
    return int(lines[-1])


@pytest.mark.timeout(max(60, ROUNDS * 10))
@pytest.mark.parametrize("log_mode", ["mapped", "append"])
@pytest.mark.parametrize("durability", ["none", "everysec", "sync"])
def test_every_acknowledged_batch_survives_kill_9(
    tmp_path: Path, durability: str, log_mode: str
) -> None:
    random = Random(f"{durability} {log_mode}")
    path = tmp_path / "db"
    model: dict[bytes, bytes] = {}
    known = 0
    for round_number in range(ROUNDS):
        acknowledged = run_and_kill(path, durability, log_mode, random.random() * 0.3)
        with aidb.open(path) as db:
            found = int(db[writer.COUNTER])
            assert acknowledged <= found <= acknowledged + 1, f"round {round_number}"
            for number in range(known + 1, found + 1):
                writer.apply(model, number)
            known = found
            assert dict(db.scan()) == model, f"round {round_number}, batch {found}"
            assert len(db) == len(model)


def problems(path: Path) -> list[str]:
    """What ``aidb check`` and ``aidb inspect`` say is wrong."""
    found = maintenance.check_references(path)
    for file in maintenance.files(path):
        found += maintenance.check_file(path, file.path)
        found += maintenance.inspect(file.path, 0)["problems"]
    return found


@pytest.mark.timeout(60)
@pytest.mark.parametrize("log_mode", ["mapped", "append"])
def test_what_kill_9_leaves_is_neither_damage_nor_loss(tmp_path: Path, log_mode: str) -> None:
    random = Random(f"damage {log_mode}")
    for round_number in range(ROUNDS):
        path = tmp_path / str(round_number)
        acknowledged = run_and_kill(path, "none", log_mode, random.random() * 0.3)
        assert problems(path) == []
        with aidb.open(path, read_only=True) as db:
            found = dict(db.scan())
        assert int(found[writer.COUNTER]) >= acknowledged
        assert maintenance.repair(path)["lost"] == []
        assert problems(path) == []
        with aidb.open(path) as db:
            assert dict(db.scan()) == found
