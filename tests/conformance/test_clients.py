"""The clients that people use."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import pytest
import redis
import redis.asyncio
from tests.conformance.servers import AidbServer


@pytest.fixture(params=[2, 3])
def client(server: AidbServer, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    with redis.Redis("127.0.0.1", server.port, protocol=request.param) as connection:
        yield connection


def test_redis_py_sets_gets_and_expires(client: redis.Redis) -> None:
    assert client.ping()
    assert client.set("k", "v", ex=100, nx=True)
    assert client.set("k", "w", nx=True) is None
    assert client.set("k", "w", get=True) == b"v"
    assert client.get("k") == b"w"
    assert client.mset({"a": 1, "b": 2})
    assert client.mget("a", "missing", "b") == [b"1", None, b"2"]
    assert client.incr("a", 41) == 42
    assert client.incrbyfloat("f", 0.1) == pytest.approx(0.1)
    assert client.expire("a", 50) and 0 < client.ttl("a") <= 50
    assert client.persist("a") and client.ttl("a") == -1
    assert client.type("a") == b"string"
    assert client.object("encoding", "a") == b"int"
    assert set(client.scan_iter(count=2)) == {b"k", b"a", b"b", b"f"}
    assert client.delete("a", "b", "none") == 2


def test_redis_py_reads_what_describes_the_server(client: redis.Redis) -> None:
    assert client.info()["redis_version"]
    assert client.config_get("max*")["maxclients"] == "10000"
    assert client.client_setname("me") and client.client_getname() in ("me", b"me")
    assert any(entry["name"] == "me" for entry in client.client_list())
    assert client.command_count() == len(client.command())
    assert client.command_getkeys("MSET", "a", 1, "b", 2) in (["a", "b"], [b"a", b"b"])
    assert client.dbsize() == 0
    assert client.time()[0] > 1_600_000_000
    assert client.lastsave()


def test_redis_py_pipelines(client: redis.Redis) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for number in range(1000):
            pipeline.set(f"k{number}", number)
        assert pipeline.execute() == [True] * 1000
    assert client.dbsize() == 1000


def test_redis_py_raises_our_errors(client: redis.Redis) -> None:
    client.set("text", "abc")
    with pytest.raises(redis.ResponseError, match="not an integer"):
        client.incr("text")


def test_redis_py_asyncio(server: AidbServer) -> None:
    async def talk() -> list[object]:
        async with redis.asyncio.Redis(host="127.0.0.1", port=server.port) as client:
            await asyncio.gather(*(client.set(f"k{n}", n) for n in range(50)))
            return list(await client.mget([f"k{n}" for n in range(50)]))

    assert asyncio.run(talk()) == [b"%d" % n for n in range(50)]


def cli(server: AidbServer, *arguments: str, text: str | None = None) -> str:
    command = ["redis-cli", "-p", str(server.port), *arguments]
    result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("flag", ["-2", "-3"])
def test_redis_cli_talks_in_both_protocols(server: AidbServer, flag: str) -> None:
    assert cli(server, flag, "set", "k", "v with \n newline") == "OK\n"
    assert cli(server, flag, "get", "k") == "v with \n newline\n"
    assert cli(server, flag, "mget", "k", "none") == "v with \n newline\n\n"
    assert "redis_version" in cli(server, flag, "info", "server")
    assert cli(server, flag, "--scan", "--pattern", "k*") == "k\n"


def test_redis_cli_mass_insertion(server: AidbServer) -> None:
    lines = "".join(f"SET key:{n} {n}\r\n" for n in range(5000))
    assert "errors: 0, replies: 5000" in cli(server, "--pipe", text=lines)
    assert cli(server, "dbsize") == "5000\n"


def test_redis_benchmark_runs(server: AidbServer) -> None:
    names = "ping,set,get,incr,mset"
    command = [
        "redis-benchmark",
        "-p",
        str(server.port),
        "-n",
        "2000",
        "-q",
        "-t",
        names,
        "-P",
        "4",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=25)
    assert result.returncode == 0
    assert "error" not in (result.stdout + result.stderr).lower()
