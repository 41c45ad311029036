"""A process that writes numbered batches until it is killed, and says which were acknowledged.

Batch ``n`` is a pure function of ``n``, so that whoever opens the database afterwards can compute
what it must hold from the one number that every batch stores.
"""

from __future__ import annotations

import sys
from random import Random
from typing import TYPE_CHECKING

import aidb

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTER = b"counter"

Change = tuple[str, bytes, bytes]


def changes(number: int) -> Iterator[Change]:
    """The operations of one batch: puts, deletes, a range now and then, and its number."""
    random = Random(number)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        key = b"key%03d" % random.randrange(400)
        if random.random() < 0.2:
            yield "delete", key, b""
        else:
            size = random.choice((0, 10, 100, 1000, 6000))
            yield "put", key, b"%d." % number * (size // 8)
    if random.random() < 0.05:
        start = random.randrange(400)
        yield "delete_range", b"key%03d" % start, b"key%03d" % (start + random.randrange(40))
    yield "put", COUNTER, b"%d" % number


def apply(model: dict[bytes, bytes], number: int) -> None:
    """What the batch does to the data."""
    for verb, key, value in changes(number):
        if verb == "put":
            model[key] = value
        elif verb == "delete":
            model.pop(key, None)
        else:
            for covered in [known for known in model if key <= known < value]:
                del model[covered]


def write(db: aidb.Database, number: int) -> None:
    """Commits one batch."""
    with db.batch() as batch:
        for verb, key, value in changes(number):
            if verb == "put":
                batch.put(key, value)
            elif verb == "delete":
                batch.delete(key)
            else:
                batch.delete_range(key, value)


def main() -> None:
    path, durability, log_mode = sys.argv[1:]
    db = aidb.open(
        path,
        durability=durability,  # type: ignore[arg-type]
        log_mode=log_mode,  # type: ignore[arg-type]
        memtable_bytes_max="256KB",
        memtables_bytes_max="1MB",
        table_bytes_max="128KB",
        level_base_bytes="512KB",
        l0_runs_trigger=2,
    )
    number = int(db.get(COUNTER) or 0)
    while True:
        number += 1
        write(db, number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
