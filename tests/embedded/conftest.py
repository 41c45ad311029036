"""An embedded store, empty, for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import aidb.redis


@pytest.fixture
def store(tmp_path: Path) -> Iterator[aidb.redis.Store]:
    with aidb.redis.Store(tmp_path / "data", memory_bytes="64MB") as store:
        yield store


@pytest.fixture
def r(store: aidb.redis.Store) -> Iterator[aidb.redis.Redis]:
    with store.client(decode_responses=True) as client:
        yield client
