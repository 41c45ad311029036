"""Random commands on hashes, sets, lists and sorted sets, for `streams`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conformance.streams import Stream

HASHES: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"HSET": lambda s: [s.of(b"h"), *s.field_pairs()],
    b"HMSET": lambda s: [s.of(b"h"), *s.field_pairs()],
    b"HSETNX": lambda s: [s.of(b"h"), s.field(), s.element()],
    b"HGET": lambda s: [s.of(b"h"), s.field()],
    b"HMGET": lambda s: [s.of(b"h"), *s.fields()],
    b"HGETALL": lambda s: [s.of(b"h")],
    b"HKEYS": lambda s: [s.of(b"h")],
    b"HVALS": lambda s: [s.of(b"h")],
    b"HLEN": lambda s: [s.of(b"h")],
    b"HEXISTS": lambda s: [s.of(b"h"), s.field()],
    b"HDEL": lambda s: [s.of(b"h"), *s.fields()],
    b"HINCRBY": lambda s: [s.of(b"h"), s.field(), s.integer()],
    b"HINCRBYFLOAT": lambda s: [s.of(b"h"), s.field(), s.number()],
    b"HSTRLEN": lambda s: [s.of(b"h"), s.field()],
    b"HRANDFIELD": lambda s: [s.of(b"h"), *s.one_of([], [s.index()], [s.index(), b"WITHVALUES"])],
    b"HSCAN": lambda s: [s.of(b"h"), b"0", *s.scan_options()],
}

SETS: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"SADD": lambda s: [s.of(b"s"), *s.members()],
    b"SREM": lambda s: [s.of(b"s"), *s.members()],
    b"SMOVE": lambda s: [s.of(b"s"), s.of(b"s"), s.field()],
    b"SISMEMBER": lambda s: [s.of(b"s"), s.field()],
    b"SMISMEMBER": lambda s: [s.of(b"s"), *s.members()],
    b"SCARD": lambda s: [s.of(b"s")],
    b"SMEMBERS": lambda s: [s.of(b"s")],
    b"SRANDMEMBER": lambda s: [s.of(b"s"), *s.one_of([], [s.index()])],
    b"SINTER": lambda s: s.several(b"s"),
    b"SUNION": lambda s: s.several(b"s"),
    b"SDIFF": lambda s: s.several(b"s"),
    b"SINTERSTORE": lambda s: s.several(b"s"),
    b"SUNIONSTORE": lambda s: s.several(b"s"),
    b"SDIFFSTORE": lambda s: s.several(b"s"),
    b"SINTERCARD": lambda s: [
        *s.counted(b"s"),
        *s.one_of([], [b"LIMIT", s.index()], [b"LIMIT"], [b"BAD"]),
    ],
    b"SSCAN": lambda s: [s.of(b"s"), b"0", *s.scan_options()],
}

LISTS: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"LPUSH": lambda s: [s.of(b"l"), *s.elements()],
    b"RPUSH": lambda s: [s.of(b"l"), *s.elements()],
    b"LPUSHX": lambda s: [s.of(b"l"), *s.elements()],
    b"RPUSHX": lambda s: [s.of(b"l"), *s.elements()],
    b"LPOP": lambda s: [s.of(b"l"), *s.one_of([], [], [s.count()])],
    b"RPOP": lambda s: [s.of(b"l"), *s.one_of([], [], [s.count()])],
    b"LLEN": lambda s: [s.of(b"l")],
    b"LRANGE": lambda s: [s.of(b"l"), s.place(), s.place()],
    b"LINDEX": lambda s: [s.of(b"l"), s.place()],
    b"LSET": lambda s: [s.of(b"l"), s.place(), s.element()],
    b"LINSERT": lambda s: [
        s.of(b"l"),
        *s.one_of([b"BEFORE"], [b"after"], [b"AFTER"], [b"BEFORE"], [b"AT"]),
        s.element(),
        s.element(),
    ],
    b"LREM": lambda s: [s.of(b"l"), s.place(), s.element()],
    b"LTRIM": lambda s: [s.of(b"l"), s.place(), s.place()],
    b"LPOS": lambda s: [s.of(b"l"), s.element(), *s.lpos_options()],
    b"LMOVE": lambda s: [s.of(b"l"), s.of(b"l"), s.end(), s.end()],
    b"RPOPLPUSH": lambda s: [s.of(b"l"), s.of(b"l")],
    b"LMPOP": lambda s: [*s.counted(b"l"), s.end(), *s.one_of([], [b"COUNT", s.count()])],
}

SORTED_SETS: dict[bytes, Callable[[Stream], list[bytes]]] = {
    b"ZADD": lambda s: [s.of(b"z"), *s.add_options(), *s.scored()],
    b"ZINCRBY": lambda s: [s.of(b"z"), s.score(), s.field()],
    b"ZREM": lambda s: [s.of(b"z"), *s.fields()],
    b"ZCARD": lambda s: [s.of(b"z")],
    b"ZSCORE": lambda s: [s.of(b"z"), s.field()],
    b"ZMSCORE": lambda s: [s.of(b"z"), *s.fields()],
    b"ZRANK": lambda s: [s.of(b"z"), s.field()],
    b"ZREVRANK": lambda s: [s.of(b"z"), s.field()],
    b"ZCOUNT": lambda s: [s.of(b"z"), s.score_end(), s.score_end()],
    b"ZRANGE": lambda s: [s.of(b"z"), *s.ends(), *s.range_options()],
    b"ZRANGESTORE": lambda s: [s.of(b"z"), s.of(b"z"), *s.ends(), *s.range_options()],
    b"ZREVRANGE": lambda s: [s.of(b"z"), s.place(), s.place(), *s.some([b"WITHSCORES"])],
    b"ZRANGEBYSCORE": lambda s: [s.of(b"z"), s.score_end(), s.score_end(), *s.limit()],
    b"ZREVRANGEBYSCORE": lambda s: [s.of(b"z"), s.score_end(), s.score_end(), *s.limit()],
    b"ZREMRANGEBYRANK": lambda s: [s.of(b"z"), s.place(), s.place()],
    b"ZREMRANGEBYSCORE": lambda s: [s.of(b"z"), s.score_end(), s.score_end()],
    b"ZPOPMIN": lambda s: [s.of(b"z"), *s.one_of([], [], [s.count()])],
    b"ZPOPMAX": lambda s: [s.of(b"z"), *s.one_of([], [], [s.count()])],
    b"ZMPOP": lambda s: [
        *s.counted(b"z"),
        *s.one_of([b"MIN"], [b"max"], [b"MID"]),
        *s.one_of([], [b"COUNT", s.count()]),
    ],
    b"ZRANDMEMBER": lambda s: [s.of(b"z"), *s.one_of([], [s.index()], [s.index(), b"WITHSCORES"])],
    b"ZUNION": lambda s: [*s.algebra(b"w"), *s.some([b"WITHSCORES"])],
    b"ZINTER": lambda s: [*s.algebra(b"w"), *s.some([b"WITHSCORES"])],
    b"ZDIFF": lambda s: [*s.algebra(), *s.some([b"WITHSCORES"])],
    b"ZUNIONSTORE": lambda s: [s.of(b"z"), *s.algebra(b"w")],
    b"ZINTERSTORE": lambda s: [s.of(b"z"), *s.algebra(b"w")],
    b"ZDIFFSTORE": lambda s: [s.of(b"z"), *s.algebra()],
    b"ZINTERCARD": lambda s: [*s.algebra(), *s.one_of([], [b"LIMIT", s.index()])],
    b"ZSCAN": lambda s: [s.of(b"z"), b"0", *s.scan_options()],
}

COLLECTIONS = HASHES | SETS | LISTS | SORTED_SETS
