"""Collections against a real Redis: edges that random streams seldom meet."""

from __future__ import annotations

from collections import deque
from random import Random

import pytest
from tests.conformance.scenes import assert_same_replies
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Wire

LONG = "x" * 65

HASHES = f"""
HSET h a
HSET h a 1 b
HMSET h a 1 b
HSET h a 1 a 2 b 3
HGETALL h
HSET h a 1 c 2
HGET h
HGET none a
HMGET none a b
HMGET h a none b
HGETALL none
HKEYS none
HVALS none
HLEN none
HSTRLEN none a
HSTRLEN h a
HEXISTS h a
HEXISTS h z
HINCRBY h a 9223372036854775807
HINCRBY h a 1
HINCRBY h a 1.5
HINCRBY h n -5
HSET h text abc
HINCRBY h text 1
HINCRBYFLOAT h text 1
HINCRBYFLOAT h a abc
HINCRBYFLOAT h f 3.0e3
HINCRBYFLOAT h f 0.1
HINCRBYFLOAT h f inf
HINCRBYFLOAT h f nan
HSET h spaced ' 1'
HINCRBY h spaced 1
HINCRBYFLOAT h spaced 1
HSETNX h a 5
HSETNX h new 5
OBJECT ENCODING h
HSET h {LONG} 1
OBJECT ENCODING h
HDEL h {LONG}
OBJECT ENCODING h
HDEL h a b c n text f new spaced none
EXISTS h
HDEL none a
HSET k a 1
HGET k a
HGETALL k
HLEN k
HDEL k a
HSETNX k a 1
HINCRBY k a 1
HINCRBYFLOAT k a 1
HMGET k a
HRANDFIELD k
HSCAN k 0
GET h
HSET h a 1
GET h
APPEND h x
INCR h
GETRANGE h 0 1
SETRANGE h 0 x
STRLEN h
GETDEL h
GETEX h
GETSET h x
SET h x GET
INCRBYFLOAT h 1
MGET k h
SETNX h x
SET h x NX
HRANDFIELD h
HRANDFIELD h 0
HRANDFIELD h 5
HRANDFIELD h -3
HRANDFIELD h 5 WITHVALUES
HRANDFIELD h -2 WITHVALUES
HRANDFIELD h 1 BOGUS
HRANDFIELD h 1 WITHVALUES x
HRANDFIELD h abc
HRANDFIELD h 9223372036854775807
HRANDFIELD h -9223372036854775808
HRANDFIELD h 9223372036854775807 WITHVALUES
HRANDFIELD none
HRANDFIELD none 3
HSCAN h
HSCAN h abc
HSCAN h 0
HSCAN h 0 COUNT 0
HSCAN h 0 COUNT abc
HSCAN h 0 COUNT
HSCAN h 0 MATCH b*
HSCAN h 0 NOSUCH 1
HSCAN none 0 NOSUCH 1
HSCAN none abc
TYPE h
EXPIRE h 100
HSET h b 2
TTL h
PERSIST h
RENAME h i
HGETALL i
COPY i h
HGETALL h
MOVE i 1
EXISTS i
SET h x
TYPE h
OBJECT REFCOUNT h
"""

