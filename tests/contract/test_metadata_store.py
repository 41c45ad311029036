"""One suite for every metadata store: in memory, in SQLite, in a real etcd."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from aidb.cluster.store import Delete, Item, MetadataStore, Put, RevisionIs, ValueIs
from aidb.cluster.store.etcd import EtcdStore
from aidb.cluster.store.memory import MemoryStore
from aidb.cluster.store.sqlite import SqliteStore
from aidb.cluster.timing import SystemTiming
from aidb.errors import ConflictError, CorruptionError, InvalidError, UnavailableError


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real etcd of one node."""
    program = shutil.which("etcd")
    assert program, "the tests need etcd: `make debian` installs it"
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [
        program, "--name", "one", "--data-dir", str(tmp_path_factory.mktemp("etcd")),
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
        "--initial-cluster", f"one={peer}", "--unsafe-no-fsync",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_etcd(client)
        yield client
    finally:
        process.terminate()
        process.wait()


def wait_for_etcd(client: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{client}/health", timeout=1).is_success:
                return
        time.sleep(0.05)
    raise AssertionError("etcd did not start within 20 s")


@pytest.fixture(params=["memory", "sqlite", "etcd"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MetadataStore]:
    made: MetadataStore
    match request.param:
        case "memory":
            made = MemoryStore(SystemTiming())
        case "sqlite":
            made = SqliteStore(tmp_path / "metadata.db")
        case _:
            prefix = f"/{request.node.name}/"
            made = EtcdStore([request.getfixturevalue("etcd")], prefix)
    yield made
    await made.close()


async def put(store: MetadataStore, key: str, value: bytes) -> int:
    outcome = await store.transact([], [Put(key, value)])
    assert outcome.is_applied
    return outcome.revision


async def test_a_key_is_what_was_put_last(store: MetadataStore) -> None:
    assert await store.get("a") is None
    first = await put(store, "a", b"1")
    second = await put(store, "a", b"\x00\xff")
    assert second > first
    assert await store.get("a") == Item("a", b"\x00\xff", second)
    await store.transact([], [Delete("a"), Delete("absent")])
    assert await store.get("a") is None


async def test_a_range_holds_the_keys_with_its_prefix_in_order(store: MetadataStore) -> None:
    for key in ("b/2", "b/10", "a", "b", "c", "b/é"):
        await put(store, key, key.encode())
    assert [item.key for item in await store.range("b/")] == ["b/10", "b/2", "b/é"]
    assert len(await store.range("")) == 6
    assert await store.range("nothing") == []


async def test_a_transaction_is_applied_as_a_whole_or_not_at_all(store: MetadataStore) -> None:
    revision = await put(store, "a", b"1")
    refused = await store.transact(
        [RevisionIs("a", revision), RevisionIs("b", revision)], [Put("a", b"2"), Put("b", b"2")]
    )
    assert not refused.is_applied
    assert refused.revision >= revision
    assert await store.get("a") == Item("a", b"1", revision)
    done = await store.transact(
        [RevisionIs("a", revision), RevisionIs("b", 0), ValueIs("a", b"1")],
        [Put("a", b"2"), Put("b", b"2")],
    )
    assert done.is_applied
    assert {item.revision for item in await store.range("")} == {done.revision}


async def test_a_value_is_compared_whole_and_an_absent_key_has_none(store: MetadataStore) -> None:
    await put(store, "a", b"1")
    assert not (await store.transact([ValueIs("a", b"")], [Delete("a")])).is_applied
    assert not (await store.transact([ValueIs("b", b"")], [Delete("a")])).is_applied
    assert (await store.transact([ValueIs("a", b"1")], [])).is_applied


async def test_a_lease_takes_its_keys_with_it(store: MetadataStore) -> None:
    lease = await store.grant(1.0)
    await store.transact([], [Put("leased", b"1", lease), Put("kept", b"1")])
    assert await store.keep_alive(lease)
    watch = store.watch("leased")
    gone = asyncio.ensure_future(anext(watch))
    for _ in range(200):
        await asyncio.sleep(0.1)
        if await store.get("leased") is None:
            break
    async with asyncio.timeout(10):
        assert (await gone).item is None
    await watch.aclose()  # type: ignore[attr-defined]
    assert not await store.keep_alive(lease)
    assert await store.get("kept")
    with pytest.raises(ConflictError):
        await store.transact([], [Put("late", b"1", lease)])
    assert await store.get("late") is None


async def test_a_lease_that_is_kept_alive_goes_on(store: MetadataStore) -> None:
    lease = await store.grant(1.0)
    await store.transact([], [Put("leased", b"1", lease)])
    for _ in range(8):
        await asyncio.sleep(0.25)
        assert await store.keep_alive(lease)
    assert await store.get("leased")


async def test_a_revoked_lease_ends_at_once_and_only_with_its_keys(store: MetadataStore) -> None:
    lease, other = await store.grant(30), await store.grant(30)
    await store.transact([], [Put("a", b"1", lease), Put("b", b"1", lease), Put("c", b"1", other)])
    await put(store, "b", b"2")  # without a lease now
    await store.revoke(lease)
    await store.revoke(lease)
    assert [item.key for item in await store.range("")] == ["b", "c"]


async def test_of_many_that_want_a_key_one_gets_it(store: MetadataStore) -> None:
    wishes = [
        store.transact([RevisionIs("leader", 0)], [Put("leader", str(number).encode())])
        for number in range(10)
    ]
    outcomes = await asyncio.gather(*wishes)
    assert sum(outcome.is_applied for outcome in outcomes) == 1


async def test_a_watch_sees_changes_once_and_in_order(store: MetadataStore) -> None:
    await put(store, "w/before", b"1")
    watch = store.watch("w/")
    first = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0.5)
    await store.transact([], [Put("w/a", b"1"), Put("other", b"1")])
    await store.transact([], [Delete("w/a")])
    await put(store, "w/b", b"2")
    async with asyncio.timeout(10):
        events = [await first, await anext(watch), await anext(watch)]
    assert [(event.key, event.item and event.item.value) for event in events] == [
        ("w/a", b"1"),
        ("w/a", None),
        ("w/b", b"2"),
    ]
    assert events[0].revision < events[1].revision < events[2].revision
    await watch.aclose()  # type: ignore[attr-defined]


async def test_sqlite_keeps_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "metadata.db"
    first = SqliteStore(path)
    revision = await put(first, "a", b"1")
    second = SqliteStore(path)
    assert await second.get("a") == Item("a", b"1", revision)
    await put(second, "a", b"2")
    await first.close()
    await second.close()
    third = SqliteStore(path)
    item = await third.get("a")
    assert item
    assert item.value == b"2"
    await third.close()


async def test_sqlite_refuses_what_is_no_store(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE somebody (else_s TEXT)")
    connection.close()
    with pytest.raises(InvalidError, match="another program"):
        SqliteStore(other)
    text = tmp_path / "text.db"
    text.write_text("no database at all, but long enough to look at" * 10)
    with pytest.raises(CorruptionError, match="no metadata store"):
        SqliteStore(text)
    with pytest.raises(UnavailableError):
        SqliteStore(tmp_path / "absent" / "metadata.db")


async def test_etcd_passes_over_an_endpoint_that_does_not_answer(etcd: str) -> None:
    store = EtcdStore([f"http://127.0.0.1:{free_port()}", etcd], "/over/")
    await put(store, "a", b"1")
    assert await store.get("a")
    await store.close()


async def test_an_etcd_that_is_away_is_unavailable_with_unknown_effect() -> None:
    store = EtcdStore([f"http://127.0.0.1:{free_port()}"], "/away/")
    with pytest.raises(UnavailableError, match="no etcd answers") as caught:
        await store.transact([], [Put("a", b"1")])
    assert caught.value.effect == "unknown"
    await store.close()
