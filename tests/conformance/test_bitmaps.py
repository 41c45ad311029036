"""Bitmaps and bit fields against a real Redis."""

from __future__ import annotations

import pytest
from tests.conformance.scenes import assert_same_replies
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Failure, Wire

BITS = """
SETBIT b 7 1
SETBIT b 7 1
GET b
OBJECT ENCODING b
SETBIT b 100 0
STRLEN b
GETBIT b 7
GETBIT b 8
GETBIT b 4294967295
GETBIT b 4294967296
GETBIT b -1
GETBIT b x
GETBIT none 5
SETBIT b 4294967296 1
SETBIT b -1 1
SETBIT b x 2
SETBIT b 1 2
SETBIT b 1 -1
SETBIT b 1 x
SETBIT k 0 0
OBJECT ENCODING k
GET k
GETBIT k 2
EXPIRE k 1000
SETBIT k 1 1
TTL k
GET k
SADD s a
SETBIT s 1 1
GETBIT s 1
BITCOUNT s
BITCOUNT s a b
BITCOUNT none
BITCOUNT none a b
BITCOUNT k
BITCOUNT k 0
BITCOUNT k 0 0
BITCOUNT k 0 -1
BITCOUNT k -1 -2
BITCOUNT k -1 -2 x
BITCOUNT k -100 -1
BITCOUNT k 5 3
BITCOUNT k 1 100
BITCOUNT k 0 5 BIT
BITCOUNT k 2 13 bit
BITCOUNT k -5 -1 Bit
BITCOUNT k 0 1 byte
BITCOUNT k 0 1 bits
BITCOUNT k a 1 bits
BITCOUNT k 0 b
BITCOUNT k 0 1 bit x
BITPOS none 0
BITPOS none 1
BITPOS none 1 a b c d
BITPOS none 2
BITPOS none x
BITPOS s 1
BITPOS k 1
BITPOS k 0
BITPOS k 1 1
BITPOS k 1 0 a bitt
BITPOS k 1 a
BITPOS k 1 3
BITPOS k 1 1 0
BITPOS k 0 -1 -1
BITPOS k 1 2 -1 bit
BITPOS k 1 3 9 bit
BITPOS k 0 3 3 bit
BITPOS k 1 0 1 byte x
SETRANGE ones 0 \xff\xff\xff
BITPOS ones 0
BITPOS ones 0 0
BITPOS ones 0 0 -1
BITPOS ones 0 0 -1 BIT
BITPOS ones 1 5 2 BIT
SET empty ''
BITPOS empty 0
BITPOS empty 1
BITPOS empty 0 0 -1
BITCOUNT empty
BITCOUNT empty 0 -1
SETBIT
GETBIT k
BITPOS k
"""
OPERATIONS = """
SET x abcdef
SET y abc
SET n 12345
BITOP AND d x y
GET d
OBJECT ENCODING d
BITOP or d x y none
GET d
BITOP XOR d x x
GET d
BITOP XOR d x y n
GET d
BITOP NOT d y
GET d
BITOP NOT x x
GET x
BITOP NOT d x y
BITOP NOT d none
EXISTS d
BITOP AND d none none
BITOP AND k none
EXISTS k
EXPIRE y 1000
BITOP OR y y x
TTL y
BITOP NAND d x y
BITOP AND d
SADD s a
BITOP AND d x s
BITOP AND s x y
TYPE s
"""
FIELDS = """
BITFIELD f
EXISTS f
BITFIELD f GET u8 0
EXISTS f
BITFIELD f SET u8 0 200 GET u8 0 GET i8 0 INCRBY u8 0 100
BITFIELD f OVERFLOW SAT INCRBY u8 0 1000 OVERFLOW FAIL INCRBY u8 0 1 SET u8 0 300
BITFIELD f overflow wrap SET i8 0 -129 INCRBY i8 0 -300
BITFIELD f OVERFLOW SAT SET i5 3 100 SET i5 3 -100 GET i5 3
BITFIELD f OVERFLOW SAT SET u5 3 -1 GET u5 3
BITFIELD f OVERFLOW SAT SET i5 3 -9223372036854775808 GET i5 3
BITFIELD f OVERFLOW SAT SET i5 3 -9223372036854775793 GET i5 3
BITFIELD f OVERFLOW SAT SET i5 3 -9223372036854775792 GET i5 3
BITFIELD f OVERFLOW SAT SET i64 3 -9223372036854775808 GET i64 3
BITFIELD f SET i64 3 -9223372036854775808 INCRBY i64 3 -1 OVERFLOW SAT INCRBY i64 3 1
BITFIELD f OVERFLOW FAIL INCRBY i64 3 9223372036854775807 INCRBY i64 3 9223372036854775807
BITFIELD f SET u63 #1 9223372036854775807 INCRBY u63 #1 1
BITFIELD f SET u63 #1 -1 OVERFLOW SAT INCRBY u63 #1 5 INCRBY u63 #1 -9223372036854775808
BITFIELD f GET u1 #3 GET i1 #3 GET i64 1000
BITFIELD f OVERFLOW FAIL SET u2 500 9
STRLEN f
GET f
BITFIELD f GET u64 0
BITFIELD f GET i65 0
BITFIELD f GET i0 0
BITFIELD f GET U8 0
BITFIELD f GET u 0
BITFIELD f GET u8 -1
BITFIELD f GET u8 #-1
BITFIELD f GET u8 #536870911
BITFIELD f GET u8 #536870912
BITFIELD f GET u8 #2305843009213693952
BITFIELD f GET u8 4294967295
BITFIELD f GET u8 x
BITFIELD f SET u8 0 x
BITFIELD f SET u8 0
BITFIELD f GET u8
BITFIELD f INCRBY u8 0
BITFIELD f OVERFLOW
BITFIELD f OVERFLOW NONE
BITFIELD f BOGUS u8 0
BITFIELD f SET u8 0 1 BOGUS
GET f
BITFIELD_RO f GET u8 0 GET u16 #1
BITFIELD_RO f
BITFIELD_RO none GET u8 0
BITFIELD_RO f GET u8 0 SET u8 0 1
BITFIELD_RO f OVERFLOW SAT GET u8 0
BITFIELD_RO f OVERFLOW BAD GET u8 0
BITFIELD k SET u8 0 65
GET k
OBJECT ENCODING k
EXPIRE k 1000
BITFIELD k INCRBY u8 0 1
TTL k
SADD s a
BITFIELD s GET u8 0
BITFIELD s SET u8 0 1
BITFIELD s SET u8 0 x
BITFIELD_RO s GET u8 0
BITFIELD
BITFIELD_RO
"""
SCRIPTS = {"bits": BITS, "operations": OPERATIONS, "fields": FIELDS}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
def test_edges_get_the_replies_of_redis(
    server: AidbServer, redis_port: int, protocol: int, script: str
) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        assert_same_replies(ours, theirs, script)


def test_combinations_of_newer_versions(wire: Wire) -> None:
    wire("MSET", "x", b"\xf0", "y", b"\xcc\x01", "z", b"\xaa")
    expected = {
        "DIFF": b"\x10\x00",
        "DIFF1": b"\x0e\x01",
        "ANDOR": b"\xe0\x00",
        "ONE": b"\x16\x01",
    }
    for operation, result in expected.items():
        assert wire("BITOP", operation, "d", "x", "y", "z") == 2
        assert wire("GET", "d") == result, operation
    assert wire("BITOP", "one", "d", "x") == 1
    assert wire("BITOP", "diff", "d", "x") == Failure(
        b"ERR BITOP DIFF must be called with at least two source keys."
    )


def test_a_large_bitmap_grows_at_once(wire: Wire) -> None:
    assert wire("SETBIT", "b", 80_000_000, 1) == 0
    assert wire("STRLEN", "b") == 10_000_001
    assert wire("BITPOS", "b", 1) == 80_000_000
    assert wire("BITCOUNT", "b") == 1
