"""An ordered, persistent key-value store for Python.

    import aidb

    with aidb.open("./data") as db:
        db[b"key"] = b"value"
        for key, value in db.scan(prefix=b"k"):
            ...

Start with :func:`aidb.open` and :class:`aidb.Database`. ``aidb.aio`` is the same for asyncio;
``aidb.redis`` is the Redis data model in this process, behind the API of redis-py.
"""

import importlib
from typing import Any

from aidb._core import Batch, Change, Changes, Operation, Scan, Snapshot, __version__
from aidb.database import Database, OpenOptions, open
from aidb.errors import (
    ClosedError,
    ConflictError,
    CorruptionError,
    Error,
    ExhaustedError,
    FencedError,
    InternalError,
    InvalidError,
    NotOwnerError,
    UnavailableError,
)
from aidb.namespace import Namespace

_FACES = ("aio", "redis")

__all__ = [
    "Batch",
    "Change",
    "Changes",
    "ClosedError",
    "ConflictError",
    "CorruptionError",
    "Database",
    "Error",
    "ExhaustedError",
    "FencedError",
    "InternalError",
    "InvalidError",
    "Namespace",
    "NotOwnerError",
    "OpenOptions",
    "Operation",
    "Scan",
    "Snapshot",
    "UnavailableError",
    "__version__",
    "open",
]


def __getattr__(name: str) -> Any:
    """The other faces, imported when first asked for."""
    if name in _FACES:
        return importlib.import_module(f"aidb.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
