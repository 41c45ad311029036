"""Typed events: what is told, to whom, and that nobody waits for a listener."""

from __future__ import annotations

import queue
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import aidb
from aidb import events


def test_flushes_and_the_end_are_told(tmp_path: Path) -> None:
    db = aidb.open(tmp_path)
    stream = db.events()
    db[b"k"] = b"v"
    seq = db.seq
    db.flush()
    db.close()
    told = list(stream)
    assert isinstance(told[0], events.Flushed)
    assert told[0].seq == seq
    assert told[-1] == events.Closed(directory=tmp_path)
    assert stream.missed == 0


@pytest.mark.parametrize(("pairs", "level"), [(100, "slowed"), (300, "stopped")])
def test_writers_that_have_to_wait_are_told_why(pairs: int, level: str) -> None:
    with aidb.open(":memory:", memtable_bytes_max="4KB", memtables_bytes_max="16KB") as db:
        stream = db.events()
        db.put_many((b"%03d" % number, bytes(80)) for number in range(pairs))
        db.flush()
        assert db.stats()["write_pressure"] == "free"
        stream.close()
        told = [event for event in stream if isinstance(event, events.WritePressure)]
    assert [(event.level, event.scarcity) for event in told] == [(level, "memory"), ("free", None)]


def test_a_listener_is_called_on_a_thread_of_its_own_and_may_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: queue.Queue[Any] = queue.Queue()
    monkeypatch.setattr(sys, "unraisablehook", reported.put)
    heard: queue.Queue[tuple[events.Event, str]] = queue.Queue()

    def listener(event: events.Event) -> None:
        heard.put((event, threading.current_thread().name))
        raise ValueError("of the listener")

    with aidb.open(":memory:") as db:
        events.listen(db, listener)
        for key in (b"a", b"b"):
            db[key] = b""
            db.flush()
            event, thread = heard.get(timeout=10)
            assert thread == "aidb-events"
            assert isinstance(event, events.Flushed)
            assert str(reported.get(timeout=10).exc_value) == "of the listener"


def test_a_stream_that_nobody_reads_loses_its_oldest_events() -> None:
    with aidb.open(":memory:", background=False) as db:
        stream = db.events()
        for _ in range(1100):
            db[b"k"] = b""
            db.flush()
        stream.close()
        assert stream.missed == 1100 - len(list(stream)) > 0


def test_a_closed_database_has_no_events() -> None:
    db = aidb.open(":memory:")
    db.close()
    with pytest.raises(aidb.ClosedError):
        db.events()
