"""Looking at, checking and repairing the files of a database that nobody has open.

None of this needs a database that opens: files are read one by one. ``repair`` is the only
function that changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aidb._core import check_file as _check_file
from aidb._core import check_references as _check_references
from aidb._core import database_files as _database_files
from aidb._core import inspect_file as _inspect_file
from aidb._core import repair as _repair

if TYPE_CHECKING:
    import os

__all__ = ["DatabaseFile", "check_file", "check_references", "files", "inspect", "repair"]


@dataclass(frozen=True)
class DatabaseFile:
    """One file of a database directory."""

    name: str
    """Path below the directory, as in ``sst/0000000012.sst``."""
    path: Path
    kind: str
    """``current``, ``manifest``, ``log``, ``table`` or ``blob``."""
    bytes: int


def files(directory: str | os.PathLike[str]) -> list[DatabaseFile]:
    """Every file of the database in ``directory``, in the order a reader of the formats wants them.

    Raises:
        InvalidError: ``directory`` does not exist or holds no file of a database.
    """
    root = Path(directory)
    return [
        DatabaseFile(name=str(name), path=root / name, kind=kind, bytes=size)
        for name, kind, size in _database_files(root)
    ]


def inspect(path: str | os.PathLike[str], rows_max: int = 50) -> dict[str, Any]:
    """What the file ``path`` says.

    Returns:
        ``kind``; ``summary``, one line; ``facts``, name to value; ``sections``, name to a list of
        rows, at most ``rows_max`` in all; ``more``, the number of rows left out; ``problems``,
        damage found on the way. Keys and values of users are ``bytes``.

    Raises:
        InvalidError: the file is none of a database, or was written by a newer aidb.
    """
    return _inspect_file(path, rows_max)


def check_file(directory: str | os.PathLike[str], path: str | os.PathLike[str]) -> list[str]:
    """Verify every checksum and the order of everything in the file ``path`` of ``directory``.

    Returns:
        What is wrong, in the order it was found; empty if nothing is.
    """
    return _check_file(directory, path)


def check_references(directory: str | os.PathLike[str]) -> list[str]:
    """Verify that the manifest of ``directory`` and the files beside it agree.

    Returns:
        What is wrong: files that are missing or differ in size or digest.
    """
    return _check_references(directory)


def repair(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Rebuild the manifest of ``directory`` from its tables and salvage its log.

    Returns:
        ``tables``, ``entries`` and ``batches`` saved; ``lost``, a list of ``file`` and ``what``.

    Raises:
        UnavailableError: another process has the database open.
    """
    return _repair(directory)
