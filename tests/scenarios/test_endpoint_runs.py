"""Runs that an app begins within a request to it, on an app that speaks the protocol over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.core.endpoints import HTTP_REQUEST, InvalidRequest, config_of
from chalicelib.core.errors import StaleCheckpoint
from chalicelib.core.ids import hashed_step_id
from chalicelib.core.sdk_memos import steps_wire
from chalicelib.engine import endpoint_runs
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.endpoint_app import DONE, App, Ops, complete, failed, op, ran, serving

RUN = ids.ulid(1_767_603_600_000, bytes(range(10)))


@dataclass
class Scene:
    kit: Stepwell
    app: App

    def begin(self, steps: Ops, *, retries: int = 3, run_id: str = RUN, **event: Any) -> endpoint_runs.Begun:
        p = self.kit.platform
        received_us = p.reception.next_us(p.clock.now_ms())
        begun = endpoint_runs.begin(p.services, run_id, self.app.event(**event), steps, retries, received_us)
        self.kit.drain()
        return begun

    def tell(self, steps: Ops) -> None:
        endpoint_runs.checkpoint(self.kit.platform.services, RUN, steps)
        self.kit.drain()


@pytest.fixture
def scene() -> Iterator[Scene]:
    with serving() as app, start_stepwell([]) as kit:

        def steps() -> dict[str, Any]:
            run = kit.platform.services.runs.load(RUN)
            return {} if run is None else steps_wire(run.steps)

        app.steps = steps
        yield Scene(kit, app)


def test_a_run_within_its_request_is_only_told_of(scene: Scene) -> None:
    begun = scene.begin([ran("first", 1)])
    scene.tell([ran("second", {"n": 2})])
    assert scene.kit.run(RUN).status == "Running"
    scene.tell([complete()])

    run = scene.kit.run(RUN)
    assert (run.status, run.output) == ("Completed", DONE)
    assert {name: step.output for name, step in run.steps.items()} == {"first": 1, "second": {"n": 2}}
    assert scene.app.calls == []
    assert run.function_id == begun.fn_id
    assert begun.fn_id.startswith("endpoint.3.127-0-0-1-")
    assert [event["data"]["run_id"] for event in scene.kit.events("inngest/function.finished")] == [RUN]
    assert run.history == ["run.created", "run.started", "step.completed", "step.completed", "run.completed"]


def test_what_is_told_again_changes_nothing(scene: Scene) -> None:
    for _ in range(2):
        scene.begin([ran("first", 1)])
    for _ in range(2):
        scene.tell([ran("second", 2)])
    scene.tell([ran("second", "another result")])
    for _ in range(2):
        scene.tell([complete()])

    run = scene.kit.run(RUN)
    assert {name: step.output for name, step in run.steps.items()} == {"first": 1, "second": 2}
    assert run.history.count("run.completed") == 1
    assert scene.kit.counts["RunsStarted"] == scene.kit.counts["RunsCompleted"] == 1
    assert len(scene.kit.events(HTTP_REQUEST)) == 1


def test_a_sleep_is_left_to_us_and_the_endpoint_is_called_as_it_was(scene: Scene) -> None:
    def answer(steps: dict[str, Any], _target: str) -> tuple[int, Any]:
        done = hashed_step_id("nap", 0) in steps
        return (206, complete()) if done else (206, [op("Sleep", "nap", opts={"duration": "1h"})])

    scene.app.answer = answer
    scene.begin([ran("first", 1), op("Sleep", "nap", opts={"duration": "1h"})])
    assert scene.kit.run(RUN).steps["nap"].status == "waiting"
    scene.kit.advance("61m")

    assert (scene.kit.run(RUN).status, scene.kit.run(RUN).output) == ("Completed", DONE)
    call = scene.app.calls[-1]
    assert (call["method"], call["path"], call["body"]) == ("GET", "/api/checkout?id=7", b"")
    assert call["headers"]["x-run-id"] == RUN
    assert call["headers"]["x-inngest-step-id"] == "step"
    assert call["headers"]["x-inngest-signature"] == ""
    assert call["headers"]["x-inngest-force-step-plan"] == "false"


def test_a_wait_is_met_by_an_event(scene: Scene) -> None:
    wait = op("WaitForEvent", "paid", opts={"event": "order.paid", "timeout": "1d", "if": "async.data.id == 7"})
    scene.app.answer = lambda steps, _: (206, complete() if hashed_step_id("paid", 0) in steps else [wait])
    scene.begin([wait])

    scene.kit.send("order.paid", {"id": 8})
    assert scene.kit.run(RUN).status == "Running"
    scene.kit.send("order.paid", {"id": 7})

    run = scene.kit.run(RUN)
    assert (run.status, run.steps["paid"].output["data"]) == ("Completed", {"id": 7})


def test_a_step_that_failed_is_tried_again_by_calling_the_endpoint(scene: Scene) -> None:
    error = {"name": "Error", "message": "try again"}
    scene.app.answer = lambda steps, _: (
        206,
        complete() if hashed_step_id("shaky", 0) in steps else [ran("shaky", "at last")],
    )
    for _ in range(2):  # Its answer was lost: it is one attempt all the same.
        scene.begin([op("StepError", "shaky", error=error)])
    assert scene.kit.run(RUN).steps["shaky"].attempts == 1
    scene.kit.advance("1m")

    run = scene.kit.run(RUN)
    assert (run.status, run.steps["shaky"].output, run.steps["shaky"].attempts) == ("Completed", "at last", 2)


def test_a_function_that_failed_is_tried_again_until_its_retries_are_used_up(scene: Scene) -> None:
    scene.app.answer = lambda _steps, _target: (500, {"name": "Error", "message": "still no"})
    scene.begin([failed("StepError")], retries=2)
    scene.kit.advance("1h")

    run = scene.kit.run(RUN)
    assert (run.status, run.error) == ("Failed", "still no")
    assert len(scene.app.calls) == 2
    assert [entry["type"] for entry in run.timeline].count("function.attempt_failed") == 2


def test_a_function_that_failed_for_good(scene: Scene) -> None:
    scene.begin([ran("first", 1)])
    scene.tell([failed("StepFailed", "never")])
    scene.tell([failed("StepFailed", "never")])

    assert (scene.kit.run(RUN).status, scene.kit.run(RUN).error) == ("Failed", "never")


def test_planned_steps_run_side_by_side(scene: Scene) -> None:
    def answer(steps: dict[str, Any], target: str) -> tuple[int, Any]:
        names = {hashed_step_id(name, 0): name for name in ("left", "right")}
        if target in names:
            return 206, [ran(names[target], names[target].upper())]
        missing = [name for key, name in names.items() if key not in steps]
        return 206, [op("StepPlanned", name) for name in missing] or complete()

    scene.app.answer = answer
    scene.begin([op("StepPlanned", "left"), op("StepPlanned", "right")])

    run = scene.kit.run(RUN)
    assert run.status == "Completed"
    assert {name: step.output for name, step in run.steps.items()} == {"left": "LEFT", "right": "RIGHT"}


def test_an_app_whose_time_is_up_leaves_the_rest_to_us(scene: Scene) -> None:
    scene.begin([ran("first", 1)])
    scene.tell([{"op": "DiscoveryRequest", "id": hashed_step_id("discovery", 0)}])

    assert (scene.kit.run(RUN).status, len(scene.app.calls)) == ("Completed", 1)


def test_an_app_that_is_not_heard_of_any_more_is_called(scene: Scene) -> None:
    scene.begin([ran("first", 1)])
    scene.kit.advance("14m")
    scene.tell([ran("second", 2)])
    scene.kit.advance("14m")
    scene.kit.collect()
    assert scene.app.calls == []  # Each checkpoint prolongs its time.
    scene.kit.advance("5m")
    scene.kit.collect()

    assert (scene.kit.run(RUN).status, len(scene.app.calls)) == ("Completed", 1)
    with pytest.raises(StaleCheckpoint, match="has ended"):
        scene.tell([ran("third", 3)])


def test_an_app_that_lost_its_run_is_told_to_stop(scene: Scene) -> None:
    sleep = op("Sleep", "nap", opts={"duration": "1h"})
    scene.app.answer = lambda _steps, _target: (206, [sleep])
    scene.begin([sleep])

    scene.tell([sleep])  # What is recorded may be told again.
    with pytest.raises(StaleCheckpoint, match="goes on elsewhere"):
        scene.tell([ran("beside", 1)])
    assert "beside" not in scene.kit.run(RUN).steps


def test_a_run_that_is_cancelled_takes_no_more_steps(scene: Scene) -> None:
    scene.begin([ran("first", 1)])
    scene.kit.cancel(RUN)

    with pytest.raises(StaleCheckpoint, match=r"has ended \(Cancelled\)"):
        scene.tell([ran("second", 2)])


def test_another_functions_run_is_not_taken_over(scene: Scene) -> None:
    scene.begin([ran("first", 1)])

    with pytest.raises(StaleCheckpoint, match="of another function"):
        scene.begin([ran("other", 1)], fn="refund")


def test_json_bodies_are_sent_again_and_others_are_not(scene: Scene) -> None:
    discover = [{"op": "DiscoveryRequest", "id": hashed_step_id("discovery", 0)}]
    for number, (body, sent) in enumerate((('{"b": 1, "a": 2}', b'{"a":2,"b":1}'), ("a=1", b""), (None, b""))):
        run_id = ids.ulid(1_767_603_600_000, bytes([number] * 10))
        scene.begin(discover, run_id=run_id, method="POST", body=body, content_type="application/json")
        assert (scene.app.calls[-1]["method"], scene.app.calls[-1]["body"]) == ("POST", sent)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"domain": "ftp://shop.example"}, "event.data.domain: must be a scheme and a host"),
        ({"domain": "https://shop.example/path"}, "event.data.domain: must be a scheme and a host"),
        ({"domain": 7}, "event.data.domain"),
        ({"path": "checkout"}, "event.data.path: must begin with /"),
        ({"method": "GET IT"}, "event.data.method: is none of HTTP's methods"),
    ],
)
def test_requests_that_cannot_be_made_again(scene: Scene, change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        scene.begin([], **change)


def test_the_functions_id_says_all_that_is_known_of_it() -> None:
    config = config_of("endpoint.7.shop-example.checkout.0a1b2c3d")

    assert config is not None
    assert (config.retries, config.driver, config.app_id, config.triggers) == (7, "endpoint", "shop-example", ())
    for other in ("endpoint", "endpoint.99.a.b.0a1b2c3d", "endpoint.7.a.b.xyz", "greet", ""):
        assert config_of(other) is None
