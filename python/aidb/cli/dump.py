"""``aidb dump``: pairs of a database into files, the inverse of ``aidb load``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import click

from aidb.cli.formats import FORMATS, Layout, guess_format, open_writer, tree
from aidb.cli.opening import (
    chosen,
    directory_argument,
    encoding_option,
    expiry_option,
    namespace_option,
    no_expiry_option,
    opened,
)
from aidb.cli.output import meter, note
from aidb.cli.text import ENCODINGS
from aidb.errors import InvalidError

STDOUT = Path("-")
Item: TypeAlias = tuple[bytes, bytes, float | None]
"""Key, value and expiry time."""
_STREAM_BUFFER_BYTES = 1 << 20


@click.command("dump")
@directory_argument
@click.argument("target", type=click.Path(path_type=Path, allow_dash=True), default=STDOUT)
@click.option(
    "--format", "format_name", type=click.Choice(FORMATS), help="Default: by suffix; stdout: jsonl."
)
@click.option(
    "--key", "key_field", metavar="NAME", help="Column or field of the key. Default: key."
)
@click.option(
    "--value", "value_field", metavar="NAME", help="Column or field of the value. Default: value."
)
@expiry_option
@no_expiry_option
@click.option("--separator", default="\t", help="Between key and value of a line. Default: TAB.")
@click.option("--delimiter", default=",", help="Between CSV columns.", show_default=True)
@encoding_option
@click.option("--prefix", help="Only keys that start with this.")
@click.option("--strip-prefix", is_flag=True, help="Leave the prefix out of the keys written.")
@namespace_option
@click.option("--force", is_flag=True, help="Replace TARGET if it is a file.")
def dump_command(
    *,
    directory: Path,
    target: Path,
    format_name: str | None,
    encoding: str,
    prefix: str | None,
    strip_prefix: bool,
    namespace: str | None,
    without_expiry: bool,
    force: bool,
    **layout_options: Any,
) -> None:
    """Write the pairs of DIR to TARGET (a file, a directory for a tree, or - for stdout).

    `aidb load` with the same options reads them back byte for byte, with their expiry times. Pairs
    that the format and encoding cannot keep are refused; hex and base64 keep everything. Lines and
    trees have no place for an expiry time.
    """
    layout = Layout(encoding=ENCODINGS[encoding], with_expiry=not without_expiry, **layout_options)
    name = format_name or ("jsonl" if target == STDOUT else guess_format(target))
    if name == "tree" and target == STDOUT:
        raise click.UsageError("a tree needs a target directory")
    start = None if prefix is None else layout.encoding.decode(prefix)
    with opened(directory) as database:
        source = chosen(database, namespace)
        with (
            source.snapshot()
            if hasattr(source, "snapshot")
            else contextlib.nullcontext(source) as view
        ):
            stripped = len(start or b"") if strip_prefix else 0
            items = _stripped(_items(view, start, layout), stripped)
            total = len(source) if start is None else None
            with meter(f"dumping {directory}", total, unit="pairs") as shown:
                written = _write(_counted(items, shown), name, target, layout, force)
    note(f"dumped {written} pairs")


def _items(view: Any, prefix: bytes | None, layout: Layout) -> Iterable[Item]:
    if layout.with_expiry:
        found: Iterable[Item] = view.scan(prefix=prefix, with_expiry=True)
        return found
    return ((key, value, None) for key, value in view.scan(prefix=prefix))


def _counted(items: Iterable[Item], shown: Any) -> Iterator[Item]:
    """``items``, counted on the progress bar."""
    for item in items:
        yield item
        shown.advance()


def _stripped(items: Iterable[Item], count: int) -> Iterable[Item]:
    return ((key[count:], value, expiry) for key, value, expiry in items) if count else items


def _write(items: Iterable[Item], name: str, target: Path, layout: Layout, force: bool) -> int:
    written = 0
    with _writer(name, target, layout, force) as writer:
        for item in items:
            writer.write(*item)
            written += 1
    return written


@contextmanager
def _writer(name: str, target: Path, layout: Layout, force: bool) -> Generator[Any]:
    """A writer whose file appears under its name only when it is complete."""
    if name == "tree":
        yield tree.Writer(target, layout)
        return
    if target == STDOUT:
        writer = open_writer(name, sys.stdout.buffer, layout)
        yield writer
        writer.close()
        sys.stdout.buffer.flush()
        return
    if target.exists() and not force:
        raise InvalidError(f"{target} exists; choose another target or --force")
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        with unfinished.open("wb", buffering=_STREAM_BUFFER_BYTES) as stream:
            writer = open_writer(name, stream, layout)
            yield writer
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(target)
    except OSError as error:
        raise InvalidError(
            f"cannot write {target}: {error.strerror}; check path and space"
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)
