"""stats, compact, checkpoint, check, inspect and repair on real directories."""

from pathlib import Path

import pytest

import aidb

from .conftest import CommandLine

PAIRS = {b"key%05d" % number: b"value %d " % number * 5 for number in range(2000)}


@pytest.fixture
def filled(path: Path) -> Path:
    """A database with tables, blob files, a second namespace and records in its log."""
    with aidb.open(path) as db:
        db.put_many(PAIRS)
        db[b"large"] = b"x" * 10_000
        db.namespace("other")[b"o"] = b"1"
        db.flush()
        db[b"late"] = b"in the log"
    return path


def flip(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 0x20
    file.write_bytes(data)


def only(directory: Path, pattern: str) -> Path:
    return max(directory.glob(pattern), key=lambda file: file.stat().st_size)


def test_stats_tell_keys_sizes_and_levels(run: CommandLine, filled: Path) -> None:
    stats = run("stats", filled, "--json").json
    assert stats["live_keys"] == len(PAIRS) + 3
    assert stats["namespaces"] == ["default", "other"]
    assert sum(level["entries"] for level in stats["levels"]) >= len(PAIRS)
    assert stats["blob_files"] == 1
    shown = run("stats", filled).text
    assert "live keys" in shown
    assert "write stalls" in shown


def test_compacting_reclaims_what_was_overwritten(run: CommandLine, path: Path) -> None:
    with aidb.open(path) as db:
        for _ in range(2):
            db.put_many((key, value * 20) for key, value in PAIRS.items())
            db.flush()
    before = run("stats", path, "--json").json
    sizes = run("compact", path, "--json").json
    assert sizes["bytes_after"] < sizes["bytes_before"]
    after = run("stats", path, "--json").json
    assert sum(row["entries"] for row in before["levels"]) == 2 * len(PAIRS)
    assert sum(row["entries"] for row in after["levels"]) == len(PAIRS) == after["live_keys"]


def test_a_checkpoint_is_a_database_of_its_own(
    run: CommandLine, filled: Path, tmp_path: Path
) -> None:
    run("checkpoint", filled, tmp_path / "copy")
    assert "exists" in run("checkpoint", filled, tmp_path / "copy", status=3).err
    run("put", filled, "later", "1")
    with aidb.open(tmp_path / "copy") as db:
        assert len(db) == len(PAIRS) + 2
        assert b"later" not in db


def test_a_sound_database_passes_the_check(run: CommandLine, filled: Path) -> None:
    assert "no damage" in run("check", filled).text
    report = run("check", filled, "--json").json
    assert report["damaged"] is False
    kinds = {row["kind"] for row in report["files"]}
    assert kinds == {"current", "manifest", "log", "table", "blob"}


@pytest.mark.parametrize(
    "pattern", ["CURRENT", "MANIFEST-*", "wal/*.log", "sst/*.sst", "blob/*.blob"]
)
def test_damage_is_found_in_every_kind_of_file(
    run: CommandLine, filled: Path, pattern: str
) -> None:
    file = only(filled, pattern)
    flip(file, 20)
    found = run("check", filled, status=4)
    assert file.name in found.text
    assert "aidb repair" in found.err
    report = run("check", filled, "--json", status=4).json
    damaged = [row["file"] for row in report["files"] if row["problems"]]
    assert damaged == [str(file.relative_to(filled))]


def test_a_missing_table_is_found(run: CommandLine, filled: Path) -> None:
    only(filled, "sst/*.sst").unlink()
    assert "is missing" in run("check", filled, status=4).text


def test_every_file_can_be_inspected(run: CommandLine, filled: Path) -> None:
    listed = run("inspect", filled, "--json").json
    assert {row["kind"] for row in listed} == {"current", "manifest", "log", "table", "blob"}
    assert "table" in run("inspect", filled).text
    for row in listed:
        report = run("inspect", filled / row["file"], "--json", "--rows", "3").json
        assert report["problems"] == []
        assert sum(map(len, report["sections"].values())) <= 3
        assert run("inspect", filled / row["file"]).text


def test_a_table_shows_its_entries(run: CommandLine, filled: Path) -> None:
    table = only(filled, "sst/*.sst")
    report = run("inspect", table, "--json", "--rows", "2").json
    assert report["sections"]["entries"][0]["key"] == "key00000"
    assert report["more"] >= report["facts"]["entries"] - 2
    assert "key00000" in run("inspect", table).text


def test_the_log_shows_its_batches(run: CommandLine, filled: Path) -> None:
    report = run("inspect", only(filled, "wal/*.log"), "--json", "--rows", "100").json
    assert any("put 0:late" in row["content"] for row in report["sections"]["records"])


def test_damage_is_shown_where_it_is(run: CommandLine, filled: Path) -> None:
    table = only(filled, "sst/*.sst")
    flip(table, 1000)
    report = run("inspect", table, "--json", "--rows", "100000", status=4).json
    assert report["facts"]["keyspace"] == 0
    assert "checksum" in report["problems"][0]


def test_other_files_cannot_be_inspected(run: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert "no file of a database" in run("inspect", tmp_path / "notes.txt", status=3).err
    assert "holds no file of a database" in run("check", tmp_path, status=3).err


def test_a_lost_manifest_is_rebuilt(run: CommandLine, filled: Path) -> None:
    (filled / "CURRENT").unlink()
    for manifest in filled.glob("MANIFEST-*"):
        manifest.unlink()
    run("repair", filled, stdin=b"n\n", status=2)
    report = run("repair", filled, "--yes", "--json", status=4).json
    assert [row["file"] for row in report["lost"]] == ["CURRENT"]
    with aidb.open(filled) as db:
        assert dict(db.scan()) == PAIRS | {b"late": b"in the log", b"large": b"x" * 10_000}
        assert db.namespaces() == ["default", "recovered-1"]
        assert len(db) == len(PAIRS) + 2
        db[b"new"] = b"write"
    assert "no damage" in run("check", filled).text


def test_a_damaged_table_loses_only_what_is_damaged(run: CommandLine, filled: Path) -> None:
    with aidb.open(filled, memtable_bytes_max=1 << 20) as db:
        db.flush()
    # Without its log: that still has the records, and repair would take them from there.
    for segment in filled.glob("wal/*.log"):
        segment.unlink()
    flip(only(filled, "sst/*.sst"), 20_000)
    shown = run("repair", filled, "--yes", status=4)
    assert "with keys after key" in shown.text
    assert [file.suffix for file in (filled / "lost").iterdir()] == [".sst"]
    with aidb.open(filled) as db:
        left = dict(db.scan())
    expected = PAIRS | {b"late": b"in the log", b"large": b"x" * 10_000}
    assert len(expected) - 200 < len(left) < len(expected)
    assert left.items() <= expected.items()
    assert "no damage" in run("check", filled).text


def test_repairing_a_sound_database_loses_nothing(run: CommandLine, filled: Path) -> None:
    assert "nothing is lost" in run("repair", filled, "--yes").text
    with aidb.open(filled) as db:
        assert dict(db.scan()) == PAIRS | {b"late": b"in the log", b"large": b"x" * 10_000}
        assert db.namespace("other", create=False)[b"o"] == b"1"


def test_an_open_database_cannot_be_repaired(run: CommandLine, filled: Path) -> None:
    with aidb.open(filled):
        assert "is held by process" in run("repair", filled, "--yes", status=3).err
