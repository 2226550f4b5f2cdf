"""Steps that follow each other: run once, memoised, reported to the engine."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.core import limits
from chalicelib.core.calls import Opcode, Operations, Raised, Returned
from chalicelib.sdk import (
    AsyncContext,
    Context,
    Event,
    InvalidStepError,
    LimitExceeded,
    OutputNotSerializable,
)
from tests.unit.drivers.harness import NOW_MS, Harness, durable, step_id

OTHER = durable(lambda _ctx: None, "other")


def test_a_function_is_entered_again_for_each_step_and_each_handler_runs_once() -> None:
    ran = []

    def work(name: str, factor: int = 1) -> int:
        ran.append(name)
        return len(name) * factor

    def handler(ctx: Context) -> int:
        one = ctx.step.run("one", work, "abc")
        ctx.step.sleep("nap", "1s")
        return one + ctx.step.run("two", work, "de", 10)

    harness = Harness(handler)

    assert harness.drive() == 23
    assert ran == ["abc", "de"]
    assert harness.history == ["StepRun one", "Sleep nap", "StepRun two"]


def test_an_asynchronous_function_takes_both_kinds_of_handlers() -> None:
    async def slow(value: int) -> int:
        return value + 1

    async def handler(ctx: AsyncContext) -> Any:
        one = await ctx.step.run("async", slow, 1)
        two = await ctx.step.run("sync", abs, -5)
        await ctx.step.sleep("nap", 5)
        await ctx.step.sleep_until("later", datetime(2020, 1, 1, tzinfo=UTC))
        found = await ctx.step.wait_for_event("wait", event="a/b", timeout="1d")
        ids = await ctx.step.send_event("send", Event(name="x/y"))
        three = await ctx.step.invoke("invoke", function=OTHER)
        four = await ctx.step.invoke_by_id("by-id", function_id="other")
        return one + two + len(ids) + three + four + (1000 if found is None else 0)

    harness = Harness(handler, outside={"invoke": 10, "by-id": 20})

    assert harness.drive() == 1038
    assert [line.split()[0] for line in harness.history] == [
        "StepRun",
        "StepRun",
        "Sleep",
        "Sleep",
        "WaitForEvent",
        "StepRun",
        "InvokeFunction",
        "InvokeFunction",
    ]


def test_a_step_tells_its_times_output_and_size() -> None:
    op = Harness(lambda ctx: ctx.step.run("a", lambda: {"k": ("ä", 1)})).op()

    assert (op.op, op.id, op.name) == (Opcode.STEP_RUN, step_id("a"), "a")
    assert op.output == {"k": ["ä", 1]}
    assert op.size_bytes == len('{"k":["ä",1]}'.encode())
    assert op.started_at_ms is not None
    assert op.ended_at_ms is not None
    assert NOW_MS < op.started_at_ms < op.ended_at_ms


def test_repeated_ids_are_counted() -> None:
    harness = Harness(lambda ctx: [ctx.step.run("same", lambda i=i: i) for i in range(3)])

    assert harness.drive() == [0, 1, 2]
    assert [op.id for op in harness.asked] == [step_id("same", repeat) for repeat in range(3)]


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}])
def test_a_memo_is_recalled_whatever_its_value(value: Any) -> None:
    harness = Harness(lambda ctx: ctx.step.run("a", lambda: "ran"))
    harness.memo("a", value)

    assert harness.drive() == value


def test_what_the_function_does_to_a_recalled_value_is_not_kept() -> None:
    seen = []

    def handler(ctx: Context) -> None:
        value = ctx.step.run("list", lambda: [{"n": 1}])
        seen.append([dict(item) for item in value])
        value[0]["n"] = 2
        value.append({})
        ctx.event.data["changed"] = True
        assert "changed" in ctx.event.data
        ctx.step.run("next", lambda: None)

    harness = Harness(handler, data={"x": 1})
    harness.drive()

    assert seen == [[{"n": 1}], [{"n": 1}]]


def test_the_context_tells_the_run() -> None:
    def handler(ctx: Context) -> list[Any]:
        return [
            ctx.run_id,
            ctx.attempt,
            ctx.event.name,
            ctx.event.data,
            ctx.event.id,
            ctx.event.ts,
            len(ctx.events),
        ]

    assert Harness(handler, data={"a": 1}, attempt=2).drive() == [
        "run",
        2,
        "test/event",
        {"a": 1},
        "01E",
        5,
        1,
    ]


@pytest.mark.parametrize(
    ("duration", "expected_ms"),
    [
        (1500, 1500),
        (timedelta(minutes=2), 120_000),
        ("1h30m", 5_400_000),
        (0, 0),
        ("366d", limits.MAX_WAIT_MS),
    ],
)
def test_sleep_is_reported_with_its_end(duration: Any, expected_ms: int) -> None:
    op = Harness(lambda ctx: ctx.step.sleep("nap", duration)).op()

    assert op.op is Opcode.SLEEP
    assert op.started_at_ms is not None
    assert op.sleep_until_ms == op.started_at_ms + expected_ms


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2027, 3, 1, 12),
        datetime(2027, 3, 1, 12, tzinfo=UTC),
        datetime(2027, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_sleep_until_takes_a_moment_and_reads_a_naive_one_as_utc(moment: datetime) -> None:
    op = Harness(lambda ctx: ctx.step.sleep_until("nap", moment)).op()

    assert op.sleep_until_ms == int(datetime(2027, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)


def test_a_wait_gives_its_event_or_none() -> None:
    def handler(ctx: Context) -> Any:
        found = ctx.step.wait_for_event("w", event="a/b", if_exp="async.data.x == 1", timeout="1d")
        return None if found is None else [found.name, found.data["x"], found.id, found.ts, found.user, found.v]

    harness = Harness(handler)
    op = harness.op()
    assert op.op is Opcode.WAIT_FOR_EVENT
    assert op.wait is not None
    assert op.wait.model_dump(exclude_defaults=True) == {
        "awaited": ({"event": "a/b", "if_exp": "async.data.x == 1"},),
        "timeout_ms": limits.DAY_MS,
    }

    assert harness.drive() is None
    harness.memo("w", {"name": "a/b", "data": {"x": 1}, "id": "e1", "ts": 7, "user": {"id": 1}, "v": "2"})
    assert harness.drive() == ["a/b", 1, "e1", 7, {"id": 1}, "2"]


def test_invoke_names_the_function_and_its_event() -> None:
    def handler(ctx: Context) -> Any:
        return ctx.step.invoke("i", function=OTHER, data={"a": (1,)}, user={"id": 1}, v="1", timeout="1h")

    harness = Harness(handler, outside={"i": {"done": True}})
    op = harness.op()

    assert op.op is Opcode.INVOKE_FUNCTION
    assert op.invoke is not None
    assert op.invoke.model_dump() == {
        "function_id": "other",
        "data": {"a": [1]},
        "user": {"id": 1},
        "v": "1",
        "timeout_ms": limits.HOUR_MS,
    }
    assert harness.drive() == {"done": True}


def test_invoke_waits_a_year_unless_told_otherwise() -> None:
    op = Harness(lambda ctx: ctx.step.invoke_by_id("i", function_id="elsewhere")).op()

    assert op.invoke is not None
    assert (op.invoke.function_id, op.invoke.timeout_ms) == ("elsewhere", limits.DEFAULT_INVOKE_TIMEOUT_MS)


def test_send_event_sends_checked_events_and_gives_their_ids() -> None:
    def handler(ctx: Context) -> list[str]:
        return ctx.step.send_event("s", [Event(name="a/b", data={"x": 1}), Event(name="c/d", id="mine")])

    harness = Harness(handler)
    ids = harness.drive()

    assert ids == [f"{step_id('s')[:6]}-0", f"{step_id('s')[:6]}-1"]
    ((run, step, events),) = harness.sent
    assert (run, step) == ("run", step_id("s"))
    assert [(item["name"], item["data"], item["id"]) for item in events] == [
        ("a/b", {"x": 1}, ""),
        ("c/d", {}, "mine"),
    ]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ({"name": "a/b"}, "takes an Event or a list of them, not dict"),
        ([{"name": "a/b"}], "event 1 must be an Event"),
        ([Event(name="ok"), Event(name="")], "event 2: name"),
        (Event(name="inngest/x"), "reserved"),
        (Event(name="a", data={"at": {1}}), "event.data.at is of type set"),
        (Event(name="a", data={"big": "x" * limits.MAX_EVENT_BYTES}), "at most 3,145,728"),
        ([Event(name="a")] * 5001, "5,001 events are too many"),
    ],
)
def test_events_that_cannot_be_sent_fail_the_step_for_good(events: Any, message: str) -> None:
    op = Harness(lambda ctx: ctx.step.send_event("s", events)).op()

    assert (op.op, op.retriable) == (Opcode.STEP_FAILED, False)
    assert op.error is not None
    assert message in op.error.message


class Fault(BaseException):
    """What a crash test raises."""


@pytest.mark.parametrize("error", [ConnectionError("no network"), Fault()])
def test_a_fault_while_sending_leaves_the_driver_and_is_no_failure_of_the_step(error: BaseException) -> None:
    def handler(ctx: Context) -> None:
        try:
            ctx.step.send_event("s", Event(name="a"))
        except BaseException:  # Whatever the function does about it.
            return

    with pytest.raises(type(error)):
        Harness(handler, send_error=error).call()


def test_a_mistake_that_sending_finds_fails_the_step() -> None:
    harness = Harness(lambda ctx: ctx.step.send_event("s", Event(name="a")), send_error=LimitExceeded("too many"))

    assert harness.op().op is Opcode.STEP_FAILED


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda ctx: ctx.step.run("", abs), "1 to 512 characters; this one has 0"),
        (lambda ctx: ctx.step.run("x" * 513, abs), "this one has 513"),
        (lambda ctx: ctx.step.run(7, abs), "not int"),
        (lambda ctx: ctx.step.run("\ud800", abs), "surrogate"),
        (lambda ctx: ctx.step.run("s", "text"), "step 's' needs a function to run, not str"),
        (lambda ctx: ctx.step.sleep("s", "tomorrow"), "step 's': 'tomorrow' is not a duration"),
        (lambda ctx: ctx.step.sleep("s", -1), "step 's': a duration cannot be negative"),
        (lambda ctx: ctx.step.sleep("s", timedelta(days=-1)), "cannot be negative"),
        (lambda ctx: ctx.step.sleep("s", timedelta(days=367)), "step 's': the duration is longer than 366d"),
        (lambda ctx: ctx.step.sleep("s", 10**6000), "longer than 366d"),
        (lambda ctx: ctx.step.sleep("s", -(10**6000)), "step 's': the duration"),
        (lambda ctx: ctx.step.sleep("s", 1.5), "not float"),
        (lambda ctx: ctx.step.sleep("s", True), "not bool"),
        (lambda ctx: ctx.step.sleep("s", None), "not NoneType"),
        (lambda ctx: ctx.step.sleep_until("s", datetime(2099, 1, 1)), "longer than 366d"),
        (lambda ctx: ctx.step.sleep_until("s", datetime.max), "longer than 366d"),
        (lambda ctx: ctx.step.sleep_until("s", date(2026, 1, 1)), "takes a datetime, not date"),
        (lambda ctx: ctx.step.wait_for_event("s", event="", timeout=1), "event must be a text, not empty"),
        (lambda ctx: ctx.step.wait_for_event("s", event=5, timeout=1), "event must be a text, not int"),
        (lambda ctx: ctx.step.wait_for_event("s", event="x" * 257, timeout=1), "at most 256"),
        (lambda ctx: ctx.step.wait_for_event("s", event="\udfff", timeout=1), "surrogate"),
        (lambda ctx: ctx.step.wait_for_event("s", event="a", timeout="367d"), "timeout is longer than"),
        (lambda ctx: ctx.step.wait_for_event("s", event="a", timeout=1, if_exp=3), "if_exp must be a text"),
        (lambda ctx: ctx.step.invoke("s", function=abs), "decorated with @function"),
        (lambda ctx: ctx.step.invoke("s", function="other"), "ctx.step.invoke_by_id"),
        (lambda ctx: ctx.step.invoke("s", function=None), "invoke needs function"),
        (lambda ctx: ctx.step.invoke_by_id("s", function_id=""), "function_id must be a text"),
        (lambda ctx: ctx.step.invoke_by_id("s", function_id="f", data=[1]), "data must be a dict"),
        (lambda ctx: ctx.step.invoke_by_id("s", function_id="f", data={"a": {1}}), "data.a is of type set"),
        (lambda ctx: ctx.step.invoke_by_id("s", function_id="f", timeout="2y"), "is not a duration"),
        (lambda ctx: ctx.step.invoke_by_id("s", function_id="f", v=1), "v must be a text"),
        (lambda ctx: ctx.group.parallel(abs), "takes a tuple of callables"),
        (lambda ctx: ctx.group.parallel((1,)), "item 1 of ctx.group.parallel is not callable"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_for_good(use: Any, message: str) -> None:
    raised = Harness(use).raised()

    assert raised.retriable is False
    assert raised.error.name == InvalidStepError.__name__
    assert message in raised.error.message


def test_a_memoised_step_is_not_checked_again() -> None:
    harness = Harness(lambda ctx: ctx.step.sleep_until("s", datetime(2099, 1, 1)))
    harness.memo("s")

    assert harness.drive() is None


def test_plan_only_reports_the_next_step_instead_of_running_it() -> None:
    def handler(ctx: Context) -> Any:
        ctx.step.run("a", lambda: 1)
        ctx.step.run("b", pytest.fail)
        return None

    harness = Harness(handler)
    harness.memo("a", 1)
    (op,) = harness.ops(plan_only=True)

    assert (op.op, op.name) == (Opcode.STEP_PLANNED, "b")


def test_a_target_is_the_only_step_that_runs() -> None:
    def handler(ctx: Context) -> Any:
        ctx.step.run("a", lambda: 1)
        return ctx.step.run("b", lambda: 2)

    harness = Harness(handler)
    assert harness.op(step_id("b")).op is Opcode.STEP_NOT_FOUND  # a has no result yet, and is not run.
    harness.memo("a", 1)
    assert (harness.op(step_id("b")).op, harness.op(step_id("b")).output) == (Opcode.STEP_RUN, 2)


@pytest.mark.parametrize("handler", [lambda _: None, lambda ctx: ctx.step.sleep("gone", 1)])
def test_a_target_that_does_not_come_is_reported(handler: Any) -> None:
    op = Harness(handler).op(step_id("gone"))

    assert (op.op, op.id) == (Opcode.STEP_NOT_FOUND, step_id("gone"))
    assert op.error is not None
    assert "did not come to this step again" in op.error.message


def test_steps_that_the_function_went_past_are_told() -> None:
    harness = Harness(lambda ctx: ctx.step.run("new", lambda: 1))
    harness.memo("old", 1)
    reply = harness.call()
    assert isinstance(reply, Operations)
    assert reply.unseen_steps == (step_id("old"),)

    harness.memo("new", 1)
    reply = harness.call()
    assert isinstance(reply, Returned)
    assert reply.unseen_steps == (step_id("old"),)


def test_steps_still_to_come_are_not_told_as_unseen() -> None:
    def handler(ctx: Context) -> None:
        ctx.group.parallel((lambda: ctx.step.run("a", abs, 1), lambda: ctx.step.run("b", abs, 2)))
        ctx.step.run("c", abs, 3)

    harness = Harness(handler)
    harness.memo("b", 2)
    for target in (None, step_id("a")):
        reply = harness.call(target)
        assert isinstance(reply, Operations)
        assert reply.unseen_steps == ()


def test_a_function_that_is_not_deployed_ends_the_run() -> None:

    raised = Harness(lambda _: None).call(fn_id="gone")

    assert isinstance(raised, Raised)
    assert raised.retriable is False
    assert "function 'gone' is not in this deployment" in raised.error.message


CIRCLE: list[Any] = []
CIRCLE.append({"again": CIRCLE})
DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {2}]}, "result.a[1] is of type set; return a sorted list of it"),
        (b"x", "result is of type bytes; decode it"),
        ({"at": datetime(2026, 1, 1)}, "result.at is of type datetime; return its isoformat()"),
        ({"odd key": object()}, "result['odd key'] is of type object"),
        ([float("nan")], "result[0] is nan"),
        ({"x": float("inf")}, "result.x is inf"),
        ({float("nan"): 1}, "has a key that is nan"),
        ({(1, 2): 3}, "result has a key of type tuple"),
        (CIRCLE, "result[0].again contains itself"),
        (DEEP, "nested more than 100 levels"),
        ("\ud800", "result is a text with half of a surrogate pair"),
        ({"\udc00": 1}, "a key with half of a surrogate pair"),
        pytest.param(10**5000, "thousands of digits", id="huge"),
        (Event(name="a"), "return dataclasses.asdict() of it"),
        (iter(()), "result is of type tuple_iterator"),
        (abs, "is of type builtin_function_or_method"),
    ],
)
def test_an_output_that_is_not_json_fails_for_good_and_names_the_place(value: Any, message: str) -> None:
    op = Harness(lambda ctx: ctx.step.run("s", lambda: value)).op()
    assert (op.op, op.retriable) == (Opcode.STEP_FAILED, False)
    assert op.error is not None
    assert op.error.name == OutputNotSerializable.__name__
    assert op.error.message.startswith("the output of step 's' is not JSON: ")
    assert message in op.error.message

    raised = Harness(lambda _: value).raised()
    assert raised.retriable is False
    assert raised.error.message.startswith("what function 'fn' returned is not JSON: ")
    assert message in raised.error.message


def test_an_output_of_the_allowed_depth_is_kept() -> None:
    value: Any = 1
    for _ in range(limits.MAX_EVENT_DEPTH):
        value = [value]

    assert Harness(lambda ctx: ctx.step.run("s", lambda: value)).drive() == value
    assert Harness(lambda ctx: ctx.step.run("s", lambda: [value])).op().op is Opcode.STEP_FAILED


def test_what_json_changes_the_first_run_changes_too() -> None:
    harness = Harness(lambda ctx: ctx.step.run("s", lambda: {1: (True, None)}))

    assert harness.drive() == {"1": [True, None]}


def test_an_output_beyond_the_limit_fails_with_limit_and_size() -> None:
    fits = "ä" * ((limits.MAX_STEP_OUTPUT_BYTES - 2) // 2)
    assert Harness(lambda ctx: ctx.step.run("s", lambda: fits)).op().op is Opcode.STEP_RUN

    op = Harness(lambda ctx: ctx.step.run("s", lambda: fits + "x")).op()
    assert op.op is Opcode.STEP_FAILED
    assert op.error is not None
    assert op.error.name == "LimitExceeded"
    assert "4,194,305 bytes; at most 4,194,304" in op.error.message
    assert Harness(lambda _: fits + "x").raised().error.name == "LimitExceeded"
