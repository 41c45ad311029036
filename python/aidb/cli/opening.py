"""Opening the database a command works on, and the options for it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import aidb
from aidb.cli.text import ENCODINGS
from aidb.errors import InvalidError

if TYPE_CHECKING:
    from aidb.database import Database

_Command = TypeVar("_Command", bound=Callable[..., Any])

directory_argument = click.argument(
    "directory", metavar="DIR", type=click.Path(path_type=Path, file_okay=False)
)
namespace_option = click.option(
    "--namespace", "-n", metavar="NAME", help="Namespace to work in; default: the default one."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
encoding_option = click.option(
    "--encoding",
    type=click.Choice(list(ENCODINGS)),
    default="text",
    show_default=True,
    help="How keys and values are written as text.",
)

expiry_option = click.option(
    "--expiry",
    "expiry_field",
    metavar="NAME",
    help="Column or field of the expiry time, in seconds since 1970. Default: expires_at.",
)
no_expiry_option = click.option(
    "--no-expiry", "without_expiry", is_flag=True, help="Leave expiry times out."
)


def options(*decorators: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Several click decorators as one, in reading order."""

    def decorate(command: _Command) -> _Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


@contextmanager
def opened(directory: Path, *, create: bool = False, **settings: Any) -> Generator[Database]:
    """The database in ``directory``, closed at the end; only ``create`` makes a new one."""
    if not create and not is_database(directory):
        raise InvalidError(
            f"{directory} holds no database; check the path, or create one with `aidb put` "
            "or `aidb load`"
        )
    with aidb.open(str(directory), **settings) as database:
        yield database


def is_database(directory: Path) -> bool:
    """Whether ``directory`` holds a database."""
    return (directory / "CURRENT").exists()


def chosen(database: Database, namespace: str | None, *, create: bool = False) -> Any:
    """The namespace called ``namespace``, or the database itself."""
    if namespace is None:
        return database
    names = database.namespaces()
    if namespace not in names and not create:
        raise InvalidError(
            f"{database.path} has no namespace {namespace!r}; it has {', '.join(sorted(names))}"
        )
    return database.namespace(namespace)
