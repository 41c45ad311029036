"""The fixtures of ``aidb.testing``, as a project of its own uses them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import redis
from pydantic import ValidationError

import aidb
from aidb.testing import serve

PROJECT = {
    "conftest.py": """
import pytest
pytest_plugins = ["aidb.testing"]

@pytest.fixture(scope="session")
def aidb_server_settings():
    return {"requirepass": "secret", "clients_max": 50}
""",
    "test_project.py": """
import redis, aidb.redis

def test_server(aidb_server, aidb_redis):
    assert aidb_redis.set("k", "v")
    assert redis.Redis.from_url(aidb_server.url).get("k") == b"v"
    assert aidb_redis.config_get("maxclients") == {"maxclients": "50"}

def test_server_is_empty(aidb_redis):
    assert aidb_redis.dbsize() == 0
    aidb_redis.set("left", "behind")

def test_server_is_empty_again(aidb_redis):
    assert aidb_redis.dbsize() == 0
    aidb_redis.set("left", "behind")

def test_embedded(aidb_embedded):
    assert isinstance(aidb_embedded, aidb.redis.Redis)
    aidb_embedded.lpush("l", 1)
    assert aidb_embedded.dbsize() == 1
""",
}


def test_a_project_uses_the_fixtures(tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_a_server_for_a_block(tmp_path: Path) -> None:
    with serve(tmp_path / "data", appendfsync="always") as server:
        with server.client(decode_responses=True) as client:
            assert client.set("k", "v")
            assert client.get("k") == "v"
        with pytest.raises(aidb.UnavailableError):
            aidb.open(tmp_path / "data")
    with pytest.raises(redis.ConnectionError):
        redis.Redis(port=server.port).ping()
    with pytest.raises(ValidationError, match="nosuch"), serve(tmp_path / "data", nosuch=1):
        pass
