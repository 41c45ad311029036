"""Settings: sources, their order, and every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from aidb.config import load_settings
from aidb.errors import InvalidError


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "aidb.toml"
    file.write_text(text)
    return file


def test_defaults_need_no_source() -> None:
    loaded = load_settings(file=None, environment={}, flags={})
    assert loaded.settings.server.port == 6379
    assert {origin for _, _, origin in loaded.describe()} == {"default"}


def test_a_later_source_wins(tmp_path: Path) -> None:
    file = write(tmp_path, '[server]\nport = 1\nhost = "a"\n[storage]\nmemory_bytes = "2GB"\n')
    environment = {"AIDB_SERVER_PORT": "2", "AIDB_SERVER_HOST": "b", "HOME": "/x"}
    loaded = load_settings(file=file, environment=environment, flags={"server.port": 3})
    assert loaded.settings.server.port == 3
    assert loaded.settings.server.host == "b"
    assert loaded.settings.storage.memory_bytes == 2 << 30
    origins = {name: origin for name, _, origin in loaded.describe()}
    assert origins["server.port"] == "flag for server.port"
    assert origins["server.host"] == "environment AIDB_SERVER_HOST"
    assert origins["storage.memory_bytes"] == str(file)
    assert origins["storage.appendfsync"] == "default"


def test_flags_that_were_not_given_do_not_count() -> None:
    loaded = load_settings(
        file=None, environment={"AIDB_SERVER_PORT": "5"}, flags={"server.port": None}
    )
    assert loaded.settings.server.port == 5


def test_every_problem_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "[server]\nprot = 1\nclients_max = 0\n[storge]\nx = 1\n"
        '[storage]\nmemory_bytes = "1 parsec"\n',
    )
    environment = {"AIDB_SERVER_HOTS": "x", "AIDB_STORAGE_APPENDFSYNC": "often"}
    with pytest.raises(InvalidError) as raised:
        load_settings(file=file, environment=environment, flags={"server.port": 70_000})
    message = str(raised.value)
    for part in (
        "unknown setting server.prot; did you mean port?",
        "unknown section [storge]; did you mean storage?",
        "unknown variable AIDB_SERVER_HOTS; did you mean AIDB_SERVER_HOST?",
        "server.clients_max=0",
        "storage.memory_bytes='1 parsec'",
        "storage.appendfsync='often'",
        "flag for server.port: server.port=70000",
    ):
        assert part in message


def test_an_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="check --config"):
        load_settings(file=tmp_path / "none.toml", environment={}, flags={})
    with pytest.raises(InvalidError, match="is not TOML"):
        load_settings(file=write(tmp_path, "[server"), environment={}, flags={})


def test_durations_and_sizes_have_units() -> None:
    environment = {
        "AIDB_SERVER_IDLE_TIMEOUT_S": "5m",
        "AIDB_SERVER_BULK_BYTES_MAX": "64MB",
        "AIDB_STORAGE_MEMORY_BYTES": "134217728",
    }
    loaded = load_settings(file=None, environment=environment, flags={})
    assert loaded.settings.server.idle_timeout_s == 300
    assert loaded.settings.server.bulk_bytes_max == 64 << 20
    assert loaded.settings.storage.memory_bytes == 128 << 20
