"""Holes in the protocol that were closed: of many whom one event meets, and many messages in one batch, none loses by
what happens to another."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import deliveries
from chalicelib.core.errors import InfrastructureError
from chalicelib.engine import match
from chalicelib.engine.services import Delivery
from chalicelib.sdk import Cancel, Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from chalicelib.wiring import Platform


@function(fn_id="now", trigger=TriggerEvent(event="start"))
def now(ctx: Context) -> str:
    ctx.step.wait_for_event("wait", event="answer", if_exp="async.data.user == event.data.user", timeout="30d")
    return "resumed"


@function(fn_id="later", trigger=TriggerEvent(event="start-later"))
def later(ctx: Context) -> str:
    ctx.step.wait_for_event("go", event="go", timeout="30d")
    ctx.step.wait_for_event("wait", event="answer", if_exp="async.data.user == event.data.user", timeout="30d")
    return "resumed"


@function(fn_id="big", trigger=TriggerEvent(event="start-big"), cancel=[Cancel(event="answer")])
def big(ctx: Context) -> None:
    ctx.step.run("large", lambda: "x" * 100_000)
    ctx.step.sleep("nap", "30d")


@function(fn_id="started", trigger=TriggerEvent(event="answer"))
def started(_ctx: Context) -> str:
    return "started"


def statuses(kit: Stepwell, item: Any) -> list[str]:
    return [run.status.value for run in kit.runs(item)]


def test_a_wait_that_is_registered_before_a_redelivery_pushes_nobody_out_of_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page of the first delivery ended with the second run; that of the second ends before it."""
    with start_stepwell([now, later], MATCH_PAGE="2") as kit:
        kit.send("start", {"user": "u"})
        kit.send("start-later", {"user": "u"})
        kit.send("start", {"user": "u"})
        kit.send("start", {"user": "u"})
        kit.send_only("answer", {"user": "u"})
        with monkeypatch.context() as fault:
            fault.setattr(match, "resume_all", _throttled)
            assert kit.pump.deliver_event()
        kit.send("go")
        kit.advance("5m")

        assert statuses(kit, now) == ["Completed"] * 3


def _throttled(*_arguments: Any, **_options: Any) -> None:
    raise InfrastructureError("throttled")


def test_a_run_that_cannot_be_settled_keeps_the_event_from_nobody_else() -> None:
    with start_stepwell([now, big, started]) as kit:
        kit.send("start", {"user": "u"})
        kit.send("start-big")
        _lose_payloads(kit)
        kit.send_only("answer", {"user": "u"})
        for _ in range(15):
            kit.drain()
            kit.advance_only("31s")

        assert (statuses(kit, now), statuses(kit, started)) == (["Completed"], ["Completed"])


def _lose_payloads(kit: Stepwell) -> None:
    """As a restored table or a rule of somebody's own might."""
    import botocore.session

    s3: Any = botocore.session.get_session().create_client("s3")
    for one in s3.list_objects_v2(Bucket=kit.platform.config.bucket).get("Contents", []):
        s3.delete_object(Bucket=kit.platform.config.bucket, Key=one["Key"])


def test_a_run_whose_message_went_to_the_dead_letters_goes_on_by_itself_once_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with start_stepwell([now]) as kit:
        kit.send("start", {"user": "u"})
        kit.send_only("answer", {"user": "u"})
        kit.pump.deliver_event()
        with monkeypatch.context() as fault:
            fault.setattr(type(kit.platform.room.runs), "take_lease", _throttled)
            for _ in range(12):
                kit.drain()
                kit.advance_only("31s")
        assert kit.pump.dead_letters() == 1
        assert statuses(kit, now) == ["Running"]

        kit.advance_only("1h")
        kit.collect()

        assert statuses(kit, now) == ["Completed"]


class Clocked:
    """An invocation whose time runs with the kit's clock."""

    def __init__(self, kit: Stepwell) -> None:
        self._kit, self._end_ms = kit, 0

    def begin(self) -> None:
        self._end_ms = self._kit.platform.clock.now_ms() + 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self._end_ms - self._kit.platform.clock.now_ms()


