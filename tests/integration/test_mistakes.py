"""Mistakes that other engines made; tests/MISTAKES.md says where the rest of the list is tested."""

from __future__ import annotations

import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import aidb
from aidb.clock import ManualClock

TINY: aidb.OpenOptions = {
    "memtable_bytes_max": 4096,
    "memtables_bytes_max": 16384,
    "block_bytes": 128,
    "cache_bytes_max": 4096,
    "table_bytes_max": 4096,
    "level_base_bytes": 8192,
    "level_fanout": 2,
    "l0_runs_trigger": 2,
    "l0_runs_slowdown": 4,
    "l0_runs_stop": 6,
    "blob_bytes_min": 0,
}


def wait_until(holds: object, what: str, seconds: float = 20) -> None:
    """Polls a condition until its deadline."""
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


def test_a_delete_of_a_flushed_key_counts(path: Path) -> None:
    with aidb.open(path, **TINY) as db:
        db[b"k"] = b"v"
        db.flush()
        del db[b"k"]
        assert b"k" not in db
        db.flush()
        assert b"k" not in db
        assert list(db) == []
    with aidb.open(path, **TINY) as db:
        assert b"k" not in db


def test_the_newest_of_several_flushed_versions_wins(path: Path) -> None:
    with aidb.open(path, **TINY) as db:
        for version in range(5):
            db[b"k"] = b"%d" % version
            db.flush()
            assert db[b"k"] == b"%d" % version
        db.compact()
        assert dict(db) == {b"k": b"4"}
    with aidb.open(path, **TINY) as db:
        assert db[b"k"] == b"4"


def test_a_file_number_is_never_reused(path: Path) -> None:
    gone: set[int] = set()
    seen: set[int] = set()
    for round_number in range(6):
        with aidb.open(path, **TINY) as db:
            for step in range(4):
                db.put_many((b"%04d" % n, b"%d-%d" % (round_number, step)) for n in range(100))
                db.flush()
                if step == 2:
                    db.compact()
                now = {int(f.stem) for kind in ("sst", "wal") for f in (path / kind).iterdir()}
                assert not now & gone
                gone |= seen - now
                seen |= now
    assert gone


def test_an_empty_value_is_not_absence_in_a_table(path: Path) -> None:
    with aidb.open(path, **TINY) as db:
        db[b"k"] = b""
        db.flush()
        assert db[b"k"] == b""
        assert db.get_many([b"k"]) == [b""]
        assert len(db) == 1
        db.compact()
        assert list(db.scan()) == [(b"k", b"")]


def test_a_tombstone_stays_while_a_deeper_level_holds_its_key(path: Path) -> None:
    with aidb.open(path, **TINY) as db:
        db.put_many((b"%04d" % n, b"x" * 100) for n in range(500))
        db.flush()
        db.compact()
        victims = [b"%04d" % n for n in range(0, 500, 7)]
        for key in victims:
            del db[key]
        db.flush()
        for filler in range(40):
            db.put_many((b"f%04d" % (filler * 20 + n), b"y" * 100) for n in range(20))
            db.flush()
            assert not any(key in db for key in victims)
        db.compact()
        assert not any(key in db for key in victims)
        assert len(db) == 500 - len(victims) + 800


def test_a_batch_is_whole_or_absent_wherever_the_log_is_cut(path: Path, tmp_path: Path) -> None:
    with aidb.open(path, durability="sync", log_mode="append") as db:
        for number in range(8):
            db.put_many({b"a": b"%d" % number, b"b": b"%d" % number, b"c%d" % number: b"x"})
        image = tmp_path / "image"
        shutil.copytree(path, image)
    segment = max((image / "wal").iterdir())
    log = segment.read_bytes()
    end = len(log.rstrip(b"\0")) + 4
    for cut in range(max(0, end - 200), end, 3):
        copy = tmp_path / f"cut{cut}"
        shutil.copytree(image, copy)
        (copy / "wal" / segment.name).write_bytes(log[:cut])
        (copy / "LOCK").unlink(missing_ok=True)
        try:
            with aidb.open(copy) as db:
                pairs = dict(db)
        except aidb.CorruptionError:
            continue  # cut below a sync marker: refused, not guessed
        assert pairs.get(b"a") == pairs.get(b"b")
        assert sum(key.startswith(b"c") for key in pairs) == int(pairs.get(b"a", b"-1")) + 1
        shutil.rmtree(copy)


def test_a_torn_tail_does_not_stop_an_open(path: Path, tmp_path: Path) -> None:
    with aidb.open(path, durability="none", log_mode="append") as db:
        for number in range(50):
            db[b"%02d" % number] = b"v"
        image = tmp_path / "image"
        shutil.copytree(path, image)
    segment = max((image / "wal").iterdir())
    log = segment.read_bytes()
    end = len(log.rstrip(b"\0"))
    segment.write_bytes(log[: end - 5])
    with aidb.open(image) as db:
        assert 45 <= len(db) < 50
        assert list(db) == [b"%02d" % number for number in range(len(db))]
        assert db.recovery()["torn_bytes"] > 0
        db[b"new"] = b"v"
    with aidb.open(image) as db:
        assert db[b"new"] == b"v"


def test_a_snapshot_outlives_flush_and_compaction_on_disk(path: Path) -> None:
    with aidb.open(path, **TINY) as db:
        pairs = {b"%04d" % n: b"old%d" % n for n in range(300)}
        db.put_many(pairs)
        view, scan = db.snapshot(), db.scan()
        first = next(scan)
        for key in pairs:
            db[key] = b"new"
        db.delete_range(b"0100", b"0200")
        db.flush()
        db.compact()
        assert dict(view) == pairs
        assert dict([first, *scan]) == pairs
        assert len(dict(db)) == 200


