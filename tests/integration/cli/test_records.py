"""get, put, del, scan and namespaces."""

import json
import subprocess
import sys
from pathlib import Path

import aidb

from .conftest import CommandLine


def test_a_value_is_written_and_read(run: CommandLine, path: Path) -> None:
    run("put", path, "greeting", "hello")
    assert run("get", path, "greeting").out == b"hello\n"
    assert run("get", path, "greeting", "--raw").out == b"hello"
    assert run("get", path, "greeting", "--json").json == {"key": "greeting", "value": "hello"}


def test_an_absent_key_is_status_1_without_output(run: CommandLine, path: Path) -> None:
    run("put", path, "a", "1")
    assert run("get", path, "b", status=1).out == b""
    assert run("get", path, "b", "--json", status=1).json == {"key": "b", "value": None}


def test_an_empty_value_is_not_absent(run: CommandLine, path: Path) -> None:
    run("put", path, "empty", "")
    assert run("get", path, "empty", "--raw").out == b""


def test_bytes_pass_through_files_and_encodings(run: CommandLine, path: Path) -> None:
    run("put", path, "00ff", "--encoding", "hex", "--file", "-", stdin=b"\x00\xff\n")
    assert run("get", path, "00ff", "--encoding", "hex", "--raw").out == b"\x00\xff\n"
    assert run("get", path, r"\x00\xff", "--encoding", "escape").text == "\\x00\\xff\\n\n"
    refused = run("scan", path, status=3)
    assert "choose --encoding escape, hex or base64" in refused.err


def test_a_key_with_time_to_live_expires(run: CommandLine, path: Path) -> None:
    run("put", path, "gone", "1", "--ttl", "0.001")
    run("put", path, "here", "1", "--ttl", "1000")
    assert run("scan", path, "--keys-only").text == "here\n"


def test_deleting_says_how_many_were_there(run: CommandLine, path: Path) -> None:
    for key in ("a", "b", "c"):
        run("put", path, key, "1")
    assert run("del", path, "a", "b", "zzz", "b").text == "deleted 2\n"
    assert run("del", path, "a", "--json", status=1).json == {"deleted": 0}
    assert run("scan", path).text == "c\t1\n"


def test_deleting_a_prefix_asks_first(run: CommandLine, path: Path) -> None:
    run("load", path, "-", stdin=b"".join(b"k%d\n" % number for number in range(30)))
    run("del", path, "--prefix", "k1", stdin=b"n\n", status=2)
    assert run("scan", path, "--count").text == "30\n"
    assert run("del", path, "--prefix", "k1", "--yes").text == "deleted 11\n"
    assert run("scan", path, "--count").text == "19\n"


def test_scans_have_bounds_prefix_limit_and_direction(run: CommandLine, path: Path) -> None:
    run("load", path, "-", stdin=b"a\t1\nab\t2\nb\t3\nc\t4\n")
    assert run("scan", path).text == "a\t1\nab\t2\nb\t3\nc\t4\n"
    assert run("scan", path, "ab", "c").text == "ab\t2\nb\t3\n"
    assert run("scan", path, "--prefix", "a", "--keys-only").text == "a\nab\n"
    assert run("scan", path, "--reverse", "--limit", "2").text == "c\t4\nb\t3\n"
    assert run("scan", path, "--limit", "0").text == ""
    lines = run("scan", path, "--json", "--limit", "1").text.splitlines()
    assert [json.loads(line) for line in lines] == [{"key": "a", "value": "1"}]
    run("scan", path, "a", "--prefix", "a", status=2)


def test_namespaces_are_made_listed_and_dropped(run: CommandLine, path: Path) -> None:
    run("namespaces", "create", path, "events", "--ttl", "60", "--compression", "zstd")
    run("put", path, "k", "v", "--namespace", "users")
    listed = {row["name"]: row["keys"] for row in run("namespaces", "list", path, "--json").json}
    assert listed == {"default": 0, "events": 0, "users": 1}
    assert run("get", path, "k", "-n", "users").text == "v\n"
    assert run("get", path, "k", status=1).out == b""
    run("namespaces", "drop", path, "users", "--yes")
    missing = run("get", path, "k", "-n", "users", status=3)
    assert "has no namespace 'users'; it has default, events" in missing.err


def test_a_directory_without_a_database_is_not_made_one_by_reading(
    run: CommandLine, path: Path
) -> None:
    commands: list[list[str | Path]] = [
        ["get", path, "k"],
        ["scan", path],
        ["stats", path],
        ["del", path, "k"],
    ]
    for command in commands:
        assert "holds no database; check the path" in run(*command, status=3).err
    assert not path.exists()


def test_an_open_database_names_its_holder(run: CommandLine, path: Path) -> None:
    script = (
        "import aidb, sys; db = aidb.open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        assert str(holder.pid) in run("get", path, "k", status=3).err
        holder.communicate()


def test_usage_errors_are_status_2(run: CommandLine, path: Path) -> None:
    for arguments in (
        ["put", path, "k"],
        ["frobnicate"],
        ["get"],
        ["del", path],
        ["get", path, "k", "--nope"],
    ):
        assert run(*arguments, status=2).err


def test_help_and_version_work_as_a_program() -> None:
    aidb_command = [sys.executable, "-c", "import sys; from aidb.cli import main; sys.exit(main())"]
    shown = subprocess.run([*aidb_command, "--help"], capture_output=True, text=True, check=True)
    assert "Serve a database to Redis clients" in shown.stdout
    version = subprocess.run(
        [*aidb_command, "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.strip().endswith(aidb.__version__)


def test_a_reader_that_goes_away_is_no_error(path: Path) -> None:
    with aidb.open(path) as db:
        db.put_many((b"%06d" % number, b"v" * 100) for number in range(5000))
    script = "import sys; from aidb.cli import main; sys.exit(main())"
    scan = subprocess.Popen(
        [sys.executable, "-c", script, "scan", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with scan:
        assert scan.stdout is not None
        assert scan.stderr is not None
        scan.stdout.readline()
        scan.stdout.close()
        assert scan.stderr.read() == b""
    assert scan.returncode == 0
