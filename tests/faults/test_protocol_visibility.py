"""Holes in the protocol that were closed: beside a transaction, a query or a batch of reads may show a row of the index
before its step (DynamoDB: read-committed, not serializable). The emulators do not; here it is injected."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.core.errors import InfrastructureError
from chalicelib.sdk import Cancel, Context, TriggerEvent, WaitFor, function
from chalicelib.testing import start_stepwell


@function(fn_id="any", trigger=TriggerEvent(event="start"))
def waits_for_any(ctx: Context) -> Any:
    choices = [WaitFor(event="answer", if_exp=f"async.data.n {test}") for test in ("== 1", "> 1")]
    found = ctx.step.wait_for_any("wait", choices, timeout="30d")
    return None if found is None else found.index


@function(fn_id="one", trigger=TriggerEvent(event="start"))
def waits_for_one(ctx: Context) -> str:
    ctx.step.wait_for_event("wait", event="answer", timeout="30d")
    return "resumed"


def at_first(fault: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    """The fault once, and then what is real."""
    calls: list[object] = []

    def call(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        return (fault if len(calls) == 1 else real)(*arguments, **options)

    return call


def test_an_event_waits_for_the_step_whose_row_it_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    with start_stepwell([waits_for_any]) as kit:
        kit.send("start")
        runs = type(kit.platform.room.runs)

        def without_steps(self: Any, run_id: str) -> Any:
            run = real(self, run_id)
            assert run is not None
            run.steps.clear()
            return run

        real = runs.load
        monkeypatch.setattr(runs, "load", at_first(without_steps, real))
        monkeypatch.setattr(runs, "ended_plans", at_first(lambda *_: {}, runs.ended_plans))
        kit.send_only("answer", {"n": 2})
        kit.advance("5m")

        assert kit.only_run().output == 1


def test_a_fault_while_the_step_is_not_to_be_seen_does_not_make_the_wait_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(*_arguments: Any) -> None:
        raise InfrastructureError("throttled")

    with start_stepwell([waits_for_one]) as kit:
        kit.send("start")
        runs = type(kit.platform.room.runs)
        monkeypatch.setattr(runs, "resume", at_first(throttled, runs.resume))
        monkeypatch.setattr(runs, "ended_plans", at_first(lambda *_: {}, runs.ended_plans))
        kit.send_only("answer")
        kit.advance("5m")

        assert kit.only_run().output == "resumed"


@function(fn_id="big", trigger=TriggerEvent(event="start"), cancel=[Cancel(event="answer")])
def sleeps(ctx: Context) -> None:
    ctx.step.sleep("nap", "30d")


def test_of_many_that_an_event_cancels_one_at_a_time_is_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """One may have 32 MB, and take ten times as much of the memory there is."""
    with start_stepwell([sleeps], MATCH_THREADS="8") as kit:
        for _ in range(10):
            kit.send("start")
        runs = type(kit.platform.room.runs)
        real, reading, most = runs.load, threading.Semaphore(1), list[str]()

        def alone(self: Any, run_id: str) -> Any:
            assert reading.acquire(blocking=False), "two runs are read at a time"
            try:
                most.append(run_id)
                return real(self, run_id)
            finally:
                reading.release()

        monkeypatch.setattr(runs, "load", alone)
        kit.send("answer")

        assert {run.status.value for run in kit.runs(sleeps)} == {"Cancelled"}
        assert len(most) >= 10
