"""TLS: who is let in, who is not, and what happens to certificates while it runs."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from tests.conformance.certificates import Authority
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import Failure, Status, Wire, encode

DEADLINE_S = 15


class TlsServer:
    """A server with both kinds of ports and the authority that it believes."""

    def __init__(self, server: AidbServer, authority: Authority) -> None:
        self.server, self.authority = server, authority
        found = re.search(r":(\d+) \(TLS\)", "".join(server.banner))
        assert found, server.banner
        self.port = int(found[1])

    def ask(self, context: ssl.SSLContext, *command: bytes | str | int) -> bytes:
        """The first bytes of a reply over TLS."""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as wrapped,
        ):
            wrapped.sendall(encode(*(command or ("PING",))))
            return wrapped.recv(1000)

    def refuses(self, context: ssl.SSLContext) -> bool:
        """Whether a client gets no answer."""
        try:
            return self.ask(context) == b""
        except (ssl.SSLError, ConnectionError):
            return True


@contextmanager
def tls_server(directory: Path, **settings: str) -> Iterator[TlsServer]:
    authority = Authority(directory / "authority")
    certificate, key = authority.sign("server")
    environment = {
        "AIDB_SERVER_TLS_PORT": "0",
        "AIDB_SERVER_TLS_CERT_FILE": str(certificate),
        "AIDB_SERVER_TLS_KEY_FILE": str(key),
        "AIDB_SERVER_TLS_CA_CERT_FILE": str(authority.root),
        **{f"AIDB_SERVER_{name.upper()}": value for name, value in settings.items()},
    }
    with aidb_server(directory / "data", "--memory", "64MB", environment=environment) as server:
        yield TlsServer(server, authority)


@pytest.fixture(scope="module")
def optional(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    directory = tmp_path_factory.mktemp("tls")
    with tls_server(directory, tls_auth_clients="optional") as server:
        yield server


def test_clients_of_others_speak_it(optional: TlsServer) -> None:
    root = str(optional.authority.root)
    client = redis.Redis(port=optional.port, ssl=True, ssl_ca_certs=root, protocol=3)
    with client:
        client.set("tls-key", b"x" * 3_000_000)
        assert client.get("tls-key") == b"x" * 3_000_000
        assert client.client_info()["laddr"] == f"127.0.0.1:{optional.port}"
        with client.pipeline(transaction=False) as pipeline:
            for number in range(5000):
                pipeline.incrby("tls-count", number)
            assert pipeline.execute()[-1] == sum(range(5000))
    command = ["redis-cli", "--tls", "--cacert", root, "-p", str(optional.port), "PING"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "PONG\n"


def test_messages_and_waiting_work_over_it(optional: TlsServer) -> None:
    root = str(optional.authority.root)
    with (
        redis.Redis(port=optional.port, ssl=True, ssl_ca_certs=root) as client,
        client.pubsub(ignore_subscribe_messages=True) as listener,
        optional.server.connect() as other,
    ):
        listener.subscribe("tls-channel")
        listener.get_message(timeout=5)
        assert other("PUBLISH", "tls-channel", "hello") == 1
        message = listener.get_message(timeout=5)
        assert message is not None
        assert message["data"] == b"hello"
        assert client.blpop(["tls-list"], timeout=1) is None
        other("RPUSH", "tls-list", "x")
        assert client.blpop(["tls-list"], timeout=5) == (b"tls-list", b"x")


def test_an_authority_of_somebody_else_is_not_believed(optional: TlsServer, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    with pytest.raises(ssl.SSLCertVerificationError):
        optional.ask(stranger.context())
    assert optional.ask(optional.authority.context()) == b"+PONG\r\n"
    shown = optional.authority.context(stranger.sign("intruder"))
    assert optional.refuses(shown), "what is shown must be good"


def test_an_expired_certificate_of_a_client_is_refused(optional: TlsServer) -> None:
    good = optional.authority.context(optional.authority.sign("good"))
    assert optional.ask(good) == b"+PONG\r\n"
    late = optional.authority.context(optional.authority.sign("late", is_expired=True))
    assert optional.refuses(late)


def test_a_client_certificate_may_be_required(tmp_path: Path) -> None:
    with tls_server(tmp_path) as server:
        assert server.refuses(server.authority.context())
        shown = server.authority.context(server.authority.sign("client"))
        assert server.ask(shown) == b"+PONG\r\n"
        with server.server.connect() as admin:
            assert admin("CONFIG", "SET", "tls-auth-clients", "no") == Status(b"OK")
        assert server.ask(server.authority.context()) == b"+PONG\r\n"


def test_plain_bytes_on_its_port_end_the_connection(optional: TlsServer) -> None:
    for request in (b"PING\r\n", encode("SET", "a", "b"), b"\x16\x03\x01\xff\xff" + b"\0" * 100):
        with socket.create_connection(("127.0.0.1", optional.port), timeout=DEADLINE_S) as plain:
            plain.sendall(request)
            answer = everything(plain)
            assert b"PONG" not in answer
            assert b"OK" not in answer
    assert optional.ask(optional.authority.context()) == b"+PONG\r\n"


def everything(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    answer = b""
    try:
        while data := connection.recv(1000):
            answer += data
    except ConnectionResetError:
        pass
    return answer


def test_a_handshake_that_stops_half_way_is_ended(tmp_path: Path) -> None:
    with tls_server(tmp_path, tls_handshake_s="1", tls_auth_clients="no") as server:
        silent = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S)
        halting = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S)
        halting.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        with silent, halting:
            assert server.ask(server.authority.context()) == b"+PONG\r\n", "others go on"
            for stuck in (silent, halting):
                assert len(everything(stuck)) < 100, "at most an alert"


def test_certificates_change_without_closing_connections(tmp_path: Path) -> None:
    with tls_server(tmp_path, tls_auth_clients="no") as server:
        old = server.authority.context()
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S) as plain,
            old.wrap_socket(plain, server_hostname="localhost") as kept,
            server.server.connect() as admin,
        ):
            kept.sendall(encode("PING"))
            assert kept.recv(100) == b"+PONG\r\n"
            fresh = Authority(tmp_path / "fresh")
            certificate, key = fresh.sign("server")
            assert isinstance(admin("CONFIG", "SET", "tls-cert-file", str(certificate)), Failure)
            assert server.ask(old) == b"+PONG\r\n", "key and certificate must fit"
            change = ("tls-cert-file", str(certificate), "tls-key-file", str(key))
            assert admin("CONFIG", "SET", *change) == Status(b"OK")
            assert admin("CONFIG", "GET", "tls-cert-file")[1] == str(certificate).encode()
            assert server.ask(fresh.context()) == b"+PONG\r\n"
            assert server.refuses(old)
            kept.sendall(encode("PING"))
            assert kept.recv(100) == b"+PONG\r\n"


def test_a_signal_reads_the_files_again(tmp_path: Path) -> None:
    with tls_server(tmp_path, tls_auth_clients="no") as server:
        before = server.authority.context()
        assert server.ask(before) == b"+PONG\r\n"
        fresh = Authority(tmp_path / "fresh")
        certificate, key = fresh.sign("server")
        (server.authority.directory / "server.pem").write_bytes(certificate.read_bytes())
        (server.authority.directory / "server.key").write_bytes(key.read_bytes())
        os.kill(server.server.process.pid, signal.SIGHUP)
        deadline = time.monotonic() + DEADLINE_S
        while server.refuses(fresh.context()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.ask(fresh.context()) == b"+PONG\r\n"


def test_the_server_may_listen_without_plaintext(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.sign("server")
    environment = {
        "AIDB_SERVER_PLAINTEXT": "false",
        "AIDB_SERVER_TLS_PORT": "0",
        "AIDB_SERVER_TLS_CERT_FILE": str(certificate),
        "AIDB_SERVER_TLS_KEY_FILE": str(key),
        "AIDB_SERVER_TLS_AUTH_CLIENTS": "no",
    }
    with aidb_server(tmp_path / "data", environment=environment) as server:
        tls = TlsServer(server, authority)
        assert tls.port == server.port, "it is the only one"
        assert tls.ask(authority.context(), "CONFIG", "GET", "port").endswith(b"$1\r\n0\r\n")


def test_wrong_files_are_named_at_the_start(tmp_path: Path) -> None:
    for settings in (
        {"AIDB_SERVER_TLS_PORT": "0"},
        {"AIDB_SERVER_TLS_PORT": "0", "AIDB_SERVER_TLS_CERT_FILE": str(tmp_path / "none.pem")},
    ):
        done = subprocess.run(
            [sys.executable, "-m", "aidb", "serve", str(tmp_path / "data")],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode != 0
        assert "tls_cert_file" in done.stderr


def test_a_socket_in_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "aidb.sock"
    environment = {"AIDB_SERVER_UNIXSOCKET": str(path), "AIDB_SERVER_UNIXSOCKETPERM": "700"}
    with aidb_server(tmp_path / "data", environment=environment) as server:
        assert path.stat().st_mode & 0o777 == 0o700
        with redis.Redis(unix_socket_path=str(path)) as client:
            assert client.set("unix-key", "v")
            assert client.client_list()[0]["addr"] == f"{path}:0"
            assert "U" in client.client_list()[0]["flags"]
        with server.connect() as wire:
            assert wire("GET", "unix-key") == b"v"
        status, _ = server.terminate()
        assert status == 0
        assert not path.exists()


def test_several_addresses_are_listened_on(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data", "--host", "127.0.0.1 127.0.0.2 -192.0.2.1") as server:
        with socket.create_connection(("127.0.0.2", server.port), timeout=DEADLINE_S) as other:
            other.sendall(encode("PING"))
            assert other.recv(100) == b"+PONG\r\n"
        with Wire(server.port) as wire:
            assert wire("CONFIG", "GET", "bind")[1] == b"127.0.0.1 127.0.0.2 -192.0.2.1"
