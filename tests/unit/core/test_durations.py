"""Durations, read and written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.durations import format_duration, parse_duration
from chalicelib.core.errors import InvalidDuration
from chalicelib.core.limits import DAY_MS


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("30s", 30_000),
        ("1h30m", 5_400_000),
        ("7d", 7 * DAY_MS),
        ("2w", 14 * DAY_MS),
        ("250ms", 250),
        ("1.5h", 5_400_000),
        (" 1s ", 1_000),
        ("1m1ms", 60_001),
        ("0s", 0),
        (1_500, 1_500),
        (0, 0),
        (timedelta(hours=1, milliseconds=1), 3_600_001),
        (timedelta(microseconds=600), 1),
        (timedelta(0), 0),
    ],
)
def test_it_reads(value: Any, ms: int) -> None:
    assert parse_duration(value) == ms


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "write numbers with units"),
        ("1", "write numbers with units"),
        ("1y", "write numbers with units"),
        ("1h 30m", "write numbers with units"),
        ("-1s", "write numbers with units"),
        ("1e3s", "write numbers with units"),
        ("s", "write numbers with units"),
        ("1s" * 40, "write numbers with units"),
        ("9" * 60 + "w", "longer than 366d"),
        (-1, "cannot be negative: -1"),
        (timedelta(seconds=-1), "cannot be negative"),
        (True, "not bool"),
        (1.5, "not float"),
        (float("nan"), "not float"),
        (float("inf"), "not float"),
        (None, "not NoneType"),
        (b"1s", "not bytes"),
        (["1s"], "not list"),
        (10**18, "longer than 366d"),
        (10**6000, "longer than 366d"),
        (-(10**6000), "cannot be negative"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, int) else f"{value.bit_length()} bits",
)
def test_it_refuses(value: Any, says: str) -> None:
    with pytest.raises(InvalidDuration, match=says):
        parse_duration(value)


@given(st.integers(min_value=0, max_value=366 * DAY_MS))
def test_what_is_written_is_read_again(ms: int) -> None:
    assert parse_duration(format_duration(ms)) == ms


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except InvalidDuration:
        pass
