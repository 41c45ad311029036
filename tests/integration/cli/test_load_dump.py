"""load and dump: inverse of each other, clear about bad input."""

from pathlib import Path

import pytest

import aidb

from .conftest import CommandLine

BINARY = {bytes([byte, 0, 10, 9, 255]): bytes(range(byte, 256)) for byte in range(0, 256, 17)}
TEXT = {"ant": "1", "bee": "", "cät": "drei", "quote": 'a "b", c', "lines": "x\ny", "tab": "a\tb"}


def fill(path: Path, pairs: dict[bytes, bytes]) -> None:
    with aidb.open(path) as db:
        db.put_many(pairs)


def content(path: Path) -> dict[bytes, bytes]:
    with aidb.open(path) as db:
        return dict(db.scan())


@pytest.mark.parametrize("encoding", ["escape", "hex", "base64"])
@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl"])
def test_any_bytes_survive_dump_and_load(
    run: CommandLine, path: Path, tmp_path: Path, suffix: str, encoding: str
) -> None:
    fill(path, BINARY)
    target, copy = tmp_path / f"dump.{suffix}", tmp_path / "copy"
    assert f"dumped {len(BINARY)} pairs" in run("dump", path, target, "--encoding", encoding).err
    loaded = run("load", copy, target, "--encoding", encoding, "--json").json
    assert loaded["pairs"] == len(BINARY)
    assert content(copy) == BINARY


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_text_survives_dump_and_load(
    run: CommandLine, path: Path, tmp_path: Path, suffix: str
) -> None:
    fill(path, {key.encode(): value.encode() for key, value in TEXT.items()})
    target = tmp_path / f"dump.{suffix}"
    run("dump", path, target)
    run("load", tmp_path / "copy", target)
    assert content(tmp_path / "copy") == content(path)


def test_standard_streams_work_both_ways(run: CommandLine, path: Path, tmp_path: Path) -> None:
    fill(path, BINARY)
    dumped = run("dump", path, "--encoding", "hex").out
    run("load", tmp_path / "copy", "-", "--format", "jsonl", "--encoding", "hex", stdin=dumped)
    assert content(tmp_path / "copy") == BINARY


def test_a_tree_survives_load_and_dump(run: CommandLine, path: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "b" / "binary").write_bytes(bytes(range(256)))
    (source / "a" / "empty").touch()
    (source / "ümlaut.txt").write_text("text")
    (source / "link").symlink_to(source / "a")
    run("load", path, source)
    assert set(content(path)) == {b"a/b/binary", b"a/empty", "ümlaut.txt".encode()}
    run("dump", path, tmp_path / "target", "--format", "tree")
    assert (tmp_path / "target" / "a" / "b" / "binary").read_bytes() == bytes(range(256))
    assert (tmp_path / "target" / "a" / "empty").read_bytes() == b""


def test_prefix_and_namespace_are_added_and_taken_away(
    run: CommandLine, path: Path, tmp_path: Path
) -> None:
    where = ["--prefix", "w:", "--namespace", "words"]
    run("load", path, "-", *where, stdin=b"ant\nbee\n")
    with aidb.open(path) as db:
        assert list(db.namespace("words").scan(keys_only=True)) == [b"w:ant", b"w:bee"]
        db.namespace("words")[b"other"] = b""
    dumped = run("dump", path, "--format", "lines", *where, "--strip-prefix")
    assert dumped.text == "ant\nbee\n"


def test_columns_are_chosen_by_name(run: CommandLine, path: Path, tmp_path: Path) -> None:
    source = tmp_path / "people.csv"
    source.write_text("id;name;city\n7;Ada;London\n8;Grace;New York\n")
    run("load", path, source, "--key", "id", "--value", "city", "--delimiter", ";")
    assert content(path) == {b"7": b"London", b"8": b"New York"}


@pytest.mark.parametrize(
    ("suffix", "text", "complaint"),
    [
        ("csv", "id,name\n1,Ada\n", "line 1: no column 'key'; the columns are id, name"),
        ("csv", "key,value\na,1\nb\n", "line 3: 1 columns instead of 2 (the 1 pairs before it"),
        ("jsonl", '{"key":"a","value":"1"}\n{"key"\n', "line 2: bad JSON"),
        ("jsonl", '{"key":"a","value":"1"}\n[]\n', "line 2: not a JSON object"),
    ],
)
def test_bad_input_is_named_and_what_came_before_is_kept(
    run: CommandLine, path: Path, tmp_path: Path, suffix: str, text: str, complaint: str
) -> None:
    source = tmp_path / f"bad.{suffix}"
    source.write_text(text)
    assert complaint in run("load", path, source, status=3).err
    kept = {b"a": b"1"} if "line 1:" not in complaint else {}
    assert content(path) == kept


