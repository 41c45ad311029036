"""Keys and values survive the way to text and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aidb.cli.text import ENCODINGS, shown
from aidb.errors import InvalidError


@pytest.mark.parametrize("name", ["escape", "hex", "base64"])
@given(data=st.binary())
def test_any_bytes_survive(name: str, data: bytes) -> None:
    encoding = ENCODINGS[name]
    assert encoding.decode(encoding.encode(data)) == data


@given(text=st.text(st.characters(codec="utf-8")))
def test_text_survives_as_it_is(text: str) -> None:
    encoding = ENCODINGS["text"]
    assert encoding.encode(encoding.decode(text)) == text


def test_text_refuses_bytes_that_are_not_utf8() -> None:
    with pytest.raises(InvalidError, match="escape, hex or base64"):
        ENCODINGS["text"].encode(b"\xff")


@pytest.mark.parametrize("text", ["\\", "\\q", "\\x1", "\\xzz", "ok\\"])
def test_a_bad_escape_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InvalidError, match="bad escape at character"):
        ENCODINGS["escape"].decode(text)


@pytest.mark.parametrize(
    ("name", "text"), [("hex", "abc"), ("hex", "zz"), ("base64", "a"), ("base64", "%%%%")]
)
def test_bad_digits_are_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidError, match=repr(text)):
        ENCODINGS[name].decode(text)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InvalidError, match="surrogate"):
        ENCODINGS["text"].decode("\ud800")


def test_shown_cuts_long_data() -> None:
    assert shown(b"a" * 100, limit=10) == "a" * 9 + "…"
    assert shown(b"\x00\n") == "\\x00\\n"
