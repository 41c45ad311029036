"""``aidb get``, ``put``, ``del`` and ``scan``: single keys and ranges."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from aidb.cli.app import EXIT_ABSENT
from aidb.cli.opening import (
    chosen,
    directory_argument,
    encoding_option,
    json_option,
    namespace_option,
    opened,
)
from aidb.cli.output import print_json
from aidb.cli.text import ENCODINGS

DELETE_BATCH_KEYS = 10_000


@click.command("get")
@directory_argument
@click.argument("key")
@namespace_option
@encoding_option
@click.option("--raw", is_flag=True, help="Print the bytes of the value and nothing else.")
@json_option
def get_command(
    *, directory: Path, key: str, namespace: str | None, encoding: str, raw: bool, as_json: bool
) -> int:
    """Print the value of KEY in the database DIR.

    Exit status 1 and no output if the key is absent.
    """
    codec = ENCODINGS[encoding]
    with opened(directory) as database:
        value = chosen(database, namespace).get(codec.decode(key))
    if as_json:
        print_json({"key": key, "value": None if value is None else codec.encode(value)})
    if value is None:
        return EXIT_ABSENT
    if raw:
        sys.stdout.buffer.write(value)
        sys.stdout.buffer.flush()
    elif not as_json:
        click.echo(codec.encode(value))
    return 0


@click.command("put")
@directory_argument
@click.argument("key")
@click.argument("value", required=False)
@namespace_option
@encoding_option
@click.option(
    "--file",
    "source",
    type=click.File("rb"),
    help="Read the value's bytes from a file; - is stdin.",
)
@click.option(
    "--ttl", type=click.FloatRange(min=0, min_open=True), help="Seconds until the key expires."
)
@click.option(
    "--durability",
    type=click.Choice(["none", "everysec", "sync"]),
    default="sync",
    show_default=True,
    help="What the write survives once the command has ended.",
)
def put_command(
    *,
    directory: Path,
    key: str,
    value: str | None,
    namespace: str | None,
    encoding: str,
    source: Any,
    ttl: float | None,
    durability: str,
) -> None:
    """Write KEY with VALUE (or the bytes of --file) to the database DIR, creating it if need be."""
    if (value is None) == (source is None):
        raise click.UsageError("give either VALUE or --file")
    codec = ENCODINGS[encoding]
    data = source.read() if value is None else codec.decode(value)
    with opened(directory, create=True) as database:
        target = chosen(database, namespace, create=True)
        target.put(codec.decode(key), data, ttl=ttl, durability=durability)


@click.command("del")
@directory_argument
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@namespace_option
@encoding_option
@click.option("--prefix", help="Delete every key that starts with this.")
@click.option("--yes", is_flag=True, help="Do not ask before deleting a prefix.")
@json_option
def del_command(
    *,
    directory: Path,
    keys: tuple[str, ...],
    namespace: str | None,
    encoding: str,
    prefix: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Delete the KEYs from the database DIR and print how many were there."""
    if bool(keys) == (prefix is not None):
        raise click.UsageError("give either KEYs or --prefix")
    codec = ENCODINGS[encoding]
    with opened(directory) as database:
        target = chosen(database, namespace)
        if prefix is not None:
            if not yes:
                click.confirm(
                    f"delete every key that starts with {prefix!r}?", abort=True, err=True
                )
            deleted = _delete_prefix(target, codec.decode(prefix))
        else:
            wanted = list(dict.fromkeys(map(codec.decode, keys)))
            deleted = sum(key in target for key in wanted)
            _delete(target, wanted)
        database.sync()
    if as_json:
        print_json({"deleted": deleted})
    else:
        click.echo(f"deleted {deleted}")
    return 0 if deleted or prefix is not None else EXIT_ABSENT


def _delete(target: Any, keys: list[bytes]) -> None:
    with target.batch() as batch:
        for key in keys:
            batch.delete(key)


def _delete_prefix(target: Any, prefix: bytes) -> int:
    deleted = 0
    found: Iterator[bytes] = iter(target.scan(prefix=prefix, keys_only=True))
    while keys := list(islice(found, DELETE_BATCH_KEYS)):
        _delete(target, keys)
        deleted += len(keys)
    return deleted


@click.command("scan")
@directory_argument
@click.argument("start", required=False)
@click.argument("end", required=False)
@namespace_option
@encoding_option
@click.option("--prefix", help="Only keys that start with this.")
@click.option("--limit", type=click.IntRange(min=0), help="Stop after this many pairs.")
@click.option("--reverse", is_flag=True, help="From the last key to the first.")
@click.option("--keys-only", is_flag=True, help="Print keys without values.")
@click.option("--count", is_flag=True, help="Print the number of pairs only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def scan_command(
    *,
    directory: Path,
    start: str | None,
    end: str | None,
    namespace: str | None,
    encoding: str,
    prefix: str | None,
    limit: int | None,
    reverse: bool,
    keys_only: bool,
    count: bool,
    as_json: bool,
) -> None:
    """List the pairs of DIR with START <= key < END, in key order, as KEY<TAB>VALUE."""
    codec = ENCODINGS[encoding]
    if prefix is not None and start is not None:
        raise click.UsageError("give either --prefix or START")
    bounds = [None if text is None else codec.decode(text) for text in (start, end, prefix)]
    with opened(directory) as database:
        found = chosen(database, namespace).scan(
            bounds[0],
            bounds[1],
            prefix=bounds[2],
            limit=limit,
            reverse=reverse,
            keys_only=keys_only or count,
        )
        if count:
            click.echo(sum(1 for _ in found))
            return
        write = sys.stdout.write
        for item in found:
            pair = (item,) if keys_only else item
            fields = dict(zip(("key", "value"), map(codec.encode, pair), strict=False))
            write(json.dumps(fields, ensure_ascii=False) if as_json else "\t".join(fields.values()))
            write("\n")
        sys.stdout.flush()
