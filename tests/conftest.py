"""Fixtures that every suite uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import aidb
from aidb.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def db(clock: ManualClock) -> Iterator[aidb.Database]:
    """An empty database in memory whose time stands still."""
    with aidb.open(":memory:", clock=clock) as database:
        yield database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database on disk may be made."""
    return tmp_path / "db"
