"""The environment, read."""

from __future__ import annotations

import pytest

from chalicelib import config
from chalicelib.config import ConfigurationError

NEEDED = {
    f"STEPWELL_{name}": "x"
    for name in (
        "TABLE_EVENTS",
        "TABLE_RUNS",
        "TABLE_PAUSES",
        "TABLE_TIMERS",
        "QUEUE_EVENTS_URL",
        "QUEUE_WORK_URL",
        "BUCKET",
    )
}


def test_defaults() -> None:
    found = config.load(NEEDED)
    assert (found.stage, found.dev, found.event_keys, found.retention_days) == ("dev", False, (), 30)
    assert found.max_receives == 10
    assert (found.hand_over_below_ms, found.retry_table_ms, found.partial_batches) == (15_000, None, False)


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_what_is_missing_is_named(name: str) -> None:
    for value in ({}, {name: ""}):
        environment = {key: text for key, text in NEEDED.items() if key != name} | value
        with pytest.raises(ConfigurationError, match=f"{name} is not set: run `make dev`"):
            config.load(environment)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RETENTION_DAYS", "13", "at least 14"),
        ("RETENTION_DAYS", "1e3", "at least 14"),
        ("RETENTION_DAYS", "9" * 5000, "at least 14"),
        ("HAND_OVER_BELOW", "soon", "write numbers with units"),
        ("MAX_RECEIVES", "often", "must be a whole number"),
        ("RETRY_TABLE", "1s,,2s", "write numbers with units"),
        ("CLOCK_OFFSET_MS", "an hour", "must be a whole number"),
        ("CLOCK_OFFSET_MS", "²", "must be a whole number"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"STEPWELL_{name}.*{says}"):
        config.load(NEEDED | {f"STEPWELL_{name}": value})


def test_lists() -> None:
    found = config.load(NEEDED | {"STEPWELL_EVENT_KEYS": "a,,b", "STEPWELL_RETRY_TABLE": "1s,1m30s"})
    assert (found.event_keys, found.retry_table_ms) == (("a", "b"), (1_000, 90_000))
