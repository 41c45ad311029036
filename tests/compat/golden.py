"""Small databases of the current format that use everything it has, and what a reader must find.

``python -m tests.compat.golden`` (``make golden``) writes them anew: an archive per database and
its listing, below ``format-1``. Archives of a format that was released are never made anew: a new
format gets a directory of its own, and the old one stays readable.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import aidb

ROOT: Final = Path(__file__).parent
FORMAT: Final = "format-1"
FAR: Final = 4_000_000_000.125
"""An instant of expiry that these tests will not see."""
LONG_AGO: Final = 1.5
SHOWN_BYTES_MAX: Final = 24

TINY: Final[aidb.OpenOptions] = {
    "memtable_bytes_max": "4KB",
    "memtables_bytes_max": "64KB",
    "block_bytes": 256,
    "table_bytes_max": "2KB",
    "level_base_bytes": "4KB",
    "level_fanout": 2,
    "l0_runs_trigger": 2,
    "blob_bytes_min": 0,
}


def text(number: int, words: int) -> bytes:
    """A value that compresses."""
    return b" ".join(b"word%d" % (number * 7 % 13) for _ in range(words))


def noise(number: int, count: int) -> bytes:
    """A value that does not."""
    return hashlib.shake_128(b"%d" % number).digest(count)


def codecs(path: Path) -> None:
    """Every codec, in tables of the last level and of level 0."""
    names: list[aidb.database.Compression] = ["none", "lz4", "snappy", "zstd"]
    with aidb.open(path, blob_bytes_min=0) as db:
        for name in names:
            space = db.namespace(name, compression=name)
            for _ in range(2):
                space.put_many((b"%03d" % number, text(number, 20)) for number in range(60))
                space.put_many((b"raw%02d" % number, noise(number, 40)) for number in range(10))
                space.compact()
            space.put_many((b"%03d" % number, text(number + 1, 20)) for number in range(0, 60, 7))
        db.flush()


def levels(path: Path) -> None:
    """Several levels, with deletes and range tombstones above what they cover."""
    with aidb.open(path, **TINY) as db:
        for turn in range(8):
            for number in range(turn % 3, 240, 3):
                db[b"key%04d" % number] = b"%d:" % turn + noise(number, 20)
            for number in range(turn, 240, 29):
                db.delete(b"key%04d" % number)
            db.flush()
        db.delete_range(b"key0050", b"key0060")
        db.flush()
        db[b"key0055"] = b"after the range"
        db.delete_range(b"key0200")
        db.put(b"key0230", b"after the open end")
        db.flush()


def expiry(path: Path) -> None:
    """Records that expire in tables and in the log, and a namespace with a time to live."""
    with aidb.open(path, **TINY) as db:
        spaces = db, db.namespace("sessions", ttl=10**9)
        for space in spaces:
            for number in range(30):
                at = [None, FAR + number, LONG_AGO][number % 3]
                space.put(b"%02d" % number, noise(number, 12), expires_at=at)
        db.put(b"never", b"")
        db.flush()
        db.put(b"00", b"again", expires_at=FAR)


def blobs(path: Path) -> None:
    """Large values apart, raw and compressed, some of them overwritten or deleted."""
    with aidb.open(path, blob_bytes_min=256) as db:
        packed = db.namespace("packed", compression="zstd")
        for space in (db, packed):
            for number in range(12):
                space[b"%02d" % number] = noise(number, 200 + 60 * number)
                space[b"text%02d" % number] = text(number, 100)
            db.flush()
            space[b"03"] = noise(99, 700)
            del space[b"11"]
        db.flush()


def unflushed(path: Path, log_mode: Any = "mapped") -> None:
    """A log that no table holds, of a process that was killed."""
    options: aidb.OpenOptions = {**TINY, "memtable_bytes_max": "64KB", "log_mode": log_mode}
    db = aidb.open(path, **options)
    db.put_many((b"flushed%02d" % number, b"v") for number in range(10))
    db.flush()
    with db.batch() as batch:
        batch.put(b"a", b"1")
        batch.put(b"b", b"2", expires_at=FAR)
        batch.delete(b"flushed03")
        batch.delete_range(b"flushed05", b"flushed07")
        batch.put(b"c", noise(1, 300), namespace=db.namespace("other"))
        batch.annotate(b"a note for the feed")
    db.sync()
    for number in range(20):
        db[b"%02d" % number] = noise(number, 40)
    os.kill(os.getpid(), signal.SIGKILL)


def appended(path: Path) -> None:
    """As ``unflushed``, of a log that is not mapped."""
    unflushed(path, "append")


DATABASES: Final[dict[str, Callable[[Path], None]]] = {
    build.__name__: build for build in (codecs, levels, expiry, blobs, unflushed, appended)
}


def listing(path: Path) -> dict[str, Any]:
    """Everything that a reader finds in the database at ``path``."""
    with aidb.open(path, read_only=True) as db:
        return {"seq": db.seq, "namespaces": contents(db)}


def contents(db: aidb.Database) -> dict[str, list[list[Any]]]:
    """Key, value and expiry time of every record, by namespace."""
    names = sorted(db.namespaces())
    stores = {name: db if name == "default" else db.namespace(name) for name in names}
    return {name: [list(row) for row in _rows(store)] for name, store in stores.items()}


def _rows(store: Any) -> Iterator[tuple[str, str, float | None]]:
    for key, value, expires_at in store.scan(with_expiry=True):
        digest = hashlib.sha256(value).hexdigest()[:32]
        shown = value.hex() if len(value) <= SHOWN_BYTES_MAX else f"{len(value)} bytes {digest}"
        yield key.decode(), shown, expires_at


def unpack(name: str, target: Path, format_name: str = FORMAT) -> Path:
    """A copy of the database ``name`` of a format; its listing is beside the archive."""
    with tarfile.open(ROOT / format_name / f"{name}.tar.xz") as archive:
        archive.extractall(target, filter="data")
    return target / name


def expected(name: str, format_name: str = FORMAT) -> dict[str, Any]:
    """The listing of a database of a format."""
    stored: dict[str, Any] = json.loads((ROOT / format_name / f"{name}.json").read_text())
    return stored


def make(name: str) -> None:
    """Writes archive and listing of one database anew."""
    target = ROOT / FORMAT
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, name)
        command = [sys.executable, "-m", "tests.compat.golden", name, str(path)]
        done = subprocess.run(command, check=False)
        if done.returncode not in {0, -signal.SIGKILL}:
            raise RuntimeError(f"building {name} ended with {done.returncode}")
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:xz") as tar:
            tar.add(path, name)
        rows = json.dumps(listing(path), indent=None, separators=(",", ":"))
        (target / f"{name}.tar.xz").write_bytes(archive.getvalue())
        (target / f"{name}.json").write_text(rows.replace("],[", "],\n[") + "\n")


def main(arguments: list[str]) -> None:
    """Builds one database, in a process of its own, or makes all archives."""
    if arguments:
        DATABASES[arguments[0]](Path(arguments[1]))
        return
    for name in DATABASES:
        make(name)
    total = sum(file.stat().st_size for file in (ROOT / FORMAT).iterdir())
    sys.stdout.write(f"{len(DATABASES)} databases, {total} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
