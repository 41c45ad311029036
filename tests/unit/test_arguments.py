"""Wrong types, limits, buffers."""

from __future__ import annotations

import array
import mmap
from collections.abc import Callable
from typing import Any

import pytest

import aidb

KEY_MAX = 65_535
BAD = ["text", 7, None, 1.5, [b"k"], (b"k",), object()]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "use",
    [
        lambda db, bad: db[bad],
        lambda db, bad: db.__setitem__(bad, b"v"),
        lambda db, bad: db.__delitem__(bad),
        lambda db, bad: bad in db,
        lambda db, bad: db.get(bad),
        lambda db, bad: db.put(bad, b"v"),
        lambda db, bad: db.put(b"k", bad),
        lambda db, bad: db.delete(bad),
        lambda db, bad: db.get_many([bad]),
        lambda db, bad: db.put_many({b"k": bad}),
        lambda db, bad: db.expiry(bad),
        lambda db, bad: db.put_if(bad, b"v", expected=None),
        lambda db, bad: db.batch().put(bad, b"v"),
    ],
)
def test_only_buffers_are_keys_and_values(
    db: aidb.Database, use: Callable[[aidb.Database, Any], object], bad: object
) -> None:
    with pytest.raises(TypeError):
        use(db, bad)
    assert len(db) == 0


def test_text_is_refused_with_the_remedy(db: aidb.Database) -> None:
    with pytest.raises(TypeError, match=r"text\.encode\(\)"):
        db["text"]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "make",
    [
        bytes,
        bytearray,
        memoryview,
        lambda raw: memoryview(bytearray(raw))[:],
        lambda raw: array.array("B", raw),
        lambda raw: memoryview(b"x" + raw)[1:],
    ],
)
def test_any_buffer_is_a_key_and_a_value(db: aidb.Database, make: Callable[[bytes], Any]) -> None:
    db[make(b"key")] = make(b"value")
    assert db[b"key"] == b"value"
    assert db[make(b"key")] == b"value"
    assert db.get_many([make(b"key")]) == [b"value"]
    assert make(b"key") in db
    assert list(db.scan(make(b"k"), make(b"l"))) == [(b"key", b"value")]
    assert type(db[b"key"]) is bytes


def test_wider_items_are_taken_as_their_bytes(db: aidb.Database) -> None:
    numbers = array.array("I", [1, 2, 3])
    db[b"k"] = numbers
    assert db[b"k"] == numbers.tobytes()


def test_strided_views_are_taken_in_order(db: aidb.Database) -> None:
    db[b"k"] = memoryview(b"a-b-c")[::2]
    assert db[b"k"] == b"abc"


def test_a_mapped_file_is_a_value(db: aidb.Database) -> None:
    with mmap.mmap(-1, 4096) as mapping:
        mapping[:5] = b"hello"
        db[b"k"] = mapping
    assert db[b"k"][:5] == b"hello"
    assert len(db[b"k"]) == 4096


def test_a_value_is_a_copy(db: aidb.Database) -> None:
    value = bytearray(b"before")
    db[b"k"] = value
    value[:] = b"after!"
    assert db[b"k"] == b"before"


@pytest.mark.parametrize("length", [0, 1, 255, 256, KEY_MAX - 1, KEY_MAX])
def test_keys_up_to_the_limit_are_kept(db: aidb.Database, length: int) -> None:
    key = b"k" * length
    db[key] = b"v"
    assert db[key] == b"v"
    assert list(db) == [key]


def test_a_key_one_byte_over_the_limit_is_refused(db: aidb.Database) -> None:
    key = b"k" * (KEY_MAX + 1)
    for use in (
        lambda: db.put(key, b"v"),
        lambda: db.put_many({key: b"v"}),
        lambda: db.batch().put(key, b"v"),
        lambda: db.put_if(key, b"v", expected=None),
    ):
        with pytest.raises(aidb.InvalidError, match="limit of 65535 bytes"):
            use()
    assert len(db) == 0
    assert db.get(key) is None
    assert key not in db


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.put(b"k"),
        lambda db: db.put(key=b"k", value=b"v"),
        lambda db: db.put(b"k", b"v", 60),
        lambda db: db.put(b"k", b"v", tll=60),
        lambda db: db.get(),
        lambda db: db.put_if(b"k", b"v"),
    ],
)
def test_calls_of_the_wrong_shape_are_refused(
    db: aidb.Database, call: Callable[[Any], object]
) -> None:
    with pytest.raises(TypeError):
        call(db)


@pytest.mark.parametrize("durability", ["always", "", "SYNC"])
def test_only_known_durabilities_are_taken(db: aidb.Database, durability: str) -> None:
    with pytest.raises(aidb.InvalidError, match="everysec"):
        db.put(b"k", b"v", durability=durability)  # type: ignore[arg-type]


@pytest.mark.parametrize("durability", ["none", "everysec", "sync"])
def test_every_durability_is_taken(db: aidb.Database, durability: Any) -> None:
    db.put(b"k", b"v", durability=durability)
    db.delete(b"k", durability=durability)
    db.put_many({b"k": b"w"}, durability=durability)
    assert db[b"k"] == b"w"
