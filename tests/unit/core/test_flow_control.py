"""Flow control as functions are configured with it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.core.flow_control import NAMES, Flow, warnings

THROTTLE: dict[str, Any] = {"limit": 1, "period": "1m"}


def flow(**fields: Any) -> Flow:
    return Flow.model_validate(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"concurrency": [{"limit": 1}, {"limit": 2, "key": "event.data.a + '-' + event.data.b", "scope": "account"}]},
        {"concurrency": [{"limit": 1, "key": '"openai"', "scope": "env"}]},
        {"throttle": THROTTLE | {"burst": 10, "key": "event.data.id"}},
        {"throttle": {"limit": 1, "period": "1s"}},
        {"throttle": {"limit": 1, "period": "7d"}},
        {"rateLimit": {"limit": 1, "period": "24h"}},
        {"debounce": {"period": "7d", "timeout": "30d"}},
        {"batchEvents": {"maxSize": 2, "timeout": "1s", "key": "event.data.id", "if": "event.data.big != true"}},
        {"batchEvents": {"maxSize": 100}},
        {"priority": {"run": "event.data.plan == 'pro' ? 120 : -120"}},
        {"priority": {}},
        {"singleton": {"mode": "cancel", "key": "event.data.id"}},
        {"idempotency": "event.data.id"},
        {"timeouts": {"start": "1s", "finish": "366d"}},
        {"debounce": {"period": "5s"}, "singleton": {"mode": "skip"}},
        {"debounce": {"period": "5s"}, "throttle": THROTTLE, "idempotency": "event.data.id"},
        {"batchEvents": {"maxSize": 2}, "concurrency": [{"limit": 1}], "throttle": THROTTLE},
        {"batchEvents": {"maxSize": 2}, "priority": {}},
    ],
)
def test_what_may_be_said(fields: dict[str, Any]) -> None:
    made = flow(**fields)
    dumped = made.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
    assert Flow.model_validate(dumped) == made


@pytest.mark.parametrize(
    ("fields", "where", "told"),
    [
        ({"concurrency": [{"limit": 1}] * 3}, ("concurrency",), "at most 2"),
        ({"concurrency": [{"limit": -1}]}, ("concurrency", 0, "limit"), "greater than or equal to 1"),
        ({"concurrency": [{"limit": 1.5}]}, ("concurrency", 0, "limit"), "valid integer"),
        ({"concurrency": True}, ("concurrency",), "valid tuple"),
        ({"concurrency": [{"limit": 1, "key": "async.data.id"}]}, ("concurrency", 0, "key"), "async"),
        ({"concurrency": [{"limit": 1, "key": ""}]}, ("concurrency", 0, "key"), "at least 1 character"),
        ({"concurrency": [{"limit": 1, "scope": "world"}]}, ("concurrency", 0, "scope"), "'fn', 'env' or 'account'"),
        ({"concurrency": [{"limit": 1, "scope": "env"}]}, ("concurrency", 0), "needs a key"),
        ({"throttle": THROTTLE | {"period": "999ms"}}, ("throttle", "period"), "from 1s to 7d"),
        ({"throttle": THROTTLE | {"period": "8d"}}, ("throttle", "period"), "from 1s to 7d"),
        ({"throttle": THROTTLE | {"burst": 0}}, ("throttle", "burst"), "greater than or equal to 1"),
        ({"rateLimit": {"limit": 1, "period": "25h"}}, ("rateLimit", "period"), "from 1s to 24h"),
        ({"rateLimit": {"limit": 0, "period": "1h"}}, ("rateLimit", "limit"), "greater than or equal to 1"),
        ({"debounce": {"period": "500ms"}}, ("debounce", "period"), "from 1s to 7d"),
        ({"debounce": {"period": "8d"}}, ("debounce", "period"), "from 1s to 7d"),
        ({"batchEvents": {"maxSize": 1, "timeout": "1s"}}, ("batchEvents", "maxSize"), "greater than or equal to 2"),
        ({"batchEvents": {"maxSize": 101}}, ("batchEvents", "maxSize"), "less than or equal to 100"),
        ({"batchEvents": {"maxSize": 2, "timeout": "0s"}}, ("batchEvents", "timeout"), "from 1s to 7d"),
        ({"priority": {"run": "event.data."}}, ("priority", "run"), "ends too early"),
        ({"singleton": {"mode": "queue"}}, ("singleton", "mode"), "'skip' or 'cancel'"),
        ({"idempotency": 3}, ("idempotency",), "valid string"),
        ({"timeouts": {"start": "0s"}}, ("timeouts", "start"), "from 1s to 366d"),
        ({"timeouts": {"finish": "367d"}}, ("timeouts", "finish"), "from 1s to 366d"),
        (
            {"batchEvents": {"maxSize": 2}, "debounce": {"period": "5s"}},
            (),
            "batchEvents cannot be combined with debounce",
        ),
        ({"batchEvents": {"maxSize": 2}, "singleton": {"mode": "skip"}}, (), "cannot be combined with singleton"),
        (
            {"batchEvents": {"maxSize": 2}, "rateLimit": {"limit": 1, "period": "1h"}},
            (),
            "batchEvents cannot be combined with rateLimit",
        ),
        ({"batchEvents": {"maxSize": 2}, "idempotency": "event.data.id"}, (), "cannot be combined with idempotency"),
        ({"batchEvents": {"maxSize": 2}, "priority": {"run": "1"}}, (), "cannot be combined with priority"),
    ],
)
def test_what_may_not(fields: dict[str, Any], where: tuple[Any, ...], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        flow(**fields)
    assert [(problem["loc"], told in problem["msg"]) for problem in caught.value.errors()] == [(where, True)]


@pytest.mark.parametrize("none", [0, [], {"limit": 0}, [{"limit": 0}], None])
def test_a_concurrency_of_nothing_is_no_limit(none: Any) -> None:
    assert flow(concurrency=none) == Flow()


def test_what_has_no_effect_is_told() -> None:
    assert warnings(None) == warnings(Flow()) == ()
    everything = {
        "concurrency": 1,
        "throttle": THROTTLE,
        "rateLimit": {"limit": 1, "period": "1h"},
        "debounce": {"period": "5s"},
        "priority": {"run": "1"},
        "singleton": {"mode": "cancel"},
        "idempotency": "event.data.id",
        "timeouts": {"start": "1h"},
    }
    assert set(everything) == set(NAMES) - {"batchEvents"}
    assert warnings(flow(**everything)) == ("rateLimit has no effect: idempotency takes its place",)
    assert warnings(flow(debounce={"period": "5s"}, singleton={"mode": "skip"})) == (
        "singleton of mode skip has no effect beside debounce: the newest event would be lost",
    )
    assert warnings(flow(priority={"run": "1"})) == (
        "priority has no effect: without concurrency no run stands in line",
    )
    assert warnings(flow(batchEvents={"maxSize": 2})) == ()
