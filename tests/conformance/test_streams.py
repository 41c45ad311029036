"""Streams and consumer groups against a real Redis."""

from __future__ import annotations

import pytest
from tests.conformance.scenes import assert_same_replies
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Wire

MAX = "18446744073709551615"

ENTRIES = f"""
XADD s 1-1 a 1
XADD s 1-1 a 1
XADD s 0-5 a 1
XADD s 0-0 a 1
XADD s 1-* b 2
XADD s 1-* b 2 c 3
XADD s 5 d 4
XADD s 5-* d 4
XADD s abc d 4
XADD s 1-abc d 4
XADD s - d 4
XADD s + d 4
XADD s 6 d
XADD s 6
XADD s 6 d 4 e
XADD s NOMKSTREAM 6-1 '' ''
XADD none NOMKSTREAM 6-1 a b
EXISTS none
XADD new 0-* a b
XADD new 0-* a b
XADD k * a b
XLEN s
XLEN none
XLEN k
TYPE s
OBJECT ENCODING s
GET s
XRANGE s - +
XRANGE s - + COUNT 2
XRANGE s - + COUNT 0
XRANGE s - + COUNT -1
XRANGE s - + COUNT abc
XRANGE s - + COUNT
XRANGE s - + BOGUS 1
XRANGE s 1-2 5
XRANGE s (1-2 (5-1
XRANGE s 1 1
XRANGE s 5 1
XRANGE s + -
XRANGE s ( +
XRANGE s (- +
XRANGE s (+ +
XRANGE s ({MAX}-{MAX} +
XRANGE s - (0-0
XRANGE s 1- +
XRANGE s -1 +
XRANGE s 01-01 +
XRANGE s +1 +
XRANGE s {MAX} +
XRANGE s 99999999999999999999 +
XRANGE none - +
XRANGE none - + COUNT 0
XRANGE k - +
XREVRANGE s + -
XREVRANGE s + - COUNT 2
XREVRANGE s 5 1-2
XREVRANGE s (5 (1-2
XREVRANGE s - +
XREAD STREAMS s 0
XREAD COUNT 1 STREAMS s 0
XREAD COUNT 0 STREAMS s 1-2
XREAD COUNT -5 STREAMS s 1-2
XREAD STREAMS s none new 0 0 0
XREAD STREAMS s new $ $
XREAD STREAMS s 6-1
XREAD STREAMS none 0
XREAD STREAMS s >
XREAD STREAMS s
XREAD STREAMS s new 0
XREAD STREAMS
XREAD s 0 0
XREAD COUNT x STREAMS s 0
XREAD NOACK STREAMS s 0
XREAD GROUP g c STREAMS s 0
XREAD STREAMS k 0
XREAD STREAMS s -
XREAD STREAMS s {MAX}-{MAX}
XREAD BLOCK abc STREAMS s 0
XREAD BLOCK -1 STREAMS s 0
XREAD BLOCK 9223372036854775807 STREAMS s 0
XREAD BLOCK 10 STREAMS s 0
XINFO STREAM s
XINFO STREAM s FULL
XINFO STREAM s FULL COUNT 1
XINFO STREAM s FULL COUNT 0
XINFO STREAM s FULL COUNT -5
XINFO STREAM s FULL COUNT abc
XINFO STREAM s FULL BOGUS 1
XINFO STREAM s BOGUS
XINFO STREAM s FULL COUNT
XINFO STREAM none
XINFO STREAM k
XINFO STREAM
XINFO GROUPS s
XINFO GROUPS s x
XINFO GROUPS
XINFO CONSUMERS s g
XINFO CONSUMERS s
XINFO HELP
XINFO BOGUS
XINFO
XDEL s 5-0
XINFO STREAM s
XDEL s 5-0 5-1 5-1 99-1
XDEL s abc
XDEL none abc
XDEL none 1
XDEL k 1
XDEL s 1-1
XINFO STREAM s
XADD t 1 a 1
XADD t 2 a 1
XADD t 3 a 1
XADD t MAXLEN 2 4 a 1
XRANGE t - +
XADD t MAXLEN = 2 5 a 1
XADD t MINID 5 6 a 1
XRANGE t - +
XADD t MAXLEN 0 7 a 1
XLEN t
XINFO STREAM t
XADD t 8 a 1
XADD t MINID 100 9 a 1
XLEN t
XADD t 10 a 1
XADD t MAXLEN ~ 0 11 a 1
XADD t MAXLEN ~ 1000 12 a 1
XADD t MAXLEN ~ 0 LIMIT 0 13 a 1
XADD t MAXLEN 10 LIMIT 5 14 a 1
XADD t LIMIT 5 14 a 1
XADD t LIMIT 0 14 a 1
XADD t MAXLEN -1 15 a 1
XADD t MAXLEN abc 15 a 1
XADD t MAXLEN ~ 10 LIMIT -1 15 a 1
XADD t MAXLEN 10 MINID 5 15 a 1
XADD t MINID abc 15 a 1
XADD t MAXLEN 15 a
XTRIM t MAXLEN 1
XTRIM t MAXLEN 1
XTRIM t MINID 14
XTRIM t
XTRIM t MAXLEN
XTRIM t BOGUS 1
XTRIM t LIMIT 5
XTRIM t MAXLEN 1 BOGUS
XTRIM t MAXLEN = 1 LIMIT 1
XTRIM none MAXLEN 1
XTRIM k MAXLEN 1
XTRIM t MAXLEN 0
XINFO STREAM t
XINFO STREAM t FULL
EXISTS t
XADD t 1 a b
XSETID t 20
XADD t 20 a b
XADD t 21 a b
XSETID t 20
XSETID t 30-1 ENTRIESADDED 100 MAXDELETEDID 25-1
XINFO STREAM t
XSETID t 24
XSETID t 40 ENTRIESADDED 0
XSETID t 40 ENTRIESADDED -1
XSETID t 40 ENTRIESADDED abc
XSETID t 40 MAXDELETEDID 50
XSETID t 40 MAXDELETEDID
XSETID t 40 BOGUS 1
XSETID t abc
XSETID none 1
XSETID k 1
XSETID t {MAX}-{MAX}
XADD t * a b
XADD t {MAX}-* a b
XADD e {MAX}-{MAX} a b
XADD e * a b
XADD e {MAX}-* a b
RENAME s u
XRANGE u - +
COPY u v
XINFO STREAM v FULL
XDEL v 1-2
XRANGE u - +
MOVE u 1
EXISTS u
EXPIRE v 1000
XADD v 100 a b
TTL v
SET v x
XADD v 1 a b
APPEND t x
SADD t x
"""

