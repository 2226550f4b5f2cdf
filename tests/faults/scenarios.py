"""Small scenarios that together use everything a function can do. Each is a few functions and a script.

Step names are unique within a scenario. What a step does is decided by its durable attempt number alone, so that a
repeated execution does the same. Every sleep, backoff and time-out is longer than the minutes that a recovery takes:
else a redelivered turn would find it due by the clock, and nobody would notice that its message was never sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.core import ids
from chalicelib.core.calls import CallRequest, Operations
from chalicelib.core.sdk_protocol.opcodes import Told, operations
from chalicelib.sdk import (
    Batch,
    Cancel,
    Concurrency,
    Context,
    Debounce,
    Event,
    Function,
    NonRetriableError,
    RateLimit,
    Singleton,
    StepError,
    Throttle,
    Timeouts,
    TriggerCron,
    TriggerEvent,
    WaitFor,
    function,
)
from tests import apps
from tests.apps import AppFunction, Story
from tests.faults.world import World
from tests.scenarios.endpoint_app import App, complete, op, ran

# Of retries: longer than a recovery, shorter than what goes to the timers table. Pages so small that a few runs that
# wait for the same event are more than one.
SETTINGS = {"RETRY_TABLE": "10m", "MATCH_PAGE": "2"}
SAME_USER = "async.data.user == event.data.user"
USER = {"user": "u1"}
_current: list[World] = []


@dataclass(frozen=True)
class Scenario:
    """`open_runs`: how many runs are still waiting at its end, as they should. `inert`: steps whose results come after
    the end of their run, if they come at all. `ends`: the statuses of all runs when nothing is disturbed, in order."""

    name: str
    functions: tuple[Function[Any], ...]
    script: Callable[[World], None]
    remaining_ms: int = 120_000
    arm_ticks: bool = False
    open_runs: int = 0
    inert: frozenset[str] = frozenset()
    # Functions of an app.
    app: tuple[AppFunction, ...] = ()
    ends: tuple[str, ...] = ("Completed",)


def enter(world: World) -> None:
    """The world that steps tell of their executions from now on."""
    _current[:] = [world]


def world_now() -> World:
    return _current[0]


def work(ctx: Context, name: str, result: Any = None) -> Any:
    """A step that counts."""
    world_now().ran(ctx.run_id, name)
    return result if result is not None else f"{name} done"


def run(ctx: Context, name: str, result: Any = None) -> Any:
    return ctx.step.run(name, work, ctx, name, result)


def fail_first(ctx: Context, name: str) -> str:
    work(ctx, name)
    if ctx.attempt == 0:
        raise ValueError(f"{name} fails once")
    return f"{name} done"


def fail_for_good(ctx: Context, name: str) -> None:
    work(ctx, name)
    raise NonRetriableError(f"{name} cannot be done")


@function(fn_id="three-steps", trigger=TriggerEvent(event="t/steps"))
def three_steps(ctx: Context) -> str:
    first = run(ctx, "one")
    run(ctx, "two")
    run(ctx, "three")
    return f"after {first}"


@function(fn_id="keyed", trigger=TriggerEvent(event="t/keyed"), idempotency="event.data.key")
def keyed(ctx: Context) -> Any:
    run(ctx, "one")
    return ctx.event.data


@function(fn_id="rated", trigger=TriggerEvent(event="t/rated"), rate_limit=RateLimit(limit=2, period="24h"))
def rated(ctx: Context) -> Any:
    run(ctx, "one")
    return ctx.event.data


@function(
    fn_id="one-at-a-time",
    trigger=TriggerEvent(event="t/one"),
    singleton=Singleton(mode="skip", key="event.data.key"),
)
def one_at_a_time(ctx: Context) -> Any:
    ctx.step.sleep("nap", "10m")
    return ctx.event.data


@function(fn_id="newest-only", trigger=TriggerEvent(event="t/newest"), singleton=Singleton(mode="cancel"))
def newest_only(ctx: Context) -> Any:
    ctx.step.sleep("nap", "10m")
    return ctx.event.data


@function(fn_id="overlong", trigger=TriggerEvent(event="t/overlong"), timeouts=Timeouts(finish="10m"))
def overlong(ctx: Context) -> None:
    run(ctx, "one")
    ctx.step.sleep("nap", "3h")


@function(
    fn_id="belated",
    trigger=TriggerEvent(event="t/belated"),
    throttle=Throttle(limit=1, period="3h"),
    timeouts=Timeouts(start="2h", finish="90m"),
)
def belated(ctx: Context) -> None:
    run(ctx, "one")


@function(fn_id="paced", trigger=TriggerEvent(event="t/paced"), throttle=Throttle(limit=1, period="10m"))
def paced(ctx: Context) -> Any:
    run(ctx, "one")
    return ctx.event.data


@function(
    fn_id="paced-far",
    trigger=TriggerEvent(event="t/paced"),
    throttle=Throttle(limit=1, period="3h"),
    cancel=Cancel(event="t/stop", if_exp="async.data.n == event.data.n"),
)
def paced_far(ctx: Context) -> Any:
    run(ctx, "one")
    return ctx.event.data


@function(
    fn_id="debounced",
    trigger=TriggerEvent(event="t/debounced"),
    debounce=Debounce(period="20m", key="event.data.user"),
)
def debounced(ctx: Context) -> Any:
    run(ctx, "one")
    return ctx.event.data


@function(fn_id="debounced-far", trigger=TriggerEvent(event="t/debounced"), debounce=Debounce(period="3h"))
def debounced_far(ctx: Context) -> Any:
    run(ctx, "one")
    return ctx.event.data


@function(fn_id="batched", trigger=TriggerEvent(event="t/batched"), batch_events=Batch(max_size=2, timeout="20m"))
def batched(ctx: Context) -> Any:
    run(ctx, "one")
    return len(ctx.events)


@function(fn_id="asleep", trigger=TriggerEvent(event="t/sleep"))
def asleep(ctx: Context) -> str:
    run(ctx, "before")
    ctx.step.sleep("nap", ctx.event.data["for"])
    run(ctx, "after")
    return "rested"


@function(fn_id="waiter", trigger=TriggerEvent(event="t/wait"))
def waiter(ctx: Context) -> Any:
    run(ctx, "before")
    found = ctx.step.wait_for_event(
        "the-wait", event="t/answer", if_exp=SAME_USER, timeout=ctx.event.data.get("for", "24h")
    )
    run(ctx, "after")
    return None if found is None else found.data


@function(fn_id="two-waits", trigger=TriggerEvent(event="t/wait-twice"))
def two_waits(ctx: Context) -> list[Any]:
    first = ctx.step.wait_for_event("first", event="t/answer", if_exp=SAME_USER, timeout="24h")
    second = ctx.step.wait_for_event("second", event="t/answer", if_exp=SAME_USER, timeout="24h")
    return [None if found is None else found.data["n"] for found in (first, second)]


@function(fn_id="in-a-crowd", trigger=TriggerEvent(event="t/crowd"), cancel=[Cancel(event="t/stop", if_exp=SAME_USER)])
def in_a_crowd(ctx: Context) -> Any:
    found = ctx.step.wait_for_event("the-wait", event="t/answer", if_exp=ctx.event.data.get("if"), timeout="24h")
    return None if found is None else found.data


@function(fn_id="late-waiter", trigger=TriggerEvent(event="t/wait-late"), wait_lookback="run")
def late_waiter(ctx: Context) -> list[Any]:
    run(ctx, "before")
    ctx.step.sleep("nap", "10m")
    first = ctx.step.wait_for_event("first", event="t/answer", if_exp=SAME_USER, timeout="24h")
    second = ctx.step.wait_for_event("second", event="t/answer", if_exp=SAME_USER, timeout="24h")
    run(ctx, "after")
    return [None if found is None else found.data["n"] for found in (first, second)]


@function(fn_id="late-pair", trigger=TriggerEvent(event="t/wait-late"))
def late_pair(ctx: Context) -> list[Any]:
    ctx.step.sleep("nap", "10m")
    found = ctx.group.parallel(
        (
            lambda: ctx.step.wait_for_event("left", event="t/answer", timeout="24h", lookback="1h"),
            lambda: ctx.step.wait_for_event("right", event="t/answer", timeout="24h", lookback="1h"),
        )
    )
    return [None if event is None else event.data["n"] for event in found]


CHOICES = (WaitFor("t/answer", f"{SAME_USER} && async.data.n > 1"), WaitFor("t/stop"), WaitFor("t/answer", SAME_USER))


@function(fn_id="chooser", trigger=TriggerEvent(event="t/choose"))
def chooser(ctx: Context) -> Any:
    found = ctx.step.wait_for_any("the-choice", CHOICES, timeout=ctx.event.data.get("for", "24h"))
    run(ctx, "after")
    return None if found is None else [found.index, found.event.data]


@function(fn_id="late-chooser", trigger=TriggerEvent(event="t/choose"))
def late_chooser(ctx: Context) -> Any:
    ctx.step.sleep("nap", "10m")
    found = ctx.step.wait_for_any("the-choice", CHOICES, timeout="20d", lookback="run")
    return None if found is None else [found.index, found.event.data]


@function(fn_id="bad-wait", trigger=TriggerEvent(event="t/bad-wait"))
def bad_wait(ctx: Context) -> str:
    run(ctx, "before")
    try:
        ctx.step.wait_for_event("wrong", event="t/answer", if_exp="async.data.user ==", timeout="24h")
    except StepError as error:
        return run(ctx, "handle", error.message)  # type: ignore[no-any-return]
    return "never"


@function(
    fn_id="cancellable", trigger=TriggerEvent(event="t/cancellable"), cancel=[Cancel(event="t/stop", if_exp=SAME_USER)]
)
def cancellable(ctx: Context) -> str:
    run(ctx, "before")
    ctx.step.wait_for_event("long", event="t/answer", if_exp=SAME_USER, timeout="20d")
    run(ctx, "after")
    return "never"


def _stop_now(ctx: Context) -> str:
    """The cancelling event arrives while this step runs, and is processed before it ends."""
    world = world_now()
    world.ran(ctx.run_id, "stopped-in")
    world.from_outside("t/stop", USER)
    return "done"


@function(fn_id="between", trigger=TriggerEvent(event="t/between"), cancel=[Cancel(event="t/stop", if_exp=SAME_USER)])
def between(ctx: Context) -> str:
    ctx.step.run("stopped-in", _stop_now, ctx)
    run(ctx, "never-begun")
    return "never"


@function(fn_id="flaky-step", trigger=TriggerEvent(event="t/flaky"))
def flaky_step(ctx: Context) -> str:
    value: str = ctx.step.run("flaky", fail_first, ctx, "flaky")
    run(ctx, "after")
    return value


@function(fn_id="caught", trigger=TriggerEvent(event="t/caught"))
def caught(ctx: Context) -> str:
    try:
        ctx.step.run("hopeless", fail_for_good, ctx, "hopeless")
    except StepError as error:
        return run(ctx, "plan-b", error.message)  # type: ignore[no-any-return]
    return "never"


@function(fn_id="flaky-function", trigger=TriggerEvent(event="t/flaky-function"))
def flaky_function(ctx: Context) -> str:
    run(ctx, "before")
    if ctx.attempt == 0:
        raise ValueError("the function fails once")
    run(ctx, "after")
    return "done"


def _mourn(ctx: Context) -> str:
    run(ctx, "mourn")
    return "mourned"


@function(fn_id="doomed", trigger=TriggerEvent(event="t/doomed"), retries=1, on_failure=_mourn)
def doomed(ctx: Context) -> None:
    run(ctx, "before")
    raise ValueError("no way")


@function(fn_id="fails-once", trigger=TriggerEvent(event="t/fails-once"))
def fails_once(ctx: Context) -> str:
    """Fails, and does not when it is replayed."""
    head = world_now().platform.services.runs.head(ctx.run_id)
    if head is None or head.seed.original_run_id is None:
        raise NonRetriableError("as always")
    return run(ctx, "one")  # type: ignore[no-any-return]


@function(fn_id="parallel", trigger=TriggerEvent(event="t/parallel"))
def parallel(ctx: Context) -> list[Any]:
    left, right = ctx.group.parallel(
        (lambda: run(ctx, "left"), lambda: ctx.step.run("right", fail_first, ctx, "right"))
    )
    run(ctx, "join")
    return [left, right]


@function(fn_id="callee", trigger=TriggerEvent(event="t/callee"))
def callee(ctx: Context) -> Any:
    run(ctx, "called")
    if ctx.event.data.get("fail"):
        raise NonRetriableError("the callee fails")
    if ctx.event.data.get("slow"):
        ctx.step.sleep("slowly", ctx.event.data["slow"])
    return {"got": ctx.event.data}


@function(fn_id="caller", trigger=TriggerEvent(event="t/call"))
def caller(ctx: Context) -> Any:
    run(ctx, "before")
    try:
        return ctx.step.invoke(
            "call", function=callee, data=ctx.event.data["pass"], timeout=ctx.event.data.get("for", "9d")
        )
    except StepError as error:
        return run(ctx, "excuse", [error.name, error.message])


@function(fn_id="chain", trigger=TriggerEvent(event="t/chain"))
def chain(ctx: Context) -> Any:
    """Invokes what invokes."""
    run(ctx, "first")
    found = ctx.step.invoke("link", function=caller, data={"pass": {"a": 1}}, timeout="9d")
    return run(ctx, "last", found)


@function(fn_id="asks-twice", trigger=TriggerEvent(event="t/ask-twice"))
def asks_twice(ctx: Context) -> Any:
    """Invokes what may be started once a day."""
    found = []
    for name in ("ask", "ask again"):
        try:
            found.append(ctx.step.invoke(name, function=once_a_day, data={}, timeout="9d"))
        except StepError as error:
            found.append(run(ctx, f"excuse for {name}", error.name))
    return found


@function(fn_id="once-a-day", trigger=TriggerEvent(event="t/once"), rate_limit=RateLimit(limit=1, period="24h"))
def once_a_day(ctx: Context) -> str:
    return run(ctx, "asked")  # type: ignore[no-any-return]


@function(fn_id="steps-too", trigger=TriggerEvent(event="t/steps"))
def steps_too(ctx: Context) -> str:
    return run(ctx, "four")  # type: ignore[no-any-return]


@function(fn_id="sender", trigger=TriggerEvent(event="t/send"))
def sender(ctx: Context) -> int:
    sent = ctx.step.send_event("tell", [Event(name="t/steps", data={"from": "sender"}), Event(name="t/other")])
    run(ctx, "told")
    return len(sent)


@function(fn_id="hourly", trigger=TriggerCron(cron="0 * * * *"))
def hourly(ctx: Context) -> str:
    run(ctx, "tick-tock")
    return "done"


@function(fn_id="large", trigger=TriggerEvent(event="t/large"))
def large(ctx: Context) -> int:
    big: str = run(ctx, "grow", "x" * 40_000)
    ctx.step.sleep("pause", "10m")
    return len(big) + len(ctx.event.data["text"])


@function(fn_id="forgotten", trigger=TriggerEvent(event="t/forgotten"))
def forgotten(ctx: Context) -> str:
    ctx.step.wait_for_event("the-wait", event="t/answer", if_exp=SAME_USER, timeout="1h")
    return "timed out"


@function(fn_id="signalled", trigger=TriggerEvent(event="t/signalled"))
def signalled(ctx: Context) -> Any:
    run(ctx, "before")
    data = ctx.event.data
    try:
        found = ctx.step.wait_for_signal(
            "the-signal", signal="s", timeout=data.get("for", "9d"), on_conflict=data.get("on_conflict", "fail")
        )
    except StepError as error:
        return run(ctx, "excuse", error.name)
    return None if found is None else found.data


@function(fn_id="signaller", trigger=TriggerEvent(event="t/signal"))
def signaller(ctx: Context) -> str:
    ctx.step.send_signal("tell", signal="s", data=ctx.event.data)
    return run(ctx, "told")  # type: ignore[no-any-return]


def _crowded(ctx: Context, name: str) -> str:
    """While this step runs in a process in which nothing fails, others are delivered in the one in which things do."""
    world = world_now()
    world.ran(ctx.run_id, name)
    if ctx.event.data.get("first") and not world.injector.is_armed:
        world.drain()
    return f"{name} done"


@function(
    fn_id="one-of-each",
    trigger=TriggerEvent(event="t/limited"),
    concurrency=[Concurrency(limit=1, key="event.data.user")],
)
def one_of_each(ctx: Context) -> str:
    ctx.step.run("crowded", _crowded, ctx, "crowded")
    return "done"


@function(
    fn_id="one-of-each-and-one",
    trigger=TriggerEvent(event="t/limited-twice"),
    concurrency=[Concurrency(limit=1, key="event.data.user"), Concurrency(limit=1)],
)
def one_of_each_and_one(ctx: Context) -> str:
    ctx.step.run("crowded", _crowded, ctx, "crowded")
    return "done"


@function(
    fn_id="lined-up",
    trigger=TriggerEvent(event="t/lined-up"),
    concurrency=[Concurrency(limit=1)],
    cancel=[Cancel(event="t/stop", if_exp=SAME_USER)],
)
def lined_up(ctx: Context) -> str:
    return run(ctx, "one")  # type: ignore[no-any-return]


@function(fn_id="one-step", trigger=TriggerEvent(event="t/limited-steps"), concurrency=[Concurrency(limit=1)])
def one_step(ctx: Context) -> list[Any]:
    left, right = ctx.group.parallel(
        (
            lambda: ctx.step.run("left", _crowded, ctx, "left"),
            lambda: ctx.step.run("right", _crowded, ctx, "right"),
        )
    )
    return [left, right]


def _app_step(request: CallRequest, name: str) -> apps.Run:
    """A step of an app that counts."""

    def work_in_app() -> str:
        world_now().ran(request.run_id, name)
        return f"{name} done"

    return apps.run(name, work_in_app)


def _reporting(request: CallRequest) -> Story:
    found = []
    for name in ("one", "two", "three"):
        found.append((yield _app_step(request, name)))
    answer = yield apps.wait("the-wait", "t/answer", timeout_ms=86_400_000)
    found.append((yield _app_step(request, "four")))
    return [*found, answer["data"]["n"]]


def _side_by_side(request: CallRequest) -> Story:
    def branch(name: str) -> Story:
        return (yield _app_step(request, name))

    def asleep(name: str, ms: int, then: str) -> Story:
        yield apps.sleep(name, request.event.received_at_ms + ms)
        return (yield _app_step(request, then))

    outputs = yield apps.both(branch("left"), branch("right"), asleep("nap", 600_000, "awake"))
    number, first = yield apps.race(asleep("long nap", 40_000_000, "too-late"), branch("fast"))
    return [*outputs, (yield _app_step(request, "join")), number, first]


def _failing_first(request: CallRequest) -> Story:
    """A step of its app, and then its code, fails once."""

    def flaky() -> str:
        world_now().ran(request.run_id, "flaky")
        if request.attempt == 0:
            raise apps.AppError("the step fails once")
        return "flaky done"

    found = yield apps.run("flaky", flaky)
    yield _app_step(request, "after")
    if request.attempt == 0:
        raise apps.AppError("the function fails once")
    return [found, (yield _app_step(request, "last"))]


def _invoking(request: CallRequest) -> Story:
    found = yield apps.invoke("call", "callee", {"a": 1})
    return [found, (yield _app_step(request, "last"))]


def _at_once(_: CallRequest) -> Story:
    """All in one answer, as of an app whose reports do not come through. Until they are recorded, all may run again."""
    found = []
    for name in ("one", "two", "three"):
        found.append((yield apps.run(name, f"{name} done")))
    return found


def _send(name: str, data: dict[str, Any] | None = None, *, then: str | None = None) -> Callable[[World], None]:
    def script(world: World) -> None:
        world.send(name, USER if data is None else data)
        if then is not None:
            world.advance(then)

    return script


def _two(first: str, second: dict[str, Any], *, pause: str = "10s") -> Callable[[World], None]:
    def script(world: World) -> None:
        world.send(first, USER)
        world.advance(pause)
        world.send(second["name"], second["data"])

    return script


def _wait_twice(world: World) -> None:
    world.send("t/wait-twice", USER)
    for number in (1, 2):
        world.advance("10s")
        world.send("t/answer", {**USER, "n": number})


def _crowd(then: str, *conditions: str | None, numbers: Sequence[int] = (1,)) -> Callable[[World], None]:
    """A run for each condition; then, for each number, an event that meets or ends those whose condition holds."""

    def script(world: World) -> None:
        world.send([{"name": "t/crowd", "data": {**USER, "if": condition}} for condition in conditions])
        for number in numbers:
            world.advance("10s")
            world.send(then, {**USER, "n": number})

    return script


def _answers_before(trigger: str, *answers: int, after: int | None = None) -> Callable[[World], None]:
    """Answers with these numbers come while the run sleeps, and one afterwards."""

    def script(world: World) -> None:
        world.send(trigger, USER)
        for number in answers:
            world.advance("10s")
            world.send("t/answer", {**USER, "n": number})
        world.advance("10s")
        world.send("t/answer", {"user": "another", "n": 0})
        world.advance("20m")
        if after is not None:
            world.send("t/answer", {**USER, "n": after})

    return script


def _signal(then: str | None = None, *, twice: dict[str, Any] | None = None) -> Callable[[World], None]:
    """A run waits for a signal, and with `twice` another one; then the signal comes."""

    def script(world: World) -> None:
        world.send("t/signalled", USER)
        if twice is not None:
            world.advance("10s")
            world.send("t/signalled", {**USER, **twice})
        world.advance("10s")
        if then is None:
            world.signal("s", {"n": 1})
        else:
            world.send(then, {"n": 1})
        world.advance("10s")

    return script


def _overtaking(world: World) -> None:
    # Accepted after the trigger, processed before it.
    world.accept("t/cancellable", USER)
    world.emulator.hold_messages()
    world.send("t/stop", USER)
    world.emulator.release_messages()
    world.settle()


def _api_cancel(world: World) -> None:
    world.send("t/cancellable", USER)
    world.advance("10s")
    world.cancel_run("cancellable")


def _bulk_cancel(world: World) -> None:
    """Of five runs, those whose event fulfils the condition, page by page, and in a second look."""
    world.send([{"name": "t/crowd", "data": {**USER, "n": n}} for n in range(5)])
    world.advance("10s")
    world.cancel_in_bulk("in-a-crowd", "event.data.n < 4")
    world.advance("5m")
    world.send("t/answer", USER)


_BEGUN = ids.ulid(1_767_603_600_000, bytes(range(10)))


def _replay_many(world: World) -> None:
    """In pages of two, and in a second look."""
    world.send([{"name": "t/fails-once", "data": {"n": n}} for n in range(3)])
    world.advance("10s")
    world.replay_many("fails-once")
    world.advance("5m")


def _paused(world: World) -> None:
    """A run that begins during the pause, and one that has begun before."""
    world.send("t/sleep", {"for": "10m"})
    world.pause("asleep")
    world.advance("20m")
    world.send("t/sleep", {"for": "10m"})
    world.resume("asleep")
    world.advance("20m")


def _skipped(world: World) -> None:
    """What comes during the pause starts nothing."""
    world.send("t/steps", {"n": 1})
    world.pause("three-steps", "skip")
    world.send("t/steps", {"n": 2})
    world.resume("three-steps")
    world.send("t/steps", {"n": 3})


def _cancelled_in_line(world: World) -> None:
    """Of two runs that stand in line, the one that is cancelled leaves it, and the other goes on."""
    world.pause("lined-up")
    world.send("t/lined-up", USER)
    world.send("t/lined-up", {"user": "u2"})
    world.send("t/stop", USER)
    world.resume("lined-up")


def _replay(world: World) -> None:
    world.send("t/steps", USER)
    world.advance("10s")
    world.replay_run(_BEGUN, "three-steps", "three")


def _begun_by_an_app(world: World) -> None:
    """A run that its app ends within the request."""
    event = App(url="https://shop.example").event()
    world.begin_run(_BEGUN, event, [ran("one", 1)])
    world.checkpoint(_BEGUN, [ran("two", 2), ran("three", 3)])
    world.checkpoint(_BEGUN, [complete()])


def _left_by_an_app(world: World) -> None:
    """A run that its app leaves to us while it waits, and that we end by calling it."""
    wait = op("WaitForEvent", "the-wait", opts={"event": "t/answer", "timeout": "1d"})

    def endpoint(request: CallRequest) -> Operations:
        asked = complete() if ids.hashed_step_id("the-wait", 0) in request.steps else wait
        return Operations(operations([asked], Told(world.now_ms)))

    world.endpoint = endpoint
    world.begin_run(_BEGUN, App(url="https://shop.example").event(), [])
    world.checkpoint(_BEGUN, [wait])
    world.advance("10s")
    world.send("t/answer", USER)


def _limited(event: str, messages: int, *users: str) -> Callable[[World], None]:
    """A run for each of these users. So many messages are taken by another process; while the first run holds its place
    there, the others come."""

    def script(world: World) -> None:
        for number, user in enumerate(users):
            world.accept(event, {"user": user, "first": number == 0})
            while world.deliver("events"):
                pass
        for _ in range(messages):
            world.elsewhere()
        world.settle()

    return script


def _same_id(world: World) -> None:
    world.send("t/steps", USER, id="only-once")
    world.send("t/steps", USER, id="only-once")


def _same_key(world: World) -> None:
    world.send("t/keyed", {"key": "a", "n": 1})
    world.send([{"name": "t/keyed", "data": {"key": key, "n": 2}} for key in ("a", "b")])


def _rated(world: World) -> None:
    world.send("t/rated", {"n": 1})
    world.send("t/rated", {"n": 2})
    world.advance("10h")
    world.send("t/rated", {"n": 3})
    world.advance("20h")
    world.send("t/rated", {"n": 4})


def _one_at_a_time(world: World) -> None:
    world.send("t/one", {"key": "a", "n": 1})
    world.send("t/one", {"key": "a", "n": 2})
    world.advance("20m")
    world.send("t/one", {"key": "a", "n": 3})
    world.advance("20m")


def _newest_only(world: World) -> None:
    world.send("t/newest", {"n": 1})
    world.send("t/newest", {"n": 2})
    world.advance("20m")


def _paced(period: str) -> Callable[[World], None]:
    def script(world: World) -> None:
        world.send([{"name": "t/paced", "data": {"n": n}} for n in range(3)])
        world.advance(period)
        world.advance(period)
        world.advance("5m")

    return script


def _paced_and_cancelled(world: World) -> None:
    world.send([{"name": "t/paced", "data": {**USER, "n": n}} for n in range(2)])
    world.send("t/stop", {**USER, "n": 1})
    world.advance("4h")


def _belated(world: World) -> None:
    world.send([{"name": "t/belated", "data": {"n": n}} for n in range(2)])
    world.advance("4h")


def _debounced(pause: str, then: str) -> Callable[[World], None]:
    def script(world: World) -> None:
        world.send("t/debounced", {**USER, "n": 1})
        world.advance(pause)
        world.send("t/debounced", {**USER, "n": 2})
        world.advance(then)

    return script


def _batched(world: World) -> None:
    # Alike, since a fault may change their order.
    world.send([{"name": "t/batched", "data": USER} for _ in range(3)])
    world.advance("30m")


def _two_events(world: World) -> None:
    world.send([{"name": "t/steps", "data": {"n": 1}}, {"name": "t/caught", "data": {"n": 2}}])


def _collected(world: World) -> None:
    """The timer's message is lost for good; nobody is forgotten."""
    world.send("t/forgotten", USER)
    world.emulator.lose_timers()
    world.advance("4h")
    world.collect()


