"""``aidb compact``, ``checkpoint``, ``check`` and ``repair``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from aidb import maintenance
from aidb.cli.app import EXIT_DAMAGED
from aidb.cli.opening import directory_argument, json_option, opened
from aidb.cli.output import meter, note, print_json, print_table, size_text
from aidb.errors import InvalidError

_POLL_S = 0.1


@click.command("compact")
@directory_argument
@json_option
def compact_command(directory: Path, as_json: bool) -> None:
    """Rewrite the tables of DIR until deleted, expired and overwritten records are gone."""
    with opened(directory) as database:
        before = dict(database.stats())
        total = sum(row["bytes"] for row in before["levels"]) + before["memtable_bytes"]

        def rewritten() -> int:
            now = database.stats()
            return int(now["compaction_bytes_read"] - before["compaction_bytes_read"])

        _watched("compacting", total, database.compact, rewritten)
        after = dict(database.stats())
    if as_json:
        print_json({"bytes_before": before["disk_bytes"], "bytes_after": after["disk_bytes"]})
    else:
        click.echo(
            f"{size_text(before['disk_bytes'])} before, {size_text(after['disk_bytes'])} after"
        )


def _watched(title: str, total: int, work: Callable[[], object], done: Callable[[], int]) -> None:
    """Run ``work`` on a thread and show ``done()`` of ``total`` bytes meanwhile."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 -- handed to the thread that waits
            failures.append(error)

    worker = threading.Thread(target=run)
    worker.start()
    with meter(title, total) as shown:
        while worker.is_alive():
            worker.join(_POLL_S)
            shown.set(min(done(), total))
    if failures:
        raise failures[0]


@click.command("checkpoint")
@directory_argument
@click.argument("target", type=click.Path(path_type=Path))
def checkpoint_command(directory: Path, target: Path) -> None:
    """Make a consistent copy of DIR in TARGET, a new directory, by hard links."""
    if target.exists():
        raise InvalidError(f"{target} exists; choose a new directory")
    with opened(directory) as database:
        database.checkpoint(str(target))
    click.echo(f"checkpoint of {directory} in {target}")


@click.command("check")
@directory_argument
@json_option
def check_command(directory: Path, as_json: bool) -> int:
    """Verify every checksum, order and reference in the files of DIR.

    Nothing is changed and the database need not be able to open. Exit status 4 if something is
    damaged.
    """
    files = maintenance.files(directory)
    rows: list[dict[str, Any]] = []
    with meter("checking", sum(file.bytes for file in files)) as shown:
        for file in files:
            problems = maintenance.check_file(directory, file.path)
            rows.append(
                {"file": file.name, "kind": file.kind, "bytes": file.bytes, "problems": problems}
            )
            shown.advance(file.bytes)
    problems = maintenance.check_references(directory)
    damaged = [row for row in rows if row["problems"]]
    if as_json:
        print_json({"files": rows, "references": problems, "damaged": bool(damaged or problems)})
    else:
        _show_check(directory, rows, damaged, problems)
    return EXIT_DAMAGED if damaged or problems else 0


def _show_check(
    directory: Path,
    rows: list[dict[str, Any]],
    damaged: list[dict[str, Any]],
    problems: list[str],
) -> None:
    if damaged:
        print_table(
            ["file", "problem"],
            [[row["file"], problem] for row in damaged for problem in row["problems"]],
        )
    for problem in problems:
        click.echo(problem)
    total = size_text(sum(row["bytes"] for row in rows))
    if damaged or problems:
        note(
            f"{len(damaged)} of {len(rows)} files ({total}) are damaged; keep a copy of "
            f"{directory}, then restore from a backup or run `aidb repair`"
        )
    else:
        click.echo(f"{len(rows)} files, {total}: no damage")


@click.command("repair")
@directory_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def repair_command(directory: Path, yes: bool, as_json: bool) -> int:
    """Rebuild the manifest of DIR from its tables, salvage its log and set damaged files aside.

    Prints exactly what could not be saved; exit status 4 if there was something. Damaged files are
    moved to DIR/lost, never removed.
    """
    if not yes:
        click.confirm(
            f"rebuild the manifest of {directory} (make a copy of the directory first)?",
            abort=True,
            err=True,
        )
    report = maintenance.repair(directory)
    if as_json:
        print_json(report)
        return EXIT_DAMAGED if report["lost"] else 0
    click.echo(
        f"{report['tables']} tables with {report['entries']} entries and {report['batches']} "
        "batches of the log are saved"
    )
    if not report["lost"]:
        click.echo("nothing is lost")
        return 0
    print_table(["file", "lost"], [[row["file"], row["what"]] for row in report["lost"]])
    return EXIT_DAMAGED
