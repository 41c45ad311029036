"""Promises about how much is read, written and stored, counted and not timed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal

import aidb

Codec = Literal["none", "lz4", "snappy", "zstd"]
LARGE = 16 << 10


def test_codecs_are_chosen_for_upper_and_last_levels(tmp_path: Path) -> None:
    value = b"the same words again and again " * 40
    sizes: dict[tuple[str, str], int] = {}
    chosen: list[tuple[Codec, Codec]] = [
        ("none", "none"),
        ("lz4", "lz4"),
        ("none", "zstd"),
        ("snappy", "none"),
    ]
    for upper, last in chosen:
        directory = tmp_path / f"{upper}-{last}"
        with aidb.open(directory, compression=upper, compression_bottom=last) as db:
            db.put_many((b"%05d" % number, value) for number in range(2000))
            db.flush()
            db.compact()
            assert len(db) == 2000
            assert db[b"01999"] == value
            sizes[upper, last] = sum(level["bytes"] for level in db.stats()["levels"])
    assert sizes["lz4", "lz4"] < sizes["none", "none"] / 4
    assert sizes["none", "zstd"] < sizes["none", "none"] / 4
    assert sizes["snappy", "none"] > sizes["none", "none"] / 2


def test_every_level_can_have_a_codec_of_its_own(tmp_path: Path) -> None:
    value = b"the same words again and again " * 40

    def bytes_flushed_and_compacted(codecs: list[Codec]) -> tuple[int, int]:
        directory = tmp_path / "-".join(codecs)
        with aidb.open(directory, compression=codecs, blob_bytes_min=0) as db:
            db.put_many((b"%05d" % number, value) for number in range(2000))
            db.flush()
            (flushed,) = db.stats()["levels"]
            db.compact()
            (compacted,) = db.stats()["levels"]
            assert (flushed["level"], compacted["level"]) == (0, 6)
            assert len(list(db.scan())) == 2000
        return flushed["bytes"], compacted["bytes"]

    plain: list[Codec] = ["none"] * 6
    raw, small = bytes_flushed_and_compacted([*plain, "zstd"])
    assert raw > 2000 * len(value) and small < raw / 4
    small, raw = bytes_flushed_and_compacted(["zstd", *plain])
    assert raw > 2000 * len(value) and small < raw / 4


def test_a_short_scan_of_a_large_database_touches_few_blocks(tmp_path: Path) -> None:
    with aidb.open(tmp_path / "data", memtable_bytes_max="256KB", table_bytes_max="256KB") as db:
        db.put_many((b"%08d" % number, b"%0100d" % number) for number in range(50_000))
        db.flush()
        db.compact()
    with aidb.open(tmp_path / "data") as db:
        before = db.stats()
        items = list(db.scan(b"00025000", limit=10))
        after = db.stats()
        assert [int(key) for key, _ in items] == list(range(25_000, 25_010))
        read = after["cache_misses"] - before["cache_misses"]
        assert 0 < read + after["cache_hits"] - before["cache_hits"] <= 10


def test_large_values_are_written_about_once_beside_the_log(tmp_path: Path) -> None:
    source = random.Random(1)
    with aidb.open(tmp_path / "data", memtable_bytes_max="1MB") as db:
        for number in source.sample(range(1500), 1500):
            db[b"%06d" % number] = source.randbytes(LARGE)
        db.flush()
        db.compact()
        stats = db.stats()
        user = 1500 * LARGE
        written = stats["flush_bytes_written"] + stats["compaction_bytes_written"]
        assert user <= written <= user * 1.1
        assert stats["blob_bytes"] <= user * 1.01