GROUPS = """
XGROUP CREATE s g $
XGROUP CREATE s g $ MKSTREAM
XGROUP CREATE s g $ MKSTREAM
XINFO STREAM s
XINFO GROUPS s
XGROUP DESTROY s g
XGROUP DESTROY s g
XLEN s
XADD s 1 a 1
XADD s 2 b 2
XADD s 3 c 3
XADD s 4 d 4
XGROUP CREATE s g 0
XGROUP CREATE s h 2
XGROUP CREATE s i $ ENTRIESREAD 3
XGROUP CREATE s j 0 ENTRIESREAD -2
XGROUP CREATE s j 0 ENTRIESREAD abc
XGROUP CREATE s j 0 ENTRIESREAD
XGROUP CREATE s j 0 BOGUS
XGROUP CREATE s j abc
XGROUP CREATE s j -
XGROUP CREATE k j 0
XGROUP CREATE none j 0
XGROUP CREATE s
XGROUP HELP
XGROUP HELP x
XGROUP BOGUS s g
XGROUP
XINFO GROUPS s
XREADGROUP GROUP g c1 STREAMS s >
XREADGROUP GROUP g c1 STREAMS s >
XREADGROUP GROUP g c1 STREAMS s 0
XREADGROUP GROUP g c1 COUNT 2 STREAMS s 1
XREADGROUP GROUP g c2 STREAMS s 0
XREADGROUP GROUP h c2 COUNT 1 STREAMS s >
XREADGROUP GROUP h c2 NOACK STREAMS s >
XREADGROUP GROUP h c2 NOACK STREAMS s >
XREADGROUP GROUP i c STREAMS s >
XREADGROUP GROUP none c STREAMS s >
XREADGROUP GROUP g c STREAMS none >
XREADGROUP GROUP g c STREAMS k >
XREADGROUP GROUP g c STREAMS s $
XREADGROUP GROUP g c STREAMS s abc
XREADGROUP GROUP g c STREAMS s
XREADGROUP GROUP g STREAMS s >
XREADGROUP COUNT 1 BLOCK 1 STREAMS s >
XREADGROUP GROUP g c BOGUS STREAMS s >
XREADGROUP GROUP g c COUNT x STREAMS s >
XREADGROUP GROUP g c BLOCK x STREAMS s >
XINFO GROUPS s
XINFO CONSUMERS s g
XINFO CONSUMERS s h
XINFO CONSUMERS s none
XINFO STREAM s FULL
XINFO STREAM s FULL COUNT 1
XPENDING s g
XPENDING s h
XPENDING s i
XPENDING s none
XPENDING none g
XPENDING k g
XPENDING s g - + 10
XPENDING s g - + 2
XPENDING s g - + 0
XPENDING s g - + -5
XPENDING s g (1 3 10
XPENDING s g 3 1 10
XPENDING s g - + 10 c1
XPENDING s g - + 10 c2
XPENDING s g - + 10 nobody
XPENDING s g - + 10 c1 extra
XPENDING s g IDLE 0 - + 10
XPENDING s g IDLE 100000 - + 10
XPENDING s g IDLE 0 - +
XPENDING s g IDLE x - + 10
XPENDING s g - +
XPENDING s g abc + 10
XPENDING s g - + abc
XACK s g 1 1 9
XACK s g abc
XACK s g 2 abc
XACK none g abc
XACK none g 1
XACK s none 1
XACK k g 1
XPENDING s g
XREADGROUP GROUP g c1 STREAMS s 0
XDEL s 3
XREADGROUP GROUP g c1 STREAMS s 0
XINFO GROUPS s
XCLAIM s g c2 0 2
XCLAIM s g c2 0 2 3 9
XPENDING s g
XCLAIM s g c3 0 4 JUSTID
XCLAIM s g c3 100000 2
XCLAIM s g c3 0 2 RETRYCOUNT 7
XCLAIM s g c3 0 2 IDLE 100000 TIME 5
XCLAIM s g c3 -5 2 TIME 9999999999999999
XCLAIM s g c3 0 1
XCLAIM s g c3 0 1 FORCE
XCLAIM s g c3 0 99 FORCE
XCLAIM s g c3 0 1 FORCE JUSTID LASTID 50
XPENDING s g - + 10
XCLAIM s g c3 abc 1
XCLAIM s g c3 0 1 BOGUS
XCLAIM s g c3 0 abc 1
XCLAIM s g c3 0 1 IDLE
XCLAIM s g c3 0 1 IDLE x
XCLAIM s g c3 0 1 TIME x
XCLAIM s g c3 0 1 RETRYCOUNT x
XCLAIM s g c3 0 1 LASTID x
XCLAIM s none c3 0 1
XCLAIM none g c3 0 1
XCLAIM k g c3 0 1
XINFO GROUPS s
XINFO CONSUMERS s g
XGROUP SETID s g 0
XREADGROUP GROUP g c4 STREAMS s >
XPENDING s g
XGROUP SETID s g $
XGROUP SETID s g - ENTRIESREAD 2
XINFO GROUPS s
XGROUP SETID s none 1
XGROUP SETID s g abc
XGROUP SETID s g
XGROUP SETID none g 1
XGROUP CREATECONSUMER s g c9
XGROUP CREATECONSUMER s g c9
XGROUP CREATECONSUMER s none c9
XGROUP CREATECONSUMER none g c9
XGROUP CREATECONSUMER s g c9 x
XGROUP DELCONSUMER s g c4
XGROUP DELCONSUMER s g c4
XGROUP DELCONSUMER s none c4
XPENDING s g
XINFO CONSUMERS s g
XADD s 60 a 1
XADD s 61 a 1
XADD s 62 a 1
XREADGROUP GROUP g c5 COUNT 2 STREAMS s s > >
XDEL s 60
XAUTOCLAIM s g c6 0 0
XAUTOCLAIM s g c6 0 0 COUNT 1
XAUTOCLAIM s g c6 0 61 COUNT 1 JUSTID
XAUTOCLAIM s g c6 0 (61-0 JUSTID
XAUTOCLAIM s g c6 100000 -
XAUTOCLAIM s g c6 0 + JUSTID
XAUTOCLAIM s g c6 0 0 COUNT 0
XAUTOCLAIM s g c6 0 0 COUNT abc
XAUTOCLAIM s g c6 0 0 BOGUS
XAUTOCLAIM s g c6 abc 0
XAUTOCLAIM s g c6 0 abc
XAUTOCLAIM s none c6 0 0
XAUTOCLAIM none g c6 0 0
XAUTOCLAIM k g c6 0 0
XPENDING s g
XINFO STREAM s FULL
XTRIM s MAXLEN 1
XINFO GROUPS s
XTRIM s MAXLEN 0
XINFO GROUPS s
XREADGROUP GROUP g c6 STREAMS s 0
COPY s t
XGROUP DESTROY s g
XINFO STREAM t FULL
XINFO STREAM s FULL
XREADGROUP GROUP h c STREAMS s s > 0
MULTI
XREADGROUP GROUP g n STREAMS t t 0 >
XACK t g 61 61
XGROUP CREATE t m 0
XADD t 100 a 1
XREADGROUP GROUP m c BLOCK 0 STREAMS t >
XREADGROUP GROUP m c BLOCK 0 STREAMS t >
XREAD BLOCK 0 STREAMS t $
EXEC
DEL t s
XINFO GROUPS t
"""

