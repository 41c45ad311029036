"""Works on a tmpfs of a few megabytes inside a mount namespace of its own; prints what it found.

Run as ``unshare --map-root-user --mount python small_disk.py DIR full|read-only``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import aidb

MEGABYTE = 1 << 20


def mount(directory: Path, *options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(directory)]
    subprocess.run(command, check=True)


def fill(db: aidb.Database, model: dict[bytes, bytes]) -> aidb.Error:
    """Writes until the disk is full; the error that said so."""
    for number in range(len(model), 1_000_000):
        key, value = b"key%07d" % number, b"%d" % number * 500
        try:
            db.put(key, value)
        except aidb.Error as error:
            return error
        model[key] = value
    raise RuntimeError("the disk never filled up")


def check(db: aidb.Database, model: dict[bytes, bytes], when: str) -> None:
    if dict(db.scan()) != model or len(db) != len(model):
        raise RuntimeError(f"{when}: the data is not what was acknowledged")


def survive_full_disk(directory: Path) -> None:
    mount(directory, "size=24m")
    ballast = directory / "ballast"
    ballast.write_bytes(bytes(6 * MEGABYTE))
    path = directory / "db"
    model: dict[bytes, bytes] = {}
    with aidb.open(path, memtable_bytes_max="1MB", memtables_bytes_max="4MB") as db:
        error = fill(db, model)
        if not isinstance(error, aidb.ExhaustedError):
            raise RuntimeError(f"{type(error).__name__}: {error}")
        check(db, model, "on the full disk")
        ballast.unlink()
        db.flush()
        db.put(b"room", b"again")
        model[b"room"] = b"again"
        check(db, model, "with room again")
    with aidb.open(path) as db:
        check(db, model, "after opening it again")


def survive_read_only_disk(directory: Path) -> None:
    mount(directory, "size=24m")
    path = directory / "db"
    with aidb.open(path) as db:
        db.put(b"key", b"value")
        db.flush()
        db.put(b"late", b"in the log")
    subprocess.run(["mount", "-o", "remount,ro", str(directory)], check=True)
    with aidb.open(path, read_only=True) as db:
        check(db, {b"key": b"value", b"late": b"in the log"}, "on the read-only disk")
        try:
            db.put(b"key", b"new")
        except aidb.InvalidError:
            pass
        else:
            raise RuntimeError("a write to a read-only database was accepted")
    try:
        aidb.open(path)
    except aidb.InvalidError as error:
        if "read-only" not in str(error):
            raise
    else:
        raise RuntimeError("opened for writing on a read-only disk")


def main() -> None:
    directory, trouble = sys.argv[1:]
    {"full": survive_full_disk, "read-only": survive_read_only_disk}[trouble](Path(directory))
    sys.stdout.write("survived\n")


if __name__ == "__main__":
    main()
