"""Real clients of other languages: each runs its scenario and prints ``ok``.

``make clients`` runs them; they need Node, Go and Java with Maven, and the registries of these
languages for the first run.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from aidb.testing import Server, aidb_redis, aidb_server, aidb_server_settings

HERE = Path(__file__).parent
__all__ = ["aidb_redis", "aidb_server", "aidb_server_settings"]

pytestmark = pytest.mark.timeout(600)


def run(*command: str, directory: Path, environment: dict[str, str] | None = None) -> str:
    """What a command prints on standard output."""
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def node_modules() -> None:
    run("npm", "install", "--no-package-lock", directory=HERE / "node")


@pytest.mark.parametrize("program", ["node_redis.mjs", "ioredis.mjs"])
def test_node(aidb_server: Server, node_modules: None, program: str) -> None:
    assert run("node", program, aidb_server.url, directory=HERE / "node").endswith("ok\n")


def test_go_redis(aidb_server: Server, tmp_path: Path) -> None:
    program = str(tmp_path / "program")
    run("go", "build", "-mod=mod", "-o", program, ".", directory=HERE / "go")
    assert run(program, aidb_server.url, directory=HERE / "go").endswith("ok\n")


def test_jedis(aidb_server: Server) -> None:
    java = HERE / "java"
    classpath = "target/classpath.txt"
    build = ("compile", "dependency:build-classpath", f"-Dmdep.outputFile={classpath}")
    run("mvn", "-q", "-B", *build, directory=java)
    libraries = (java / classpath).read_text()
    place = (aidb_server.host, str(aidb_server.port))
    command = ("java", "-cp", f"target/classes:{libraries}", "Jedis5", *place)
    assert run(*command, directory=java).endswith("ok\n")
