"""redis-py says the same about an embedded store as about a real redis-server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.conformance.servers import redis_server

import aidb.redis

CALLS: list[tuple[Any, ...]] = [
    ("set", "s", "v"), ("set", "s", "w", "EX", 100), ("get", "s"), ("get", "none"), ("ttl", "s"),
    ("type", "s"), ("append", "s", "x"), ("incrbyfloat", "f", 1.5), ("mget", "s", "none", "f"),
    ("rpush", "l", "a", "b", "c"), ("lrange", "l", 0, -1), ("lpop", "l"), ("lpop", "l", 2),
    ("lpop", "none"), ("hset", "h", "a", "1"), ("hgetall", "h"), ("hmget", "h", ["a", "b"]),
    ("hkeys", "h"), ("sadd", "m", "x", "y"), ("smembers", "m"), ("sismember", "m", "x"),
    ("smismember", "m", ["x", "z"]), ("zadd", "z", {"a": 1, "b": 2.5}), ("zscore", "z", "b"),
    ("zrange", "z", 0, -1), ("zrank", "z", "b"), ("zincrby", "z", 1, "a"), ("zpopmin", "z"),
    ("xadd", "x", {"f": "v"}, "1-1"), ("xrange", "x"), ("xlen", "x"),
    ("xread", {"x": "0"}), ("xgroup_create", "x", "g", "0"),
    ("xreadgroup", "g", "c", {"x": ">"}), ("xpending", "x", "g"), ("xack", "x", "g", "1-1"),
    ("xinfo_groups", "x"), ("pfadd", "p", "a", "b"), ("pfcount", "p"),
    ("geoadd", "g", (13.361389, 38.115556, "Palermo")), ("geopos", "g", "Palermo", "none"),
    ("geohash", "g", "Palermo"), ("exists", "s", "none"), ("delete", "s", "none"), ("keys", "*"),
    ("scan", 0), ("eval", "return {1, 'a', false, {2}}", 0),
    ("eval", "return redis.status_reply('x')", 0),
    ("script_load", "return 1"), ("script_exists", "0" * 40), ("time_is_a_pair",), ("dbsize",),
    ("lpush", "h", "x"), ("execute_command", "GET"), ("echo", "hi"), ("ping",), ("flushdb",),
]  # fmt: skip


def answers(client: Any) -> Iterator[object]:
    for name, *args in CALLS:
        if name == "time_is_a_pair":
            yield [type(part) for part in client.time()]
            continue
        try:
            answer = getattr(client, name)(*args)
        except redis.RedisError as error:
            answer = (type(error), str(error))
        if isinstance(answer, list) and name in {"keys", "hkeys", "smembers"}:
            answer = sorted(answer)
        if name == "scan":
            answer = sorted(answer[1])
        yield (name, answer)


@pytest.mark.parametrize("decodes", [True, False])
@pytest.mark.parametrize("protocol", [2, 3])
def test_every_answer_is_the_same(
    store: aidb.redis.Store, tmp_path: Path, protocol: int, decodes: bool
) -> None:
    with redis_server(tmp_path) as port:
        options: dict[str, Any] = {"protocol": protocol, "decode_responses": decodes}
        with redis.Redis(port=port, **options) as theirs:
            expected = list(answers(theirs))
            theirs.flushall()
            single: Any = store.client(**options, single_connection_client=True)
            piped = list(answers(single))
            assert piped == expected
    assert list(answers(store.client(**options))) == expected
