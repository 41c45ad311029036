"""Follow the change feed: keep a search index up to date, and resume after a restart.

The index lives in a database of its own and stores, in the same batch as its entries, the sequence
number up to which it has read. So it never applies a change twice and never misses one, whoever
dies when.

Run: python examples/follow.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import aidb

POSITION = b"position"
CONSUMER = "search-index"


def words(text: bytes) -> set[bytes]:
    """The words of a document."""
    return set(text.lower().split())


def catch_up(articles: aidb.Database, index: aidb.Database) -> int:
    """Bring ``index`` up to date with ``articles``; return the number of batches applied."""
    applied = 0
    for change in articles.changes(since=int(index.get(POSITION) or 0)):
        with index.batch() as batch:
            for operation in change.operations:
                forget(index, batch, operation.key)
                if operation.kind == "put":
                    for word in words(operation.value):
                        batch.put(b"word:%s:%s" % (word, operation.key), b"")
                    batch.put(b"text:" + operation.key, operation.value)
            batch.put(POSITION, b"%d" % change.seq)
        articles.pin_log(CONSUMER, change.seq)
        applied += 1
    return applied


def forget(index: aidb.Database, batch: aidb.Batch, key: bytes) -> None:
    """Remove what the index has on the document ``key``."""
    for word in words(index.get(b"text:" + key) or b""):
        batch.delete(b"word:%s:%s" % (word, key))
    batch.delete(b"text:" + key)


def search(index: aidb.Database, word: bytes) -> list[bytes]:
    """Keys of the documents with ``word``."""
    prefix = b"word:%s:" % word
    return [key[len(prefix) :] for key, _ in index.scan(prefix=prefix)]


def main() -> None:
    """Write, follow, restart, follow."""
    with tempfile.TemporaryDirectory() as directory:
        articles_path, index_path = (
            str(Path(directory) / "articles"),
            str(Path(directory) / "index"),
        )
        with aidb.open(articles_path) as articles, aidb.open(index_path) as index:
            articles.pin_log(CONSUMER, 0)
            articles[b"1"] = b"the quick brown fox"
            articles[b"2"] = b"the lazy dog"
            print(
                f"applied {catch_up(articles, index)} batches; 'the' is in {search(index, b'the')}"
            )
            assert search(index, b"the") == [b"1", b"2"]
            articles[b"1"] = b"a slow brown bear"
            del articles[b"2"]
            articles.flush()  # the log stays: the consumer has pinned it

        with aidb.open(articles_path) as articles, aidb.open(index_path) as index:
            print(
                f"after a restart: {catch_up(articles, index)} more; "
                f"'brown' is in {search(index, b'brown')}"
            )
            assert search(index, b"brown") == [b"1"]
            assert search(index, b"the") == []
            assert catch_up(articles, index) == 0


if __name__ == "__main__":
    main()
