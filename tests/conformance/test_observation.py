"""What a server shows of itself: SLOWLOG, COMMANDLOG, LATENCY, MONITOR, MEMORY, INFO, DEBUG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.conformance.scenes import assert_same_replies
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Failure, Pairs, Status, Verbatim, Wire


@contextmanager
def setting(wire: Wire, name: str, value: object) -> Iterator[None]:
    """A setting for the length of the block."""
    _, old = wire("CONFIG", "GET", name)
    assert wire("CONFIG", "SET", name, str(value)) == Status(b"OK")
    try:
        yield
    finally:
        wire("CONFIG", "SET", name, old)


def test_answers_of_a_server_that_stands_alone(server: AidbServer, redis_port: int) -> None:
    script = """
WAIT 0 10
WAIT a 10
WAIT 0 -1
WAIT 0 x
REPLICAOF NO ONE
REPLICAOF localhost x
SLAVEOF no one
FAILOVER
READONLY
READWRITE
ASKING
CLUSTER INFO
CLUSTER
BGREWRITEAOF x
SLOWLOG GET x
SLOWLOG GET -2
SLOWLOG
SLOWLOG BOGUS
SLOWLOG HELP
LATENCY HISTORY nothing
LATENCY GRAPH nothing
LATENCY HELP
LATENCY BOGUS
MEMORY USAGE nothing
MEMORY USAGE k SAMPLES
MEMORY USAGE k SAMPLES x
MEMORY USAGE k SAMPLES -1
MEMORY USAGE
MEMORY PURGE
MEMORY HELP
CONFIG SET slowlog-max-len -1
CONFIG SET slowlog-log-slower-than x
CONFIG GET slowlog-max-len
CONFIG GET slowlog-log-slower-than
CONFIG GET latency-monitor-threshold
CONFIG GET tracking-table-max-keys
"""
    for protocol in (2, 3):
        with server.connect(protocol) as ours, Wire(redis_port, protocol=protocol) as theirs:
            assert_same_replies(ours, theirs, script)


def test_slow_commands_are_logged_as_redis_does(server: AidbServer, redis_port: int) -> None:
    commands: list[tuple[str, ...]] = [
        ("SET", "slow", "v" * 200),
        ("RPUSH", "slowlist", *map(str, range(40))),
        ("MGET", *["k"] * 31),
        ("GET",),
        ("HGET", "slow", "f"),
        ("HELLO", "2", "AUTH", "nobody", "secret"),
        ("AUTH", "nobody", "secret"),
        ("EVAL", "return redis.call('get', KEYS[1])", "1", "slow"),
        ("MULTI",),
        ("GET", "slow"),
        ("EXEC",),
        ("CLIENT", "SETNAME", "somebody"),
        ("DEL", "slow", "slowlist"),
    ]
    seen = []
    for port in (server.port, redis_port):
        with Wire(port) as wire, Wire(port) as other, setting(other, "slowlog-log-slower-than", 0):
            other("SLOWLOG", "RESET")
            for command in commands:
                wire(*command)
            entries = other("SLOWLOG", "GET", 50)
            assert other("SLOWLOG", "LEN") > len(entries) - 2
            mine = ":".join(map(str, wire.socket.getsockname())).encode()
            seen.append([(e[3], e[5]) for e in entries if e[4] == mine])
            assert all(entry[1] > 1_700_000_000 and entry[2] >= 0 for entry in entries)
            assert [e[0] for e in entries] == sorted((e[0] for e in entries), reverse=True)
    assert seen[0] == seen[1]


def test_the_slow_log_is_bounded(server: AidbServer) -> None:
    with (
        server.connect() as wire,
        setting(wire, "slowlog-log-slower-than", 0),
        setting(wire, "slowlog-max-len", 3),
    ):
        for _ in range(9):
            wire("PING")
        assert wire("SLOWLOG", "LEN") == 3
        assert len(wire("SLOWLOG", "GET", -1)) == 3
        wire("CONFIG", "SET", "slowlog-log-slower-than", -1)
        wire("SLOWLOG", "RESET")
        wire("PING")
        assert wire("SLOWLOG", "LEN") == 0
        assert wire("CONFIG", "GET", "commandlog-execution-slower-than")[1] == b"-1"


def test_large_requests_and_replies_are_logged(server: AidbServer) -> None:
    with (
        server.connect() as wire,
        setting(wire, "commandlog-request-larger-than", 1000),
        setting(wire, "commandlog-reply-larger-than", 1000),
    ):
        for kind in ("large-request", "large-reply"):
            wire("COMMANDLOG", "RESET", kind)
        wire("SET", "large", "v" * 2000)
        wire("GET", "large")
        (request,) = wire("COMMANDLOG", "GET", -1, "large-request")
        assert request[2] > 2000
        assert request[3][:2] == [b"SET", b"large"]
        (reply,) = wire("COMMANDLOG", "GET", -1, "large-reply")
        assert reply[2] == 2000 + len(b"$2000\r\n\r\n")
        assert wire("COMMANDLOG", "LEN", "large-reply") == 1
        assert wire("COMMANDLOG", "LEN", "slow") == wire("SLOWLOG", "LEN")
        assert isinstance(wire("COMMANDLOG", "LEN", "other"), Failure)


def test_events_that_took_long(server: AidbServer) -> None:
    with server.connect(3) as wire:
        wire("LATENCY", "RESET")
        assert b"not monitored" in wire("LATENCY", "DOCTOR").text
        wire("CONFIG", "SET", "latency-monitor-threshold", 10)
        try:
            wire("DEBUG", "SLEEP", "0.02")
        finally:
            wire("CONFIG", "SET", "latency-monitor-threshold", 0)
        latest = {event: (ms, most) for event, _, ms, most in wire("LATENCY", "LATEST")}
        ms, most = latest[b"command"]
        assert 20 <= ms <= most
        assert [ms for _, ms in wire("LATENCY", "HISTORY", "command")] == [ms]
        assert b"all time high" in wire("LATENCY", "GRAPH", "command").text
        assert wire("LATENCY", "RESET", "command") == 1
        assert wire("LATENCY", "HISTORY", "command") == []


def test_histograms_count_every_call(server: AidbServer, redis_port: int) -> None:
    for port in (server.port, redis_port):
        with Wire(port, protocol=3) as wire:
            wire("CONFIG", "RESETSTAT")
            for _ in range(5):
                wire("SETRANGE", "counted", 0, "v")
            wire("CONFIG", "GET", "port")
            reply = wire("LATENCY", "HISTOGRAM", "setrange", "config", "nothing")
            assert isinstance(reply, Pairs)
            found = dict(reply.items)
            assert set(found) == {b"setrange", b"config|get", b"config|resetstat"} - (
                set() if b"config|resetstat" in found else {b"config|resetstat"}
            )
            counts = dict(found[b"setrange"].items)
            assert counts[b"calls"] == 5
            assert list(dict(counts[b"histogram_usec"].items).values())[-1] == 5


def test_statistics_of_commands(server: AidbServer, redis_port: int) -> None:
    shown = []
    for port in (server.port, redis_port):
        with Wire(port) as wire:
            wire("CONFIG", "RESETSTAT")
            wire("SETRANGE", "counted", 0, "v")
            wire("SETRANGE", "counted", -1, "v")
            wire("SETRANGE", "counted")
            wire("LPUSH", "counted", "v")
            wire("CLIENT", "GETNAME")
            text = wire("INFO", "commandstats") + wire("INFO", "errorstats")
            kept = re.findall(rb"(cmdstat_(?:setrange|lpush|client\|getname)):(.*?)\r", text)
            shown.append(
                [(name, re.sub(rb"usec=.*?,usec_per_call=.*?,", b"", rest)) for name, rest in kept]
                + re.findall(rb"(errorstat_(?:ERR|WRONGTYPE)):(.*?)\r", text)
            )
            latencies = wire("INFO", "latencystats")
            assert re.search(
                rb"latency_percentiles_usec_setrange:p50=\d+\.\d{3},p99=\d+\.\d{3},p99.9=",
                latencies,
            )
            wire("CONFIG", "RESETSTAT")
            assert b"setrange" not in wire("INFO", "commandstats")
    assert sorted(shown[0]) == sorted(shown[1])


LEFT_OUT = re.compile(
    rb"allocator_|rss_overhead|mem_(replication|cluster|total_rep|not_counted)|module_fork"
    rb"|migrate_cached|slave_expires|active_defrag|expire_cycle|expired_(stale|time)|io_threads"
    rb"|total_(reads|writes)_processed|io_threaded|dump_payload|acl_access|current_(cow|fork|save|active)"
    rb"|rdb_last_load|used_cpu_.*thread|gcc_version|lru_clock|used_memory_(vm|functions)|evicted_scripts"
    rb"|total_active_defrag|listener|reply_buffer|current_eviction|maxmemory_policy|number_of_cached"
    rb"|mem_overhead|aof_last_rewrite|tcp_|total_blocking"
)
"""Fields about the inside of redis-server."""


@pytest.mark.parametrize(
    "section",
    ["server", "clients", "memory", "persistence", "stats", "replication", "cpu", "cluster"],
)
def test_info_has_the_fields_that_monitors_read(
    server: AidbServer, redis_port: int, section: str
) -> None:
    names = []
    for port in (server.port, redis_port):
        with Wire(port) as wire:
            names.append(set(re.findall(rb"(?m)^(\w+):", wire("INFO", section))))
    missing = {name for name in names[1] - names[0] if not LEFT_OUT.match(name)}
    assert not missing


def test_monitors_see_what_redis_shows(server: AidbServer, redis_port: int) -> None:
    seen: list[list[bytes]] = []
    for port in (server.port, redis_port):
        with Wire(port) as monitor, Wire(port) as wire:
            assert monitor("MONITOR") == Status(b"OK")
            wire("SET", "shown", 'quotes " and \\ and \n', "EX", 100)
            wire("SELECT", 3)
            wire("AUTH", "nobody", "secret")
            wire("CONFIG", "GET", "port")
            wire("MULTI")
            wire("GET", "shown")
            wire("EXEC")
            wire("SELECT", 0)
            wire("ECHO", "end")
            mine = ":".join(map(str, wire.socket.getsockname())).encode()
            lines: list[bytes] = []
            while not lines or b'"end"' not in lines[-1]:
                line = monitor.read().text
                if mine in line:
                    assert re.match(rb"\d{10}\.\d{6} \[", line)
                    lines.append(line.split(b" ", 1)[1].replace(mine, b"address"))
            seen.append(lines)
            assert b"flags=O" in wire("CLIENT", "LIST")
    assert seen[0] == seen[1]


def test_monitoring_ends_with_reset(server: AidbServer) -> None:
    with server.connect() as monitor, server.connect() as other:
        monitor("MONITOR")
        assert b"reset" in monitor_line(monitor, "RESET")
        other("SET", "unseen", 1)
        assert monitor("ECHO", "quiet") == b"quiet"


def monitor_line(monitor: Wire, command: str) -> bytes:
    reply: Any = monitor(command)
    return bytes(reply.text).lower()


def test_memory_of_keys_and_of_the_server(server: AidbServer) -> None:
    with server.connect(3) as wire:
        wire("SET", "measured", "v" * 1000)
        assert 1000 < wire("MEMORY", "USAGE", "measured") < 1200
        wire("DEL", "measured")
        assert wire("MEMORY", "USAGE", "measured") is None
        for n in range(0, 2000, 500):
            members = [f"member:{n + m}" for m in range(500)]
            wire("SADD", "measured", *members)
        exact = wire("MEMORY", "USAGE", "measured", "SAMPLES", 0)
        assert exact > 2000 * len("member:1")
        assert abs(wire("MEMORY", "USAGE", "measured") - exact) < exact / 2
        stats = dict(wire("MEMORY", "STATS").items)
        assert stats[b"total.allocated"] > 0
        assert stats[b"keys.count"] == 1
        assert isinstance(wire("MEMORY", "DOCTOR"), Verbatim)
        assert isinstance(wire("MEMORY", "MALLOC-STATS"), Verbatim)


def test_writes_are_on_the_disk_when_asked_for(server: AidbServer) -> None:
    with server.connect() as wire:
        wire("SET", "durable", 1)
        assert wire("WAITAOF", 1, 0, 0) == [1, 0]
        assert isinstance(wire("WAITAOF", 2, 0, 0), Failure)
        info = wire("INFO", "persistence")
        seqs = re.findall(rb"engine_(?:visible|durable)_seq:(\d+)", info)
        assert seqs[0] <= seqs[1]


def test_debug_parts(server: AidbServer) -> None:
    with server.connect() as wire:
        wire("SET", "inside", 7)
        reply = wire("DEBUG", "OBJECT", "inside")
        assert isinstance(reply, Status)
        assert b"encoding:int" in reply.text
        assert wire("DEBUG", "OBJECT", "nothing") == Failure(b"ERR no such key")
        assert wire("DEBUG", "ERROR", "MINE text") == Failure(b"MINE text")
        assert isinstance(wire("DEBUG", "JMAP"), Failure)
        assert wire("DEBUG", "SET-ACTIVE-EXPIRE", 0) == Status(b"OK")
        try:
            before = wire("DBSIZE")
            wire("SET", "brief", 1, "PX", 1)
            wire("DEBUG", "SLEEP", "0.01")
            assert wire("GET", "brief") is None
            assert wire("DBSIZE") == before + 1
        finally:
            wire("DEBUG", "SET-ACTIVE-EXPIRE", 1)
        assert wire("DBSIZE") == before


def test_policies_that_evict_are_refused(server: AidbServer) -> None:
    with server.connect() as wire:
        assert wire("CONFIG", "SET", "maxmemory-policy", "noeviction") == Status(b"OK")
        reply = wire("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert b"nothing is evicted" in reply.text