SETS = f"""
SADD s 3 1 2
SADD s 1 4
OBJECT ENCODING s
SMEMBERS s
SADD s a
OBJECT ENCODING s
SREM s a
OBJECT ENCODING s
SCARD s
SCARD none
SISMEMBER s 1
SISMEMBER s x
SISMEMBER none x
SMISMEMBER s 1 x 2
SMISMEMBER none x
SADD k x
SREM k x
SCARD k
SMEMBERS k
SISMEMBER k x
SMISMEMBER k x
SPOP k
SRANDMEMBER k
SSCAN k 0
SINTER s k
SINTER none k
SUNION none k
SDIFF none k
SINTERCARD 2 s k
SUNIONSTORE d s k
SMOVE s k 1
SMOVE k s 1
SMOVE none k 1
SMOVE s t 1
SMOVE s t 1
SMOVE s s 2
SMOVE s s 99
SMEMBERS t
SADD u 1 2 3 4 5
SADD v 4 5 6 b
SINTER u v
SINTER u none
SINTER u
SUNION u v none
SDIFF u v
SDIFF u u
SDIFF none u
SINTERSTORE d u v
OBJECT ENCODING d
SUNIONSTORE d u v
OBJECT ENCODING d
SDIFFSTORE d u v
SMEMBERS d
SINTERSTORE d u none
EXISTS d
SUNIONSTORE k u
TYPE k
SINTERSTORE u u v
SMEMBERS u
SINTERCARD 0 u
SINTERCARD x u
SINTERCARD 2 u
SINTERCARD 1 u
SINTERCARD 2 u v LIMIT 1
SINTERCARD 2 u v LIMIT 0
SINTERCARD 2 u v LIMIT -1
SINTERCARD 2 u v LIMIT x
SINTERCARD 2 u v LIMIT
SINTERCARD 2 u v BAD 1
SADD w 1 2 3 4 5 6 7 8 9
SPOP w 0
SPOP w -1
SPOP w x
SPOP w 1 2
SPOP w 3
SCARD w
SPOP w 100
EXISTS w
SPOP w
SPOP w 2
SRANDMEMBER w
SRANDMEMBER w 2
SRANDMEMBER v 2
SRANDMEMBER v -10
SRANDMEMBER v 0
SRANDMEMBER v x
SRANDMEMBER v 1 2
SRANDMEMBER v 9223372036854775807
SRANDMEMBER v -9223372036854775808
SADD n 9223372036854775807 -9223372036854775808 0
OBJECT ENCODING n
SADD n 01
OBJECT ENCODING n
SSCAN n 0 MATCH 0*
SSCAN none 0
SADD {LONG} {LONG}
SMEMBERS {LONG}
SADD n
GET v
HGET v a
SCAN 0 TYPE set COUNT 100
COMMAND GETKEYS SINTERCARD 2 a b LIMIT 3
COMMAND GETKEYS SINTERCARD 3 a b
COMMAND GETKEYS SMOVE a b c
"""

LISTS = f"""
RPUSH l a b c a b c
LPUSH l x y
LRANGE l 0 -1
LRANGE l -100 100
LRANGE l 5 2
LRANGE l 2 a
LRANGE none 0 -1
LLEN l
LLEN none
LINDEX l 0
LINDEX l -1
LINDEX l 99
LINDEX l x
LINDEX none x
LSET l 0 first
LSET l -1 last
LSET l 99 x
LSET l x x
LSET none 0 x
LINSERT l BEFORE a n
LINSERT l AFTER last end
LINSERT l BEFORE nosuch n
LINSERT l AT a n
LINSERT none BEFORE a n
LREM l 1 a
LREM l -1 b
LREM l 0 c
LREM l x c
LREM none 0 c
LREM l -9223372036854775808 a
LRANGE l 0 -1
LPOS l a
LPOS l nosuch
RPUSH p a b a b a
LPOS p a RANK 2
LPOS p a RANK -1
LPOS p a RANK -2 COUNT 0
LPOS p a COUNT 2
LPOS p a COUNT 0
LPOS p a COUNT 0 MAXLEN 3
LPOS p a RANK -1 MAXLEN 1
LPOS p b RANK -1 MAXLEN 1
LPOS p a RANK 0
LPOS p a RANK x
LPOS p a RANK -9223372036854775808
LPOS p a COUNT -1
LPOS p a MAXLEN -1
LPOS p a COUNT
LPOS p a BAD 1
LPOS none a
LPOS none a COUNT 1
LTRIM p 1 -2
LRANGE p 0 -1
LTRIM p 5 1
EXISTS p
LTRIM none 0 1
LTRIM l x 1
LPUSHX none x
RPUSHX none x
LPUSHX l x
LPOP l
RPOP l
LPOP l 0
LPOP l 2
LPOP l -1
LPOP l x
LPOP l 1 2
LPOP none
LPOP none 0
LPOP none 2
RPOP l 100
EXISTS l
LPUSH k x
LLEN k
LRANGE k 0 -1
LINDEX k 0
LSET k 0 x
LPOP k
LPOP k 0
LREM k 0 x
LTRIM k 0 1
LPOS k x
LINSERT k BEFORE a b
RPUSH m 1 2 3
LMOVE m n LEFT RIGHT
LMOVE m n RIGHT LEFT
LRANGE n 0 -1
LMOVE m m LEFT RIGHT
LMOVE m n LEFT UP
LMOVE none n LEFT LEFT
LMOVE m k LEFT LEFT
LMOVE k m LEFT LEFT
LMOVE none k LEFT LEFT
RPOPLPUSH n n
RPOPLPUSH n m
RPOPLPUSH none m
RPOPLPUSH n m
EXISTS n
LMPOP 1 m LEFT
LMPOP 2 none m RIGHT COUNT 5
EXISTS m
LMPOP 1 none LEFT
LMPOP 0 none LEFT
LMPOP x none LEFT
LMPOP 2 none LEFT
LMPOP 1 none
LMPOP 1 none UP
LMPOP 1 none LEFT COUNT 0
LMPOP 1 none LEFT COUNT x
LMPOP 1 none LEFT COUNT
LMPOP 1 none LEFT COUNT 1 COUNT 2
LMPOP 1 none LEFT BAD 2
LMPOP 2 none k LEFT
LMPOP 99 none k LEFT
RPUSH q {LONG} {LONG}{LONG}{LONG} x
OBJECT ENCODING q
TYPE q
EXPIRE q 100
LPUSH q y
TTL q
RENAME q r
COPY r q
LRANGE q 0 -1
GET q
SADD q x
HSET q a b
SCAN 0 TYPE list
COMMAND GETKEYS LMPOP 2 a b LEFT
COMMAND GETKEYS LMOVE a b LEFT LEFT
"""

