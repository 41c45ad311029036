"""CLIENT REPLY, PAUSE, LIST and KILL; commands under other names."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from tests.conformance.scenes import lines, send_line
from tests.conformance.servers import AidbServer, aidb_server
from tests.conformance.wire import Failure, Status, Wire, encode

SCENE = """\
CLIENT REPLY
CLIENT REPLY x
CLIENT REPLY ON
CLIENT PAUSE
CLIENT PAUSE x
CLIENT PAUSE -1
CLIENT PAUSE 1 x
CLIENT PAUSE 0
CLIENT PAUSE 1 WRITE
CLIENT UNPAUSE
CLIENT UNPAUSE x
CLIENT NO-EVICT x
CLIENT NO-EVICT on
CLIENT NO-EVICT off
CLIENT KILL
CLIENT KILL nosuch
CLIENT KILL ID
CLIENT KILL ID x
CLIENT KILL ID 0
CLIENT KILL ID 999999
CLIENT KILL TYPE x
CLIENT KILL TYPE master
CLIENT KILL USER nobody
CLIENT KILL ADDR 1.2.3.4:5
CLIENT KILL LADDR 1.2.3.4:5
CLIENT KILL SKIPME x
CLIENT KILL SKIPME yes ADDR
CLIENT LIST TYPE x
CLIENT LIST TYPE master
CLIENT LIST TYPE
CLIENT LIST ID
CLIENT LIST ID x
CLIENT LIST ID 999999
CLIENT LIST x
CONFIG GET nosuch
CONFIG SET maxclients 0
CONFIG SET timeout -1
CONFIG SET timeout x
CONFIG SET nosuch 1
CONFIG SET timeout 1 timeout 2
CONFIG SET timeout 1 maxclients 0
CONFIG GET timeout
CONFIG SET tcp-keepalive 300 timeout 0
"""


def test_every_answer_is_that_of_redis(server: AidbServer, redis_port: int) -> None:
    with server.connect() as ours, Wire(redis_port) as theirs:
        for line in lines(SCENE):
            mine, other = send_line(ours, line), send_line(theirs, line)
            assert mine == other, f"{line}\naidb:  {mine!r}\nredis: {other!r}"


def test_replies_are_skipped_as_by_redis(server: AidbServer, redis_port: int) -> None:
    script = [
        ("CLIENT", "REPLY", "SKIP"),
        ("ECHO", "1"),
        ("ECHO", "2"),
        ("CLIENT", "REPLY", "OFF"),
        ("ECHO", "3"),
        ("NOSUCH",),
        ("CLIENT", "REPLY", "SKIP"),
        ("ECHO", "4"),
        ("CLIENT", "REPLY", "ON"),
        ("ECHO", "5"),
        ("CLIENT", "REPLY", "SKIP"),
        ("CLIENT", "REPLY", "SKIP"),
        ("NOSUCH",),
        ("ECHO", "6"),
        ("CLIENT", "REPLY", "OFF"),
        ("MULTI",),
        ("ECHO", "7"),
        ("EXEC",),
        ("RESET",),
        ("ECHO", "8"),
    ]
    answers = []
    for port in (server.port, redis_port):
        with Wire(port) as wire:
            wire.send(b"".join(encode(*command) for command in script))
            heard = [wire.read()]
            while heard[-1] != b"8":
                heard.append(wire.read())
            answers.append(heard)
    assert answers[0] == answers[1]


def test_writes_wait_for_the_end_of_a_pause(tmp_path: Path) -> None:
    with (
        aidb_server(tmp_path / "data") as server,
        server.connect() as admin,
        server.connect() as writer,
        server.connect() as other,
    ):
        assert admin("CLIENT", "PAUSE", 60_000, "WRITE") == Status(b"OK")
        writer.send(encode("SET", "paused", "1") + encode("GET", "paused"))
        other.send(encode("MULTI") + encode("SET", "paused", "2") + encode("EXEC"))
        assert [other.read(), other.read()] == [Status(b"OK"), Status(b"QUEUED")]
        assert admin("GET", "paused") is None
        writer.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            writer.read()
        writer.socket.settimeout(20)
        assert admin("CLIENT", "UNPAUSE") == Status(b"OK")
        assert writer.read() == Status(b"OK")
        assert writer.read() in (b"1", b"2")
        assert other.read() == [Status(b"OK")]


def test_everything_waits_until_its_time_is_over(tmp_path: Path) -> None:
    with aidb_server(tmp_path / "data") as server, server.connect() as wire:
        began = time.monotonic()
        assert wire("CLIENT", "PAUSE", 300) == Status(b"OK")
        assert wire("PING") == Status(b"PONG")
        assert time.monotonic() - began >= 0.3
        assert wire("PING") == Status(b"PONG")


def test_filters_mean_who_they_say(server: AidbServer) -> None:
    with (
        server.connect() as admin,
        server.connect() as first,
        server.connect() as listener,
    ):
        admin("ACL", "SETUSER", "filtered", "on", "nopass", "+@all", "~*", "&*")
        first("AUTH", "filtered", "x")
        number = first("CLIENT", "ID")
        listener("SUBSCRIBE", "filters")
        listed = admin("CLIENT", "LIST", "USER", "filtered")
        assert listed.count(b"\n") == 1
        assert b"id=%d " % number in listed
        assert b"sub=1" in admin("CLIENT", "LIST", "TYPE", "pubsub")
        assert admin("CLIENT", "LIST", "ID", number, 999_999).count(b"\n") == 1
        assert admin("CLIENT", "KILL", "MAXAGE", 100_000) == 0
        assert admin("CLIENT", "KILL", "USER", "filtered", "MAXAGE", 100_000) == 0
        assert admin("CLIENT", "KILL", "USER", "filtered") == 1
        assert first.is_closed()
        assert admin("CLIENT", "KILL", "TYPE", "pubsub", "ID", 999_999) == 0
        admin("ACL", "DELUSER", "filtered")


def test_commands_have_the_names_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "aidb.toml"
    file.write_text('[server.rename_commands]\nCONFIG = "kept-secret"\nFLUSHALL = ""\n')
    with aidb_server(tmp_path / "data", "--config", str(file)) as server:
        with redis.Redis(port=server.port) as client:
            with pytest.raises(redis.ResponseError, match="unknown command"):
                client.config_get("timeout")
            with pytest.raises(redis.ResponseError, match="unknown command"):
                client.flushall()
            with pytest.raises(redis.ResponseError, match="Unknown Redis command"):
                client.eval("return redis.call('flushall')", 0)
        with server.connect() as wire:
            assert wire("KEPT-secret", "GET", "timeout") == [b"timeout", b"0"]
            wire("MULTI")
            assert isinstance(wire("FLUSHALL"), Failure)
            wire("DISCARD")
            wire("MULTI")
            wire("KEPT-SECRET", "GET", "timeout")
            assert wire("EXEC") == [[b"timeout", b"0"]]


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "aidb.toml"
    file.write_text('[server.rename_commands]\nCONFIG = "get"\n')
    done = subprocess.run(
        [sys.executable, "-m", "aidb", "serve", str(tmp_path / "data"), "--config", str(file)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "rename_commands" in done.stderr
