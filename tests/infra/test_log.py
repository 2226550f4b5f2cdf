"""The development log: one readable line per record, from plain extras and from Powertools' JSON alike."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from infra.local.log import DevFormatter, colours_wanted


def line(message: str, *, colour: bool = False, level: int = logging.INFO, **extra: Any) -> str:
    record = logging.makeLogRecord({"msg": message, "levelno": level, "levelname": "X", **extra})
    return DevFormatter(colour=colour).format(record)


def test_what_happened_comes_first_and_the_fields_follow() -> None:
    text = line("step completed", step="send-mail", function_id="onboarding", run_id="R1", took_ms=3.24)
    assert " ".join(text.split()[1:]) == "step completed send-mail onboarding 3.2 ms run R1"


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(0.42, "0.4 ms"), (12.6, "13 ms"), (1500, "1.50 s"), (90_000, "1.5 min"), (90_000_000, "1.0 d")],
)
def test_durations_are_readable(ms: float, shown: str) -> None:
    assert shown in line("run ended", took_ms=ms)


def test_an_event_is_shown_in_full_until_there_is_a_run() -> None:
    assert "event 01ABCDEFGH" in line("event received", event_id="01ABCDEFGH")
    assert "event …CDEFGH" in line("resumed by event", event_id="01ABCDEFGH", run_id="R")


def test_unknown_fields_are_kept_and_empty_ones_left_out() -> None:
    text = line("odd", answer=42, nothing=None, long="x" * 500)
    assert "answer=42" in text
    assert "nothing" not in text
    assert len(text) < 200


def test_an_error_is_on_the_line_even_when_it_has_many() -> None:
    assert "error" not in line("failed", error="first\nsecond")
    assert "first second" in line("failed", error="first\nsecond")


def test_colours_only_where_wanted() -> None:
    assert "\x1b[" not in line("run ended")
    assert "\x1b[32m" in line("run ended", colour=True)
    assert "\x1b[31m" in line("run ended", colour=True, level=logging.ERROR)


def test_no_color_and_pipes_are_respected() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert colours_wanted(Terminal(), {})
    assert not colours_wanted(Terminal(), {"NO_COLOR": "1"})
    assert not colours_wanted(Terminal(), {"TERM": "dumb"})
    assert not colours_wanted(io.StringIO(), {})


def test_keys_that_powertools_appended_are_read_from_its_json() -> None:
    class Json(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:  # noqa: ARG002
            return json.dumps({"level": "INFO", "message": "shadow", "run_id": "R9", "service": "stepwell"})

    record = logging.makeLogRecord({"msg": "step completed", "levelno": logging.INFO, "step": "a"})
    text = DevFormatter(colour=False, inner=Json()).format(record)
    assert "step completed" in text
    assert "run R9" in text
    assert "shadow" not in text
    assert "service" not in text


def test_a_traceback_follows_the_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    first, *rest = line("handler failed", exc_info=info).splitlines()
    assert "handler failed" in first
    assert rest[-1] == "ValueError: broken"


@pytest.mark.parametrize(("status", "style"), [("Completed", "32"), ("Failed", "31"), ("Cancelled", "33")])
def test_how_a_run_ended_gives_the_line_its_colour(status: str, style: str) -> None:
    assert f"\x1b[{style}mrun " in line("run over", status=status, colour=True)


def test_a_retry_says_when_and_a_first_attempt_says_nothing() -> None:
    assert "in 30.00 s" in line("step failed, will be retried", in_ms=30_000)
    assert "attempt" not in line("said hello", attempt=0)
    assert "attempt=1" in line("said hello", attempt=1)