SORTED_SETS = f"""
ZADD z 1 a 2 b 3 c
ZADD z 1 a 5 b
ZADD z CH 1 a 6 b 7 d
ZADD z NX 9 a 8 e
ZADD z XX 9 a 8 f
ZADD z GT 5 a
ZADD z GT CH 50 a
ZADD z LT CH 5 a
ZADD z LT 1 new
ZADD z INCR 2 a
ZADD z INCR 2 a 3 b
ZADD z NX INCR 2 a
ZADD z XX INCR 2 nosuch
ZADD z XX GT INCR -2 a
ZADD z NX XX 1 a
ZADD z NX GT 1 a
ZADD z GT LT 1 a
ZADD z 1
ZADD z 1 a 2
ZADD z x a
ZADD z 1 a x b
ZADD z nan a
ZADD z inf top -inf bottom
ZADD z INCR -inf top
ZADD z 1e400 a
ZADD z NX
ZRANGE z 0 -1 WITHSCORES
ZRANGE z 0 -1 REV
ZRANGE z 1 2
ZRANGE z 5 1
ZRANGE z -2 -1
ZRANGE z a b
ZRANGE z 0 1 LIMIT 0 1
ZRANGE z 0 1 LIMIT 0 -1
ZRANGE z 0 1 LIMIT a 1
ZRANGE z 0 1 LIMIT 0
ZRANGE z (1 inf BYSCORE WITHSCORES
ZRANGE z inf (1 BYSCORE REV LIMIT 1 2
ZRANGE z 1 x BYSCORE
ZRANGE z 1 nan BYSCORE
ZRANGE z '' 9 BYSCORE
ZRANGE z - + BYLEX WITHSCORES
ZRANGE z - + BYLEX BYSCORE
ZRANGE z a + BYLEX
ZRANGE z 0 1 BOGUS
ZRANGE none 0 1
ZRANGE none x 1
ZRANGEBYSCORE z -inf +inf WITHSCORES LIMIT 1 2
ZRANGEBYSCORE z -inf +inf LIMIT -1 2
ZRANGEBYSCORE z -inf +inf LIMIT 0 0
ZRANGEBYSCORE z (3 (8
ZRANGEBYSCORE z 1 2 REV
ZREVRANGEBYSCORE z 8 (3 WITHSCORES
ZREVRANGE z 0 1 WITHSCORES
ZREVRANGE z 0 1 LIMIT 0 1
ZCOUNT z -inf (7
ZCOUNT z x 1
ZCOUNT none 1 2
ZADD lex 0 a 0 b 0 c 0 d 0 e 0 '' 0 B
ZRANGEBYLEX lex - +
ZRANGEBYLEX lex [b (d
ZRANGEBYLEX lex (b [d LIMIT 1 1
ZRANGEBYLEX lex + -
ZRANGEBYLEX lex b d
ZREVRANGEBYLEX lex [d (b
ZREVRANGEBYLEX lex + - LIMIT 0 2
ZRANGE lex [a [c BYLEX
ZRANGE lex [c [a BYLEX REV
ZLEXCOUNT lex - (c
ZLEXCOUNT lex x c
ZREMRANGEBYLEX lex [a [b
ZREMRANGEBYLEX lex a b
ZREMRANGEBYRANK lex 0 0
ZREMRANGEBYRANK lex x 0
ZREMRANGEBYSCORE lex 1 2
ZREMRANGEBYSCORE lex x 2
ZREMRANGEBYSCORE lex -inf inf
EXISTS lex
ZREMRANGEBYSCORE lex -inf inf
ZSCORE z a
ZSCORE z nosuch
ZSCORE none a
ZMSCORE z a nosuch b
ZMSCORE none a
ZCARD z
ZCARD none
ZRANK z a
ZREVRANK z a
ZRANK z nosuch
ZRANK none a
ZINCRBY z 1.5 a
ZINCRBY z 0.1 a
ZINCRBY z x a
ZINCRBY z nan a
ZINCRBY z 3 fresh
ZREM z fresh nosuch
ZADD z -0 zero
ZSCORE z zero
ZADD z 3.0e3 exp 1e17 huge 0.1 tenth 123456789012345678 long
ZRANGE z 0 -1 WITHSCORES
ZPOPMIN z
ZPOPMAX z
ZPOPMIN z 2
ZPOPMIN z 0
ZPOPMIN z -1
ZPOPMIN z x
ZPOPMIN z 1 2
ZPOPMIN none
ZPOPMIN none 2
ZMPOP 1 z MIN
ZMPOP 2 none z MAX COUNT 2
ZMPOP 1 none MIN
ZMPOP 0 z MIN
ZMPOP 1 z MID
ZMPOP 1 z
ZMPOP 1 z MIN COUNT 0
ZADD u 1 a 2 b
ZADD v 10 b 20 c
SADD s b x
ZUNION 2 u v
ZUNION 2 u v WITHSCORES
ZUNION 2 u s WITHSCORES
ZUNION 2 u v WEIGHTS 2 3 WITHSCORES
ZUNION 2 u v WEIGHTS 2 WITHSCORES
ZUNION 2 u v WEIGHTS 2 x
ZUNION 2 u v AGGREGATE MIN WITHSCORES
ZUNION 2 u v AGGREGATE MAX WITHSCORES
ZUNION 2 u v AGGREGATE AVG
ZUNION 0 u
ZUNION x u
ZUNION 3 u v
ZUNION 2 u k
ZINTER 2 u v WITHSCORES
ZINTER 3 u v s WITHSCORES
ZINTER 2 u none
ZDIFF 2 u v WITHSCORES
ZDIFF 2 u none
ZDIFF 2 u v WEIGHTS 1 2
ZUNIONSTORE d 2 u v
ZINTERSTORE d 2 u v WEIGHTS 1 0.5
ZRANGE d 0 -1 WITHSCORES
ZDIFFSTORE d 2 u u
EXISTS d
ZUNIONSTORE u 2 u v AGGREGATE MAX
ZRANGE u 0 -1 WITHSCORES
ZUNIONSTORE d 2 u v WITHSCORES
ZINTERCARD 2 u v
ZINTERCARD 2 u v LIMIT 1
ZINTERCARD 2 u v LIMIT -1
ZINTERCARD 2 u v WEIGHTS 1 2
ZADD i inf m
ZADD j -inf m
ZUNION 2 i j WITHSCORES
ZUNION 1 i WEIGHTS 0 WITHSCORES
ZRANGESTORE d u 0 1
ZRANGESTORE d u (1 inf BYSCORE LIMIT 0 1
ZRANGESTORE d u 0 1 WITHSCORES
ZRANGESTORE d none 0 1
EXISTS d
ZRANGESTORE k u 0 -1
TYPE k
SET k 10
ZADD k 1 a
ZSCORE k a
ZRANGE k 0 1
ZRANK k a
ZPOPMIN k
ZRANGESTORE d k 0 1
ZINCRBY k 1 a
ZREM k a
ZCOUNT k 1 2
ZSCAN k 0
ZRANDMEMBER k
ZRANDMEMBER u
ZRANDMEMBER u 2 WITHSCORES
ZRANDMEMBER u -3 WITHSCORES
ZRANDMEMBER u 2 BAD
ZRANDMEMBER none 2
OBJECT ENCODING u
ZADD u 1 {LONG}
OBJECT ENCODING u
ZADD {LONG} 1 {LONG}
OBJECT ENCODING {LONG}
ZSCAN u 0 MATCH a*
GET u
SADD u a
COMMAND GETKEYS ZUNIONSTORE d 2 a b WEIGHTS 1 2
COMMAND GETKEYS ZRANGESTORE a b 0 1
COMMAND GETKEYS ZMPOP 1 a MIN
"""

