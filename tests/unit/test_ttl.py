from __future__ import annotations

from datetime import timedelta

import pytest

import aidb
from aidb.clock import ManualClock


def test_a_key_is_gone_when_its_time_has_come(db: aidb.Database, clock: ManualClock) -> None:
    db.put(b"k", b"v", ttl=10)
    clock.advance(9.9)
    assert db[b"k"] == b"v"
    clock.advance(0.2)
    assert b"k" not in db
    assert db.get(b"k") is None
    assert db.get_many([b"k"]) == [None]
    assert list(db.scan()) == []
    assert list(db.scan(reverse=True)) == []
    with pytest.raises(KeyError):
        db[b"k"]
    assert db.pop(b"k", None) is None


def test_len_follows_expiry(db: aidb.Database, clock: ManualClock) -> None:
    db.put_many(((b"%d" % i, b"v") for i in range(10)), ttl=5)
    db[b"stays"] = b"v"
    assert len(db) == 11
    clock.advance(6)
    assert len(db) == 1


def test_a_later_write_replaces_the_expiry(db: aidb.Database, clock: ManualClock) -> None:
    db.put(b"k", b"v", ttl=10)
    db[b"k"] = b"forever"
    db.put(b"l", b"forever")
    db.put(b"l", b"v", ttl=10)
    clock.advance(11)
    assert dict(db) == {b"k": b"forever"}


def test_expiry_tells_when(db: aidb.Database, clock: ManualClock) -> None:
    db.put(b"k", b"v", ttl=1.5)
    db[b"forever"] = b"v"
    assert db.expiry(b"k") == (True, clock.now() + 1.5)
    assert db.expiry(b"forever") == (True, None)
    assert db.expiry(b"nobody") == (False, None)


def test_expired_keys_count_as_absent_for_put_if(db: aidb.Database, clock: ManualClock) -> None:
    db.put(b"k", b"v", ttl=1)
    clock.advance(2)
    assert not db.put_if(b"k", b"w", expected=b"v")
    assert db.put_if(b"k", b"w", expected=None)
    assert db[b"k"] == b"w"


def test_a_batch_carries_times_to_live(db: aidb.Database, clock: ManualClock) -> None:
    with db.batch() as batch:
        batch.put(b"short", b"v", ttl=timedelta(seconds=1))
        batch.put(b"long", b"v")
    clock.advance(2)
    assert list(db) == [b"long"]


def test_expiry_survives_a_flush(db: aidb.Database, clock: ManualClock) -> None:
    db.put(b"a", b"v", ttl=10)
    db.flush()
    db.put(b"b", b"v", ttl=10)
    clock.advance(11)
    assert list(db) == []
    assert db.get(b"a") is None
    db.compact()
    assert len(db) == 0


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 1e16, timedelta(0)])
def test_nonsense_is_no_time_to_live(db: aidb.Database, ttl: float) -> None:
    with pytest.raises(aidb.InvalidError):
        db.put(b"k", b"v", ttl=ttl)
    assert b"k" not in db


@pytest.mark.parametrize("ttl", ["10s", b"10", [10]])
def test_other_types_are_no_time_to_live(db: aidb.Database, ttl: object) -> None:
    with pytest.raises(TypeError):
        db.put(b"k", b"v", ttl=ttl)  # type: ignore[arg-type]


def test_a_scan_tells_when_its_records_expire(db: aidb.Database, clock: ManualClock) -> None:
    for number in range(3000):
        db.put(b"%04d" % number, b"v", ttl=None if number % 2 else 1 + number)
        if number == 1500:
            db.flush()
    found = list(db.scan(with_expiry=True))
    assert found == [
        (b"%04d" % number, b"v", None if number % 2 else clock.now() + 1 + number)
        for number in range(3000)
    ]
    assert list(db.scan(with_expiry=True, reverse=True, limit=5)) == found[:-6:-1]
    with db.snapshot() as view:
        assert list(view.scan(b"0007", b"0009", with_expiry=True)) == found[7:9]
    with pytest.raises(aidb.InvalidError, match="exclude each other"):
        db.scan(with_expiry=True, keys_only=True)  # type: ignore[call-overload]


def test_an_instant_of_expiry_is_kept_to_the_millisecond(
    db: aidb.Database, clock: ManualClock
) -> None:
    instant = clock.now() + 10.125
    db.put(b"a", b"v", expires_at=instant)
    db.put_many([(b"b", b"v")], expires_at=instant)
    assert db.put_if(b"c", b"v", expected=None, expires_at=instant)
    with db.batch() as batch:
        batch.put(b"d", b"v", expires_at=instant)
    assert [at for _, _, at in db.scan(with_expiry=True)] == [instant] * 4
    db.put(b"a", b"v", expires_at=clock.now() - 1)
    assert b"a" not in db
    clock.advance(10.2)
    assert len(db) == 0


@pytest.mark.parametrize("instant", [0, -5.0, 1e13, float("nan"), float("inf")])
def test_nonsense_is_no_instant(db: aidb.Database, instant: float) -> None:
    with pytest.raises(aidb.InvalidError, match="no time since 1970"):
        db.put(b"k", b"v", expires_at=instant)
    with pytest.raises(aidb.InvalidError, match="ttl and expires_at exclude each other"):
        db.put(b"k", b"v", ttl=1, expires_at=instant)


def test_an_instant_goes_before_the_time_to_live_of_a_namespace(
    db: aidb.Database, clock: ManualClock
) -> None:
    sessions = db.namespace("sessions", ttl=5)
    sessions.put(b"k", b"v", expires_at=clock.now() + 100)
    clock.advance(50)
    assert sessions[b"k"] == b"v"
