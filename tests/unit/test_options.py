from __future__ import annotations

import typing

import pytest

import aidb
from aidb import _core
from aidb.database import OpenOptions


def test_the_typed_options_are_the_native_ones() -> None:
    assert sorted(typing.get_type_hints(OpenOptions)) == sorted(_core.option_names())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("durabilty", "durability"),
        ("memtable_bytes", "memtable_bytes_max"),
        ("cache_size", "cache_bytes_max"),
        ("readonly", "read_only"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_name(wrong: str, right: str) -> None:
    with pytest.raises(TypeError, match=f"{wrong}.*did you mean '{right}'"):
        aidb.open(":memory:", **{wrong: 1})  # type: ignore[arg-type]


def test_an_option_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(TypeError, match="no option 'xyz'$"):
        aidb.open(":memory:", xyz=1)  # type: ignore[call-arg]


def test_sizes_are_numbers_or_text() -> None:
    with aidb.open(":memory:", memtable_bytes_max="1MB", cache_bytes_max=1 << 20) as db:
        db[b"k"] = b"v"


@pytest.mark.parametrize(
    "options",
    [
        {"durability": "always"},
        {"compression": "brotli"},
        {"compression": ["lz4", "zstd"]},
        {"compression": ["lz4"] * 6 + ["brotli"]},
        {"log_mode": "fast"},
        {"memtable_bytes_max": "lots"},
        {"memtable_bytes_max": -1},
        {"filter_bits_per_key": 1000},
        {"filter_bits_per_key": -1},
    ],
)
def test_wrong_values_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(aidb.InvalidError):
        aidb.open(":memory:", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [{"durability": 1}, {"read_only": "yes"}, {"memtable_bytes_max": 1.5}, {"clock": 7}],
)
def test_values_of_wrong_types_are_refused(options: dict[str, object]) -> None:
    name = next(iter(options))
    with pytest.raises(TypeError) as error:
        aidb.open(":memory:", **options)  # type: ignore[arg-type]
    assert name in str(error.value) or name == "memtable_bytes_max"


@pytest.mark.parametrize("path", [7, None, b"bytes\x00"])
def test_a_path_is_text_or_a_path(path: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        aidb.open(path)  # type: ignore[arg-type]
