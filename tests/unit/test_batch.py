from __future__ import annotations

import pytest

import aidb


def test_a_batch_shows_all_at_once(db: aidb.Database) -> None:
    db[b"old"] = b"0"
    with db.batch() as batch:
        batch.put(b"a", b"1")
        batch[b"b"] = b"2"
        batch.delete(b"old")
        assert dict(db) == {b"old": b"0"}
        assert len(batch) == 3
        assert batch.nbytes > 6
    assert dict(db) == {b"a": b"1", b"b": b"2"}


def test_a_block_that_raises_discards_its_batch(db: aidb.Database) -> None:
    with pytest.raises(ZeroDivisionError), db.batch() as batch:
        batch.put(b"a", b"1")
        raise ZeroDivisionError
    assert len(db) == 0
    with pytest.raises(aidb.ClosedError):
        batch.put(b"b", b"2")


def test_the_last_operation_on_a_key_wins(db: aidb.Database) -> None:
    db[b"k"] = b"0"
    with db.batch() as batch:
        batch.put(b"k", b"1")
        batch.delete(b"k")
        batch.put(b"k", b"2")
        batch.put(b"gone", b"1")
        del batch[b"gone"]
    assert dict(db) == {b"k": b"2"}


def test_a_range_delete_covers_what_came_before_it(db: aidb.Database) -> None:
    db.update({b"a": b"1", b"m": b"2", b"z": b"3"})
    with db.batch() as batch:
        batch.put(b"n", b"before")
        batch.delete_range(b"b", b"y")
        batch.put(b"o", b"after")
    assert dict(db) == {b"a": b"1", b"o": b"after", b"z": b"3"}


def test_an_open_ended_range_delete_covers_everything(db: aidb.Database) -> None:
    db.update({b"a": b"1", b"\xff\xff": b"2"})
    with db.batch() as batch:
        batch.delete_range()
    assert len(db) == 0


def test_one_batch_writes_to_several_namespaces(db: aidb.Database) -> None:
    users, orders = db.namespace("users"), db.namespace("orders")
    orders[b"1"] = b"x"
    with users.batch() as batch:
        batch.put(b"ann", b"{}")
        batch.put(b"k", b"v", namespace=db)
        batch.delete(b"1", namespace=orders)
    assert (dict(users), dict(db), dict(orders)) == ({b"ann": b"{}"}, {b"k": b"v"}, {})


def test_a_namespace_of_another_database_is_refused(db: aidb.Database) -> None:
    with aidb.open(":memory:") as other, db.batch() as batch, pytest.raises(aidb.InvalidError):
        batch.put(b"k", b"v", namespace=other)


def test_a_spent_batch_is_closed(db: aidb.Database) -> None:
    batch = db.batch()
    batch.put(b"a", b"1")
    batch.commit()
    for use in (batch.commit, batch.clear, lambda: batch.delete(b"a"), lambda: len(batch)):
        with pytest.raises(aidb.ClosedError):
            use()
    assert db[b"a"] == b"1"


def test_a_batch_committed_inside_its_block_is_not_committed_twice(db: aidb.Database) -> None:
    before = db.seq
    with db.batch() as batch:
        batch.put(b"a", b"1")
        batch.commit()
    assert db.seq == before + 1


def test_clear_forgets_the_operations(db: aidb.Database) -> None:
    with db.batch() as batch:
        batch.put(b"a", b"1")
        batch.clear()
        batch.put(b"b", b"2")
    assert dict(db) == {b"b": b"2"}


def test_an_empty_batch_changes_nothing(db: aidb.Database) -> None:
    before = db.seq
    with db.batch():
        pass
    assert db.seq == before


def test_a_batch_cannot_outlive_its_database(db: aidb.Database) -> None:
    batch = db.batch()
    batch.put(b"a", b"1")
    db.close()
    with pytest.raises(aidb.ClosedError):
        batch.commit()


def test_a_batch_takes_a_durability(db: aidb.Database) -> None:
    with db.batch(durability="sync") as batch:
        batch.put(b"a", b"1")
    assert db.durable_seq == db.seq
    with pytest.raises(aidb.InvalidError):
        db.batch(durability="always")  # type: ignore[arg-type]