def test_a_message_behind_slow_ones_is_tried_before_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    with start_stepwell([started]) as kit:
        invocation = Clocked(kit)
        kit.pump.invocation = invocation  # type: ignore[assignment]

        def slowly(_platform: Platform, body: str, _delivery: Delivery) -> None:
            tried.append(body)
            kit.advance_only(50_000)

        monkeypatch.setattr(deliveries, "_handle_event", slowly)
        kit.send_only("start", {"user": "behind"})
        kit.send_only("start", {"user": "before"})
        held = sorted(kit.pump.hold("events"), key=lambda one: "behind" in one["body"])
        for receives in range(1, 11):
            for record in held:
                record["attributes"]["ApproximateReceiveCount"] = str(receives)
            invocation.begin()
            kit.pump.deliver("events", held, acknowledge=False)

        assert kit.pump.dead_letters() == 0
        assert sum("behind" in body for body in tried) > 0
        assert sum("before" in body for body in tried) > 0


def test_a_message_that_was_never_begun_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with start_stepwell([started]) as kit:
        invocation = Clocked(kit)
        kit.pump.invocation = invocation  # type: ignore[assignment]
        with monkeypatch.context() as slow:
            slow.setattr(deliveries, "_handle_event", lambda *_: kit.advance_only(50_000))
            kit.send_only("answer", {"n": 1})
            kit.send_only("answer", {"n": 2})
            held = kit.pump.hold("events")
            for record in held:
                record["attributes"]["ApproximateReceiveCount"] = "10"
            invocation.begin()
            assert kit.pump.deliver("events", held)
        invocation.begin()
        kit.drain()

        assert kit.pump.dead_letters() == 0
        assert statuses(kit, started) == ["Completed"]


def test_what_is_handled_beside_a_suspicious_message_is_acknowledged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it does not come back with it when the process dies."""
    with start_stepwell([started]) as kit:
        kit.send_only([{"name": "answer", "data": {"n": number}} for number in range(3)])
        held = kit.pump.hold("events")
        for record in held:
            record["attributes"]["ApproximateReceiveCount"] = "3"
        real, handled = deliveries._handle_event, list[str]()

        def dies_third(platform: Platform, body: str, delivery: Delivery) -> None:
            if len(handled) == 2:
                raise SystemExit("out of memory")
            handled.append(body)
            real(platform, body, delivery)

        with monkeypatch.context() as killer:
            killer.setattr(deliveries, "_handle_event", dies_third)
            with pytest.raises(SystemExit):
                kit.pump.deliver("events", held)
        assert kit.pump.in_flight() == 1


@function(fn_id="fails", trigger=TriggerEvent(event="fail"), retries=0)
def fails(_ctx: Context) -> None:
    raise ValueError("no")


@function(
    fn_id="watcher",
    trigger=TriggerEvent(event="start"),
    cancel=[Cancel(event="inngest/function.failed", if_exp="async.data.run_id == 'none of these'")],
)
def watcher(ctx: Context) -> None:
    ctx.step.sleep("nap", "1d")


def test_a_start_looks_back_at_few_ends_of_runs_per_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is read from its whole run, which may have 32 MB."""
    with start_stepwell([fails, watcher]) as kit:
        kit.send_only("start")
        [start] = kit.pump.hold("events")
        for _ in range(15):
            kit.send("fail")
        runs = type(kit.platform.room.runs)
        load, loaded = runs.load, list[str]()

        def counted(self: Any, run_id: str) -> Any:
            loaded.append(run_id)
            return load(self, run_id)

        monkeypatch.setattr(runs, "load", counted)
        kit.pump.deliver("events", [start])
        assert 0 < len(loaded) <= 10

        kit.drain()
        assert statuses(kit, watcher) == ["Running"]
        assert kit.counts.get("RunsStarted") == 16
