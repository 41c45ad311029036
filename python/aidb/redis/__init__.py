"""The Redis data model inside this process, behind the API of redis-py.

    import aidb.redis

    with aidb.redis.open("./data") as r:      # a redis.Redis
        r.set("greeting", "hello")
        r.zadd("board", {"ann": 3, "bob": 5})

Commands, replies, pipelines, transactions, scripts, blocking commands and pub/sub are those of
redis-py and of the server ``aidb serve``, without a server and without sockets.
:mod:`aidb.redis.aio` is the same for asyncio. Several clients of one directory come from one
:class:`Store`.

Needs redis-py: ``pip install 'aidb[redis]'``.
"""

try:
    import redis as _redis
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "aidb.redis needs redis-py, which is not installed: pip install 'aidb[redis]'",
        name=_error.name,
    ) from _error

from aidb.redis.client import Redis
from aidb.redis.connection import Connection
from aidb.redis.store import Store, StoreOptions, open

__all__ = ["Connection", "Redis", "Store", "StoreOptions", "open"]

del _redis
