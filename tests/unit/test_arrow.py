"""Scans as Arrow tables."""

from __future__ import annotations

import importlib
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

import aidb

pa: Any = importlib.import_module("pyarrow")


def test_a_scan_becomes_a_table(db: aidb.Database) -> None:
    pairs = {b"%05d" % number: b"v" * (number % 50) for number in range(5000)}
    db.put_many(pairs)
    table = db.scan().to_arrow()
    assert table.schema.names == ["key", "value"]
    assert table.column("key").type == pa.large_binary()
    assert dict(zip(*(column.to_pylist() for column in table.columns), strict=True)) == pairs
    table.validate(full=True)


def test_bounds_and_columns_are_those_of_the_scan(db: aidb.Database) -> None:
    db.put_many((b"%03d" % number, b"%d" % number) for number in range(100))
    keys = db.scan(prefix=b"01", reverse=True, limit=3, keys_only=True).to_arrow()
    assert keys.to_pydict() == {"key": [b"019", b"018", b"017"]}
    values = db.scan(b"098", values_only=True).to_arrow()
    assert values.to_pydict() == {"value": [b"98", b"99"]}
    assert db.scan(b"x", b"y").to_arrow().num_rows == 0


def test_a_scan_that_was_read_from_is_refused(db: aidb.Database) -> None:
    db.put_many((b"%04d" % number, b"") for number in range(100))
    scan = db.scan(keys_only=True)
    assert next(scan) == b"0000"
    with pytest.raises(aidb.InvalidError, match="was read from already"):
        scan.to_arrow()
    assert len(list(scan)) == 99


def test_expiry_times_are_timestamps(db: aidb.Database) -> None:
    db.put(b"soon", b"", expires_at=4_000_000_000.125)
    db.put(b"zero", b"")
    table = db.scan(with_expiry=True).to_arrow()
    instant = datetime.fromtimestamp(4_000_000_000.125, UTC)
    assert table.column("expires_at").to_pylist() == [instant, None]


def test_without_pyarrow_the_error_says_what_to_install(
    db: aidb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'aidb\[arrow\]'"):
        db.scan().to_arrow()
