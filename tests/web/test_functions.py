"""GET /v1/functions."""

from __future__ import annotations

from tests.web.api import Api


def test_functions_tell_how_they_are_configured(api: Api) -> None:
    found = {row["id"]: row for row in api.data("/v1/functions")}

    assert list(found) == ["count", "greet", "report"]
    assert found["greet"] == {
        "id": "greet",
        "name": "greet",
        "triggers": [{"event": "demo/greet", "expression": "event.data.size / event.data.parts < 10 || true"}],
        "cancel": [{"event": "demo/stop", "if": "async.data.who != 'nobody'", "timeout": "1h"}],
        "retries": 4,
        "driver": "in_process",
    }
    assert api.data("/v1/functions/greet") == found["greet"]


def test_schedules_tell_when_they_are_due_next(api: Api) -> None:
    cron, never, event = api.data("/v1/functions/report")["triggers"]

    assert cron == {
        "cron": "TZ=Europe/Berlin 0 9 * * 1",
        "time_zone": "Europe/Berlin",
        "next": ["2026-01-12T08:00:00.000Z", "2026-01-19T08:00:00.000Z", "2026-01-26T08:00:00.000Z"],
    }
    assert never["next"] == ["2028-02-29T00:00:00.000Z"]
    assert event == {"event": "demo/report"}


def test_a_function_tells_how_far_its_waits_look_back(api: Api) -> None:
    assert api.data("/v1/functions/report")["wait_lookback"] == "run"


def test_a_function_that_is_not_there(api: Api) -> None:
    for path in ("nobody", "%2F", "greet%00"):
        answer = api.get(f"/v1/functions/{path}")
        assert answer.status == 404
        assert answer.body["error"].startswith("there is no function")
