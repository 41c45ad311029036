"""Entry point: the command table, the options every command has, and errors as exit statuses."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from aidb.errors import Error

EXIT_ABSENT = 1
EXIT_USAGE = 2
EXIT_FAILED = 3
EXIT_DAMAGED = 4

COMMANDS = {
    "get": ("aidb.cli.records", "Print the value of a key."),
    "put": ("aidb.cli.records", "Write a key."),
    "del": ("aidb.cli.records", "Delete keys."),
    "scan": ("aidb.cli.records", "List pairs in key order."),
    "namespaces": ("aidb.cli.namespaces", "List, create and drop namespaces."),
    "load": ("aidb.cli.load", "Load lines, CSV, JSON Lines or a directory tree."),
    "dump": ("aidb.cli.dump", "Write a database out again; the inverse of load."),
    "import": ("aidb.cli.importing", "Import an RDB file, or a running Redis."),
    "export": ("aidb.cli.importing", "Export the Redis data as an RDB file."),
    "stats": ("aidb.cli.stats", "Show sizes, levels, cache, amplification and stalls."),
    "compact": ("aidb.cli.upkeep", "Rewrite tables until nothing is wasted."),
    "checkpoint": ("aidb.cli.upkeep", "Make a consistent copy that shares files."),
    "check": ("aidb.cli.upkeep", "Verify every checksum of every file."),
    "repair": ("aidb.cli.upkeep", "Rebuild a lost manifest from the tables."),
    "inspect": ("aidb.cli.inspection", "Print what a file of a database says."),
    "serve": ("aidb.cli.serve", "Serve a database to Redis clients."),
}
"""Command name -> module that defines ``<name>_command``, and its line in the help."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table, which goes from daily use to upkeep."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of ``cmd_name``."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that has gone (`aidb scan DIR | head`) is no failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Nothing more can be said to it, not even by the interpreter's flush at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command list without importing a single command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aidb", prog_name="aidb")
def root() -> None:
    """Work on an aidb database directory.

    Exit status: 0 done, 1 key absent, 2 wrong usage, 3 failed, 4 damage found.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status; errors go to standard error in one line."""
    try:
        outcome: Any = root.main(arguments, prog_name="aidb", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("aborted", err=True)
        return EXIT_USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Error as error:
        click.echo(f"error: {error}", err=True)
        return EXIT_FAILED
    return outcome if isinstance(outcome, int) else 0
