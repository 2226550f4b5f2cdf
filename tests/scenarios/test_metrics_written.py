"""Each invocation writes what it counted, once, however it ends; in development nothing is written."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import app
from chalicelib import wiring
from chalicelib.core.errors import InfrastructureError
from chalicelib.engine.metrics import Counts
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from chalicelib.testing.session import kit_session
from infra.local.context import LambdaContext
from infra.local.schedule import scheduled_event
from tests.scenarios.insides import break_driver


@function(fn_id="pack", trigger=TriggerEvent(event="order"))
def pack(ctx: Context) -> None:
    ctx.step.run("pick", lambda: None)


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stepwell]:
    """As deployed."""
    with start_stepwell([pack], DEV="0") as kit:
        monkeypatch.setattr(wiring, "platform", lambda: kit.platform)
        yield kit


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The metrics of each line that was written since."""
    found = []
    for text in capsys.readouterr().out.splitlines():
        line = json.loads(text)
        names = [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
        assert line["service"] == "stepwell-test"
        found.append({name: line[name] for name in names})
    return found


def summed(lines: list[dict[str, Any]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for line in lines:
        total.update({name: sum(values) for name, values in line.items()})
    return {name: value for name, value in total.items() if value}


def schedule(kit: Stepwell, name: str) -> None:
    """What EventBridge calls."""
    event = scheduled_event(name, kit.platform.clock.now_ms())
    getattr(app, name)(event, LambdaContext(name, 60.0))


def test_a_line_per_invocation_that_has_something_to_tell(kit: Stepwell, capsys: pytest.CaptureFixture[str]) -> None:
    kit.send("order")

    first, *others = written(capsys)
    assert (first["EventsIn"], first["RunsStarted"]) == ([1.0], [1.0])
    assert summed([first, *others]) == {
        "EventsIn": 1,
        "EventAge": 1,
        "RunsStarted": 1,
        "Steps": 1,
        "RunsCompleted": 1,
    }
    # The event, the run, and the event that tells its end.
    assert (len([first, *others]), kit.pump.deliveries) == (3, 3)
    assert kit.counts == {}


def test_an_invocation_that_raises_tells_what_it_counted(kit: Stepwell, capsys: pytest.CaptureFixture[str]) -> None:
    break_driver(kit, InfrastructureError("throttled"), times=1)
    kit.send("order")

    assert [line["DeliveriesFailed"] for line in written(capsys) if "DeliveriesFailed" in line] == [[1.0]]
    assert kit.pump.in_flight() == 1


def test_metrics_that_cannot_be_written_fail_nothing(kit: Stepwell, caplog: pytest.LogCaptureFixture) -> None:
    def full(_: Counts) -> None:
        raise OSError("no space left")

    kit.platform = kit.pump.platform = dataclasses.replace(kit.platform, write_metrics=full)
    with caplog.at_level(logging.WARNING, "stepwell"):
        kit.send("order")

    assert kit.only_run().status == "Completed"
    assert {record.getMessage() for record in caplog.records} == {"metrics could not be written"}


def test_the_backlog_is_told_every_minute_by_the_tick(kit: Stepwell, capsys: pytest.CaptureFixture[str]) -> None:
    kit.send_only([{"name": "order"}, {"name": "order"}])
    schedule(kit, "on_tick")
    assert written(capsys) == [{"EventsVisible": [2.0]}]

    kit.drain()
    capsys.readouterr()
    schedule(kit, "on_tick")
    assert written(capsys) == []


def test_a_tick_goes_on_when_the_backlog_cannot_be_measured(kit: Stepwell, caplog: pytest.LogCaptureFixture) -> None:
    sqs: Any = kit_session().create_client("sqs")
    sqs.delete_queue(QueueUrl=kit.platform.config.dead_work_url)
    with caplog.at_level(logging.WARNING, "stepwell"):
        schedule(kit, "on_tick")

    assert [record.getMessage() for record in caplog.records] == ["the backlog could not be measured"]
    assert kit.platform.services.timers.get_mark("timers") is not None


def test_collecting_tells_what_it_did(kit: Stepwell, capsys: pytest.CaptureFixture[str]) -> None:
    kit.send_only("order")
    kit.pump.deliver_event()
    kit.pump.lose("work", kit.pump.hold("work"))
    kit.advance_only("20m")
    capsys.readouterr()

    schedule(kit, "on_collect")

    assert written(capsys) == [{"RunsPoked": [1.0]}]


def test_in_development_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with start_stepwell([pack]) as kit:
        kit.send("order")
        assert capsys.readouterr().out == ""
        assert kit.counts["RunsCompleted"] == 1
