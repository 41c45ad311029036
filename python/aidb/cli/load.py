"""``aidb load``: pairs from files into a database."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from aidb.cli.app import EXIT_FAILED
from aidb.cli.formats import FORMATS, BadInputError, Layout, Record, guess_format, open_reader, tree
from aidb.cli.opening import (
    chosen,
    directory_argument,
    encoding_option,
    expiry_option,
    json_option,
    namespace_option,
    no_expiry_option,
    opened,
)
from aidb.cli.output import Meter, duration_text, meter, note, print_json, size_text
from aidb.cli.text import ENCODINGS
from aidb.errors import InvalidError
from aidb.strings import RedisStrings

if TYPE_CHECKING:
    from aidb.database import Database

BATCH_BYTES_MAX = 4 << 20
STDIN = Path("-")
_BAD_SHOWN_MAX = 20


@dataclass
class Outcome:
    """What a load did."""

    pairs: int = 0
    source_bytes: int = 0
    bad: list[str] = field(default_factory=list[str])
    bad_count: int = 0

    def skip(self, error: BadInputError) -> None:
        """Remember something that could not be loaded."""
        self.bad_count += 1
        if len(self.bad) < _BAD_SHOWN_MAX:
            self.bad.append(str(error))


@click.command("load")
@directory_argument
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="Default: by suffix; a directory is a tree.",
)
@click.option(
    "--key", "key_field", metavar="NAME", help="Column or field of the key. Default: key."
)
@click.option(
    "--value",
    "value_field",
    metavar="NAME",
    help="Column or field of the value. Default: value, or the whole row as JSON with --key.",
)
@expiry_option
@no_expiry_option
@click.option("--separator", default="\t", help="Between key and value of a line. Default: TAB.")
@click.option("--delimiter", default=",", help="Between CSV columns.", show_default=True)
@encoding_option
@click.option("--prefix", default="", help="Put this in front of every key.")
@namespace_option
@click.option(
    "--batch",
    "batch_pairs",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Pairs per atomic batch.",
)
@click.option(
    "--redis",
    "redis_number",
    type=click.IntRange(0, 15),
    is_flag=False,
    flag_value=0,
    metavar="[N]",
    help="Load strings of the Redis data model into logical database N (0 if left out).",
)
@click.option(
    "--skip-bad", is_flag=True, help="Go on after bad input; list it at the end, exit status 3."
)
@click.option("--dry-run", is_flag=True, help="Read and check the source, write nothing.")
@json_option
def load_command(
    *,
    directory: Path,
    source: Path,
    format_name: str | None,
    batch_pairs: int,
    prefix: str,
    encoding: str,
    namespace: str | None,
    redis_number: int | None,
    without_expiry: bool,
    skip_bad: bool,
    dry_run: bool,
    as_json: bool,
    **layout_options: Any,
) -> int:
    r"""Load SOURCE (a file, a directory, or - for stdin) into the database DIR.

    \b
    lines  KEY<TAB>VALUE per line; a line without TAB is a key with an empty value
    csv    a header, then rows
    jsonl  one JSON object per line
    tree   a directory: relative path -> content of the file

    Pairs are written in source order in atomic batches. At bad input loading stops; everything
    before it is written, and the message says so. Loading again writes the same pairs again, which
    does no harm.
    """
    layout = Layout(encoding=ENCODINGS[encoding], with_expiry=not without_expiry, **layout_options)
    if source != STDIN and not source.exists():
        raise InvalidError(f"{source} does not exist; check the path")
    name = format_name or ("lines" if source == STDIN else guess_format(source))
    if (name == "tree") != source.is_dir():
        raise InvalidError(
            f"{source} is {'a' if source.is_dir() else 'no'} directory; the format is {name}"
        )
    started = time.monotonic()
    outcome = Outcome()
    with ExitStack() as stack:
        shown = stack.enter_context(meter(f"loading {source}", _total(source)))
        records = _prefixed(
            _records(stack, name, source, layout), layout.decode(prefix, "--prefix")
        )
        how: dict[str, Any] = {"batch_pairs": batch_pairs, "skip_bad": skip_bad, "shown": shown}
        if dry_run:
            _load(records, None, outcome, **how)
        else:
            database = stack.enter_context(opened(directory, create=True))
            target = _target(database, namespace, redis_number)
            try:
                _load(records, target, outcome, **how)
            finally:
                database.sync()
    return _report(outcome, time.monotonic() - started, dry_run, as_json)


def _target(database: Database, namespace: str | None, redis_number: int | None) -> Any:
    if redis_number is None:
        return chosen(database, namespace, create=True)
    if namespace is not None:
        raise click.UsageError("give either --namespace or --redis")
    return RedisStrings(database, redis_number)


def _total(source: Path) -> int | None:
    if source == STDIN:
        return None
    return tree.total_bytes(source) if source.is_dir() else source.stat().st_size or None


def _records(
    stack: ExitStack, name: str, source: Path, layout: Layout
) -> Iterator[Record | BadInputError]:
    if name == "tree":
        return tree.read(source, layout)
    stream: BinaryIO
    if source == STDIN:
        stream = sys.stdin.buffer
        return open_reader(name, stream, "stdin", layout)
    try:
        stream = stack.enter_context(source.open("rb"))
    except OSError as error:
        raise InvalidError(f"{source} cannot be read: {error.strerror}") from None
    return open_reader(name, stream, str(source), layout)


def _prefixed(
    records: Iterator[Record | BadInputError], prefix: bytes
) -> Iterator[Record | BadInputError]:
    if not prefix:
        return records
    return (
        record if isinstance(record, BadInputError) else record._replace(key=prefix + record.key)
        for record in records
    )


def _load(
    records: Iterator[Record | BadInputError],
    target: Any,
    outcome: Outcome,
    *,
    batch_pairs: int,
    skip_bad: bool,
    shown: Meter,
) -> None:
    """Write ``records`` to ``target`` (``None``: nowhere) in batches of bounded size."""
    batch: list[Record] = []
    batch_bytes = 0

    def write() -> None:
        if target is not None and batch:
            _put(target, batch)
        outcome.pairs += len(batch)
        batch.clear()

    try:
        for record in records:
            if isinstance(record, BadInputError):
                if not skip_bad:
                    raise record
                outcome.skip(record)
                continue
            batch.append(record)
            batch_bytes += len(record.key) + len(record.value)
            outcome.source_bytes += record.consumed
            if len(batch) >= batch_pairs or batch_bytes >= BATCH_BYTES_MAX:
                write()
                batch_bytes = 0
            shown.advance(record.consumed)
        write()
    except BadInputError as error:
        write()
        done = (
            f"the {outcome.pairs} pairs before it are loaded" if target is not None else "dry run"
        )
        raise BadInputError(error.place, f"{error.reason} ({done})") from None


def _put(target: Any, records: list[Record]) -> None:
    """Write ``records`` in one atomic batch."""
    if not any(record.expires_at for record in records):
        target.put_many([(record.key, record.value) for record in records])
        return
    with target.batch() as batch:
        for record in records:
            batch.put(record.key, record.value, expires_at=record.expires_at)


def _report(outcome: Outcome, seconds: float, dry_run: bool, as_json: bool) -> int:
    for line in outcome.bad:
        note(f"skipped: {line}")
    if outcome.bad_count > len(outcome.bad):
        note(f"skipped: {outcome.bad_count - len(outcome.bad)} more")
    if as_json:
        print_json(
            {
                "pairs": outcome.pairs,
                "source_bytes": outcome.source_bytes,
                "skipped": outcome.bad_count,
                "seconds": round(seconds, 3),
                "dry_run": dry_run,
            }
        )
    else:
        verb = "checked" if dry_run else "loaded"
        click.echo(
            f"{verb} {outcome.pairs} pairs, {size_text(outcome.source_bytes)}, "
            f"in {duration_text(seconds)}"
        )
    return EXIT_FAILED if outcome.bad_count else 0