def test_bad_input_can_be_skipped_and_is_counted(run: CommandLine, path: Path) -> None:
    source = b'{"key":"a","value":"1"}\nnonsense\n{"key":"b","value":"2"}\n'
    ran = run(
        "load", path, "-", "--format", "jsonl", "--skip-bad", "--json", stdin=source, status=3
    )
    assert (ran.json["pairs"], ran.json["skipped"]) == (2, 1)
    assert "skipped: stdin line 2: bad JSON" in ran.err
    assert content(path) == {b"a": b"1", b"b": b"2"}


def test_a_dry_run_checks_everything_and_writes_nothing(run: CommandLine, path: Path) -> None:
    assert run("load", path, "-", "--dry-run", stdin=b"a\nb\n").text.startswith("checked 2 pairs")
    assert not path.exists()
    bad = run("load", path, "-", "--format", "jsonl", "--dry-run", stdin=b"{\n", status=3)
    assert "stdin line 1" in bad.err


def test_a_source_that_is_not_there_makes_no_database(
    run: CommandLine, path: Path, tmp_path: Path
) -> None:
    assert "does not exist" in run("load", path, tmp_path / "nope.csv", status=3).err
    (tmp_path / "data.bin").touch()
    assert "say --format" in run("load", path, tmp_path / "data.bin", status=3).err
    assert "is a directory" in run("load", path, tmp_path, "--format", "csv", status=3).err
    assert not path.exists()


def test_an_empty_source_loads_nothing(run: CommandLine, path: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    assert run("load", path, tmp_path / "empty.txt", "--json").json["pairs"] == 0


def test_a_value_larger_than_a_batch_is_loaded(
    run: CommandLine, path: Path, tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "large").write_bytes(b"x" * (9 << 20))
    run("load", path, tmp_path / "tree")
    assert content(path) == {b"large": b"x" * (9 << 20)}


def test_a_failed_dump_leaves_no_file(run: CommandLine, path: Path, tmp_path: Path) -> None:
    fill(path, {b"\xff": b""})
    target = tmp_path / "dump.csv"
    assert "not UTF-8" in run("dump", path, target, status=3).err
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_replaced_only_by_force(
    run: CommandLine, path: Path, tmp_path: Path
) -> None:
    fill(path, {b"a": b"1"})
    target = tmp_path / "dump.txt"
    target.write_text("mine")
    assert "--force" in run("dump", path, target, status=3).err
    assert target.read_text() == "mine"
    run("dump", path, target, "--force")
    assert target.read_text() == "a\t1\n"


def test_strings_for_redis_go_into_the_redis_data_model(run: CommandLine, path: Path) -> None:
    run("load", path, "-", "--redis", "3", stdin=b"k\tv\n")
    names = {row["name"]: row["keys"] for row in run("namespaces", "list", path, "--json").json}
    assert names["redis:3"] == 1
    assert names["redis:0"] == names["default"] == 0
    run("load", path, "-", "--redis", "3", "--namespace", "x", status=2)
    too_long = b"x" * 32_001 + b"\tv\n"
    assert (
        "limit of 32000 bytes"
        in run("load", path, "-", "--redis", "0", stdin=too_long, status=3).err
    )


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_expiry_times_survive_dump_and_load(
    run: CommandLine, path: Path, tmp_path: Path, suffix: str
) -> None:
    with aidb.open(path) as db:
        db.put(b"soon", b"1", expires_at=4_000_000_000.125)
        db.put(b"never", b"2")
        expected = list(db.scan(with_expiry=True))
    target, copy = tmp_path / f"dump.{suffix}", tmp_path / "copy"
    run("dump", path, target)
    run("load", copy, target)
    with aidb.open(copy) as db:
        assert list(db.scan(with_expiry=True)) == expected
    run("load", copy, target, "--no-expiry")
    with aidb.open(copy) as db:
        assert db.expiry(b"soon") == (True, None)


def test_a_word_list_cannot_keep_expiry_times(run: CommandLine, path: Path, tmp_path: Path) -> None:
    with aidb.open(path) as db:
        db.put(b"soon", b"", ttl=1000)
    target = tmp_path / "words.txt"
    assert "key soon expires" in run("dump", path, target, status=3).err
    assert not target.exists()
    run("dump", path, target, "--no-expiry")
    assert target.read_text() == "soon\n"


def test_strings_of_the_redis_data_model_are_loaded_with_their_expiry(
    run: CommandLine, path: Path
) -> None:
    source = b'{"key":"a","value":"1","expires_at":4000000000}\n'
    run("load", path, "-", "--format", "jsonl", "--redis", stdin=source)
    with aidb.open(path) as db:
        names = [name for name in db.namespaces() if len(db.namespace(name)) == 1]
        expiries = [at for name in names for _, _, at in db.namespace(name).scan(with_expiry=True)]
    assert 4_000_000_000.0 in expiries
