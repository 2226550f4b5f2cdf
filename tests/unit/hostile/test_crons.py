"""Schedules: refused in words or read, and their next times are found, in bounded time."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import strategies as st

from chalicelib.core.clock import from_iso
from chalicelib.core.crons import CronSchedule
from chalicelib.core.errors import InvalidFunction
from tests.soak.properties import TRIED, holds

CPU_SECONDS = 1.0
NOW = from_iso("2026-01-05T09:00:00Z")
YEARS = 4 * 366 * 86_400_000
FIELDS = [
    *(
        "*",
        "0",
        "59",
        "60",
        "-1",
        "*/5",
        "*/0",
        "*/99999999",
        "0-59/7",
        "59-0",
        "1,2,3",
        ",",
        "1,",
        "L",
        "?",
        "W",
        "#",
        "5#5",
    ),
    *(
        "31",
        "2",
        "30",
        "29",
        "7",
        "MON",
        "FEB",
        "mon-fri",
        "MON#6",
        "1L",
        "",
        "٣",
        "é",
        "\x00",
        "1" * 50,
        "1-",
        "/",
        "**",
    ),
    *("0x1", "1e1", "+1", "1.5", "*/٣", "H", "@daily", "0-0", "1-1/1", "23-22", "0/0", "*-*", "1-2-3", "LW", "15W"),
]
ZONES = ["", "TZ=UTC ", "TZ=Europe/Berlin ", "CRON_TZ=America/New_York ", "TZ=Mars/X ", "TZ= ", "TZ=../../etc/passwd "]
ZONES += [
    "TZ=/etc/localtime ",
    "TZ=\x00 ",
    "TZ=Pacific/Apia ",
    "TZ=TZ=UTC ",
    "TZ=" + "x" * 110 + " ",
    "tz=UTC ",
    "TZ=. ",
    "TZ=posix/UTC ",
]
field = st.sampled_from(FIELDS)
expressions = st.builds(
    lambda zone, fields, space: zone + space.join(fields),
    st.sampled_from(ZONES),
    st.one_of(st.lists(field, min_size=5, max_size=5), st.lists(field, max_size=7)),
    st.sampled_from([" ", "  ", "\t", "\n"]),
)


def through(text: str) -> None:
    """Read it, and look for the next times, as a registration, a tick and the list of functions do."""
    began, problem = time.process_time(), ""
    try:
        schedule = CronSchedule.parse(text)
    except InvalidFunction as refused:
        TRIED["schedules", "refused"] += 1
        problem = str(refused)
    else:
        TRIED["schedules", "read"] += 1
        list(itertools.islice(schedule.due_between(NOW, NOW + YEARS), 3))
        list(schedule.due_between(NOW - 60_000, NOW + 60_000))
    assert time.process_time() - began < CPU_SECONDS
    assert len(problem) < 1_000


@holds(300, expressions)
def test_expressions(text: str) -> None:
    through(text)


@holds(100, st.text(max_size=140))
def test_texts(text: str) -> None:
    through(text)


@pytest.mark.parametrize(
    "text",
    [
        "0 0 30 2 *",  # Never.
        "0 0 29 2 1#5",  # Once in decades.
        "0 0 31 4,6,9,11 *",
        "30 2 29 3 *",  # Left out by the clock.
        "TZ=Europe/Berlin 30 2 * 3 SUN#5",
        "TZ=Pacific/Apia 0 0 30 12 *",
        "0 0 L 2 MON#5",
        "* * * * *",
        "0-59 0-23 1-31 1-12 0-7",
    ],
)
def test_what_is_seldom_or_never_due(text: str) -> None:
    through(text)