SCRIPTS = {"hashes": HASHES, "sets": SETS, "lists": LISTS, "sorted sets": SORTED_SETS}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_get_the_replies_of_redis(
    server: AidbServer, redis_port: int, name: str, protocol: int
) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        assert_same_replies(ours, theirs, SCRIPTS[name])


def fill_hash(wire: Wire, key: str, count: int) -> None:
    for start in range(0, count, 100):
        pairs = [f"{word}{n}" for n in range(start, start + 100) for word in ("f", "v")]
        wire("HSET", key, *pairs)


def walk(wire: Wire, command: str, key: str, *options: str | int) -> tuple[list[bytes], int]:
    found: list[bytes] = []
    cursor, calls = b"0", 0
    while True:
        cursor, items = wire(command, key, cursor, *options)
        found += items
        calls += 1
        if cursor == b"0":
            return found, calls


def test_a_large_hash_is_walked_in_pieces_while_it_changes(server: AidbServer) -> None:
    with server.connect() as wire, server.connect() as other:
        fill_hash(wire, "h", 3000)
        found: list[bytes] = []
        cursor, calls = b"0", 0
        while True:
            cursor, items = wire("HSCAN", "h", cursor, "COUNT", 50)
            found += items[::2]
            other("HSET", "h", f"more{calls}", "x")
            other("HDEL", "h", f"f{2000 + calls}")
            calls += 1
            if cursor == b"0":
                break
        stable = {b"f%d" % n for n in range(2000)}
        assert stable <= set(found)
        assert len(found) == len(set(found))
        assert 40 < calls < 80


