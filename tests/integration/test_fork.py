"""Forked children: refused clearly, and harmless to the parent."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import aidb

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


def run_in_child(work: Callable[[], None]) -> int:
    """Exit status of a forked child that did ``work``."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def test_a_child_gets_a_clear_error_and_the_parent_goes_on(path: Path) -> None:
    with aidb.open(path) as db:
        db[b"k"] = b"v"
        view, scan, batch, users = db.snapshot(), db.scan(), db.batch(), db.namespace("users")

        def child() -> None:
            uses: list[Callable[[], object]] = [
                lambda: db[b"k"],
                lambda: db.put(b"k", b"child"),
                lambda: len(db),
                lambda: view[b"k"],
                lambda: next(scan),
                lambda: users.get(b"k"),
                lambda: batch.commit(),
            ]
            for use in uses:
                with pytest.raises(aidb.ClosedError, match="forked child"):
                    use()
            db.close()

        assert run_in_child(child) == 0
        assert db[b"k"] == b"v"
        assert view[b"k"] == b"v"
        assert next(scan) == (b"k", b"v")
        db[b"after"] = b"fork"
        db.flush()
    with aidb.open(path) as db:
        assert dict(db) == {b"k": b"v", b"after": b"fork"}


def test_a_child_that_drops_everything_harms_nothing(path: Path) -> None:
    db = aidb.open(path, memtable_bytes_max="64KB")
    for number in range(2000):
        db[b"%05d" % number] = b"x" * 100
    db.flush()
    holder = {"db": db, "view": db.snapshot(), "scan": db.scan()}
    db.compact()

    def child() -> None:
        nonlocal db
        holder.clear()
        del db

    assert run_in_child(child) == 0
    assert len(dict(holder["view"])) == 2000  # type: ignore[call-overload]
    assert len(db) == 2000
    db.close()


def test_a_child_may_open_what_the_parent_closed(path: Path) -> None:
    with aidb.open(path) as db:
        db[b"k"] = b"v"

    def child() -> None:
        with aidb.open(path) as mine:
            mine[b"child"] = mine[b"k"]

    assert run_in_child(child) == 0
    with aidb.open(path) as db:
        assert db[b"child"] == b"v"


def test_a_child_does_not_keep_the_lock(path: Path) -> None:
    db = aidb.open(path)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    try:
        db.close()
        aidb.open(path).close()
    finally:
        os.close(write)
        os.close(read)
        os.waitpid(child, 0)


def put_from_spawned(path: str) -> None:
    with aidb.open(path) as db:
        db[b"spawned"] = b"v"


def test_spawned_children_open_their_own(path: Path) -> None:
    aidb.open(path).close()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=put_from_spawned, args=(str(path),))
    process.start()
    process.join()
    assert process.exitcode == 0
    with aidb.open(path) as db:
        assert db[b"spawned"] == b"v"
