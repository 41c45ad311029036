from datetime import timedelta

import pytest

from aidb.errors import InvalidError
from aidb.units import format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("64kb", 64 * 1024),
        ("64 KiB", 64 * 1024),
        ("64MB", 64 << 20),
        ("1.5G", 3 << 29),
        ("2TB", 2 << 40),
    ],
)
def test_sizes_read_as_people_write_them(text: int | str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "64 XB", "-1", "1e3", -1, "6 4MB"])
def test_nonsense_is_no_size(text: int | str) -> None:
    with pytest.raises(InvalidError):
        parse_size(text)


@pytest.mark.parametrize("value", [1.5, None, True, b"64MB"])
def test_other_types_are_no_size(value: object) -> None:
    with pytest.raises(TypeError):
        parse_size(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (1.5, 1.5),
        ("500ms", 0.5),
        ("10", 10),
        ("10s", 10),
        ("5m", 300),
        ("2h", 7200),
        ("7d", 604800),
    ],
)
def test_durations_read_as_people_write_them(text: float | str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_a_timedelta_is_a_duration() -> None:
    assert parse_duration(timedelta(minutes=1)) == 60


@pytest.mark.parametrize("text", ["soon", "5 parsecs", -1, float("nan")])
def test_nonsense_is_no_duration(text: float | str) -> None:
    with pytest.raises(InvalidError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KB"), (64 << 20, "64.0 MB")]
)
def test_sizes_print_in_the_units_they_are_read_in(size: int, text: str) -> None:
    assert format_size(size) == text
    assert parse_size(text) == size
