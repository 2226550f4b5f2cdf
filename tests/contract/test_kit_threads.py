"""The kit's AWS bears the threads that a platform may have: each call is one whole."""

from __future__ import annotations

from chalicelib.sdk import Cancel, Context, TriggerEvent, function
from chalicelib.testing import start_stepwell

_RUNS = 30


@function(fn_id="sleeps", trigger=TriggerEvent(event="start"), cancel=[Cancel(event="answer")])
def sleeps(ctx: Context) -> None:
    ctx.step.sleep("nap", "30d")


def test_many_threads_cancel_runs_at_once() -> None:
    with start_stepwell([sleeps], MATCH_THREADS="16") as kit:
        kit.send([{"name": "start"}] * _RUNS)
        kit.send("answer")

        assert [run.status.value for run in kit.runs(sleeps)] == ["Cancelled"] * _RUNS
