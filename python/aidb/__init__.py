"""An ordered, persistent key-value store for Python.

    import aidb

    with aidb.open("./data") as db:
        db[b"key"] = b"value"
        for key, value in db.scan(prefix=b"k"):
            ...

Start with :func:`aidb.open` and :class:`aidb.Database`. ``aidb.aio`` is the same for asyncio.
"""

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
