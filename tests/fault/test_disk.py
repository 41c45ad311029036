"""A full disk refuses writes and loses nothing; a read-only disk can be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("small_disk.py")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_the_data_survives_trouble_with_the_disk(tmp_path: Path, trouble: str) -> None:
    namespace = ["unshare", "--map-root-user", "--mount"]
    command = [*namespace, sys.executable, str(PROGRAM), str(tmp_path), trouble]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr
