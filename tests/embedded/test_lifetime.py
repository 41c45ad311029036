"""Opening, sharing, closing, forking; a missing redis-py."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.servers import aidb_server

import aidb
import aidb.redis


def test_what_is_written_stays(tmp_path: Path) -> None:
    with aidb.redis.open(tmp_path / "data", appendfsync="always") as r:
        r.set("k", "v")
        r.pipeline().lpush("l", 1, 2).set("n", 1).execute()
    with aidb.redis.open(tmp_path / "data", decode_responses=True) as r:
        assert (r.get("k"), r.lrange("l", 0, -1), r.dbsize()) == ("v", ["2", "1"], 3)


def test_a_server_and_the_embedded_face_share_the_format(tmp_path: Path) -> None:
    with aidb.redis.open(tmp_path / "data") as r:
        r.hset("h", "f", "embedded")
    with aidb_server(tmp_path / "data") as server:
        with server.connect() as wire:
            assert wire("HGET", "h", "f") == b"embedded"
            wire("SET", "k", "served")
        with pytest.raises(aidb.UnavailableError, match="already open"):
            aidb.redis.open(tmp_path / "data")
        server.terminate()
    with aidb.redis.open(tmp_path / "data") as r:
        assert r.get("k") == b"served"


def test_a_directory_is_open_once(tmp_path: Path) -> None:
    with aidb.redis.open(tmp_path / "data"):
        with pytest.raises(aidb.UnavailableError, match="already open"):
            aidb.redis.open(tmp_path / "data")
        with pytest.raises(aidb.UnavailableError, match="already open"):
            aidb.open(tmp_path / "data")
    with aidb.open(tmp_path / "data") as db:
        db[b"raw"] = b"1"
        with pytest.raises(aidb.UnavailableError, match="already open"):
            aidb.redis.open(tmp_path / "data")
    with aidb.redis.open(tmp_path / "data") as r:
        assert r.dbsize() == 0


def test_in_memory() -> None:
    with aidb.redis.open(":memory:") as r:
        r.set("k", "v")
        assert r.get("k") == b"v"
        assert r.store.path is None
    with aidb.redis.open(":memory:") as r:
        assert r.get("k") is None


@pytest.mark.parametrize(
    "options", [{"hosst": 1}, {"memory_bytes": "many"}, {"appendfsync": "maybe"}, {"protocol": 9}]
)
def test_a_wrong_option_leaves_nothing_open(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(Exception, match=r"hosst|many|maybe|protocol"):
        aidb.redis.open(tmp_path / "data", **options)
    aidb.redis.open(tmp_path / "data").close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    r: Any = aidb.redis.open(tmp_path / "data")
    other, listener = r.store.client(), r.pubsub()
    listener.subscribe("c")
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            other.blpop("q", timeout=0)
        except BaseException as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not r.info("clients")["blocked_clients"]:
        pass
    r.close()
    waiting.join()
    assert isinstance(ended[0], aidb.ClosedError)
    uses: list[Callable[[], object]] = [
        lambda: r.get("k"),
        lambda: other.get("k"),
        lambda: r.pipeline().get("k").execute(),
        lambda: r.client(),
    ]
    for use in uses:
        with pytest.raises(aidb.ClosedError, match="closed"):
            use()
    r.close()
    assert r.store.closed


def test_closing_another_client_leaves_the_store_open(store: aidb.redis.Store) -> None:
    first, second = store.client(), store.client()
    first.set("k", "v")
    first.close()
    assert second.get("k") == b"v"
    assert first.get("k") == b"v"


def test_a_forgotten_client_frees_the_directory(tmp_path: Path) -> None:
    r: Any = aidb.redis.open(tmp_path / "data")
    r.pipeline().set("k", "v").execute()
    del r
    gc.collect()
    aidb.redis.open(tmp_path / "data").close()


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_gets_a_clear_error(r: Any) -> None:
    r.pipeline().set("k", "v").execute()
    listener = r.pubsub()
    listener.subscribe("c")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            uses: list[Callable[[], object]] = [
                lambda: r.get("k"),
                lambda: r.pipeline().get("k").execute(),
                lambda: listener.get_message(timeout=1),
            ]
            for use in uses:
                with pytest.raises(aidb.ClosedError, match="forked child"):
                    use()
            r.close()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert r.get("k") == "v"
    listener.close()


def test_without_redis_py_the_message_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['redis'] = None\n"
        "import aidb\n"
        "try: aidb.redis\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'aidb[redis]'" in done.stdout, done.stderr
