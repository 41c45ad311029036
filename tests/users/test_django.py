"""Django's cache on our server."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCache

from aidb.testing import Server


@pytest.fixture
def cache(aidb_server: Server, aidb_redis: Any) -> Any:
    parameters = {"TIMEOUT": 300, "KEY_PREFIX": "site", "VERSION": 1, "OPTIONS": {}}
    return RedisCache(aidb_server.url, parameters)


def test_values_and_times(cache: Any, aidb_redis: Any) -> None:
    cache.set("k", {"a": [1, 2]}, timeout=100)
    assert cache.get("k") == {"a": [1, 2]}
    assert cache.get("none", "default") == "default"
    assert 95 < aidb_redis.ttl("site:1:k") <= 100
    assert cache.touch("k", 200)
    assert aidb_redis.ttl("site:1:k") > 150
    assert cache.touch("k", None)
    assert aidb_redis.ttl("site:1:k") == -1
    cache.set("gone", 1, timeout=0)
    assert not cache.has_key("gone")
    assert cache.add("k", "other") is False
    assert cache.add("new", "v") is True
    assert cache.get_or_set("made", lambda: 42) == 42


def test_many_numbers_and_versions(cache: Any) -> None:
    assert cache.set_many({"a": 1, "b": 2, "c": "text"}) == []
    assert cache.get_many(["a", "b", "c", "none"]) == {"a": 1, "b": 2, "c": "text"}
    assert cache.incr("a", 5) == 6
    assert cache.decr("a") == 5
    with pytest.raises(ValueError, match="not found"):
        cache.incr("none")
    assert cache.incr_version("b") == 2
    assert cache.get("b") is None
    assert cache.get("b", version=2) == 2
    cache.delete_many(["a", "c"])
    assert cache.get_many(["a", "c"]) == {}
    cache.clear()
    assert cache.get("b", version=2) is None
