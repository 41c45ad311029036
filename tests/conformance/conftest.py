"""One server of each kind for the whole suite; every test begins with empty databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conformance.servers import AidbServer, aidb_server, redis_server
from tests.conformance.wire import Wire


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AidbServer]:
    with aidb_server(tmp_path_factory.mktemp("aidb") / "data", "--memory", "128MB") as server:
        yield server


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture
def server(shared_server: AidbServer) -> AidbServer:
    """Our server, empty."""
    with shared_server.connect() as wire:
        wire("FLUSHALL")
    return shared_server


@pytest.fixture
def wire(server: AidbServer) -> Iterator[Wire]:
    """A connection to our server, empty."""
    with server.connect() as connection:
        yield connection
