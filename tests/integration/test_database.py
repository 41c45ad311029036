"""What concerns the whole directory: checkpoints, statistics, sizes, pins, large values."""

from __future__ import annotations

from pathlib import Path

import pytest

import aidb


def test_a_checkpoint_opens_as_a_database_of_its_own(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with aidb.open(path) as db:
        db.put_many((b"%05d" % n, b"v" * 50) for n in range(2000))
        db.flush()
        db[b"in the log"] = b"too"
        db.checkpoint(copy)
        db[b"later"] = b"not"
        with aidb.open(copy) as other:
            assert len(other) == 2001
            assert b"later" not in other
            other[b"mine"] = b"1"
        assert b"mine" not in db


def test_a_checkpoint_refuses_an_existing_target(path: Path, tmp_path: Path) -> None:
    with aidb.open(path) as db, pytest.raises(aidb.InvalidError):
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "file").touch()
        db.checkpoint(tmp_path / "full")


def test_statistics_tell_what_happened(path: Path) -> None:
    with aidb.open(path, compression="none", compression_bottom="none") as db:
        db.put_many((b"%05d" % n, b"v" * 100) for n in range(1000))
        db.flush()
        stats = db.stats()
        assert stats["live_keys"] == 1000
        assert stats["flushes"] >= 1
        assert stats["user_bytes_written"] >= 100_000
        assert sum(level["entries"] for level in stats["levels"]) == 1000
        assert stats["disk_bytes"] >= 100_000
        assert stats["read_only_reason"] is None


def test_recovery_tells_what_it_replayed(path: Path) -> None:
    with aidb.open(path) as db:
        assert db.recovery()["batches_replayed"] == 0
        db[b"k"] = b"v"
    with aidb.open(path) as db:
        report = db.recovery()
        assert report["batches_replayed"] + report["batches_skipped"] <= 1
        assert db[b"k"] == b"v"


def test_a_pin_keeps_the_feed_and_survives_reopening(path: Path) -> None:
    with aidb.open(path, memtable_bytes_max="64KB") as db:
        db.pin_log("replica", 0)
        for number in range(3000):
            db[b"%05d" % number] = b"x" * 100
        db.flush()
    with aidb.open(path, memtable_bytes_max="64KB") as db:
        db.flush()
        assert sum(len(change.operations) for change in db.changes(since=0)) == 3000
        db.unpin_log("replica")


def test_values_of_100_mb_are_kept(path: Path) -> None:
    value = bytes(range(256)) * (100 * 4096)
    with aidb.open(path) as db:
        db[b"large"] = value
        assert db[b"large"] == value
        db.flush()
        assert db[b"large"] == value
    with aidb.open(path) as db:
        assert db[b"large"] == value
        assert [len(v) for v in db.scan(values_only=True)] == [len(value)]
        del db[b"large"]
        assert len(db) == 0


def test_space_is_freed(path: Path) -> None:
    with aidb.open(path, memtable_bytes_max="256KB", compression="none") as db:
        for round_number in range(5):
            for number in range(2000):
                db[b"%05d" % number] = b"%d" % round_number * 400
        db.flush()
        db.clear()
        db.compact()
    size = sum(file.stat().st_size for file in path.rglob("*.sst"))
    assert size < 100_000


def test_a_large_database_is_scanned_lazily(path: Path) -> None:
    with aidb.open(path) as db:
        db.put_many((b"%08d" % n, b"x" * 100) for n in range(50_000))
        db.flush()
        before = db.stats()
        assert [key for key, _ in db.scan(b"00025", limit=3)] == [
            b"00025000", b"00025001", b"00025002",
        ]  # fmt: skip
        touched = db.stats()["cache_misses"] - before["cache_misses"]
        assert touched <= 8


def handles_of_this_process() -> tuple[int, int]:
    """Open files and threads."""
    return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))


def test_opening_and_closing_leaves_nothing_behind(path: Path) -> None:
    aidb.open(path).close()
    before = handles_of_this_process()
    for number in range(20):
        with aidb.open(path) as db:
            db[b"%d" % number] = b"v"
            view, scan = db.snapshot(), db.scan()
            next(scan)
    del db, view, scan
    assert handles_of_this_process() == before
    with aidb.open(path) as db:
        assert len(db) == 20


def test_tables_of_another_database_are_taken_in(path: Path, tmp_path: Path) -> None:
    with aidb.open(tmp_path / "source") as source:
        source.put_many((b"%04d" % n, b"v%d" % n) for n in range(1000))
        source.flush()
    tables = sorted((tmp_path / "source" / "sst").iterdir())
    with aidb.open(path) as db:
        db[b"0001"] = b"older"
        users = db.namespace("users")
        assert db.ingest(tables)["entries"] == 1000
        assert db.ingest(tables, namespace=users)["entries"] == 1000
        assert len(db) == len(users) == 1000
        assert db[b"0001"] == users[b"0001"] == b"v1"
        with pytest.raises(aidb.Error, match="nowhere"):
            db.ingest([tmp_path / "nowhere"])
    with aidb.open(path) as db:
        assert dict(db) == {b"%04d" % n: b"v%d" % n for n in range(1000)}


def test_a_scrub_names_the_damaged_file(path: Path) -> None:
    with aidb.open(path, compression="none", compression_bottom="none") as db:
        db.put_many((b"%04d" % n, b"x" * 100) for n in range(1000))
        db.flush()
        assert db.scrub()["damaged"] == []
        (table,) = (path / "sst").iterdir()
        with table.open("r+b") as file:
            file.seek(5000)
            byte = file.read(1)
            file.seek(5000)
            file.write(bytes([byte[0] ^ 1]))
        ((damaged, what),) = db.scrub()["damaged"]
        assert damaged == table
        assert "5" in what or "offset" in what
