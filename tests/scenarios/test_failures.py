"""How runs end, and who is told."""

from __future__ import annotations

from chalicelib.sdk import Cancel, Context, NonRetriableError, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from chalicelib.testing.kit import START

ENDS = ("inngest/function.finished", "inngest/function.failed", "inngest/function.cancelled")


def raise_it(message: str) -> None:
    raise NonRetriableError(message)


@function(fn_id="good", trigger=TriggerEvent(event="good"))
def good(_ctx: Context) -> dict[str, int]:
    return {"answer": 42}


@function(fn_id="bad", trigger=TriggerEvent(event="bad"))
def bad(ctx: Context) -> None:
    ctx.step.run("break", raise_it, "broken")


@function(fn_id="slow", trigger=TriggerEvent(event="slow"), cancel=[Cancel(event="stop")])
def slow(ctx: Context) -> None:
    ctx.step.sleep("long", "30d")


def told(kit: Stepwell) -> dict[str, list[dict[str, object]]]:
    return {name: [event["data"] for event in kit.events(name)] for name in ENDS}


def test_a_run_that_completed() -> None:
    with start_stepwell([good]) as kit:
        [event_id] = kit.send("good", {"n": 1}, id="g-1")

        run = kit.only_run()
        finished, failed, cancelled = told(kit).values()
        trigger = {"name": "good", "data": {"n": 1}, "id": "g-1", "ts": int(START.timestamp() * 1000) + 1}
        assert finished == [
            {
                "function_id": "good",
                "run_id": run.run_id,
                "event": trigger,
                "events": [trigger],
                "result": {"answer": 42},
            }
        ]
        assert failed == cancelled == []
        [start] = kit.event(event_id)["started"]
        assert (start["function_id"], start["run_id"]) == ("good", run.run_id)


def test_a_run_that_failed() -> None:
    with start_stepwell([bad]) as kit:
        kit.send("bad")

        finished, failed, cancelled = told(kit).values()
        assert len(finished) == 1
        assert finished == failed
        assert cancelled == []
        error = failed[0]["error"]
        assert isinstance(error, dict)
        assert (error["name"], error["message"]) == ("NonRetriableError", "broken")
        assert "result" not in failed[0]


def test_a_run_that_was_cancelled() -> None:
    with start_stepwell([slow]) as kit:
        kit.send("slow")
        kit.send("stop")

        finished, failed, cancelled = told(kit).values()
        assert len(cancelled) == 1
        assert finished == cancelled
        assert failed == []
        assert cancelled[0]["error"] == {"name": "FunctionCancelled", "message": "cancelled by the event stop"}


def test_each_is_told_once_though_settling_is_repeated() -> None:
    with start_stepwell([good]) as kit:
        kit.send_only("good")
        kit.pump.deliver_event()
        turn = kit.pump.hold("work")
        for _ in range(3):
            assert kit.pump.deliver("work", turn, acknowledge=False)
        kit.drain()

        assert len(kit.events("inngest/function.finished")) == 1


def test_none_for_runs_that_such_events_started() -> None:
    @function(fn_id="watch", trigger=[TriggerEvent(event=name) for name in ENDS])
    def watch(ctx: Context) -> None:
        raise_it(str(ctx.event.data["function_id"]))

    with start_stepwell([good, bad, watch]) as kit:
        kit.send("good")
        kit.send("bad")

        assert [run.error for run in kit.runs(watch)] == ["good", "bad", "bad"]
        assert {data["function_id"] for name in ENDS for data in told(kit)[name]} == {"good", "bad"}


def test_on_failure() -> None:
    seen: list[object] = []

    def clean_up(ctx: Context) -> str:
        error = ctx.event.data["error"]["message"]
        ctx.step.run("note", seen.append, (ctx.event.data["function_id"], ctx.event.data["event"]["data"], error))
        return f"cleaned up after {error}"

    @function(fn_id="job", trigger=TriggerEvent(event="go"), retries=1, on_failure=clean_up)
    def job(ctx: Context) -> None:
        if ctx.event.data["fail"]:
            raise ValueError("job failed")

    @function(fn_id="other", trigger=TriggerEvent(event="bad"), on_failure=clean_up)
    def other(_ctx: Context) -> None:
        raise_it("other failed")

    with start_stepwell([job, other]) as kit:
        kit.send("go", {"fail": True})
        kit.send("go", {"fail": False})
        assert kit.runs("job-failure") == []  # There is another attempt.
        kit.advance("1m")
        kit.send("bad")

        assert [run.status for run in kit.runs(job)] == ["Failed", "Completed"]
        handler = kit.only_run("job-failure")
        assert (handler.status, handler.output) == ("Completed", "cleaned up after job failed")
        assert kit.only_run("other-failure").output == "cleaned up after other failed"
        assert seen == [("job", {"fail": True}, "job failed"), ("other", {}, "other failed")]


def test_on_failure_is_not_called_for_a_cancelled_run_and_gets_one_attempt() -> None:
    def clean_up(_ctx: Context) -> None:
        raise ValueError("the handler failed, too")

    @function(fn_id="job", trigger=TriggerEvent(event="go"), cancel=Cancel(event="stop"), on_failure=clean_up)
    def job(ctx: Context) -> None:
        ctx.step.sleep("a", "1h")
        raise_it("broken")

    with start_stepwell([job]) as kit:
        kit.send("go")
        kit.send("stop")
        assert kit.runs("job-failure") == []

        kit.send("go")
        kit.advance("2h")
        handler = kit.only_run("job-failure")
        assert (handler.status, handler.error) == ("Failed", "the handler failed, too")
        assert len(kit.runs()) == 3  # Its own failure starts nothing.


def test_a_function_can_wait_for_the_end_of_another_run() -> None:
    @function(fn_id="audit", trigger=TriggerEvent(event="audit"))
    def audit(ctx: Context) -> object:
        ended = ctx.step.wait_for_event(
            "end", event="inngest/function.finished", if_exp="async.data.function_id == 'good'", timeout="1h"
        )
        return None if ended is None else ended.data["result"]

    with start_stepwell([audit, good]) as kit:
        kit.send("audit")
        kit.send("good")

        assert kit.only_run(audit).output == {"answer": 42}