SCRIPTS = {"entries": ENTRIES, "groups": GROUPS}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_get_the_replies_of_redis(
    server: AidbServer, redis_port: int, name: str, protocol: int
) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        assert_same_replies(ours, theirs, SCRIPTS[name])


def test_a_long_stream_is_read_in_order_and_trimmed(wire: Wire) -> None:
    for start in range(0, 3000, 500):
        wire.pipeline([("XADD", "s", f"{n + 1}", "n", n) for n in range(start, start + 500)])
    assert wire("XLEN", "s") == 3000
    found = wire("XRANGE", "s", "-", "+")
    assert [int(fields[1]) for _, fields in found] == list(range(3000))
    assert wire("XREVRANGE", "s", "+", "-") == found[::-1]
    assert wire("XTRIM", "s", "MAXLEN", "~", 1950) == 1000
    assert wire("XTRIM", "s", "MINID", "~", "1150") == 100
    assert wire("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 250) == 200
    assert wire("XRANGE", "s", "-", "+", "COUNT", 1)[0][0] == b"1301-0"
    assert wire("XADD", "s", "MAXLEN", 10, "5000", "n", 1) == b"5000-0"
    assert wire("XLEN", "s") == 10


def test_ids_of_the_clock_ascend(wire: Wire) -> None:
    ids = wire.pipeline([("XADD", "s", "*", "a", "b")] * 200)
    numbers = [tuple(map(int, one.split(b"-"))) for one in ids]
    assert numbers == sorted(set(numbers))
    assert [one for one, _ in wire("XRANGE", "s", "-", "+")] == ids


def test_groups_share_a_long_stream(wire: Wire) -> None:
    wire.pipeline([("XADD", "s", f"{n + 1}", "n", n) for n in range(1000)])
    wire("XGROUP", "CREATE", "s", "g", "0")
    seen: list[bytes] = []
    read = ("COUNT", 70, "STREAMS", "s", ">")
    while replies := wire("XREADGROUP", "GROUP", "g", f"c{len(seen) % 3}", *read):
        seen += [entry for entry, _ in replies[0][1]]
    assert seen == [b"%d-0" % (n + 1) for n in range(1000)]
    assert wire("XACK", "s", "g", *seen[:900]) == 900
    total, low, high, consumers = wire("XPENDING", "s", "g")
    assert (total, low, high) == (100, b"901-0", b"1000-0")
    assert sum(int(count) for _, count in consumers) == 100
    assert wire("XGROUP", "DESTROY", "s", "g") == 1
    assert wire("XINFO", "GROUPS", "s") == []
