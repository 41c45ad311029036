"""XREAD and XREADGROUP that wait for entries, beside a real Redis."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.conformance.servers import AidbServer
from tests.conformance.wire import Wire, encode

GROUP = ["XGROUP CREATE s g $ MKSTREAM"]
READ_GROUP = "XREADGROUP GROUP g c BLOCK 0 STREAMS s >"
SCENES: dict[str, tuple[list[str], str, list[str]]] = {
    "entry after the end": (
        ["XADD s 1-1 a 1"],
        "XREAD BLOCK 0 STREAMS s $",
        ["XADD s 2-1 b 2"],
    ),
    "the end is the one that was met": (
        ["XADD s 1-1 a 1"],
        "XREAD BLOCK 0 STREAMS none s $ $",
        ["SET other x", "MULTI", "XADD s 2-1 b 2", "XADD s 3-1 c 3", "EXEC"],
    ),
    "an absent stream": ([], "XREAD COUNT 1 BLOCK 0 STREAMS s t $ 0", ["XADD t 1-1 a 1"]),
    "another type in between": (
        [],
        "XREAD BLOCK 0 STREAMS s 0",
        ["SET s x", "DEL s", "XADD s 1-1 a 1"],
    ),
    "a deleted stream that comes again": (
        ["XADD s 5-1 a 1"],
        "XREAD BLOCK 0 STREAMS s $",
        ["DEL s", "XADD s 1-1 a 1", "XADD s 6-1 b 1"],
    ),
    "a renamed stream": (
        ["XADD t 5-1 a 1"],
        "XREAD BLOCK 0 STREAMS s 0",
        ["RENAME t s"],
    ),
    "a group": (GROUP, READ_GROUP, ["XADD s 1-1 a 1"]),
    "a group without acknowledgement": (
        GROUP,
        "XREADGROUP GROUP g c NOACK BLOCK 0 STREAMS s >",
        ["XADD s 1-1 a 1"],
    ),
    "a destroyed group": (GROUP, READ_GROUP, ["XGROUP DESTROY s g"]),
    "a deleted key": (GROUP, READ_GROUP, ["DEL s"]),
    "a key of another type": (GROUP, READ_GROUP, ["SET s x"]),
    "nothing left": (GROUP, READ_GROUP, ["FLUSHALL"]),
    "a time that ends": (GROUP, "XREADGROUP GROUP g c BLOCK 30 STREAMS s >", []),
    "another time that ends": ([], "XREAD BLOCK 30 STREAMS s $", ["XADD t 1-1 a 1"]),
}


def blocked(port: int, count: int) -> None:
    """Wait until so many clients are blocked."""
    deadline = time.monotonic() + 20
    with Wire(port) as wire:
        while time.monotonic() < deadline:
            if b"blocked_clients:%d\r\n" % count in wire("INFO", "clients"):
                return
            time.sleep(0.005)
    raise AssertionError(f"never {count} blocked clients")


def play(port: int, scene: str, protocol: int) -> list[Any]:
    """All replies of a scene, those of the waiting client last."""
    before, waiting, after = SCENES[scene]
    with Wire(port, protocol=protocol) as waiter, Wire(port) as writer:
        writer("FLUSHALL")
        replies: list[Any] = [writer(*line.split()) for line in before]
        waiter.send(encode(*waiting.split()))
        if "time" not in scene:
            blocked(port, 1)
        replies += [writer(*line.split()) for line in after]
        replies.append(waiter.read())
        replies.append(writer("XRANGE", "s", "-", "+"))
        blocked(port, 0)
    return replies


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("scene", SCENES)
def test_scenes_end_as_with_redis(
    server: AidbServer, redis_port: int, scene: str, protocol: int
) -> None:
    assert play(server.port, scene, protocol) == play(redis_port, scene, protocol)


def test_an_entry_reaches_every_reader(server: AidbServer) -> None:
    readers = [server.connect() for _ in range(5)]
    for number, wire in enumerate(readers):
        wire.send(encode("XREAD", "BLOCK", 0, "STREAMS", "s", "$"))
        blocked(server.port, number + 1)
    with server.connect() as writer:
        writer("XADD", "s", "1-1", "a", "1")
    for wire in readers:
        assert wire.read() == [[b"s", [[b"1-1", [b"a", b"1"]]]]]
        wire.close()


def test_consumers_share_entries(server: AidbServer) -> None:
    consumers = [server.connect() for _ in range(4)]
    with server.connect() as writer:
        writer("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        for number, wire in enumerate(consumers):
            read = ("GROUP", "g", f"c{number}", "COUNT", 1, "BLOCK", 0, "STREAMS", "s", ">")
            wire.send(encode("XREADGROUP", *read))
            blocked(server.port, number + 1)
        for number in range(4):
            writer("XADD", "s", f"{number + 1}-0", "n", number)
        got = []
        for wire in consumers:
            ((_, entries),) = wire.read()
            got += [entry for entry, _ in entries]
            wire.close()
        assert sorted(got) == [b"%d-0" % (number + 1) for number in range(4)]
        assert writer("XPENDING", "s", "g")[0] == 4
