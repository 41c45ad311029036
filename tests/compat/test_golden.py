"""Databases of every format that was written open, read as they were, check clean and go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.compat import golden

import aidb
from aidb import maintenance

FORMATS = sorted(path.name for path in golden.ROOT.glob("format-*"))
STORED = [
    (format_name, archive.name.partition(".")[0])
    for format_name in FORMATS
    for archive in sorted((golden.ROOT / format_name).glob("*.tar.xz"))
]


def problems(path: Path) -> list[str]:
    found = maintenance.check_references(path)
    for file in maintenance.files(path):
        found += maintenance.check_file(path, file.path)
        found += maintenance.inspect(file.path, 5)["problems"]
    return found


def test_the_current_format_has_every_database() -> None:
    assert {name for known, name in STORED if known == golden.FORMAT} == set(golden.DATABASES)


@pytest.mark.parametrize(("format_name", "name"), STORED)
def test_a_stored_database_reads_as_it_was_written(
    tmp_path: Path, format_name: str, name: str
) -> None:
    path = golden.unpack(name, tmp_path, format_name)
    assert problems(path) == []
    assert golden.listing(path) == golden.expected(name, format_name)


@pytest.mark.parametrize(("format_name", "name"), STORED)
def test_a_stored_database_goes_on(tmp_path: Path, format_name: str, name: str) -> None:
    path = golden.unpack(name, tmp_path, format_name)
    expected = golden.expected(name, format_name)["namespaces"]
    with aidb.open(path) as db:
        assert golden.contents(db) == expected
        db[b"zzz"] = b"new"
        db.flush()
        db.compact()
        del db[b"zzz"]
        assert golden.contents(db) == expected
    with aidb.open(path) as db:
        assert golden.contents(db) == expected
    assert problems(path) == []


@pytest.mark.parametrize(("format_name", "name"), STORED)
def test_a_stored_database_is_repaired_without_loss(
    tmp_path: Path, format_name: str, name: str
) -> None:
    path = golden.unpack(name, tmp_path, format_name)
    assert maintenance.repair(path)["lost"] == []
    assert golden.listing(path)["namespaces"] == golden.expected(name, format_name)["namespaces"]
