"""``aidb inspect``: what the files of a database say, without opening it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import click

from aidb import maintenance
from aidb.cli.app import EXIT_DAMAGED
from aidb.cli.opening import json_option
from aidb.cli.output import note, print_facts, print_json, print_table, size_text
from aidb.cli.text import shown

Value: TypeAlias = "int | str | bytes | list[Value] | dict[str, Value] | None"
"""What a report holds."""

_ROWS_DEFAULT = 50


@click.command("inspect")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--rows",
    "rows_max",
    type=click.IntRange(min=0),
    default=_ROWS_DEFAULT,
    show_default=True,
    help="Most records, edits or blocks to print per file.",
)
@json_option
def inspect_command(path: Path, rows_max: int, as_json: bool) -> int:
    """Print what PATH says: a log, table, manifest or blob file, or all files of a directory.

    Damage is printed where it is found; what can be read before it is printed too.
    """
    if path.is_dir():
        return _inspect_directory(path, as_json)
    report = maintenance.inspect(path, rows_max)
    if as_json:
        print_json(_plain(report))
    else:
        _show(report, str(path))
    return EXIT_DAMAGED if report["problems"] else 0


def _inspect_directory(directory: Path, as_json: bool) -> int:
    reports = [(file, maintenance.inspect(file.path, 0)) for file in maintenance.files(directory)]
    if as_json:
        print_json(
            [{"file": file.name, "bytes": file.bytes} | _plain(report) for file, report in reports]
        )
    else:
        print_table(
            ["file", "kind", "bytes", "summary"],
            [
                [file.name, report["kind"], size_text(file.bytes), report["summary"]]
                for file, report in reports
            ],
        )
        for file, report in reports:
            for problem in report["problems"]:
                note(f"{file.name}: {problem}")
    return EXIT_DAMAGED if any(report["problems"] for _, report in reports) else 0


def _show(report: dict[str, Any], title: str) -> None:
    print_facts(
        [(name.replace("_", " "), _cell(value)) for name, value in report["facts"].items()],
        title=f"{report['kind']} {title}",
    )
    for name, rows in report["sections"].items():
        if rows:
            click.echo()
            header = list(dict.fromkeys(column for row in rows for column in row))
            print_table(
                [column.replace("_", " ") for column in header],
                [[_cell(row.get(column)) for column in header] for row in rows],
                title=name.replace("_", " "),
            )
    if report["more"]:
        click.echo(f"… and {report['more']} more (--rows)")
    for problem in report["problems"]:
        note(f"damage: {problem}")


def _cell(value: Value) -> str:
    match value:
        case None:
            return "-"
        case bytes():
            return shown(value)
        case list():
            return ", ".join(map(_cell, value))
        case _:
            return str(value)


def _plain(value: Value) -> Any:
    """``value`` with bytes as escaped text, ready for JSON."""
    match value:
        case bytes():
            return shown(value, limit=1 << 30)
        case dict():
            return {name: _plain(it) for name, it in value.items()}
        case list():
            return [_plain(it) for it in value]
        case _:
            return value
