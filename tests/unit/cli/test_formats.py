"""What a writer writes, the reader of the same format and encoding reads back byte for byte."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidb.cli.formats import (
    BadInputError,
    Layout,
    Record,
    guess_format,
    open_reader,
    open_writer,
    tree,
)
from aidb.cli.text import ENCODINGS
from aidb.errors import InvalidError

PAIRS = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=50)), max_size=10)


def written(name: str, pairs: list[tuple[bytes, bytes]], layout: Layout) -> bytes:
    target = io.BytesIO()
    writer = open_writer(name, target, layout)
    for key, value in pairs:
        writer.write(key, value)
    writer.close()
    return target.getvalue()


def read(name: str, data: bytes, layout: Layout) -> list[tuple[bytes, bytes]]:
    records = list(open_reader(name, io.BytesIO(data), "source", layout))
    bad = [record for record in records if isinstance(record, BadInputError)]
    assert not bad, bad
    return [(record.key, record.value) for record in records if isinstance(record, Record)]


def complaints(name: str, data: bytes, layout: Layout | None = None) -> list[str]:
    records = open_reader(name, io.BytesIO(data), "source", layout or Layout())
    return [str(record) for record in records if isinstance(record, BadInputError)]


@pytest.mark.parametrize("encoding", ["escape", "hex", "base64"])
@pytest.mark.parametrize("name", ["lines", "csv", "jsonl"])
@given(pairs=PAIRS)
def test_any_bytes_survive(name: str, encoding: str, pairs: list[tuple[bytes, bytes]]) -> None:
    layout = Layout(encoding=ENCODINGS[encoding])
    assert read(name, written(name, pairs, layout), layout) == pairs


@pytest.mark.parametrize("name", ["lines", "csv", "jsonl"])
@given(pairs=PAIRS)
def test_text_survives_or_is_refused(name: str, pairs: list[tuple[bytes, bytes]]) -> None:
    try:
        data = written(name, pairs, Layout())
    except InvalidError:
        return
    assert read(name, data, Layout()) == pairs


def test_named_columns_and_delimiters_survive() -> None:
    layout = Layout(key_field="id", value_field="name", delimiter=";")
    pairs = [(b"1", b'a;"b"'), (b"2", "ü\r\n".encode())]
    data = written("csv", pairs, layout)
    assert data.startswith(b"id;name;expires_at\r\n")
    assert read("csv", data, layout) == pairs


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_expiry_times_survive_to_the_millisecond(name: str) -> None:
    layout = Layout()
    target = io.BytesIO()
    writer = open_writer(name, target, layout)
    times = [None, 0.001, 1_700_000_000.0, 1_700_000_000.123, 999_999_999_999.0]
    for number, expires_at in enumerate(times):
        writer.write(b"%d" % number, b"", expires_at)
    writer.close()
    records = open_reader(name, io.BytesIO(target.getvalue()), "source", layout)
    assert [record.expires_at for record in records if isinstance(record, Record)] == times


def test_a_format_without_a_place_for_expiry_refuses_it(tmp_path: Path) -> None:
    for writer in (open_writer("lines", io.BytesIO(), Layout()), tree.Writer(tmp_path, Layout())):
        with pytest.raises(InvalidError, match="key b expires, which the format"):
            writer.write(b"b", b"", 1.0)


@pytest.mark.parametrize("given", ['"soon"', "0", "-1", "true", "[]", "1e300", "NaN"])
def test_a_bad_expiry_time_is_named(given: str) -> None:
    line = b'{"key":"a","value":"1","expires_at":%s}\n' % given.encode()
    (complaint,) = complaints("jsonl", line)
    assert complaint == (
        "source line 1: expires_at is no time in seconds since 1970 (choose its field with "
        "--expiry, or --no-expiry)"
    )
    assert not complaints("jsonl", line, Layout(with_expiry=False))
    assert not complaints("jsonl", line, Layout(key_field="key"))


def test_the_column_of_expiry_is_chosen_by_name() -> None:
    data = b"id,text,until\n1,a,5.5\n2,b,\n"
    layout = Layout(key_field="id", value_field="text", expiry_field="until")
    records = list(open_reader("csv", io.BytesIO(data), "source", layout))
    assert [record.expires_at for record in records if isinstance(record, Record)] == [5.5, None]
    with pytest.raises(BadInputError, match="no column 'expires'"):
        list(open_reader("csv", io.BytesIO(data), "s", replace(layout, expiry_field="expires")))


def test_a_word_list_is_keys_with_empty_values() -> None:
    assert read("lines", b"ant\r\nbee\n\ncat", Layout()) == [
        (b"ant", b""),
        (b"bee", b""),
        (b"cat", b""),
    ]


def test_bytes_of_a_plain_line_are_kept_as_they_are() -> None:
    assert read("lines", b"\xff\tC:\\temp\n", Layout()) == [(b"\xff", b"C:\\temp")]


def test_a_whole_row_is_the_value_when_only_the_key_is_named() -> None:
    layout = Layout(key_field="id")
    assert read("csv", b"id,name\n7,Ada\n", layout) == [(b"7", b'{"id": "7", "name": "Ada"}')]
    assert read("jsonl", b' {"id": 7,  "name": "Ada"}\n', layout) == [
        (b"7", b'{"id": 7,  "name": "Ada"}')
    ]


def test_values_that_are_no_strings_are_stored_as_json() -> None:
    data = b'{"key": "a", "value": {"x": [1, null]}}\n{"key": "b", "value": 1.5}\n'
    assert read("jsonl", data, Layout()) == [(b"a", b'{"x":[1,null]}'), (b"b", b"1.5")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "bad JSON at column"),
        (b"[1]", "not a JSON object but list"),
        (b'{"value": 1}', "no field 'key'; the fields are value"),
        (b'{"key": 1.5, "value": 1}', "a key must be a string or an integer"),
        (b'{"key": true, "value": 1}', "a key must be a string or an integer"),
        (b'{"key": "\xff", "value": 1}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_line_of_json_is_named_and_reading_goes_on(line: bytes, reason: str) -> None:
    data = b'{"key": "a", "value": ""}\n' + line + b'\n{"key": "b", "value": ""}\n'
    [complaint] = complaints("jsonl", data)
    assert complaint.startswith("source line 2: ")
    assert reason in complaint


def test_a_short_row_is_named() -> None:
    assert complaints("csv", b'key,value\n"a\nb",1\nc\nd,2\n') == [
        "source line 4: 1 columns instead of 2"
    ]


def test_a_wrong_column_is_refused_before_any_row() -> None:
    with pytest.raises(BadInputError, match=r"line 1: no column 'key'; the columns are id, name"):
        list(open_reader("csv", io.BytesIO(b"id,name\n1,Ada\n"), "source", Layout()))


def test_an_empty_csv_is_refused() -> None:
    with pytest.raises(BadInputError, match="the first line must name the columns"):
        list(open_reader("csv", io.BytesIO(b""), "source", Layout()))


def test_an_unclosed_quote_is_refused() -> None:
    with pytest.raises(BadInputError, match="bad CSV"):
        list(open_reader("csv", io.BytesIO(b'key,value\na,"b\n'), "source", Layout()))


def test_a_bad_escape_names_its_line() -> None:
    layout = Layout(encoding=ENCODINGS["escape"])
    [complaint] = complaints("lines", b"a\nb\\q\n", layout)
    assert complaint.startswith("source line 2: bad escape")


def test_a_tree_survives(tmp_path: Path) -> None:
    pairs = [(b"a/b/c.txt", b"\x00\xff"), (b"a/d", b""), ("ü".encode(), b"1")]
    writer = tree.Writer(tmp_path / "out", Layout())
    for key, value in pairs:
        writer.write(key, value)
    records = list(tree.read(tmp_path / "out", Layout()))
    assert sorted((r.key, r.value) for r in records if isinstance(r, Record)) == pairs


@pytest.mark.parametrize("key", [b"", b"/etc/passwd", b"../up", b"a//b", b"a/./b", b"nul\0", b"a/"])
def test_a_key_that_is_no_safe_path_is_refused(tmp_path: Path, key: bytes) -> None:
    writer = tree.Writer(tmp_path / "out", Layout())
    with pytest.raises(InvalidError, match="not a path below the target"):
        writer.write(key, b"")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_key_that_is_file_and_directory_is_refused(tmp_path: Path) -> None:
    writer = tree.Writer(tmp_path / "out", Layout())
    writer.write(b"a", b"")
    with pytest.raises(InvalidError, match="both a file and a directory"):
        writer.write(b"a/b", b"")


def test_a_tree_is_not_written_over_files(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(InvalidError, match="not an empty directory"):
        tree.Writer(tmp_path, Layout())


def test_a_pair_that_a_line_cannot_keep_is_refused() -> None:
    for pair in [(b"a\tb", b""), (b"a", b"x\ny"), (b"a\r", b"")]:
        with pytest.raises(InvalidError, match="choose --encoding escape"):
            written("lines", [pair], Layout())


def test_the_format_is_guessed_by_suffix(tmp_path: Path) -> None:
    assert guess_format(tmp_path) == "tree"
    assert guess_format(Path("a.CSV")) == "csv"
    assert guess_format(Path("a.ndjson")) == "jsonl"
    with pytest.raises(InvalidError, match="say --format"):
        guess_format(Path("a.bin"))