def test_a_large_hash_keeps_its_fields_under_other_names(wire: Wire) -> None:
    fill_hash(wire, "{t}h", 1000)
    expected = dict(zip(*[iter(wire("HGETALL", "{t}h"))] * 2, strict=True))
    assert len(expected) == wire("HLEN", "{t}h") == 1000
    wire("RENAME", "{t}h", "{t}i")
    wire("COPY", "{t}i", "{t}j")
    wire("HDEL", "{t}i", "f1")
    wire("MOVE", "{t}j", 3)
    assert wire("DBSIZE") == 1
    wire("SELECT", 3)
    assert wire("DBSIZE") == 1
    assert wire("HGET", "{t}j", "f1") == b"v1"
    assert dict(zip(*[iter(wire("HGETALL", "{t}j"))] * 2, strict=True)) == expected
    wire("SELECT", 0)
    assert wire("HLEN", "{t}i") == 999
    wire("SET", "{t}i", "x")
    wire("HSET", "{t}k", "f2", "new")
    wire("RENAME", "{t}k", "{t}i")
    assert wire("HGETALL", "{t}i") == [b"f2", b"new"]


def test_random_fields_reach_every_field(wire: Wire) -> None:
    fill_hash(wire, "h", 200)
    seen: set[bytes] = set()
    while len(seen) < 200:
        seen |= set(wire("HRANDFIELD", "h", -20))
    assert len(set(wire("HRANDFIELD", "h", 10))) == 10
    assert len(set(wire("HRANDFIELD", "h", 150))) == 150