def _synced(world: World) -> None:
    world.sync("other", "kept", event="t/other")
    world.sync("shop", "pay", "ship", event="t/order")
    world.send("t/order", USER)
    world.sync("shop", "pay", event="t/order")
    world.send("t/order", USER)
    world.sync("shop", "pay", event="t/order")
    world.remove_app("shop")
    world.send("t/order", USER)


_BOTH = ("Completed", "Completed")
_ONE_FAILED = ("Completed", "Failed")
_CANCELLED = ("Cancelled",)

_ALL = (
    Scenario("steps", (three_steps,), _send("t/steps")),
    Scenario("batch", (three_steps, caught), _two_events, ends=_BOTH),
    Scenario("sleep near", (asleep,), _send("t/sleep", {"for": "10m"}, then="20m")),
    Scenario("sleep far", (asleep,), _send("t/sleep", {"for": "3d"}, then="4d"), arm_ticks=True),
    Scenario("wait fulfilled", (waiter,), _two("t/wait", {"name": "t/answer", "data": {**USER, "n": 1}})),
    Scenario("wait timed out near", (waiter,), _send("t/wait", {**USER, "for": "10m"}, then="20m")),
    Scenario("wait timed out far", (waiter,), _send("t/wait", {**USER, "for": "2h"}, then="3h")),
    Scenario("wait goes on", (waiter,), _send("t/wait", {**USER, "for": "30d"}), open_runs=1, ends=("Running",)),
    Scenario("two waits", (two_waits,), _wait_twice),
    Scenario(
        "waits of one key", (in_a_crowd,), _crowd("t/answer", *["async.data.user == 'u1'"] * 3), ends=("Completed",) * 3
    ),
    Scenario(
        "waits without a key",
        (in_a_crowd,),
        # The second event ends the rest: a timer that a fault leaves behind is seen to do no harm only when all end.
        _crowd("t/answer", *["async.data.n > 7"] * 2, "async.data.n < 7", None, numbers=(1, 9)),
        ends=("Completed",) * 4,
    ),
    Scenario("many cancelled", (in_a_crowd,), _crowd("t/stop", *[None] * 3), ends=_CANCELLED * 3),
    Scenario("look back", (late_waiter,), _answers_before("t/wait-late", 1, 2)),
    Scenario("look back, then wait", (late_waiter,), _answers_before("t/wait-late", 1, after=2)),
    Scenario("look back side by side", (late_pair,), _answers_before("t/wait-late", 1)),
    Scenario("look back in small parts", (late_waiter,), _answers_before("t/wait-late", 1, 2), remaining_ms=10_000),
    Scenario("first of several", (chooser,), _two("t/choose", {"name": "t/answer", "data": {**USER, "n": 2}})),
    Scenario("first of several, times out", (chooser,), _send("t/choose", {**USER, "for": "10m"}, then="20m")),
    Scenario("first of several, before", (late_chooser,), _answers_before("t/choose", 2, 1)),
    Scenario("bad expression", (bad_wait,), _send("t/bad-wait")),
    Scenario(
        "cancel waiting", (cancellable,), _two("t/cancellable", {"name": "t/stop", "data": USER}), ends=_CANCELLED
    ),
    Scenario("cancel between steps", (between,), _send("t/between"), inert=frozenset({"stopped-in"}), ends=_CANCELLED),
    Scenario("cancel overtakes", (cancellable,), _overtaking, ends=_CANCELLED),
    Scenario("cancel by api", (cancellable,), _api_cancel, ends=_CANCELLED),
    Scenario("cancelled in bulk", (in_a_crowd,), _bulk_cancel, ends=("Cancelled",) * 4 + ("Completed",)),
    Scenario("many replayed", (fails_once,), _replay_many, ends=("Completed",) * 3 + ("Failed",) * 3),
    Scenario("replayed", (three_steps,), _replay, ends=_BOTH),
    Scenario("begun by an app", (), _begun_by_an_app),
    Scenario("left by an app", (), _left_by_an_app),
    Scenario("step retried", (flaky_step,), _send("t/flaky", then="30m")),
    Scenario("step failed, caught", (caught,), _send("t/caught")),
    Scenario("function retried", (flaky_function,), _send("t/flaky-function", then="30m")),
    Scenario(
        "function fails",
        tuple(f for f in (doomed, doomed.on_failure) if f),
        _send("t/doomed", then="30m"),
        ends=_ONE_FAILED,
    ),
    Scenario("parallel", (parallel,), _send("t/parallel", then="30m")),
    Scenario("invoke", (caller, callee), _send("t/call", {"pass": {"a": 1}}), ends=_BOTH),
    Scenario("invoke fails", (caller, callee), _send("t/call", {"pass": {"fail": True}}), ends=_ONE_FAILED),
    Scenario(
        "invoke times out",
        (caller, callee),
        _send("t/call", {"pass": {"slow": "2h"}, "for": "10m"}, then="4h"),
        ends=_BOTH,
    ),
    Scenario("invoke chain", (chain, caller, callee), _send("t/chain"), ends=("Completed",) * 3),
    Scenario("invoke refused", (asks_twice, once_a_day), _send("t/ask-twice"), ends=_BOTH),
    Scenario("fan-out", (three_steps, steps_too, caught), _send("t/steps"), ends=_BOTH),
    Scenario("send event", (sender, three_steps), _send("t/send"), ends=_BOTH),
    Scenario("same id", (three_steps,), _same_id),
    Scenario("idempotency", (keyed,), _same_key, ends=_BOTH),
    Scenario("rate limit", (rated,), _rated, ends=("Completed",) * 3),
    Scenario("singleton", (one_at_a_time,), _one_at_a_time, ends=_BOTH),
    Scenario("singleton, the newest", (newest_only,), _newest_only, ends=("Cancelled", "Completed")),
    Scenario("paused and resumed", (asleep,), _paused, ends=_BOTH),
    Scenario("paused and skipped", (three_steps,), _skipped, ends=_BOTH),
    Scenario("cancelled in line", (lined_up,), _cancelled_in_line, ends=("Cancelled", "Completed")),
    Scenario("throttle near", (paced,), _paced("10m"), ends=("Completed",) * 3),
    Scenario("throttle far", (paced_far,), _paced("3h"), arm_ticks=True, ends=("Completed",) * 3),
    Scenario("throttle, cancelled", (paced_far,), _paced_and_cancelled, ends=("Cancelled", "Completed")),
    Scenario("timeout, finish", (overlong,), _send("t/overlong", then="30m"), ends=_CANCELLED),
    Scenario("timeout, start", (belated,), _belated, arm_ticks=True, ends=("Cancelled", "Completed")),
    Scenario("debounce near", (debounced,), _debounced("10s", "45m")),
    Scenario("debounce far", (debounced_far,), _debounced("1h", "5h"), arm_ticks=True),
    Scenario("batches", (batched,), _batched, ends=_BOTH),
    Scenario("cron", (hourly,), lambda world: world.advance("61m"), arm_ticks=True),
    Scenario("hand-over", (three_steps,), _send("t/steps"), remaining_ms=10_000),
    Scenario("large", (large,), _send("t/large", {"text": "y" * 100_000}, then="30m")),
    Scenario("signal", (signalled,), _signal()),
    Scenario("signal of a step", (signalled, signaller), _signal("t/signal"), ends=_BOTH),
    Scenario("signal timed out", (signalled,), _send("t/signalled", {**USER, "for": "10m"}, then="20m")),
    Scenario("signal taken", (signalled,), _signal(twice={}), ends=_BOTH),
    Scenario("signal replaced", (signalled,), _signal(twice={"on_conflict": "replace"}), ends=_BOTH),
    Scenario(
        "checkpoints",
        (),
        _two("t/reporting", {"name": "t/answer", "data": {**USER, "n": 1}}),
        app=(AppFunction("reporting", "t/reporting", _reporting, checkpoints=1),),
    ),
    Scenario(
        "checkpoints of two",
        (),
        _two("t/reporting", {"name": "t/answer", "data": {**USER, "n": 1}}),
        app=(AppFunction("reporting", "t/reporting", _reporting, checkpoints=2),),
    ),
    Scenario(
        "steps and end in one answer",
        (),
        _send("t/at-once"),
        app=(AppFunction("at-once", "t/at-once", _at_once, checkpoints=10),),
    ),
    Scenario(
        "branches of an app",
        (),
        _send("t/branches", then="20m"),
        app=(AppFunction("branches", "t/branches", _side_by_side),),
    ),
    Scenario(
        "retries of an app",
        (),
        _send("t/failing-first", then="40m"),
        app=(AppFunction("failing-first", "t/failing-first", _failing_first),),
    ),
    Scenario(
        "invoked by an app",
        (callee,),
        _send("t/invoking"),
        ends=_BOTH,
        app=(AppFunction("invoking", "t/invoking", _invoking),),
    ),
    Scenario("concurrency", (one_of_each,), _limited("t/limited", 1, "u1", "u1", "u2", "u1"), ends=("Completed",) * 4),
    Scenario("concurrency of steps side by side", (one_step,), _limited("t/limited-steps", 3, "u1", "u1"), ends=_BOTH),
    Scenario(
        "two limits",
        (one_of_each_and_one,),
        _limited("t/limited-twice", 1, "u1", "u1", "u2", "u3"),
        ends=("Completed",) * 4,
    ),
    Scenario("collected", (forgotten,), _collected),
    Scenario("apps synced", (three_steps,), _synced, ends=("Completed",) * 3),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
