"""Opening: locks, options about existence, foreign and damaged directories, permissions."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import aidb

HOLDER = """
import sys, aidb
db = aidb.open(sys.argv[1])
db[b"holder"] = b"me"
print("open", flush=True)
sys.stdin.read()
"""


def test_what_was_written_is_there_after_reopening(path: Path) -> None:
    with aidb.open(path) as db:
        db[b"k"] = b"v"
        db.namespace("users")[b"ann"] = b"{}"
    with aidb.open(path) as db:
        assert dict(db) == {b"k": b"v"}
        assert dict(db.namespace("users", create=False)) == {b"ann": b"{}"}


def test_what_was_written_is_there_after_the_handle_was_forgotten(path: Path) -> None:
    db = aidb.open(path)
    db[b"k"] = b"v"
    del db
    with aidb.open(path) as db:
        assert db[b"k"] == b"v"


def test_a_second_opener_is_told_who_holds_the_directory(path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(aidb.UnavailableError, match=rf"\b{holder.pid}\b"):
            aidb.open(path)
        with aidb.open(path, read_only=True) as beside:
            assert beside[b"holder"] == b"me"
        holder.communicate()
    with aidb.open(path) as db:
        assert db[b"holder"] == b"me"


def test_the_same_process_cannot_open_twice(path: Path) -> None:
    with aidb.open(path), pytest.raises(aidb.UnavailableError, match=str(os.getpid())):
        aidb.open(path)


def test_the_options_about_existence_are_honoured(path: Path) -> None:
    with pytest.raises(aidb.InvalidError):
        aidb.open(path, create_if_missing=False)
    assert not path.exists()
    aidb.open(path).close()
    with pytest.raises(aidb.InvalidError):
        aidb.open(path, error_if_exists=True)
    aidb.open(path, create_if_missing=False).close()


def test_a_read_only_database_refuses_writes(path: Path) -> None:
    with aidb.open(path) as db:
        db[b"k"] = b"v"
        db.flush()
        db[b"log"] = b"v"
    before = sorted((file.name, file.stat().st_size) for file in path.rglob("*"))
    with aidb.open(path, read_only=True) as db:
        assert dict(db) == {b"k": b"v", b"log": b"v"}
        assert len(db) == 2
        for use in (
            lambda: db.put(b"x", b"y"),
            lambda: db.delete(b"k"),
            lambda: db.put_many({b"x": b"y"}),
            lambda: db.put_if(b"x", b"y", expected=None),
            lambda: db.namespace("new"),
            lambda: db.clear(),
        ):
            with pytest.raises(aidb.InvalidError, match="read-only"):
                use()
    assert sorted((file.name, file.stat().st_size) for file in path.rglob("*")) == before


def test_a_read_only_open_creates_nothing(path: Path) -> None:
    with pytest.raises(aidb.InvalidError):
        aidb.open(path, read_only=True)
    assert not path.exists()


def test_the_directory_of_another_program_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(aidb.InvalidError, match="thesis.txt|not an aidb|not empty"):
        aidb.open(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    with pytest.raises(aidb.InvalidError, match="file"):
        aidb.open(file)
    assert file.read_bytes() == b"x"


def test_a_directory_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.seteuid(65534)  # root may do anything
        try:
            aidb.open(tmp_path / "db")
        except aidb.InvalidError as error:
            os._exit(0 if "permission" in str(error).lower() else 2)
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_damaged_current_is_corruption_with_its_path(path: Path) -> None:
    with aidb.open(path) as db:
        db[b"k"] = b"v"
        db.flush()
    (path / "CURRENT").write_bytes(b"garbage")
    with pytest.raises(aidb.CorruptionError, match="CURRENT"):
        aidb.open(path)


def test_a_lost_table_is_named(path: Path) -> None:
    with aidb.open(path) as db:
        db[b"k"] = b"v"
        db.flush()
    (table,) = (path / "sst").iterdir()
    table.unlink()
    with pytest.raises(aidb.Error, match=table.name):
        aidb.open(path)


@pytest.mark.parametrize("part", ["é", "with space", "🐍"])
def test_paths_are_any_text(tmp_path: Path, part: str) -> None:
    with aidb.open(str(tmp_path / part)) as db:
        db[b"k"] = b"v"
        assert db.path == tmp_path / part
    assert (tmp_path / part / "CURRENT").exists()


def test_a_handle_is_pickled_as_path_and_options(path: Path) -> None:
    with aidb.open(path, memtable_bytes_max="1MB") as db:
        db[b"k"] = b"v"
        db.namespace("users")[b"ann"] = b"1"
        pickled = pickle.dumps(db)
        pickled_users = pickle.dumps(db.namespace("users"))
    with pickle.loads(pickled) as db:
        assert db[b"k"] == b"v"
        assert type(db) is aidb.Database
    users = pickle.loads(pickled_users)
    assert users[b"ann"] == b"1"
    users.database.close()


def test_a_database_in_memory_cannot_be_pickled(db: aidb.Database) -> None:
    with pytest.raises(TypeError, match="memory"):
        pickle.dumps(db)
