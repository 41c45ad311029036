"""HyperLogLogs against a real Redis: the same estimates, and the same bytes."""

from __future__ import annotations

from random import Random

import pytest
from tests.conformance.scenes import assert_same_replies
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Wire

EDGES = """
PFADD p
GET p
PFADD p
PFCOUNT p
GET p
OBJECT ENCODING p
PFADD p a
PFADD p a
PFADD p a b c '' d e f g h
GET p
PFCOUNT p
GET p
EXPIRE p 1000
PFADD p z
TTL p
PFCOUNT p
TTL p
PFMERGE p
TTL p
GET p
PFCOUNT none
PFCOUNT none p
PFCOUNT p none
PFMERGE q none
GET q
PFMERGE r p q
GET r
PFCOUNT r
PFADD k a
PFCOUNT k
PFCOUNT p k
PFMERGE p k
PFMERGE k p
SET s HYLL
PFADD s a
SET s HYLLxxxxxxxxxxxxxxxxxxx
PFADD s a
SETRANGE p 4 x
PFCOUNT p
SADD set a
PFADD set a
PFCOUNT set
PFMERGE r set
PFMERGE set r
COPY r t
APPEND t x
PFCOUNT t
PFADD t a b c d e f g h i j k l
PFMERGE u t
STRLEN t
SETRANGE r 16 xx
PFADD r a
PFCOUNT r x
PFMERGE v r
EXISTS v
PFADD
PFCOUNT
PFMERGE
"""
SCRIPTS = {"edges": EDGES}
KEYS = ["log:1", "log:2", "log:3"]


@pytest.mark.parametrize("protocol", [2, 3])
def test_edges_get_the_replies_of_redis(server: AidbServer, redis_port: int, protocol: int) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        assert_same_replies(ours, theirs, EDGES)


@pytest.mark.parametrize("seed", range(3))
def test_bytes_and_estimates_are_those_of_redis(
    server: AidbServer, redis_port: int, seed: int
) -> None:
    random = Random(seed)
    with Wire(redis_port) as theirs, server.connect() as ours:
        theirs("FLUSHALL")
        for step in range(120):
            key = random.choice(KEYS)
            commands: list[tuple[bytes | str | int, ...]] = [
                ("PFADD", key, *(random.randbytes(random.randrange(20)) for _ in range(60))),
                ("GET", key),
                ("PFCOUNT", key),
                ("PFCOUNT", *KEYS),
            ]
            if step % 20 == 19:
                commands.append(("PFMERGE", "m", *random.sample(KEYS, 2)))
                commands.append(("GET", "m"))
            assert ours.pipeline(commands) == theirs.pipeline(commands), f"seed {seed}, step {step}"
