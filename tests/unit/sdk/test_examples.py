"""The examples that ship, entered by the driver (their runs are tested with the test kit)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.limits import DAY_MS
from chalicelib.functions.hello import hello
from chalicelib.functions.onboarding import onboarding
from chalicelib.functions.trial import trial
from chalicelib.sdk import Function
from tests.unit.drivers.harness import Harness

USER = {"user_id": "u1", "account_id": "a1", "email": "ada@example.com"}
WAITED = {"name": "app/function.created", "data": {"user_id": "u1"}}


@pytest.mark.parametrize(
    ("example", "data", "outside", "output", "steps"),
    [
        (
            hello,
            {"name": "Ada"},
            {},
            {"greeting": "Hello, Ada!", "letters": 8, "shouted": "HELLO, ADA!"},
            ["greet", "breathe", "count-letters", "shout"],
        ),
        (hello, {}, {}, {"greeting": "Hello, world!", "letters": 10, "shouted": "HELLO, WORLD!"}, None),
        (onboarding, USER, {}, "followed up", ["send-welcome-email", "first-function", "follow-up"]),
        (onboarding, USER, {"first-function": WAITED}, "active", ["send-welcome-email", "first-function"]),
        (trial, USER, {}, {"account_id": "a1", "plan": "free"}, ["trial-period", "end-trial", "tell-user"]),
    ],
)
def test_an_example(
    example: Function[Any], data: dict[str, Any], outside: dict[str, Any], output: Any, steps: list[str] | None
) -> None:
    harness = Harness(example.handler, data=data, outside=outside)

    assert harness.drive() == output
    assert steps is None or [op.name for op in harness.asked] == steps


def test_the_trial_sleeps_seven_days() -> None:
    op = Harness(trial.handler, data=USER).op()

    assert op.sleep_until_ms is not None
    assert op.started_at_ms is not None
    assert op.sleep_until_ms - op.started_at_ms == 7 * DAY_MS


@pytest.mark.parametrize(
    ("example", "trigger", "cancel"),
    [
        (hello, "demo/hello", None),
        (onboarding, "auth/user.created", ("auth/user.deleted", "async.data.user_id == event.data.user_id")),
        (trial, "auth/user.created", ("billing/user.upgraded", "async.data.account_id == event.data.account_id")),
    ],
)
def test_what_starts_and_cancels_an_example(
    example: Function[Any], trigger: str, cancel: tuple[str, str] | None
) -> None:
    wire = example.config.wire()

    assert [item["event"] for item in wire["triggers"]] == [trigger]
    assert [(item["event"], item["if"]) for item in wire["cancel"]] == ([] if cancel is None else [cancel])
