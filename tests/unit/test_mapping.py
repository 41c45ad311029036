from __future__ import annotations

from collections.abc import ItemsView, KeysView, Mapping, MutableMapping, ValuesView

import pytest

import aidb

PAIRS = {b"a": b"1", b"b": b"2", b"c": b"3"}


@pytest.fixture
def full(db: aidb.Database) -> aidb.Database:
    db.update(PAIRS)
    return db


def test_a_database_is_a_mutable_mapping(db: aidb.Database) -> None:
    assert isinstance(db, MutableMapping)
    assert isinstance(db, Mapping)


def test_items_are_read_as_they_were_written(full: aidb.Database) -> None:
    assert full[b"a"] == b"1"
    full[b"a"] = b"one"
    assert full[b"a"] == b"one"
    assert full.get(b"a") == b"one"


def test_a_missing_key_raises_key_error_with_the_key(full: aidb.Database) -> None:
    with pytest.raises(KeyError) as error:
        full[b"nobody"]
    assert error.value.args == (b"nobody",)
    with pytest.raises(KeyError):
        del full[b"nobody"]


def test_get_returns_the_default_for_a_missing_key(full: aidb.Database) -> None:
    assert full.get(b"nobody") is None
    assert full.get(b"nobody", b"fallback") == b"fallback"
    assert full.get(b"nobody", default=7) == 7
    assert full.get(b"a", b"fallback") == b"1"


def test_delete_of_a_missing_key_is_fine(full: aidb.Database) -> None:
    full.delete(b"nobody")
    assert len(full) == 3


def test_len_is_exact(full: aidb.Database) -> None:
    assert len(full) == 3
    full[b"a"] = b"overwritten"
    assert len(full) == 3
    del full[b"a"]
    full.delete(b"a")
    assert len(full) == 2
    full.clear()
    assert len(full) == 0
    assert not full


def test_an_empty_value_is_a_value(db: aidb.Database) -> None:
    db[b"k"] = b""
    assert db[b"k"] == b""
    assert db.get(b"k") == b""
    assert b"k" in db
    assert db.get_many([b"k"]) == [b""]
    assert list(db.scan()) == [(b"k", b"")]
    assert db.pop(b"k") == b""
    assert b"k" not in db


def test_the_empty_key_is_a_key(db: aidb.Database) -> None:
    db[b""] = b"nothing"
    db[b"\x00"] = b"zero"
    assert db[b""] == b"nothing"
    assert list(db) == [b"", b"\x00"]
    assert list(db.scan(b"")) == [(b"", b"nothing"), (b"\x00", b"zero")]
    del db[b""]
    assert b"" not in db


def test_bytes_of_any_value_survive(db: aidb.Database) -> None:
    everything = bytes(range(256))
    for byte in range(256):
        db[bytes([byte])] = everything
    db[b"\xff" * 10] = b"last"
    assert list(db)[-1] == b"\xff" * 10
    assert all(db[bytes([byte])] == everything for byte in range(256))
    assert list(db)[:256] == [bytes([byte]) for byte in range(256)]


def test_iteration_is_in_key_order(db: aidb.Database) -> None:
    for key in (b"b", b"a", b"c", b"aa", b"B"):
        db[key] = key
    assert list(db) == [b"B", b"a", b"aa", b"b", b"c"]
    assert list(reversed(db)) == [b"c", b"b", b"aa", b"a", b"B"]


def test_views_are_live_and_ordered(full: aidb.Database) -> None:
    keys, values, items = full.keys(), full.values(), full.items()
    assert isinstance(keys, KeysView)
    assert isinstance(values, ValuesView)
    assert isinstance(items, ItemsView)
    full[b"d"] = b"4"
    assert list(keys) == [b"a", b"b", b"c", b"d"]
    assert list(values) == [b"1", b"2", b"3", b"4"]
    assert list(items)[-1] == (b"d", b"4")
    assert list(reversed(keys)) == [b"d", b"c", b"b", b"a"]  # type: ignore[call-overload]
    assert list(reversed(values))[0] == b"4"  # type: ignore[call-overload]
    assert list(reversed(items))[0] == (b"d", b"4")  # type: ignore[call-overload]
    assert len(keys) == len(values) == len(items) == 4
    assert b"a" in keys
    assert b"4" in values
    assert b"5" not in values
    assert (b"a", b"1") in items
    assert keys & {b"a", b"z"} == {b"a"}


