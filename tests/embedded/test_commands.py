"""redis-py on a directory: single commands, pipelines, transactions, scripts."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import redis

import aidb.redis


def test_it_is_a_client_of_redis_py(r: Any) -> None:
    assert redis.Redis in type(r).__mro__
    assert r.set("k", "v")
    assert r.get("k") == "v"
    assert r.execute_command("GET", "k") == "v"
    assert r.execute_command("CLIENT GETNAME") in {None, ""}


def test_values_of_every_type_become_arguments(store: aidb.redis.Store) -> None:
    r: Any = store.client()
    big = 10**30
    given = [b"\x00\r\n", "ä", 7, -(2**63), big, 1.5, memoryview(b"m")]
    expected = [b"\x00\r\n", "ä".encode(), b"7", b"-9223372036854775808"]
    expected += [str(big).encode(), b"1.5", b"m"]
    r.rpush("l", *given)
    assert r.lrange("l", 0, -1) == expected
    for wrong in (None, True, [], object()):
        with pytest.raises(redis.DataError):
            r.set("k", wrong)
        with pytest.raises(redis.DataError):
            r.pipeline().set("k", wrong).execute()
    assert r.get("k") is None


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_are_decoded_as_the_client_asks(store: aidb.redis.Store, protocol: int) -> None:
    text: Any = store.client(decode_responses=True, protocol=protocol)
    raw: Any = store.client(protocol=protocol)
    latin: Any = store.client(decode_responses=True, encoding="latin-1", protocol=protocol)
    text.hset("h", mapping={"a": "1", "b": "2"})
    assert text.hgetall("h") == {"a": "1", "b": "2"}
    assert raw.hgetall("h") == {b"a": b"1", b"b": b"2"}
    raw.set("k", b"\xff")
    assert latin.get("k") == "ÿ"
    with pytest.raises(UnicodeDecodeError):
        text.get("k")
    assert text.execute_command("GET", "k", NEVER_DECODE=True) == b"\xff"
    assert text.zadd("z", {"m": 1.5}) == 1
    assert text.zrange("z", 0, -1, withscores=True) == [("m", 1.5)] or protocol == 3


def test_errors_are_those_of_redis_py(r: Any) -> None:
    r.set("k", "v")
    with pytest.raises(redis.ResponseError, match="^WRONGTYPE"):
        r.lpush("k", "x")
    with pytest.raises(redis.exceptions.NoScriptError):
        r.evalsha("0" * 40, 0)
    with pytest.raises(redis.ResponseError, match="unknown command 'NOSUCH'"):
        r.execute_command("NOSUCH", 1)
    assert r.get("k") == "v"


def test_pipelines(r: Any) -> None:
    pipeline = r.pipeline(transaction=False)
    for n in range(1000):
        pipeline.set(f"k{n}", n)
    pipeline.lpush("k1", "x")
    pipeline.get("k999")
    answers = pipeline.execute(raise_on_error=False)
    assert answers[:1000] == [True] * 1000
    assert isinstance(answers[1000], redis.ResponseError)
    assert answers[1001] == "999"
    with pytest.raises(redis.ResponseError, match="Command # 1"):
        r.pipeline(transaction=False).lpush("k1", "x").execute()


def test_transactions_and_watched_keys(r: Any) -> None:
    assert r.pipeline().set("n", 1).incr("n").execute() == [True, 2]
    with r.pipeline() as pipeline:
        pipeline.watch("n")
        value = int(pipeline.get("n"))
        r.set("n", 10)
        pipeline.multi()
        pipeline.set("n", value + 1)
        with pytest.raises(redis.WatchError):
            pipeline.execute()
    assert r.get("n") == "10"
    assert r.transaction(lambda pipe: pipe.multi() or pipe.incr("n"), "n") == [11]
    with pytest.raises(redis.ResponseError, match="Command # 1 .*unknown command"):
        r.pipeline().execute_command("NOSUCH").execute()


def test_scripts(r: Any) -> None:
    script = r.register_script("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
    assert script(keys=["n"], args=["a"]) == ["n", "a", 1]
    assert script(keys=["n"], args=["a"]) == ["n", "a", 2]
    nested = r.eval("local t = 1 for i = 1, 100 do t = {t} end return t", 0)
    for _ in range(100):
        nested = nested[0]
    assert nested == 1


def test_locks_scans_and_single_connections(r: Any) -> None:
    with r.lock("lock", timeout=10):
        assert not r.lock("lock").acquire(blocking=False)
    assert r.lock("lock").acquire(blocking=False)
    r.mset({f"s{n}": n for n in range(300)})
    assert len(set(r.scan_iter("s*"))) == 300
    with r.client() as single:
        single.execute_command("SELECT", 3)
        single.set("k", "three")
        assert r.get("k") is None
    assert r.store.client(db=3).get("k") == b"three"


def test_streams_of_large_replies(r: Any) -> None:
    value = "x" * 1_000_000
    r.rpush("l", *[value] * 20)
    assert r.lrange("l", 0, -1) == [value] * 20
    assert r.pipeline().lrange("l", 0, -1).llen("l").execute() == [[value] * 20, 20]


def test_threads_share_a_client(r: Any) -> None:
    def work() -> None:
        for n in range(300):
            r.incr("n")
            r.pipeline().incr("m").lpush("l", n).execute()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (r.get("n"), r.get("m"), r.llen("l")) == ("1800", "1800", 1800)


def test_clients_of_one_store_see_each_other(store: aidb.redis.Store) -> None:
    first, second = store.client(client_name="first"), store.client(client_name="second")
    first.set("k", "v")
    assert second.get("k") == b"v"
    assert {client["name"] for client in first.client_list()} >= {"first", "second"}
    assert first.info("clients")["connected_clients"] >= 2