def test_concurrent_readers_do_not_disturb_each_other(path: Path) -> None:
    with aidb.open(path, **TINY) as db:
        db.put_many((b"%05d" % n, b"%05d" % n * 20) for n in range(3000))
        db.flush()

        def read(seed: int) -> None:
            pick = random.Random(seed)
            for _ in range(1500):
                key = b"%05d" % pick.randrange(3000)
                assert db[key] == key * 20
            start = b"%05d" % pick.randrange(2000)
            for key, value in db.scan(start, limit=500):
                assert value == key * 20

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(read, range(6)))


def test_writes_acknowledged_during_rotation_are_kept(path: Path) -> None:
    def write(thread: int) -> None:
        for number in range(1500):
            db[b"%d-%05d" % (thread, number)] = b"x" * 40

    with aidb.open(path, **TINY) as db, ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
        assert len(db) == 6000
    with aidb.open(path, **TINY) as db:
        assert len(list(db)) == len(db) == 6000


def level0_runs(db: aidb.Database) -> int:
    return sum(level["tables"] for level in db.stats()["levels"] if level["level"] == 0)


def test_compaction_goes_on_after_a_restart_without_new_writes(path: Path) -> None:
    idle: aidb.OpenOptions = {
        **TINY,
        "l0_runs_trigger": 100,
        "l0_runs_slowdown": 200,
        "l0_runs_stop": 300,
    }
    with aidb.open(path, **idle) as db:
        for number in range(12):
            db.put_many((b"%04d" % n, b"%d" % number) for n in range(0, 300, 3))
            db.flush()
        assert level0_runs(db) >= 10
    with aidb.open(path, **TINY) as db:
        wait_until(lambda: level0_runs(db) <= 2, "level 0 is merged")
        assert all(value == b"11" for value in db.values())


def test_level_0_limits_do_not_deadlock_writers(path: Path) -> None:
    tight: aidb.OpenOptions = {**TINY, "l0_runs_slowdown": 2, "l0_runs_stop": 3}
    with aidb.open(path, **tight) as db:
        for number in range(60):
            db.put_many((b"%05d" % (n * 37 % 2000), b"%d" % number * 10) for n in range(60))
        db.flush()
        assert len(db) == 60


def test_space_comes_back_from_overwritten_keys(path: Path) -> None:
    options: aidb.OpenOptions = {**TINY, "compression": "none", "compression_bottom": "none"}
    with aidb.open(path, **options) as db:
        for number in range(30):
            db.put_many((b"%03d" % n, b"%03d" % number * 100) for n in range(100))
        db.flush()
        db.compact()
        wait_until(
            lambda: sum(f.stat().st_size for f in (path / "sst").iterdir()) < 100_000,
            "old versions are gone",
        )
        assert len(db) == 100


def test_space_comes_back_from_expired_keys(path: Path) -> None:
    clock = ManualClock()
    options: aidb.OpenOptions = {**TINY, "blob_bytes_min": 1000, "clock": clock}
    with aidb.open(path, **options) as db:
        db.put_many(((b"%03d" % n, b"x" * 2000) for n in range(200)), ttl=10)
        db.flush()
        clock.advance(11)
        assert len(db) == 0
        db.flush()
        db.compact()
        files = [
            f for kind in ("sst", "blob") if (path / kind).exists() for f in (path / kind).iterdir()
        ]
        assert sum(f.stat().st_size for f in files) < 100_000


def test_an_open_iterator_does_not_keep_close_waiting(path: Path) -> None:
    db = aidb.open(path, **TINY)
    db.put_many((b"%05d" % n, b"v" * 50) for n in range(3000))
    db.flush()
    scan, view = db.scan(), db.snapshot()
    next(scan)
    db.close()
    with pytest.raises(aidb.ClosedError):
        next(scan)
    with aidb.open(path, **TINY) as again:
        assert len(again) == 3000
    del scan, view


def read_bytes() -> int:
    """Bytes that this process has read through system calls."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("rchar"):
            return int(line.split()[1])
    return 0


def test_an_expired_large_value_is_not_loaded_to_be_skipped(path: Path) -> None:
    clock = ManualClock()
    with aidb.open(path, clock=clock) as db:
        db.put_many(((b"%02d" % n, b"x" * 1_000_000) for n in range(30)), ttl=10)
        db[b"stays"] = b"v"
        db.flush()
    clock.advance(11)
    with aidb.open(path, clock=clock, read_only=True) as db:
        before = read_bytes()
        assert list(db.scan()) == [(b"stays", b"v")]
        assert db.get_many([b"%02d" % n for n in range(30)]) == [None] * 30
        assert read_bytes() - before < 5_000_000


def test_every_option_is_read_by_the_engine() -> None:
    engine = Path(__file__).parents[2] / "crates" / "engine" / "src"
    text = (engine / "options.rs").read_text()
    settings = text.split("pub struct Options {")[1].split("\n}")[0]
    names = [
        line.split()[1].rstrip(":")
        for line in settings.splitlines()
        if line.strip().startswith("pub ")
    ]
    sources = [file for file in engine.rglob("*.rs") if "tests" not in file.parts]
    code = "".join(file.read_text() for file in sources if file.name != "tests.rs")
    assert len(names) > 20
    assert [name for name in names if f".{name}" not in code] == []
