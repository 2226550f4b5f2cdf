"""What flow control has stored: places, lines, cells, generations."""

from __future__ import annotations

from typing import Any, ClassVar

from chalicelib.sdk import (
    Batch,
    Concurrency,
    Context,
    Debounce,
    Priority,
    RateLimit,
    Singleton,
    Throttle,
    Timeouts,
    TriggerEvent,
    function,
)
from chalicelib.testing import Stepwell
from tests.upgrade.story import DID, Story, did, die_at_call

GO = TriggerEvent(event="t/go")


def orders(*numbers: int, **more: Any) -> list[dict[str, Any]]:
    return [{"name": "t/go", "data": {"n": number, "shop": "a", **more}} for number in numbers]


@function(
    fn_id="narrow",
    trigger=GO,
    concurrency=[Concurrency(limit=1, key="event.data.shop"), Concurrency(limit=5)],
    priority=Priority(run="event.data.n == 3 ? 100 : 0"),
)
def narrow(ctx: Context) -> Any:
    return ctx.step.run("work", did, ctx.event.data["n"])


class LineBeforeALimit(Story):
    """One run holds the only place, its process died, and two stand in line: all go on, in their order."""

    functions = (narrow,)
    promised: ClassVar[Any] = (["Completed"] * 3, [1, 3, 2])

    def begin(self, kit: Stepwell) -> None:
        kit.send_only(orders(1))
        die_at_call(kit, 1)
        kit.send(orders(2, 3))

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance_only("20m")
        kit.advance("2m")
        return [run.status.value for run in kit.runs()], DID


@function(fn_id="even", trigger=GO, throttle=Throttle(limit=1, period="1h", key="event.data.shop"))
def even(ctx: Context) -> Any:
    return did(ctx.event.data["n"])


class ThrottledStarts(Story):
    """Of three starts one was at once; the others have their times, which a further one takes its own behind."""

    functions = (even,)
    promised: ClassVar[Any] = ([2, 3, 4], [1, 2, 3])

    def begin(self, kit: Stepwell) -> None:
        kit.send(orders(1, 2, 3))

    def go_on(self, kit: Stepwell) -> Any:
        kit.send(orders(4))
        began = kit.now
        hours = []
        for _ in range(3):
            before = len(DID)
            kit.advance("1h")
            hours += [round((kit.now - began).total_seconds() / 3600)] * (len(DID) - before)
        return DID, hours


@function(fn_id="rare", trigger=GO, rate_limit=RateLimit(limit=2, period="1d", key="event.data.shop"))
def rare(ctx: Context) -> Any:
    return did(ctx.event.data["n"])


class RateLimited(Story):
    """One of two starts of a day has been: one more is granted, and none after it."""

    functions = (rare,)
    promised: ClassVar[Any] = (2,)

    def begin(self, kit: Stepwell) -> None:
        kit.send(orders(1))

    def go_on(self, kit: Stepwell) -> Any:
        kit.send(orders(2))
        kit.send(orders(3))
        return DID


@function(fn_id="quiet", trigger=GO, debounce=Debounce(period="30m", key="event.data.shop"))
def quiet(ctx: Context) -> Any:
    return did(ctx.event.data["n"])


class OpenDebounce(Story):
    """Two events have joined a debounce; a third one comes after the release has changed, then quiet."""

    functions = (quiet,)
    promised: ClassVar[Any] = (1, [3])

    def begin(self, kit: Stepwell) -> None:
        kit.send(orders(1))
        kit.send(orders(2))

    def go_on(self, kit: Stepwell) -> Any:
        kit.send(orders(3))
        kit.advance("1h")
        return len(kit.runs()), DID


@function(fn_id="many", trigger=GO, batch_events=Batch(max_size=3, timeout="40m"))
def many(ctx: Context) -> Any:
    return did([event.data["n"] for event in ctx.events])


class OpenBatch(Story):
    """Two events have joined a batch of three: the third closes it, and a fourth waits for its time."""

    functions = (many,)
    promised: ClassVar[Any] = ([1, 2, 3], [4])

    def begin(self, kit: Stepwell) -> None:
        kit.send(orders(1))
        kit.send(orders(2))

    def go_on(self, kit: Stepwell) -> Any:
        kit.send(orders(3))
        kit.send(orders(4))
        kit.advance("1h")
        return DID


class LargeBatch(OpenBatch):
    """Two large events have joined a batch, whose time comes."""

    promised: ClassVar[Any] = ([1, 2],)

    def begin(self, kit: Stepwell) -> None:
        kit.send(orders(1, text="ä" * 16_500))
        kit.send(orders(2, text="ä" * 16_500))

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("1h")
        return DID


@function(fn_id="one", trigger=GO, singleton=Singleton(mode="skip", key="event.data.shop"))
def one(ctx: Context) -> Any:
    ctx.step.sleep("nap", "5h")
    return did(ctx.event.data["n"])


class SingletonThatSkips(Story):
    """A run holds the place of a singleton: no other starts until it has ended."""

    functions = (one,)
    promised: ClassVar[Any] = (1, 3)

    def begin(self, kit: Stepwell) -> None:
        kit.send(orders(1))

    def go_on(self, kit: Stepwell) -> Any:
        kit.send(orders(2))
        kit.advance("6h")
        kit.send(orders(3))
        kit.advance("6h")
        return DID


@function(fn_id="latest", trigger=GO, singleton=Singleton(mode="cancel", key="event.data.shop"))
def latest(ctx: Context) -> Any:
    ctx.step.sleep("nap", "5h")
    return did(ctx.event.data["n"])


class SingletonThatCancels(Story):
    """A run holds the place of a singleton, and the next one takes it."""

    functions = (latest,)
    promised: ClassVar[Any] = (["Cancelled", "Completed"], [2])

    def begin(self, kit: Stepwell) -> None:
        kit.send(orders(1))

    def go_on(self, kit: Stepwell) -> Any:
        kit.send(orders(2))
        kit.advance("6h")
        return [run.status.value for run in kit.runs()], DID


@function(fn_id="bounded", trigger=GO, timeouts=Timeouts(finish="3h"))
def bounded(ctx: Context) -> Any:
    ctx.step.sleep("nap", "5h")
    return did(ctx.event.data["n"])


class FinishTimeout(Story):
    """A run has begun that must end within hours: it is cancelled at its time."""

    functions = (bounded,)
    promised: ClassVar[Any] = ("Cancelled", [])

    def begin(self, kit: Stepwell) -> None:
        kit.send(orders(1))

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance("4h")
        return kit.only_run().status.value, DID


@function(fn_id="once", trigger=GO, idempotency="event.data.n")
def once(ctx: Context) -> Any:
    return did(ctx.event.data["n"])


class IdempotencyKey(Story):
    """A key has started a run within the last day: it starts no other."""

    functions = (once,)
    promised: ClassVar[Any] = (2,)

    def begin(self, kit: Stepwell) -> None:
        kit.send(orders(1))

    def go_on(self, kit: Stepwell) -> Any:
        kit.send(orders(1, 2))
        return DID