def test_pop_takes_the_value_away(full: aidb.Database) -> None:
    assert full.pop(b"a") == b"1"
    assert full.pop(b"a", None) is None
    assert full.pop(b"a", b"x") == b"x"
    with pytest.raises(KeyError):
        full.pop(b"a")


def test_popitem_takes_the_last_pair(full: aidb.Database) -> None:
    assert [full.popitem() for _ in range(3)] == [(b"c", b"3"), (b"b", b"2"), (b"a", b"1")]
    with pytest.raises(KeyError):
        full.popitem()


def test_setdefault_stores_only_what_is_missing(full: aidb.Database) -> None:
    assert full.setdefault(b"a", b"other") == b"1"
    assert full.setdefault(b"new", b"value") == b"value"
    assert full[b"new"] == b"value"
    assert full.setdefault(b"empty") == b""


def test_update_takes_mappings_and_pairs(db: aidb.Database) -> None:
    db.update(PAIRS)
    db.update([(b"c", b"three"), (b"d", b"4")])
    db.update()
    assert dict(db) == {**PAIRS, b"c": b"three", b"d": b"4"}


def test_one_database_can_be_copied_into_another(full: aidb.Database) -> None:
    with aidb.open(":memory:") as other:
        other.update(full)
        assert other == full


def test_equality_is_by_content(full: aidb.Database) -> None:
    assert full == PAIRS
    assert full == PAIRS
    assert full != {**PAIRS, b"d": b"4"}
    assert full != {**PAIRS, b"c": b"4"}
    assert full != {b"a": b"1", b"b": b"2", b"x": b"3"}
    assert full != 7
    assert full == full


def test_a_handle_is_not_hashable(db: aidb.Database) -> None:
    with pytest.raises(TypeError):
        hash(db)


def test_many_keys_are_read_in_their_order(full: aidb.Database) -> None:
    assert full.get_many([b"c", b"nobody", b"a", b"c"]) == [b"3", None, b"1", b"3"]
    assert full.get_many([]) == []
    assert full.get_many(iter({b"a": 0})) == [b"1"]
    assert full.get_many((b"b",)) == [b"2"]


def test_put_many_takes_a_generator(db: aidb.Database) -> None:
    db.put_many((b"%03d" % i, b"v") for i in range(500))
    db.put_many([[b"list", b"pair"]])  # type: ignore[list-item]
    assert len(db) == 501


@pytest.mark.parametrize("pairs", [[(b"a",)], [(b"a", b"b", b"c")], [b"abc"], 7, [7], [(b"a", 1)]])
def test_put_many_refuses_what_is_no_pair(db: aidb.Database, pairs: object) -> None:
    with pytest.raises(TypeError):
        db.put_many(pairs)  # type: ignore[arg-type]
    assert len(db) == 0


def test_a_generator_that_raises_leaves_no_trace(db: aidb.Database) -> None:
    def pairs() -> object:
        yield b"a", b"1"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.put_many(pairs())  # type: ignore[arg-type]
    assert len(db) == 0


def test_slices_read_and_delete_ranges(full: aidb.Database) -> None:
    assert list(full[b"a":b"c"]) == [(b"a", b"1"), (b"b", b"2")]
    assert list(full[b"b":]) == [(b"b", b"2"), (b"c", b"3")]
    assert list(full[:b"b"]) == [(b"a", b"1")]
    assert list(full[::-1]) == [(b"c", b"3"), (b"b", b"2"), (b"a", b"1")]
    del full[b"a":b"c"]
    assert dict(full) == {b"c": b"3"}
    del full[:]
    assert len(full) == 0


@pytest.mark.parametrize("step", [2, 0, -2, "x"])
def test_slices_have_no_other_step(full: aidb.Database, step: object) -> None:
    with pytest.raises(aidb.InvalidError):
        full[b"a":b"b":step]


def test_a_slice_cannot_be_assigned(full: aidb.Database) -> None:
    with pytest.raises(TypeError):
        full[b"a":b"b"] = b"x"  # type: ignore[index]
