"""Runs the command line in this process."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aidb.cli import main


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Calls ``aidb`` with arguments, standard input in and standard output and error out."""

    def __init__(self, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: Any) -> None:
        self._captured, self._monkeypatch = capsysbinary, monkeypatch

    def __call__(self, *arguments: str | Path, stdin: bytes = b"", status: int = 0) -> Ran:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._captured.readouterr()
        ended = main([str(argument) for argument in arguments])
        out, err = self._captured.readouterr()
        assert ended == status, (ended, out, err)
        return Ran(ended, out, err.decode())


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsysbinary, monkeypatch)
