"""A directory tree: path -> content."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from aidb.cli.formats.record import BadInputError, Layout, Record
from aidb.cli.text import shown
from aidb.errors import InvalidError


def read(root: Path, layout: Layout) -> Iterator[Record | BadInputError]:
    """Yield every regular file below ``root`` in path order; symbolic links are not followed.

    The key is the path relative to ``root`` with ``/`` between its parts, as the bytes the file
    system has, whatever the encoding. Empty directories leave no trace.
    """
    del layout
    for path in _files(root):
        try:
            content = path.read_bytes()
        except OSError as error:
            yield BadInputError(str(path), f"cannot be read: {error.strerror}")
            continue
        key = os.fsencode(path.relative_to(root).as_posix())
        yield Record(key, content, str(path), len(content))


def total_bytes(root: Path) -> int:
    """Bytes of every file below ``root``."""
    return sum(path.stat(follow_symlinks=False).st_size for path in _files(root))


def _files(root: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise BadInputError(str(error.filename), f"cannot be listed: {error.strerror}")

    for directory, names, files in os.walk(root, onerror=fail):
        names.sort()
        for name in sorted(files):
            path = Path(directory, name)
            if not path.is_symlink() and path.is_file():
                yield path


class Writer:
    """Writes a file per pair below ``root``; keys that are no safe relative path are refused."""

    def __init__(self, root: Path, layout: Layout) -> None:
        """Write below ``root``, which must be empty or absent."""
        self._layout = layout
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise InvalidError(
                f"{root} exists and is not an empty directory; choose another target"
            )
        root.mkdir(parents=True, exist_ok=True)
        self._root = root

    def write(self, key: bytes, value: bytes, expires_at: float | None = None) -> None:
        """Write one file; a pair that expires is refused."""
        self._layout.refuse_expiry(key, expires_at, "tree")
        parts = key.split(b"/")
        if b"\0" in key or any(part in (b"", b".", b"..") for part in parts):
            raise InvalidError(
                f"key {shown(key)} is not a path below the target; choose the format jsonl or csv"
            )
        target = self._root.joinpath(*map(os.fsdecode, parts))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(value)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise InvalidError(
                f"key {shown(key)} is both a file and a directory of other keys; "
                "choose the format jsonl or csv"
            ) from None
        except OSError as error:
            raise InvalidError(f"cannot write {target}: {error.strerror}") from None

    def close(self) -> None:
        """Nothing is buffered."""
