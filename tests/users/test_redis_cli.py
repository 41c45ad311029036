"""The modes of redis-cli that walk, load and measure."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from aidb.testing import Server


@pytest.fixture
def filled(aidb_redis: Any) -> Any:
    aidb_redis.mset({f"s:{n}": "x" * n for n in range(1, 200)})
    aidb_redis.rpush("list", *range(50))
    aidb_redis.hset("hash", mapping={f"f{n}": n for n in range(70)})
    aidb_redis.zadd("zset", {f"m{n}": n for n in range(30)})
    aidb_redis.sadd("set", *range(20))
    aidb_redis.xadd("stream", {"f": "v"})
    return aidb_redis


def cli(server: Server, *arguments: str, given: bytes | str = "", status: int = 0) -> str:
    """What redis-cli prints."""
    command = ["redis-cli", "-p", str(server.port), *arguments]
    data = given.encode() if isinstance(given, str) else given
    done = subprocess.run(command, input=data, capture_output=True, timeout=25, check=False)
    assert done.returncode == status, done
    return done.stdout.decode()


def test_scan(aidb_server: Server, filled: Any) -> None:
    assert len(set(cli(aidb_server, "--scan").split())) == 204
    assert len(cli(aidb_server, "--scan", "--pattern", "s:1?").split()) == 10
    assert cli(aidb_server, "--scan", "--pattern", "[h]ash", "--quoted-pattern", '"h*"') == "hash\n"


def test_bigkeys(aidb_server: Server, filled: Any) -> None:
    text = cli(aidb_server, "--bigkeys")
    assert "Sampled 204 keys in the keyspace!" in text
    for line in (
        'Biggest string found "s:199" has 199 bytes',
        'Biggest   list found "list" has 50 items',
        'Biggest   hash found "hash" has 70 fields',
        'Biggest   zset found "zset" has 30 members',
        'Biggest    set found "set" has 20 members',
        'Biggest stream found "stream" has 1 entries',
    ):
        # Debian's version puts names into quotes of their own.
        assert line.replace('"', "") in text.replace('"', "").replace("'", ""), text


def test_pipe(aidb_server: Server, aidb_redis: Any) -> None:
    commands = b"".join(b"SET pipe:%d %d\r\n" % (n, n) for n in range(5000))
    text = cli(aidb_server, "--pipe", given=commands + b"LPUSH pipe:1 x\r\n", status=1)
    assert "errors: 1, replies: 5001" in text
    assert aidb_redis.get("pipe:4999") == b"4999"


def test_latency_is_measured(aidb_server: Server) -> None:
    lowest, highest, average, samples = cli(aidb_server, "--latency", "--raw").split()
    assert float(lowest) <= float(average) <= float(highest)
    assert int(samples) > 0


def test_scripts_protocols_and_forms(aidb_server: Server, aidb_redis: Any, tmp_path: Any) -> None:
    script = tmp_path / "script.lua"
    script.write_text("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
    assert cli(aidb_server, "--eval", str(script), "n", ",", "a") == "n\na\n1\n"
    aidb_redis.hset("h", "f", "v")
    assert cli(aidb_server, "-3", "--json", "HGETALL", "h").strip() == '{"f":"v"}'
    assert cli(aidb_server, "--csv", "HGETALL", "h").strip() == '"f","v"'
    assert cli(aidb_server, "-n", "2", "SET", "two", "2") == "OK\n"
    assert cli(aidb_server, "-u", aidb_server.url.replace("/0", "/2"), "GET", "two") == "2\n"
    assert cli(aidb_server, "-x", "SET", "k", given="from stdin") == "OK\n"
    assert cli(aidb_server, "-r", "3", "INCR", "n") == "2\n3\n4\n"
    transaction = "MULTI\nSET t 1\nINCR t\nEXEC\n"
    assert cli(aidb_server, given=transaction) == "OK\nQUEUED\nQUEUED\nOK\n2\n"
