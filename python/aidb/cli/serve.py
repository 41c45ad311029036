"""``aidb serve``: a database directory for Redis clients."""

from __future__ import annotations

import os
from pathlib import Path

import click

from aidb.cli.output import print_table
from aidb.config import LoadedSettings, load_settings
from aidb.server.node import run_server


@click.command("serve")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 = any free one.  [default: 6379]")
@click.option(
    "--appendfsync",
    type=click.Choice(["always", "everysec", "no"]),
    help="When an acknowledged write is on the disk.  [default: everysec]",
)
@click.option("--memory", metavar="SIZE", help="Memory for caches and memtables.  [default: 1GB]")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option("--show-config", is_flag=True, help="Print every setting and its origin, then exit.")
def serve_command(
    *,
    directory: Path | None,
    host: str | None,
    port: int | None,
    appendfsync: str | None,
    memory: str | None,
    config: Path | None,
    show_config: bool,
) -> None:
    """Serve the database in DIR (default: ./data) to Redis clients; create it when missing.

    Settings come from a TOML file, then the environment (AIDB_SERVER_PORT=7000), then flags.
    """
    flags = {
        "storage.directory": directory,
        "storage.appendfsync": appendfsync,
        "storage.memory_bytes": memory,
        "server.host": host,
        "server.port": port,
    }
    loaded = load_settings(file=config, environment=os.environ, flags=flags)
    if show_config:
        _show(loaded)
        return
    run_server(loaded.settings, click.echo)


def _show(loaded: LoadedSettings) -> None:
    rows = [(name, str(value), origin) for name, value, origin in loaded.describe()]
    print_table(("setting", "value", "origin"), rows)
