"""Whether both sides hold the same: every count, and the values of keys drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field

from aidb import _core
from aidb.errors import Error
from aidb.migration.source import RefusedError, Reply, Source

DATABASES = 16
SAMPLE_BYTES_MAX = 4 << 20
"""Larger values are not drawn: DUMP would hold up the source."""


@dataclass(frozen=True)
class Moment:
    """What the source held when its stream of commands was at ``offset``."""

    offset: int
    lengths: dict[int, int]
    payloads: dict[tuple[int, bytes], bytes]


@dataclass
class Comparison:
    """How the two sides compare at one moment."""

    keys: int = 0
    sampled: int = 0
    differences: list[str] = field(default_factory=list[str])

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def replication_offset(source: Source) -> int:
    """Where the source's stream of commands is."""
    return _offset(source.command("INFO", "replication"))


def _offset(info: Reply) -> int:
    text = info.decode() if isinstance(info, bytes) else str(info)
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name in {"master_repl_offset", "slave_repl_offset"} and value:
            return int(value)
    raise RefusedError("the source does not tell its offset in INFO replication")


def capture(source: Source, samples: int) -> Moment:
    """Take counts, values and offset of the source at one moment, while it goes on working."""
    databases = _databases(source)
    drawn = _draw(source, databases, samples)
    source.command("MULTI")
    for number in databases:
        source.command("SELECT", number)
        source.command("DBSIZE")
        for key in drawn[number]:
            source.command("DUMP", key)
    source.command("INFO", "replication")
    replies = source.command("EXEC")
    if not isinstance(replies, list):
        raise RefusedError("the source did not answer EXEC")
    answers = iter(replies)
    lengths: dict[int, int] = {}
    payloads: dict[tuple[int, bytes], bytes] = {}
    for number in databases:
        next(answers)
        length = next(answers)
        lengths[number] = length if isinstance(length, int) else 0
        for key in drawn[number]:
            payload = next(answers)
            if isinstance(payload, bytes):
                payloads[number, key] = payload
    return Moment(_offset(next(answers)), lengths, payloads)


def _databases(source: Source) -> list[int]:
    """Logical databases with keys."""
    info = source.command("INFO", "keyspace")
    text = info.decode() if isinstance(info, bytes) else ""
    names = [line.partition(":")[0] for line in text.splitlines() if line.startswith("db")]
    return [number for name in names if (number := int(name[2:])) < DATABASES]


def _draw(source: Source, databases: list[int], samples: int) -> dict[int, list[bytes]]:
    drawn: dict[int, list[bytes]] = {}
    for number in databases:
        source.command("SELECT", number)
        named = (source.command("RANDOMKEY") for _ in range(samples))
        keys = {key for key in named if isinstance(key, bytes)}
        drawn[number] = [key for key in keys if _is_small(source, key)]
    return drawn


def _is_small(source: Source, key: bytes) -> bool:
    try:
        size = source.command("MEMORY", "USAGE", key)
    except RefusedError:
        return True  # Redis before 4 does not tell.
    return isinstance(size, int) and size <= SAMPLE_BYTES_MAX


def compare(importer: _core.RedisImport, moment: Moment) -> Comparison:
    """Compare with what was imported, which must be at the moment's offset."""
    result = Comparison()
    for number, ours in enumerate(importer.lengths()):
        theirs = moment.lengths.get(number, 0)
        result.keys += ours
        if ours != theirs:
            result.differences.append(f"database {number}: {theirs} keys there, {ours} here")
    for (number, key), payload in moment.payloads.items():
        try:
            theirs_print = _core.redis_fingerprint(payload)
        except Error:
            continue  # A module's value; the import has reported it.
        result.sampled += 1
        if importer.fingerprint(number, key) != theirs_print:
            result.differences.append(f"database {number}: the value of {key!r}")
    return result
