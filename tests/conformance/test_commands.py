"""Single commands against a real Redis, where random streams would not come by."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Failure, Pairs, Status, Wire

CASES = [
    "PING a b",
    "ECHO",
    "HELLO 4",
    "HELLO abc",
    "HELLO 2 SETNAME",
    "HELLO 2 AUTH nobody secret",
    "SELECT 99",
    "SELECT x",
    "SET k v EX 0",
    "SET k v EX 9223372036854775807",
    "SET k v PX 9223372036854775807",
    "SET k v EX 10 PX 10",
    "SET k v EX 10 EX 20",
    "SET k v NX XX",
    "SET k v KEEPTTL EX 5",
    "SET k v EX",
    "SET k v GET NX",
    "GETEX k EX 1 PERSIST",
    "GETEX k KEEPTTL",
    "SETEX k 0 v",
    "SETEX k -1 v",
    "SETEX k 9223372036854775807 v",
    "PSETEX k abc v",
    "EXPIRE k 9223372036854775807",
    "EXPIRE k -9223372036854775808",
    "PEXPIRE k 9223372036854775807",
    "EXPIRE k 10 NX GT",
    "EXPIRE k 10 GT LT",
    "EXPIRE k 10 WHAT",
    "SETRANGE k -1 x",
    "SETRANGE k 536870912 x",
    "SETRANGE k 0 ''",
    "GETRANGE k 0",
    "INCRBY k abc",
    "DECRBY k -9223372036854775808",
    "MSET a",
    "MSET a 1 b",
    "MSETNX a 1 b",
    "RENAME none other",
    "RENAMENX none other",
    "COPY k k",
    "COPY k other DB 99",
    "COPY k other DB",
    "MOVE k 0",
    "MOVE k 99",
    "MOVE k x",
    "SWAPDB 0 99",
    "SWAPDB a 1",
    "SWAPDB 1 b",
    "OBJECT ENCODING none",
    "OBJECT NOSUCH k",
    "OBJECT HELP",
    "OBJECT FREQ k",
    "SCAN abc",
    "SCAN 0 COUNT 0",
    "SCAN 0 COUNT abc",
    "SCAN 0 MATCH",
    "SCAN 0 BOGUS 1",
    "SCAN 0 TYPE string",
    "SCAN 0 TYPE list",
    "KEYS",
    "RANDOMKEY x",
    "FLUSHDB BAD",
    "CLIENT",
    "CLIENT SETNAME 'a b'",
    "CLIENT KILL 1.2.3.4:5",
    "CLIENT KILL ID abc",
    "CLIENT KILL ID 0",
    "CLIENT KILL NOSUCH x",
    "CLIENT KILL SKIPME maybe",
    "CLIENT KILL ID 999999",
    "CLIENT LIST TYPE nosuch",
    "CLIENT LIST ID abc",
    "CLIENT LIST ID 999999",
    "CLIENT NO-EVICT maybe",
    "CLIENT NO-EVICT on",
    "COMMAND GETKEYS GET",
    "COMMAND GETKEYS GET k",
    "COMMAND GETKEYS MSET a 1 b 2",
    "COMMAND GETKEYS NOSUCH",
    "COMMAND GETKEYS PING",
    "COMMAND INFO nosuch",
    "COMMAND LIST FILTERBY BAD x",
    "COMMAND LIST BAD",
    "CONFIG GET nosuch",
    "CONFIG GET timeout",
    "CONFIG SET nosuch 1",
    "CONFIG SET timeout abc",
    "CONFIG SET timeout",
    "CONFIG SET databases 3",
    "CONFIG SET timeout 0 timeout 1",
    "CONFIG SET appendfsync sometimes",
    "CONFIG NOSUCH",
    "SHUTDOWN MAYBE",
    "SHUTDOWN SAVE NOSAVE",
    "SHUTDOWN ABORT",
    "LASTSAVE x",
    "nosuch",
    "nosuch with some 'arguments here'",
    "GET",
    "get a b",
]


def send_line(wire: Wire, line: str) -> Any:
    wire.send(line.encode() + b"\r\n")
    return wire.read()


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("line", CASES)
def test_replies_are_those_of_redis(
    server: AidbServer, redis_port: int, line: str, protocol: int
) -> None:
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        theirs("FLUSHALL")
        for wire in (ours, theirs):
            wire("SET", "k", "10")
        assert send_line(ours, line) == send_line(theirs, line)


NAMES = "get set mget del rename copy expire object client config command ping select scan swapdb"


@pytest.mark.parametrize("name", NAMES.split())
def test_command_info_is_that_of_redis(server: AidbServer, redis_port: int, name: str) -> None:
    def shape(details: list[Any]) -> list[Any]:
        words = [sorted(word.text for word in details[place]) for place in (2, 6)]
        return [*details[:2], *details[3:6], *words, details[7], details[8]]

    with Wire(redis_port) as theirs, server.connect() as ours:
        mine, other = ours("COMMAND", "INFO", name)[0], theirs("COMMAND", "INFO", name)[0]
        assert shape(mine) == shape(other)
        others = {sub[0]: shape(sub) for sub in other[9]}
        for sub in mine[9]:
            assert sub[0] not in others or shape(sub) == others[sub[0]]


def test_every_command_is_documented(wire: Wire) -> None:
    docs = wire("COMMAND", "DOCS")
    names = wire("COMMAND", "LIST")
    assert len(names) == wire("COMMAND", "COUNT") == len(docs) // 2
    for fields in docs[1::2]:
        table = dict(zip(fields[::2], fields[1::2], strict=True))
        assert table[b"summary"] and table[b"since"] and table[b"group"]


def test_hello_switches_the_protocol(server: AidbServer) -> None:
    with server.connect() as wire:
        assert isinstance(wire("HELLO"), list)
        reply = wire("HELLO", 3, "SETNAME", "me")
        assert isinstance(reply, Pairs)
        assert dict(reply.items[:3])[b"proto"] == 3
        assert wire("CLIENT", "GETNAME") == b"me"
        assert wire("GET", "absent") is None
        assert wire("RESET") == Status(b"RESET")
        assert wire("CLIENT", "GETNAME") is None
        assert isinstance(wire("CONFIG", "GET", "port"), list)


def test_databases_are_apart_and_swap(wire: Wire) -> None:
    wire("SET", "k", "zero")
    wire("SELECT", 1)
    wire("SET", "k", "one")
    assert wire("SWAPDB", 0, 1) == Status(b"OK")
    assert wire("GET", "k") == b"zero"
    wire("SELECT", 0)
    assert wire("GET", "k") == b"one"
    wire("FLUSHDB")
    assert wire("DBSIZE") == 0
    wire("SELECT", 1)
    assert wire("DBSIZE") == 1


def test_keys_expire_on_time(wire: Wire) -> None:
    wire("SET", "short", "v", "PX", 30)
    wire("SET", "long", "v", "EX", 100)
    while wire("EXISTS", "short"):
        pass
    assert wire("GET", "short") is None
    assert wire("TTL", "long") in (99, 100)
    assert wire("KEYS", "*") == [b"long"]


def test_a_time_that_has_passed_removes_the_key(wire: Wire) -> None:
    for command in (("SET", "k", "v", "EXAT", 1), ("GETEX", "k", "PXAT", 1), ("EXPIRE", "k", -1)):
        wire("SET", "k", "v")
        wire(*command)
        assert wire("GET", "k") is None
        assert wire("DBSIZE") == 0


def test_scan_returns_every_key_present_throughout(server: AidbServer) -> None:
    stable = {b"stable:%d" % n for n in range(500)} | {b"{tag}%d" % n for n in range(300)}
    with server.connect() as wire, server.connect() as other:
        wire.pipeline([("SET", key, "v") for key in stable])
        found: list[bytes] = []
        cursor, calls = b"0", 0
        while True:
            cursor, keys = wire("SCAN", cursor, "COUNT", 17)
            found += keys
            calls += 1
            # The key where the cursor stands goes away, others come.
            if keys and keys[-1] not in stable:
                other("DEL", keys[-1])
            other("SET", f"new:{calls}", "v")
            if cursor == b"0":
                break
        assert stable <= set(found)
        assert calls > 40


def test_a_cursor_survives_the_loss_of_its_key_and_of_all_hints(server: AidbServer) -> None:
    stable = {b"{s}%03d" % n for n in range(0, 200, 2)}
    with server.connect() as wire:
        wire.pipeline([("SET", b"{s}%03d" % n, "v") for n in range(200)])
        cursor, found = wire("SCAN", 0, "COUNT", 50)
        # More scans than hints are kept, then the cursor's own key disappears.
        wire.pipeline([("SCAN", 0, "COUNT", n % 40 + 1) for n in range(5000)])
        odd = [key for key in found if key not in stable] or [found[-1]]
        wire("DEL", *odd)
        rest = set(found)
        while cursor != b"0":
            cursor, keys = wire("SCAN", cursor, "COUNT", 50)
            rest |= set(keys)
        assert stable <= rest


def test_randomkey_reaches_every_key(wire: Wire) -> None:
    assert wire("RANDOMKEY") is None
    keys = {b"key:%d" % n for n in range(20)}
    wire.pipeline([("SET", key, "v") for key in keys])
    seen: set[bytes] = set()
    while seen != keys:
        seen.add(wire("RANDOMKEY"))


def test_clients_are_listed_named_and_killed(server: AidbServer) -> None:
    with server.connect() as wire, server.connect() as victim:
        victim("CLIENT", "SETNAME", "victim")
        victim("CLIENT", "SETINFO", "LIB-NAME", "tests")
        number = victim("CLIENT", "ID")
        line = next(x for x in wire("CLIENT", "LIST").splitlines() if b"name=victim" in x)
        assert b"id=%d " % number in line and b"lib-name=tests" in line and b"cmd=client" in line
        assert wire("CLIENT", "KILL", "ID", number) == 1
        assert victim.is_closed()
        assert isinstance(wire("CLIENT", "KILL", "9.9.9.9:9"), Failure)


def test_debug_sleep_holds_one_connection_only(server: AidbServer) -> None:
    with server.connect() as sleeper, server.connect() as wire:
        sleeper("PING")
        sleeper.send(b"DEBUG SLEEP 30\r\nPING\r\n")
        assert [wire("PING") for _ in range(100)] == [Status(b"PONG")] * 100
        sleepers = sleeper.socket.getsockname()
        assert wire("CLIENT", "KILL", f"{sleepers[0]}:{sleepers[1]}") == Status(b"OK")


def test_info_has_the_sections_that_clients_read(wire: Wire) -> None:
    wire("SET", "k", "v")
    wire("GET", "k")
    wire("GET", "absent")
    info = wire("INFO").decode()
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    assert fields["redis_mode"] == "standalone"
    assert int(fields["keyspace_hits"]) >= 1
    assert fields["db0"].startswith("keys=1,")
    assert fields["role"] == "master"
    assert "# Clients" in info
    assert wire("INFO", "keyspace").decode().startswith("# Keyspace\r\n")
    assert "cmdstat_get" in wire("INFO", "commandstats").decode()


def test_config_changes_hold(wire: Wire) -> None:
    assert wire("CONFIG", "SET", "timeout", "100", "maxclients", "500") == Status(b"OK")
    assert wire("CONFIG", "GET", "timeout", "maxclients") in (
        [b"maxclients", b"500", b"timeout", b"100"],
        [b"timeout", b"100", b"maxclients", b"500"],
    )
    assert wire("CONFIG", "SET", "timeout", "0", "maxclients", "10000") == Status(b"OK")


def test_a_checkpoint_is_made_and_replaced(server: AidbServer, wire: Wire) -> None:
    wire("SET", "k", "v")
    before = wire("LASTSAVE")
    for _ in range(2):
        assert wire("SAVE") == Status(b"OK")
    assert wire("LASTSAVE") >= before
    assert (server.directory / "checkpoint" / "CURRENT").exists()
    assert not (server.directory / "checkpoint.new").exists()