def test_large_sets_combine_as_small_ones(wire: Wire) -> None:
    wire("SADD", "{t}a", *range(2000))
    wire("SADD", "{t}b", *range(1000, 3000), "x")
    assert wire("SCARD", "{t}a") == 2000
    both, either = set(wire("SINTER", "{t}a", "{t}b")), set(wire("SUNION", "{t}a", "{t}b"))
    assert both == {b"%d" % n for n in range(1000, 2000)}
    assert either == {b"%d" % n for n in range(3000)} | {b"x"}
    assert wire("SDIFFSTORE", "{t}a", "{t}a", "{t}b") == 1000
    assert set(wire("SMEMBERS", "{t}a")) == {b"%d" % n for n in range(1000)}
    assert wire("SINTERCARD", 2, "{t}b", "{t}b", "LIMIT", 7) == 7
    popped: list[bytes] = []
    while wire("EXISTS", "{t}a"):
        popped += wire("SPOP", "{t}a", 90)
    assert sorted(popped) == sorted(b"%d" % n for n in range(1000))
    assert wire("SREM", "{t}b", *range(1000, 3000), "x") == 2001
    assert wire("DBSIZE") == 0


def test_a_large_list_is_a_deque_of_any_items(wire: Wire) -> None:
    random = Random(3)
    model: deque[bytes] = deque()
    for step in range(3000):
        item = b"%d" % step * random.choice([1, 1, 5, 60])
        match random.randrange(9 if len(model) < 300 else 14):
            case 0 | 1 | 2:
                wire("LPUSH", "l", item)
                model.appendleft(item)
            case 3 | 4 | 5 | 6:
                wire("RPUSH", "l", item)
                model.append(item)
            case 7 | 9 | 10 if model:
                assert wire("LPOP", "l") == model.popleft()
            case 8 | 11 | 12 if model:
                assert wire("RPOP", "l") == model.pop()
            case 13:
                place = random.randrange(len(model))
                wire("LSET", "l", place, item)
                model[place] = item
        if step % 100 == 0:
            assert wire("LRANGE", "l", 0, -1) == list(model)
    place = random.randrange(len(model))
    assert wire("LINDEX", "l", place) == model[place]
    assert wire("LLEN", "l") == len(model)
    while model:
        assert wire("LPOP", "l", 50) == [model.popleft() for _ in range(min(50, len(model)))]
    assert wire("DBSIZE") == 0


def test_a_large_sorted_set_keeps_its_order(wire: Wire) -> None:
    random = Random(5)
    model: dict[bytes, float] = {}
    for _ in range(40):
        pairs = [(random.randint(-9, 9) / 2, b"m%d" % random.randrange(2000)) for _ in range(50)]
        wire("ZADD", "z", *[word for score, name in pairs for word in (str(score), name)])
        model |= {name: score for score, name in pairs}
    order = [name for _, name in sorted((score, name) for name, score in model.items())]
    assert wire("ZRANGE", "z", 0, -1) == order
    assert wire("ZRANGE", "z", 10, 20, "REV") == order[::-1][10:21]
    assert wire("ZCARD", "z") == len(order)
    middle = order[len(order) // 2]
    assert wire("ZRANK", "z", middle) == len(order) // 2
    assert wire("ZREVRANK", "z", middle) == len(order) - 1 - len(order) // 2
    inside = [name for name in order if 0 < model[name] <= 2]
    assert wire("ZRANGEBYSCORE", "z", "(0", 2) == inside
    assert wire("ZCOUNT", "z", "(0", 2) == len(inside)
    assert wire("ZPOPMAX", "z", 3)[::2] == order[:-4:-1]
    assert wire("ZREMRANGEBYRANK", "z", 0, 9) == 10
    assert wire("ZRANGE", "z", 0, -1) == order[10:-3]
    wire("COPY", "z", "y")
    assert wire("ZREMRANGEBYSCORE", "z", "-inf", "inf") == len(order) - 13
    assert wire("EXISTS", "z") == 0
    assert wire("ZRANGE", "y", 0, 5) == order[10:16]
