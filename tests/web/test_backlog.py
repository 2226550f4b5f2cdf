"""GET /v1/backlog."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.aws import looking
from chalicelib.engine import backlog
from tests.web.api import Api
from tests.web.test_dead_letters import put


def counts(body: dict[str, Any]) -> dict[str, int]:
    return {stage["stage"]: stage["count"] for stage in body["stages"] if stage["count"]}


def statuses(body: dict[str, Any]) -> dict[str, int]:
    return {name: figure["count"] for name, figure in body["runs"]["by_status"].items() if figure["count"]}


def test_nothing_waits(api: Api) -> None:
    body = api.data("/v1/backlog")

    assert [stage["stage"] for stage in body["stages"]] == [
        "events",
        "wait_matching",
        "cancel_matching",
        "starts",
        "work",
        "work_delayed",
        "work_in_flight",
        "dead_events",
        "dead_work",
        "timers",
    ]
    assert (counts(body), statuses(body), body["waits"]["by_event"]) == ({}, {}, [])
    assert body["runs"]["sample"]["is_complete"] is True


def test_each_stage_shows_what_waits_in_it(api: Api) -> None:
    kit = api.kit
    kit.send_only("demo/greet")
    assert counts(api.data("/v1/backlog")) == {"events": 1}
    held = kit.pump.hold("events")
    assert counts(api.data("/v1/backlog")) == {"wait_matching": 1, "cancel_matching": 1}
    kit.pump.deliver("events", held)
    body = api.data("/v1/backlog")
    assert counts(body) == {"starts": 1, "work": 1}
    assert statuses(body) == {"Queued": 1}
    held = kit.pump.hold("work")
    assert counts(api.data("/v1/backlog")) == {"starts": 1, "work_in_flight": 1}
    kit.pump.deliver("work", held)
    kit.drain()
    body = api.data("/v1/backlog")
    assert (counts(body), statuses(body)) == ({}, {"Completed": 1})


def test_timers_delays_and_dead_letters(api: Api) -> None:
    for _ in range(2):
        api.send({"name": "demo/greet", "data": {"wait": True}})  # An hour: a timer.
    put(api, "work", "x")
    put(api, "events", "y")

    api.kit.advance("10m")
    body = api.data("/v1/backlog")
    assert counts(body) == {"dead_events": 1, "dead_work": 1, "timers": 2}
    api.kit.advance("46m")
    assert counts(api.data("/v1/backlog")) == {"dead_events": 1, "dead_work": 1, "work_delayed": 2}


def test_waits_by_event_name(api: Api) -> None:
    for _ in range(3):
        api.send({"name": "demo/greet", "data": {"wait": True}})

    body = api.data("/v1/backlog")
    rows = {row.pop("event"): row for row in body["waits"]["by_event"]}
    assert rows == {
        "demo/go": {"waits": 3, "cancellations": 0, "approximate": False},
        "demo/stop": {"waits": 0, "cancellations": 3, "approximate": False},
    }
    assert statuses(body) == {"Running": 3}


def test_a_part_of_many_is_scaled_and_said_to_be_approximate(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        api.send({"name": "demo/greet", "data": {"wait": number % 2 == 0}})
    monkeypatch.setattr(looking, "_PAGE_ITEMS", 10)

    body = api.data("/v1/backlog")
    sample = body["runs"]["sample"]
    assert (sample["looked_at"], sample["is_complete"]) == (40, False)
    assert sample["of"] == 90  # Of each run its head, its event, and a step.
    by_status = body["runs"]["by_status"]
    # What is open is counted.
    assert by_status["Running"] == {"count": 15, "approximate": False}
    assert by_status["Completed"]["approximate"] is True
    assert 5 <= by_status["Completed"]["count"] <= 30
    assert body["waits"]["sample"]["is_complete"] is False
    assert all(row["approximate"] for row in body["waits"]["by_event"])
    assert 8 <= sum(row["waits"] for row in body["waits"]["by_event"]) <= 30


def test_too_many_open_runs_are_estimated_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(12):
        api.send({"name": "demo/greet", "data": {"wait": True}})
    monkeypatch.setattr(looking, "_PAGE_ITEMS", 5)
    monkeypatch.setattr(backlog, "_OPEN_PER_SHARD", 1)

    running = api.data("/v1/backlog")["runs"]["by_status"]["Running"]
    assert running["approximate"] is True
    assert 6 <= running["count"] <= 24


def test_stalled_runs_are_counted(api: Api) -> None:
    api.send({"name": "demo/greet", "data": {"wait": True}})
    api.kit.platform.services.runs.mark_stalled(api.kit.only_run().run_id, "x")
    assert api.data("/v1/backlog")["runs"]["stalled"] == {"count": 1, "approximate": False}


def test_ages_come_from_cloudwatch(api: Api) -> None:
    def measure(queue: str, age_s: int) -> None:
        api.client("cloudwatch").put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": f"stepwell-test-{queue}"}],
                    "Timestamp": api.kit.now,
                    "Value": age_s,
                }
            ],
        )

    measure("work", 40)
    api.kit.advance_only("2m")
    measure("work", 160)
    measure("work-dead", 3_600)
    api.kit.advance_only("1m")

    ages = {stage["stage"]: stage["oldest_age_s"] for stage in api.data("/v1/backlog")["stages"]}
    assert {name: age for name, age in ages.items() if age is not None} == {"work": 160, "dead_work": 3_600}
    api.kit.advance_only("1h")
    assert {stage["oldest_age_s"] for stage in api.data("/v1/backlog")["stages"]} == {None}


def starts(api: Api) -> tuple[int, int | None]:
    """How many runs have not begun, and the age of the oldest."""
    (found,) = [stage for stage in api.data("/v1/backlog")["stages"] if stage["stage"] == "starts"]
    return found["count"], found["oldest_age_s"]


def test_how_long_the_oldest_start_has_waited_is_told_by_the_runs(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    kit = api.kit
    for _ in range(9):
        kit.send_only("demo/greet", {"wait": True})
        kit.pump.deliver("events", kit.pump.hold("events"))
        kit.advance_only("1m")
    assert starts(api) == (9, 540)

    # Of a large table the open runs are counted one by one, or, where there are too many, those of the sample.
    monkeypatch.setattr(looking, "_PAGE_ITEMS", 1)
    assert starts(api) == (9, 540)
    monkeypatch.setattr(looking, "_PAGE_ITEMS", 2)
    monkeypatch.setattr(backlog, "_OPEN_PER_SHARD", 1)
    count, age = starts(api)
    assert count >= 1
    assert age in range(60, 541, 60)

    kit.drain()
    assert starts(api) == (0, None)


def test_without_cloudwatch_the_rest_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.aws.ages import CloudWatchAges
    from chalicelib.core.errors import InfrastructureError

    def refused(*_: object) -> None:
        raise InfrastructureError("AccessDenied")

    monkeypatch.setattr(CloudWatchAges, "oldest_s", refused)
    assert "CloudWatch could not be asked for ages" in api.data("/v1/backlog")["notes"]
