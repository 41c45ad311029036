"""Replies of stream commands with what depends on the clock, or on Redis's tree, taken out."""

from __future__ import annotations

from typing import Any

from tests.conformance.wire import Failure, Pairs

HIDDEN = {b"idle", b"seen-time", b"radix-tree-keys", b"radix-tree-nodes"}
NAMES = {b"xpending", b"xinfo"}


def settled(command: list[bytes], reply: Any) -> Any:
    """A reply of XPENDING or XINFO as it is at any time."""
    if isinstance(reply, Failure):
        return reply
    if command[0].lower() == b"xpending":
        if len(command) < 6 or not isinstance(reply, list):
            return reply
        return [[row[0], row[1], row[3]] for row in reply]
    return _described(reply)


def _described(reply: Any) -> Any:
    if isinstance(reply, Pairs):
        return [_pair(name, value) for name, value in reply.items if name not in HIDDEN]
    if not isinstance(reply, list):
        return reply
    if len(reply) % 2 == 0 and any(name in (b"name", b"length") for name in reply[:1]):
        pairs = zip(reply[::2], reply[1::2], strict=True)
        return [_pair(name, value) for name, value in pairs if name not in HIDDEN]
    return [_described(item) for item in reply]


def _pair(name: bytes, value: Any) -> Any:
    if name == b"pending" and isinstance(value, list):
        # The time of delivery is behind the id, or behind the consumer where there is one.
        return name, [[*row[:-2], row[-1]] for row in value]
    return name, _described(value)
