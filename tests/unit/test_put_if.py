from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import aidb


def test_it_stores_only_over_what_is_expected(db: aidb.Database) -> None:
    assert db.put_if(b"k", b"1", expected=None)
    assert not db.put_if(b"k", b"2", expected=None)
    assert not db.put_if(b"k", b"2", expected=b"0")
    assert db.put_if(b"k", b"2", expected=b"1")
    assert db[b"k"] == b"2"


def test_no_value_deletes(db: aidb.Database) -> None:
    db[b"k"] = b"1"
    assert not db.put_if(b"k", None, expected=b"2")
    assert db.put_if(b"k", None, expected=b"1")
    assert b"k" not in db


def test_empty_is_not_absent(db: aidb.Database) -> None:
    assert not db.put_if(b"k", b"1", expected=b"")
    db[b"k"] = b""
    assert not db.put_if(b"k", b"1", expected=None)
    assert db.put_if(b"k", b"1", expected=b"")


def test_it_works_across_a_flush(db: aidb.Database) -> None:
    db[b"k"] = b"1"
    db.flush()
    assert db.put_if(b"k", b"2", expected=b"1")
    db.delete(b"k")
    db.flush()
    assert db.put_if(b"k", b"3", expected=None)


def test_threads_that_count_lose_no_step(db: aidb.Database) -> None:
    db[b"n"] = b"0"

    def count(_: int) -> None:
        for _ in range(200):
            while True:
                old = db[b"n"]
                if db.put_if(b"n", b"%d" % (int(old) + 1), expected=old):
                    break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert db[b"n"] == b"800"


def test_threads_that_pop_get_each_item_once(db: aidb.Database) -> None:
    db.put_many((b"%04d" % i, b"v") for i in range(400))

    def drain(_: int) -> list[bytes]:
        got = []
        while True:
            try:
                got.append(db.popitem()[0])
            except KeyError:
                return got

    with ThreadPoolExecutor(4) as pool:
        got = [key for keys in pool.map(drain, range(4)) for key in keys]
    assert sorted(got) == [b"%04d" % i for i in range(400)]
