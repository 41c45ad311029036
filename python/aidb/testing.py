"""Pytest fixtures: a throw-away server, and a throw-away embedded store.

    # conftest.py
    pytest_plugins = ["aidb.testing"]

    # test_something.py
    def test_cart(aidb_redis):            # a redis.Redis on an empty server
        add_to_cart(aidb_redis, "apple")

    def test_cart_without_a_server(aidb_embedded):
        add_to_cart(aidb_embedded, "apple")

``aidb_server`` runs in the process of the tests, once per session, on a free port; programs that
take an address get ``aidb_server.url``. Override ``aidb_server_settings`` to start it differently.
Outside of fixtures, :func:`serve` is the same as a context manager.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aidb.config import Settings
from aidb.server.data_plane import DataPlane

if TYPE_CHECKING:
    import redis

    import aidb.redis

__all__ = [
    "Server",
    "aidb_embedded",
    "aidb_redis",
    "aidb_server",
    "aidb_server_settings",
    "serve",
]

_STORAGE = frozenset({"appendfsync", "memory_bytes", "compression", "repair_log"})


@dataclass(frozen=True)
class Server:
    """A running server."""

    host: str
    port: int
    directory: Path
    password: str = ""

    @property
    def url(self) -> str:
        """Its address as clients take it: ``redis://host:port/0``."""
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}{self.host}:{self.port}/0"

    def client(self, **options: Any) -> redis.Redis:
        """A client of redis-py."""
        import redis  # noqa: PLC0415 - an optional extra

        # redis-py does not say of what types the options are.
        made: redis.Redis = redis.Redis.from_url(self.url, **options)  # pyright: ignore[reportUnknownMemberType]
        return made


@contextmanager
def serve(directory: Path, **settings: Any) -> Generator[Server]:
    """Serves ``directory`` on a free port of this machine until the block ends.

    Args:
        directory: Directory of the database, made when it is missing.
        settings: Names of the configuration's sections ``storage`` and ``server``, such as
            ``requirepass="secret"`` or ``memory_bytes="128MB"``.

    Raises:
        ValidationError: There is no such setting, or its value is wrong.
        UnavailableError: The directory is open already.
    """
    storage = {"directory": directory, "memory_bytes": "64MB"}
    server: dict[str, Any] = {"port": 0, "stop_grace_s": 0}
    for name, value in settings.items():
        (storage if name in _STORAGE else server)[name] = value
    chosen = Settings.model_validate({"storage": storage, "server": server})
    with DataPlane(chosen) as data_plane:
        host, port = data_plane.addresses[0]
        yield Server(host, port, directory, chosen.server.requirepass.get_secret_value())


@pytest.fixture(scope="session")
def aidb_server_settings() -> dict[str, Any]:
    """Settings of :func:`aidb_server`; override it to change them."""
    return {}


@pytest.fixture(scope="session")
def aidb_server(
    aidb_server_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Generator[Server]:
    """A server for the whole session; what tests leave behind is theirs to delete."""
    with serve(tmp_path_factory.mktemp("aidb") / "data", **aidb_server_settings) as server:
        yield server


@pytest.fixture
def aidb_redis(aidb_server: Server) -> Generator[redis.Redis]:
    """A client of the server, whose databases are empty when the test begins."""
    with aidb_server.client() as client:
        client.flushall()  # pyright: ignore[reportUnknownMemberType]
        yield client


@pytest.fixture
def aidb_embedded() -> Generator[aidb.redis.Redis]:
    """A client of a store of its own that lives in memory."""
    from aidb import redis as embedded  # noqa: PLC0415 - redis-py is an optional extra

    with embedded.open(":memory:", memory_bytes="16MB") as client:
        yield client
