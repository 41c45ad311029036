"""``aidb dump``: pairs of a database into files, the inverse of ``aidb load``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from aidb.cli.formats import FORMATS, Layout, guess_format, open_writer, tree
from aidb.cli.opening import (
    chosen,
    directory_argument,
    encoding_option,
    namespace_option,
    opened,
)
from aidb.cli.output import meter, note
from aidb.cli.text import ENCODINGS
from aidb.errors import InvalidError

STDOUT = Path("-")
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
    force: bool,
    **layout_options: Any,
) -> None:
    """Write the pairs of DIR to TARGET (a file, a directory for a tree, or - for stdout).

    `aidb load` with the same options reads them back byte for byte. Pairs that the format and
    encoding cannot keep are refused; hex and base64 keep everything. Expiry times are not written.
    """
    layout = Layout(encoding=ENCODINGS[encoding], **layout_options)
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
            pairs = _stripped(view.scan(prefix=start), len(start or b"") if strip_prefix else 0)
            total = len(source) if start is None else None
            with meter(f"dumping {directory}", total, unit="pairs") as shown:
                written = _write(shown_pairs(pairs, shown), name, target, layout, force)
    note(f"dumped {written} pairs")


def shown_pairs(pairs: Iterable[tuple[bytes, bytes]], shown: Any) -> Iterator[tuple[bytes, bytes]]:
    """``pairs``, counted on the progress bar."""
    for pair in pairs:
        yield pair
        shown.advance()


def _stripped(pairs: Iterable[tuple[bytes, bytes]], count: int) -> Iterable[tuple[bytes, bytes]]:
    return ((key[count:], value) for key, value in pairs) if count else pairs


def _write(
    pairs: Iterable[tuple[bytes, bytes]], name: str, target: Path, layout: Layout, force: bool
) -> int:
    written = 0
    with _writer(name, target, layout, force) as writer:
        for key, value in pairs:
            writer.write(key, value)
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
