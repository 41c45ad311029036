"""Scenes of several tests: the same lines to both servers, readers that must not see halves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.conformance.servers import AidbServer
from tests.conformance.test_differential import differ
from tests.conformance.wire import Wire


def lines(script: str) -> list[str]:
    """The commands of a script, one per line."""
    return [line for line in script.splitlines() if line]


def send_line(wire: Wire, line: str) -> Any:
    """The reply to a command in its inline form."""
    wire.send(line.encode() + b"\r\n")
    return wire.read()


def assert_same_replies(ours: Wire, theirs: Wire, script: str) -> None:
    """Every line gets the reply of Redis; the key ``k`` is a string, all others are absent."""
    theirs("FLUSHALL")
    for wire in (ours, theirs):
        wire("SET", "k", "10")
    for line in lines(script):
        mine, other = send_line(ours, line), send_line(theirs, line)
        command = [word.encode() for word in line.split()]
        assert not differ(command, mine, other), f"{line}\naidb:  {mine!r}\nredis: {other!r}"


@contextmanager
def never_torn(server: AidbServer, left: str, right: str) -> Iterator[None]:
    """While the block runs, a reader always finds both keys with one value."""
    torn: list[Any] = []
    stop = threading.Event()

    def read() -> None:
        with server.connect() as reader:
            while not stop.is_set():
                one, other = reader("MGET", left, right)
                if one != other:
                    torn.append((one, other))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not torn
