"""The examples of redis-py's own README, unchanged, as they come with the installed package.

Left out are those that say ``...`` in the place of something, and those of Redis's search module
and of commands that no release of Redis 7 has.
"""

from __future__ import annotations

import importlib.metadata
import re
import socket
from typing import Any

import pytest

from aidb.testing import Server

ABSENT = ("...", "search", "himport")


def examples() -> list[str]:
    """The blocks of the README that are sessions at the prompt."""
    text = importlib.metadata.distribution("redis").read_text("METADATA") or ""
    blocks = re.findall(r"```\s*python\n(.*?)```", text, re.DOTALL)
    sessions = [block for block in blocks if block.startswith(">>>")]
    return [block for block in sessions if not any(word in block for word in ABSENT)]


@pytest.fixture
def at_the_usual_port(aidb_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects to port 6379 finds our server."""
    connect = socket.socket.connect

    def elsewhere(self: socket.socket, address: Any) -> None:
        usual = isinstance(address, tuple) and address[1] == 6379
        connect(self, (aidb_server.host, aidb_server.port) if usual else address)

    monkeypatch.setattr(socket.socket, "connect", elsewhere)


def test_the_examples_run_and_answer_what_they_say(
    at_the_usual_port: None, aidb_redis: Any
) -> None:
    names: dict[str, Any] = {}
    answered = 0
    for example in examples():
        last: Any = None
        for line in example.splitlines():
            if line.startswith(">>> "):
                if is_value(line[4:]):
                    last = eval(line[4:], names)
                else:
                    exec(line[4:], names)
            elif line:
                assert repr(last) == line
                answered += 1
    assert answered >= 3


def is_value(line: str) -> bool:
    """Whether the prompt would print something."""
    try:
        compile(line, "example", "eval")
    except SyntaxError:
        return False
    return True
