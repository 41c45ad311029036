from __future__ import annotations

from collections.abc import MutableMapping
from datetime import timedelta

import pytest

import aidb
from aidb.clock import ManualClock


def test_namespaces_do_not_see_each_other(db: aidb.Database) -> None:
    users, orders = db.namespace("users"), db.namespace("orders")
    db[b"k"] = b"default"
    users[b"k"] = b"users"
    orders[b"k"] = b"orders"
    assert (db[b"k"], users[b"k"], orders[b"k"]) == (b"default", b"users", b"orders")
    users.clear()
    assert (len(db), len(users), len(orders)) == (1, 0, 1)
    assert set(db.namespaces()) == {"default", "users", "orders"}


def test_a_namespace_is_a_mutable_mapping(db: aidb.Database) -> None:
    users = db.namespace("users")
    assert isinstance(users, MutableMapping)
    users.update({b"a": b"1"})
    assert users == {b"a": b"1"}
    assert users.pop(b"a") == b"1"
    assert users.name == "users"
    assert users.database is db
    assert "users" in repr(users)


def test_two_handles_of_one_name_are_one_namespace(db: aidb.Database) -> None:
    db.namespace("users")[b"k"] = b"v"
    assert db.namespace("users")[b"k"] == b"v"
    assert db.namespace("default")[b"k":] is not None


def test_writes_take_the_time_to_live_of_their_namespace(
    db: aidb.Database, clock: ManualClock
) -> None:
    sessions = db.namespace("sessions", ttl=60)
    sessions[b"a"] = b"default"
    sessions.put(b"b", b"own", ttl=600)
    sessions.put_many({b"c": b"batch"})
    clock.advance(61)
    assert dict(sessions) == {b"b": b"own"}


@pytest.mark.parametrize("ttl", [60, 60.0, "60s", "1m", timedelta(minutes=1)])
def test_a_time_to_live_is_written_in_many_ways(
    db: aidb.Database, ttl: float | str | timedelta
) -> None:
    assert db.namespace("sessions", ttl=ttl).options()["ttl"] == 60.0


def test_options_are_kept(db: aidb.Database) -> None:
    db.namespace("a", ttl=5, compression="zstd", blob_bytes_min="1MB")
    assert db.namespace("a").options() == {
        "name": "a",
        "ttl": 5.0,
        "compression": "zstd",
        "blob_bytes_min": 1 << 20,
    }


@pytest.mark.parametrize("options", [{"ttl": 6}, {"compression": "lz4"}, {"blob_bytes_min": 7}])
def test_other_options_for_an_existing_name_are_refused(
    db: aidb.Database, options: dict[str, object]
) -> None:
    db.namespace("a", ttl=5)
    db.namespace("a", ttl=5)
    with pytest.raises(aidb.InvalidError, match="another"):
        db.namespace("a", **options)  # type: ignore[arg-type]


def test_a_missing_namespace_is_not_created_unasked(db: aidb.Database) -> None:
    with pytest.raises(aidb.InvalidError, match="no namespace"):
        db.namespace("users", create=False)
    assert "users" not in db.namespaces()


def test_a_dropped_namespace_is_gone(db: aidb.Database) -> None:
    users = db.namespace("users")
    users[b"k"] = b"v"
    db.drop_namespace("users")
    assert "users" not in db.namespaces()
    for use in (lambda: users[b"k"], lambda: users.put(b"k", b"v"), lambda: len(users)):
        with pytest.raises(aidb.Error):
            use()
    assert len(db.namespace("users")) == 0
    with pytest.raises(aidb.InvalidError):
        db.drop_namespace("nobody")


def test_the_default_namespace_cannot_be_dropped(db: aidb.Database) -> None:
    with pytest.raises(aidb.InvalidError):
        db.drop_namespace("default")


@pytest.mark.parametrize("name", ["", "n" * 256])
def test_names_have_limits(db: aidb.Database, name: str) -> None:
    with pytest.raises(aidb.InvalidError):
        db.namespace(name)


def test_names_are_any_text(db: aidb.Database) -> None:
    db.namespace("Größe/☃")[b"k"] = b"v"
    assert db.namespace("Größe/☃")[b"k"] == b"v"


def test_a_namespace_keeps_its_database_open() -> None:
    users = aidb.open(":memory:").namespace("users")
    users[b"k"] = b"v"
    assert users[b"k"] == b"v"


def test_closing_the_database_closes_its_namespaces(db: aidb.Database) -> None:
    users = db.namespace("users")
    db.close()
    assert users.closed
    with pytest.raises(aidb.ClosedError):
        users.get(b"k")
