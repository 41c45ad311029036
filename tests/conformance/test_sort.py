"""SORT, SORT_RO and LCS against a real Redis."""

from __future__ import annotations

import pytest
from tests.conformance.scenes import assert_same_replies
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Failure, Wire

SORTS = """
RPUSH l 3 1 2 10 -1 1.5 1
SORT l
SORT l DESC
SORT l ALPHA
SORT l alpha desc
SORT l LIMIT 1 3
SORT l LIMIT 0 0
SORT l LIMIT -5 2
SORT l LIMIT 2 -1
SORT l LIMIT 100 5
SORT l LIMIT 5 100
SORT l LIMIT 1
SORT l LIMIT a 1
SORT l LIMIT 1 b BOGUS
SORT l DESC ASC
SORT l BY nosort
SORT l BY nosort DESC
SORT l BY nosort LIMIT 1 2
SORT l BY nosort DESC LIMIT 1 2
SORT l BY nosort GET #
SORT l BY
SORT l GET
SORT l STORE
SORT l BOGUS
SORT
SORT none
SORT none STORE none2
SORT none LIMIT 0 1 GET #
SORT k
SORT k BOGUS
SORT none BY w_* GET # STORE d
EXISTS d
MSET w_1 5 w_2 4 w_3 3 w_10 2 w_-1 1 w_1.5 0 o_1 one o_2 two o_3 three
SORT l BY w_*
SORT l BY w_* DESC
SORT l BY w_* GET o_*
SORT l BY w_* GET # GET o_* GET nothing GET none_*
SORT l BY w_* LIMIT 1 2 GET o_*
SORT l BY w_* ALPHA
SORT l BY o_* ALPHA
SORT l BY o_* ALPHA DESC
SORT l BY o_*
SORT l BY none_*
SORT l BY none_* DESC
HSET h_1 f 3 g x
HSET h_2 f 1 g y
HSET h_3 f 2
SORT l BY h_*->f
SORT l BY h_*->f GET h_*->g
SORT l BY h_*->f GET h_*-> GET h_*->none
SORT l BY h_*
SORT l BY w_*->f
SORT l GET w_*->f
SORT l GET *
SORT l BY w_*x
SORT l STORE d
LRANGE d 0 -1
OBJECT ENCODING d
EXPIRE d 1000
SORT l BY w_* GET o_* STORE d
TTL d
LRANGE d 0 -1
SORT l LIMIT 0 0 STORE d
EXISTS d
SORT l STORE l
LRANGE l 0 -1
SORT l STORE x STORE y
EXISTS x y
SORT_RO l DESC
SORT_RO l STORE d
SORT_RO l BY w_* GET #
SORT_RO
RPUSH words b a ä '' c1 c
SORT words
SORT words ALPHA
SORT words ALPHA DESC LIMIT 1 2
RPUSH numbers 1 ' 2' '' 0.5 -0 inf -inf 1e3
SORT numbers
RPUSH trailing 1 '2 '
SORT trailing
RPUSH nan 1 nan
SORT nan
SADD s 3 1 2
SORT s
SORT s DESC
SORT s BY nosort STORE d
LRANGE d 0 -1
ZADD z 3 1 2 2 1 3
SORT z
SORT z DESC
SORT z BY nosort
SORT z BY nosort DESC
SORT z BY nosort LIMIT 1 1
SORT z BY nosort DESC LIMIT 1 2
SORT z BY nosort LIMIT 5 1
SORT z BY w_* GET #
SETRANGE zeros 3 x
RPUSH weighed zeros 1
SORT weighed BY * GET #
RPUSH large 1 1e400
SORT large
"""
SUBSEQUENCES = """
MSET a ohmytext b mynewtext
LCS a b
LCS a b LEN
LCS a b IDX
LCS a b idx minmatchlen 4
LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
LCS a b IDX WITHMATCHLEN MINMATCHLEN -5
LCS a b WITHMATCHLEN
LCS a b MINMATCHLEN 2
LCS a b LEN IDX
LCS a b MINMATCHLEN
LCS a b MINMATCHLEN x
LCS a b BOGUS
LCS a none
LCS a none IDX
LCS a none LEN
LCS none none
LCS a a
LCS a a IDX
LCS b a IDX WITHMATCHLEN
MSET c abcbdab d bdcaba
LCS c d
LCS c d IDX
LCS d c IDX
SET n 12345
LCS n n LEN
SADD s a
LCS a s
LCS s a BOGUS
LCS a
LCS
"""
SCRIPTS = {"sorts": SORTS, "subsequences": SUBSEQUENCES}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
def test_edges_get_the_replies_of_redis(
    server: AidbServer, redis_port: int, protocol: int, script: str
) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        assert_same_replies(ours, theirs, script)


def test_large_collections_are_sorted(server: AidbServer, redis_port: int) -> None:
    with Wire(redis_port) as theirs, server.connect() as ours:
        theirs("FLUSHALL")
        for wire in (ours, theirs):
            for start in range(0, 6000, 1000):
                numbers = [n * 7919 % 6000 for n in range(start, start + 1000)]
                wire("RPUSH", "list", *numbers)
                wire("SADD", "set", *numbers)
                wire("ZADD", "zset", *(word for n in numbers for word in (n % 50, n)))
                wire("MSET", *(word for n in numbers for word in (f"w{n}", -n)))
        for command in (
            ("SORT", "list", "LIMIT", "10", "5"),
            ("SORT", "set", "BY", "w*", "GET", "w*", "LIMIT", "5990", "100"),
            ("SORT", "zset", "BY", "nosort", "DESC", "LIMIT", "100", "3"),
            ("SORT", "list", "ALPHA", "DESC", "STORE", "sorted"),
            ("LRANGE", "sorted", "0", "-1"),
        ):
            assert ours(*command) == theirs(*command), command


def test_a_rank_comes_with_its_score(wire: Wire) -> None:
    wire("ZADD", "z", 1, "a", "2.5", "b")
    assert wire("ZRANK", "z", "b", "WITHSCORE") == [1, b"2.5"]
    assert wire("ZREVRANK", "z", "b", "withscore") == [0, b"2.5"]
    assert wire("ZRANK", "z", "c", "WITHSCORE") is None
    assert wire("ZRANK", "none", "c", "WITHSCORE") is None
    assert wire("ZRANK", "z", "b", "SCORE") == Failure(b"ERR syntax error")
