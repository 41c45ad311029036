"""The whole API against a dict, with limits so small that few operations reach every level.

``AIDB_MODEL_EXAMPLES`` tries more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import aidb
from aidb.clock import ManualClock

TINY: aidb.OpenOptions = {
    "memtable_bytes_max": 4096,
    "memtables_bytes_max": 16384,
    "cache_bytes_max": 4096,
    "block_bytes": 128,
    "table_bytes_max": 2048,
    "level_base_bytes": 4096,
    "level_fanout": 2,
    "l0_runs_trigger": 2,
    "blob_bytes_min": 200,
}
# What a model finds does not need a slow fsync.
FAST_DISK = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
NAMESPACES = ["default", "other"]

keys = st.text("ab\xff", max_size=5).map(lambda text: text.encode("latin-1"))
values = st.one_of(
    st.binary(max_size=8),
    st.builds(
        lambda byte, times: byte * times, st.binary(min_size=1, max_size=1), st.integers(50, 400)
    ),
)
names = st.sampled_from(NAMESPACES)
bounds = st.one_of(st.none(), keys)
Model = dict[bytes, tuple[bytes, float | None]]


class DatabaseMachine(RuleBasedStateMachine):
    """Runs operations on a database and on dicts; everything read must be the same."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="aidb-model-", dir=FAST_DISK))
        self.clock = ManualClock()
        self.options: aidb.OpenOptions = {**TINY, "clock": self.clock}
        self.models: dict[str, Model] = {name: {} for name in NAMESPACES}
        self.views: list[tuple[aidb.Snapshot, dict[str, dict[bytes, bytes]]]] = []
        self.open()

    def open(self) -> None:
        self.db = aidb.open(self.directory / "db", **self.options)
        self.stores: dict[str, Any] = {name: self.db.namespace(name) for name in NAMESPACES}

    @initialize(count=st.integers(0, 300))
    def fill(self, count: int) -> None:
        pairs = {b"%04d" % (number * 7 % 1000): b"%d" % number * 9 for number in range(count)}
        self.db.put_many(pairs)
        self.models["default"].update({key: (value, None) for key, value in pairs.items()})

    def visible(self, name: str) -> dict[bytes, bytes]:
        now = self.clock.now()
        model = self.models[name]
        return {
            key: value
            for key, (value, expiry) in sorted(model.items())
            if expiry is None or expiry > now
        }

    @rule(name=names, key=keys, value=values)
    def put(self, name: str, key: bytes, value: bytes) -> None:
        self.stores[name][key] = value
        self.models[name][key] = (value, None)

    @rule(name=names, key=keys, value=values, ttl=st.integers(1, 20))
    def put_with_ttl(self, name: str, key: bytes, value: bytes, ttl: int) -> None:
        self.stores[name].put(key, value, ttl=ttl)
        self.models[name][key] = (value, self.clock.now() + ttl)

    @rule(name=names, key=keys)
    def delete(self, name: str, key: bytes) -> None:
        self.stores[name].delete(key)
        self.models[name].pop(key, None)

    @rule(name=names, start=bounds, stop=bounds)
    def delete_range(self, name: str, start: bytes | None, stop: bytes | None) -> None:
        self.stores[name].delete_range(start, stop)
        for key in list(self.models[name]):
            if key >= (start or b"") and (stop is None or key < stop):
                del self.models[name][key]

    @rule(
        operations=st.lists(
            st.tuples(names, keys, st.one_of(st.none(), values)), min_size=1, max_size=20
        ),
        commit=st.booleans(),
    )
    def batch(self, operations: list[tuple[str, bytes, bytes | None]], commit: bool) -> None:
        batch = self.db.batch()
        for name, key, value in operations:
            if value is None:
                batch.delete(key, namespace=self.stores[name])
            else:
                batch.put(key, value, namespace=self.stores[name])
        if not commit:
            batch.discard()
            return
        batch.commit()
        for name, key, value in operations:
            if value is None:
                self.models[name].pop(key, None)
            else:
                self.models[name][key] = (value, None)

    @rule(name=names, key=keys, value=values, guess=st.one_of(st.none(), values))
    def put_if(self, name: str, key: bytes, value: bytes, guess: bytes | None) -> None:
        holds = self.visible(name).get(key)
        assert self.stores[name].put_if(key, value, expected=guess) == (holds == guess)
        if holds == guess:
            self.models[name][key] = (value, None)
        assert self.stores[name].put_if(key, b"certain", expected=self.visible(name).get(key))
        self.models[name][key] = (b"certain", None)

    @rule(name=names)
    def popitem(self, name: str) -> None:
        visible = self.visible(name)
        if visible:
            last = max(visible)
            assert self.stores[name].popitem() == (last, visible[last])
            del self.models[name][last]

    @rule(seconds=st.integers(1, 15))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        for view, _ in self.views:
            view.close()
        self.views.clear()

    @rule()
    def flush(self) -> None:
        self.db.flush()

    @rule()
    def compact(self) -> None:
        self.db.compact()

    @rule()
    def reopen(self) -> None:
        self.views.clear()
        self.db.close()
        self.open()

    @rule()
    @precondition(lambda self: len(self.views) < 3)
    def snapshot(self) -> None:
        moment = {name: self.visible(name) for name in NAMESPACES}
        self.views.append((self.db.snapshot(), moment))

    @rule(name=names, start=bounds, stop=bounds, reverse=st.booleans(), limit=st.integers(0, 40))
    def scan_snapshots(
        self, name: str, start: bytes | None, stop: bytes | None, reverse: bool, limit: int
    ) -> None:
        for view, moment in self.views:
            got = view.namespace(name).scan(start, stop, reverse=reverse, limit=limit)
            assert list(got) == select(moment[name], start, stop, b"", reverse)[:limit]

    @rule(name=names, start=bounds, stop=bounds, prefix=keys, reverse=st.booleans())
    def scan(
        self, name: str, start: bytes | None, stop: bytes | None, prefix: bytes, reverse: bool
    ) -> None:
        want = select(self.visible(name), start, stop, prefix, reverse)
        got = self.stores[name].scan(start, stop, prefix=prefix, reverse=reverse)
        assert list(got) == want

    @rule(name=names, wanted=st.lists(keys, max_size=12))
    def get_many(self, name: str, wanted: list[bytes]) -> None:
        visible = self.visible(name)
        assert self.stores[name].get_many(wanted) == [visible.get(key) for key in wanted]
        for key in wanted:
            assert self.stores[name].get(key) == visible.get(key)
            assert (key in self.stores[name]) == (key in visible)

    @rule()
    def checkpoint(self) -> None:
        target = self.directory / "copy"
        self.db.checkpoint(target)
        with aidb.open(target, **self.options) as copy:
            for name in NAMESPACES:
                assert dict(copy.namespace(name).scan()) == self.visible(name)
        shutil.rmtree(target)

    @invariant()
    def counts_are_exact(self) -> None:
        for name in NAMESPACES:
            assert len(self.stores[name]) == len(self.visible(name))

    def teardown(self) -> None:
        for name in NAMESPACES:
            assert dict(self.stores[name].scan()) == self.visible(name)
        self.db.close()
        shutil.rmtree(self.directory)


def select(
    visible: dict[bytes, bytes],
    start: bytes | None,
    stop: bytes | None,
    prefix: bytes,
    reverse: bool,
) -> list[tuple[bytes, bytes]]:
    pairs = [
        (key, value)
        for key, value in visible.items()
        if key.startswith(prefix)
        and (start is None or key >= start)
        and (stop is None or key < stop)
    ]
    return pairs[::-1] if reverse else pairs


@pytest.mark.timeout(300)
class TestDatabase(DatabaseMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(
        max_examples=int(os.environ.get("AIDB_MODEL_EXAMPLES", "50")),
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
