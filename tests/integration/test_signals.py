"""Ctrl-C interrupts what takes long."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PRELUDE = """
import sys, aidb
db = aidb.open(sys.argv[1])
db.put_many((b"%08d" % n, b"x" * 20) for n in range(50_000))
try:
    print("ready", flush=True)
    while True:
        {work}
except KeyboardInterrupt:
    print("interrupted", len(db), flush=True)
db.close()
with aidb.open(sys.argv[1]) as db:
    print(len(db), flush=True)
"""


@pytest.mark.parametrize(
    "work",
    [
        "sum(1 for _ in db.scan())",
        "list(db.scan())",
        "dict(db.snapshot())",
        "for key in db: pass",
        "db.get_many([b'%08d' % n for n in range(5000)])",
        "db.flush(); db.compact()",
        "db.put(b'00000001', b'y', durability='sync')",
    ],
)
def test_ctrl_c_interrupts_and_the_database_stays_usable(path: Path, work: str) -> None:
    command = [sys.executable, "-c", PRELUDE.format(work=work), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGINT)
        output, _ = program.communicate(timeout=25)
    assert output == "interrupted 50000\n50000\n"
    assert program.returncode == 0
