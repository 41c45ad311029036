"""RDB files into a database and out of it, in steps that a caller can show and interrupt."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aidb import _core
from aidb.errors import InvalidError

if TYPE_CHECKING:
    from aidb.database import Database

STEP_S = 0.1
"""How long a step works before it is shown, and can be interrupted."""

Existing = Literal["refuse", "replace", "keep", "clear"]
Shown = Callable[[int, int], object]
"""Called with what is done and what there is."""


@dataclass(frozen=True)
class Unfit:
    """Something that could not be represented."""

    database: int
    key: bytes
    why: str


@dataclass(frozen=True)
class Report:
    """What was moved, and what was not."""

    keys: dict[str, int]
    """By type."""
    expired: int
    """Keys whose time had passed."""
    kept: int
    """Keys left alone because they were there."""
    libraries: int
    """Libraries of functions."""
    commands: int
    """Replicated commands."""
    unfit: int
    """Things that could not be represented."""
    shown: tuple[Unfit, ...]
    """The first hundred of them."""
    facts: dict[str, str]
    """What the file says of itself."""

    @classmethod
    def of(cls, native: dict[str, Any]) -> Report:
        """A report of the native side."""
        shown = tuple(Unfit(*row) for row in native.pop("shown"))
        return cls(**{**native, "shown": shown, "facts": dict(native["facts"])})


def import_file(
    database: Database, path: Path, existing: Existing = "refuse", shown: Shown | None = None
) -> Report:
    """Load an RDB file into the Redis data of a database.

    Every key arrives whole or not at all; the file as such does not: after an interruption or at
    damage in the file, what came before stays. Another run with ``existing="replace"`` is safe.

    Args:
        database: The open database; nobody may serve it.
        path: An RDB file of Redis 2 to 8, or of Valkey.
        existing: What happens when the database has keys: it is refused, a key of the file
            replaces or leaves alone the one that is there, or everything is removed first.
        shown: Called with bytes read and bytes in all.

    Raises:
        InvalidError: The database has keys; the file is of a newer Redis or a module of it.
        CorruptionError: The file is damaged.
    """
    importer = _core.RedisImport(database, replace=existing != "keep")
    prepare(importer, existing)
    load(importer, path, shown)
    database.sync()
    return Report.of(importer.report())


def prepare(importer: _core.RedisImport, existing: Existing) -> None:
    """Refuse a database with keys, or empty it, as told."""
    if existing == "clear":
        importer.clear()
    elif existing == "refuse" and (keys := sum(importer.lengths())):
        raise InvalidError(
            f"the database has {keys} keys of the Redis data model; import into another directory, "
            "or say what happens to them (--existing)"
        )


def load(importer: _core.RedisImport, path: Path, shown: Shown | None = None) -> None:
    """Load a whole file, step by step."""
    _, total = importer.open(path)
    done, is_done = 0, False
    while not is_done:
        done, is_done = importer.load(STEP_S)
        if shown is not None:
            shown(done, total)


def export_file(
    database: Database, path: Path, *, with_json: bool = False, shown: Shown | None = None
) -> Report:
    """Write the Redis data of a database as an RDB file that redis-server 7.0 and newer load.

    The file appears under its name when it is complete and durable.

    Args:
        database: The open database; nobody may serve it.
        path: The new file; one of this name is replaced.
        with_json: Also write JSON documents, which only a Redis with RedisJSON (any 8) loads.
        shown: Called with keys written and keys in all.

    Raises:
        ExhaustedError: The disk is full.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        exporter = _core.RedisExport(database, unfinished, with_json=with_json)
        total = exporter.total()
        while not exporter.step(STEP_S):
            if shown is not None:
                shown(sum(exporter.report()["keys"].values()), total)
        os.replace(unfinished, path)  # noqa: PTH105 - the one call that replaces on every system
    finally:
        unfinished.unlink(missing_ok=True)
    return Report.of(exporter.report())
