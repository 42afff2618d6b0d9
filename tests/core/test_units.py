"""Durations and sizes as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgkeel.core.errors import ConfigError
from pgkeel.core.units import Size, format_duration, parse_duration


@given(st.integers(min_value=0, max_value=10**13))
def test_a_duration_is_read_back_as_it_was_written(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("100ms", 0.1),
        ("30s", 30),
        ("5m", 300),
        ("5min", 300),
        ("1h30m", 5400),
        ("2 d", 172800),
        ("1w", 604800),
        ("1.5h", 5400),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "5 0s", "-1s", "1h banana", "1y", "9" * 30 + "w", "inf s", "1e3s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_duration(text)
    assert caught.value.hint


@given(st.integers(min_value=0, max_value=2**50))
def test_a_size_is_printed_to_four_digits(number: int) -> None:
    assert abs(Size.parse(str(Size(number))) - number) <= number / 1000


@given(st.integers(min_value=0, max_value=10**40))
def test_a_size_in_bytes_is_read_exactly(number: int) -> None:
    assert Size.parse(f"{number}B") == number


@pytest.mark.parametrize(
    ("text", "number"), [("10GiB", 10 * 2**30), ("512 MB", 512 * 10**6), ("1.5KiB", 1536), ("0B", 0), ("1TB", 10**12)]
)
def test_sizes_are_read(text: str, number: int) -> None:
    assert Size.parse(text) == number


@pytest.mark.parametrize("text", ["", "10", "GiB", "-1GiB", "1 PB", "1e3MB", "1GiB and more"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Size.parse(text)
    assert caught.value.hint


def test_a_size_prints_in_the_unit_one_would_write() -> None:
    assert (str(Size(10 * 2**30)), repr(Size(1536)), str(Size(12))) == ("10GiB", "Size('1.5KiB')", "12B")
