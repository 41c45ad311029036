"""The password: asked for, checked, never shown; strangers get little."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from tests.conformance.servers import AidbServer, aidb_server, redis_server
from tests.conformance.wire import Failure, Status, Wire

PASSWORD = "open sesame"
SCENE: list[tuple[str, ...]] = [
    ("PING",),
    ("GET", "absent"),
    ("NOSUCH",),
    ("AUTH",),
    ("AUTH", "wrong"),
    ("AUTH", "default", "wrong"),
    ("AUTH", "nobody", PASSWORD),
    ("AUTH", "default", PASSWORD, "more"),
    ("HELLO",),
    ("HELLO", "3"),
    ("HELLO", "2", "AUTH", "default", "wrong"),
    ("EXEC",),
    ("AUTH", "default", PASSWORD),
    ("GET", "absent"),
    ("RESET",),
    ("GET", "absent"),
    ("AUTH", PASSWORD),
    ("GET", "absent"),
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AidbServer]:
    environment = {"AIDB_SERVER_REQUIREPASS": PASSWORD}
    directory = tmp_path_factory.mktemp("guarded") / "data"
    with aidb_server(directory, environment=environment) as server:
        yield server


def test_every_answer_is_that_of_redis(guarded: AidbServer, tmp_path: Path) -> None:
    with (
        redis_server(tmp_path, "--requirepass", PASSWORD) as port,
        Wire(port) as theirs,
        guarded.connect() as ours,
    ):
        for command in SCENE:
            assert ours(*command) == theirs(*command), command


def test_without_a_password_auth_answers_as_redis(server: AidbServer, redis_port: int) -> None:
    with Wire(redis_port) as theirs, server.connect() as ours:
        for command in [("AUTH", "x"), ("AUTH", "default", "x"), ("AUTH", "nobody", "x")]:
            assert ours(*command) == theirs(*command), command


def test_a_stranger_may_send_little(guarded: AidbServer) -> None:
    for request in (b"*11\r\n", b"*1\r\n$16385\r\n"):
        with guarded.connect() as wire:
            wire.send(request)
            reply = wire.read()
            assert isinstance(reply, Failure)
            assert b"unauthenticated" in reply.text
            assert wire.is_closed()


def test_clients_use_it(guarded: AidbServer) -> None:
    with redis.Redis(port=guarded.port, password=PASSWORD, protocol=3) as client:
        client.set("k", "v")
        assert client.get("k") == b"v"
    done = subprocess.run(
        ["redis-cli", "-p", str(guarded.port), "GET", "k"],
        env={"REDISCLI_AUTH": PASSWORD, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "v\n"


def test_a_password_can_be_set_and_taken_away(server: AidbServer) -> None:
    with server.connect() as known:
        assert known("CONFIG", "SET", "requirepass", PASSWORD) == Status(b"OK")
        try:
            assert known("PING") == Status(b"PONG")
            with server.connect() as stranger:
                assert stranger("PING") == Failure(b"NOAUTH Authentication required.")
        finally:
            known("CONFIG", "SET", "requirepass", "")
        with server.connect() as anybody:
            assert anybody("PING") == Status(b"PONG")


def test_it_is_never_shown(guarded: AidbServer) -> None:
    with guarded.connect() as wire:
        wire("AUTH", PASSWORD)
        shown = [wire("CONFIG", "GET", "*"), wire("INFO", "everything"), wire("CLIENT", "LIST")]
        assert PASSWORD not in repr(shown)


def test_protected_mode_refuses_other_machines(tmp_path: Path) -> None:
    address = machine_address()
    if address is None:
        with aidb_server(tmp_path / "data") as server, server.connect() as wire:
            assert wire("CONFIG", "GET", "protected-mode") == [b"protected-mode", b"yes"]
        return
    with aidb_server(tmp_path / "data", "--host", "0.0.0.0") as server:
        with server.connect() as local:
            assert local("PING") == Status(b"PONG")
            answer = first_answer(address, server.port)
            assert answer.startswith(b"-DENIED")
            local("CONFIG", "SET", "protected-mode", "no")
        assert first_answer(address, server.port) == b"+PONG\r\n"


def machine_address() -> str | None:
    """An address of this machine that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


def first_answer(host: str, port: int) -> bytes:
    with socket.create_connection((host, port), timeout=10) as connection:
        try:
            connection.sendall(b"PING\r\n")
            return connection.recv(1000)
        except ConnectionResetError:
            return b"-DENIED (reset)"
