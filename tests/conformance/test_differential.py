"""The same random commands to a real Redis and to us: every reply is the same.

``AIDB_DIFFERENTIAL_COMMANDS`` sends more; ``AIDB_DIFFERENTIAL_SEED`` starts elsewhere. A failure
prints the seed and the last commands.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.conformance import stream_replies
from tests.conformance.servers import AidbServer
from tests.conformance.streams import Command, Stream
from tests.conformance.wire import Failure, Members, Pairs, Status, Wire

COMMANDS = int(os.environ.get("AIDB_DIFFERENTIAL_COMMANDS", "9000"))
SEED = int(os.environ.get("AIDB_DIFFERENTIAL_SEED", "1"))
BATCH = 25
TIME_TOLERANCE = 60_000

UNORDERED = {b"keys", b"scan", b"hkeys", b"hvals", b"smembers", b"sinter", b"sunion", b"sdiff"}
"""Commands whose order is nobody's promise."""
PAIRED = {b"hgetall"}
"""The same with fields and values one behind the other."""
WEIGHTED = {b"zunion", b"zinter"}
"""Commands that multiply scores."""
WALKS = {b"hscan", b"sscan", b"zscan"}
"""Cursor and elements."""
RANDOM = {b"hrandfield", b"srandmember", b"spop", b"zrandmember"}
"""Commands that choose: only how much they answer is comparable."""
TIMES = {b"ttl", b"pttl", b"expiretime", b"pexpiretime"}
"""Commands whose reply depends on when they ran."""


def comparable(command: Command, reply: Any) -> Any:
    """A reply with what may differ taken out."""
    name = command[0].lower()
    if isinstance(reply, Failure):
        return reply
    if name in stream_replies.NAMES:
        return stream_replies.settled(command, reply)
    if name in RANDOM:
        items = reply.items if isinstance(reply, Members) else reply
        return type(reply), len(items) if isinstance(items, list | tuple) else items is None
    if name == b"sort_ro" and b"nosort" in command and isinstance(reply, list):
        return len(reply)
    if name == b"dump":
        return reply is None
    if name in WALKS and isinstance(reply, list) and len(reply) == 2:
        # A scan that was not finished in one call shows some keys.
        return sorted(pairs(name, reply[1]), key=repr) if reply[0] == b"0" else None
    if isinstance(reply, Members | Pairs):
        return sorted(reply.items, key=repr)
    if isinstance(reply, list) and name in WEIGHTED:
        # A product may be a negative zero there.
        return [b"0" if item == b"-0" else item for item in reply]
    if isinstance(reply, list) and name in UNORDERED | PAIRED:
        if name == b"scan" and len(reply) == 2 and isinstance(reply[1], list):
            return sorted(reply[1]) if reply[0] == b"0" else None
        return sorted(pairs(name, reply), key=repr)
    return reply


def pairs(name: bytes, items: list[Any]) -> list[Any]:
    """Fields with their values where a reply has them in turn."""
    if name in PAIRED | {b"hscan", b"zscan"}:
        return list(zip(items[::2], items[1::2], strict=True))
    return items


def differ(command: Command, ours: Any, theirs: Any) -> bool:
    ours, theirs = comparable(command, ours), comparable(command, theirs)
    if command[0].lower() in {b"scan"} | WALKS and (ours is None or theirs is None):
        return False
    if command[0].lower() in TIMES and isinstance(ours, int) and isinstance(theirs, int):
        return ((ours < 0 or theirs < 0) and ours != theirs) or abs(ours - theirs) > TIME_TOLERANCE
    return bool(ours != theirs)


def differ_in_exec(queued: list[Command], ours: Any, theirs: Any) -> bool:
    """Whether the replies of a transaction differ, command by command."""
    if not (isinstance(ours, list) and isinstance(theirs, list)):
        return bool(ours != theirs)
    if not len(ours) == len(theirs) == len(queued):
        return True
    differing = [q for q, *two in zip(queued, ours, theirs, strict=True) if differ(q, *two)]
    print(f"differing in the transaction: {differing}")
    return bool(differing)


def run(seed: int, ours: Wire, theirs: Wire, commands: int) -> None:
    stream = Stream(seed)
    history: list[Command] = []
    queued: list[Command] = []
    for _ in range(0, commands, BATCH):
        batch = [stream.command() for _ in range(BATCH)]
        mine = ours.pipeline([tuple(command) for command in batch])
        others = theirs.pipeline([tuple(command) for command in batch])
        for command, one, other in zip(batch, mine, others, strict=True):
            history.append(command)
            is_exec = command[0].lower() == b"exec"
            differs = differ_in_exec(queued, one, other) if is_exec else differ(command, one, other)
            if other == Status(b"QUEUED"):
                queued.append(command)
            elif command[0].lower() in {b"exec", b"discard", b"multi"}:
                queued = queued if isinstance(other, Failure) and not is_exec else []
            if differs:
                recent = "\n".join(map(repr, history[-12:]))
                pytest.fail(f"seed {seed}: {command}\naidb:  {one!r}\nredis: {other!r}\n{recent}")


@pytest.mark.timeout(max(60, COMMANDS // 100))
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("offset", range(3))
def test_random_commands_get_the_same_replies(
    server: AidbServer, redis_port: int, protocol: int, offset: int
) -> None:
    seed = SEED * 1000 + offset * 10 + protocol
    with Wire(redis_port, protocol=protocol) as theirs, server.connect(protocol) as ours:
        theirs("FLUSHALL")
        run(seed, ours, theirs, COMMANDS // 6)
