"""``aidb namespaces``: the namespaces of a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aidb.cli.opening import chosen, directory_argument, json_option, opened
from aidb.cli.output import print_json, print_table


@click.group("namespaces")
def namespaces_command() -> None:
    """List, create and drop namespaces."""


@namespaces_command.command("list")
@directory_argument
@json_option
def list_command(directory: Path, as_json: bool) -> None:
    """List the namespaces of DIR with their number of keys."""
    with opened(directory) as database:
        found = [(name, len(chosen(database, name))) for name in database.namespaces()]
    if as_json:
        print_json([{"name": name, "keys": keys} for name, keys in found])
    else:
        print_table(["namespace", "keys"], [[name, str(keys)] for name, keys in found])


@namespaces_command.command("create")
@directory_argument
@click.argument("name")
@click.option(
    "--ttl", type=click.FloatRange(min=0, min_open=True), help="Seconds its keys live unless told."
)
@click.option("--compression", type=click.Choice(["none", "lz4", "snappy", "zstd"]))
def create_command(directory: Path, name: str, ttl: float | None, compression: Any) -> None:
    """Create the namespace NAME in DIR, creating the database if need be."""
    with opened(directory, create=True) as database:
        database.namespace(name, ttl=ttl, compression=compression)


@namespaces_command.command("drop")
@directory_argument
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop_command(directory: Path, name: str, yes: bool) -> None:
    """Drop the namespace NAME of DIR with every key in it."""
    with opened(directory) as database:
        keys = len(chosen(database, name))
        if not yes:
            click.confirm(f"drop namespace {name!r} with {keys} keys?", abort=True, err=True)
        database.drop_namespace(name)
