"""Messages that are in the queues while the release changes."""

from __future__ import annotations

from typing import Any, ClassVar

from chalicelib.engine import dead_letters
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import Stepwell
from tests.upgrade.story import DID, Story, did

TEXT = "ä" * 33_000


@function(fn_id="job", trigger=TriggerEvent(event="t/go"))
def job(ctx: Context) -> Any:
    return ctx.step.run("work", did, len(ctx.event.data.get("text", "")))


class AcceptedEvent(Story):
    """An event was accepted, and its message is in the queue."""

    functions = (job,)
    promised: ClassVar[Any] = ([0], [0])

    def begin(self, kit: Stepwell) -> None:
        kit.send_only("t/go")

    def go_on(self, kit: Stepwell) -> Any:
        kit.drain()
        return [run.output for run in kit.runs()], DID


class AcceptedLargeEvent(AcceptedEvent):
    """The same of an event that is too large for a message: it lies in S3."""

    promised: ClassVar[Any] = ([len(TEXT)], [len(TEXT)])

    def begin(self, kit: Stepwell) -> None:
        kit.send_only("t/go", {"text": TEXT})


class EventDeliveredOnce(AcceptedEvent):
    """An event was processed by the older release, and its message comes again."""

    def begin(self, kit: Stepwell) -> None:
        kit.send_only("t/go")
        kit.pump.deliver("events", kit.pump.hold("events"), acknowledge=False)

    def go_on(self, kit: Stepwell) -> Any:
        kit.advance_only("30m")
        return super().go_on(kit)


class FirstTurn(AcceptedEvent):
    """A run was created, and the message of its first turn is in the queue."""

    def begin(self, kit: Stepwell) -> None:
        kit.send_only("t/go")
        kit.pump.deliver_event()


class EndToBeTold(AcceptedEvent):
    """A run has ended, and the event that tells its end is in the queue."""

    promised: ClassVar[Any] = (1, [])

    def begin(self, kit: Stepwell) -> None:
        kit.send_only("t/go")
        kit.pump.deliver_event()
        kit.pump.deliver_work()

    def go_on(self, kit: Stepwell) -> Any:
        kit.drain()
        return len(kit.events("inngest/function.finished")), DID


@function(fn_id="crowd", trigger=TriggerEvent(event="t/join"))
def crowd(ctx: Context) -> Any:
    found = ctx.step.wait_for_event(
        "opening", event="t/open", if_exp="async.data.door == event.data.door", timeout="9d"
    )
    return found and ctx.step.run("enter", did, ctx.event.data["n"])


class PagesOfACrowd(Story):
    """An event meets more runs than fit one message: some are resumed, and the next page is a message."""

    functions = (crowd,)
    settings: ClassVar = {"MATCH_PAGE": "2"}
    promised: ClassVar[Any] = ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])

    def begin(self, kit: Stepwell) -> None:
        kit.send([{"name": "t/join", "data": {"n": n, "door": "a"}} for n in range(5)])
        kit.send_only("t/open", {"door": "a"})
        kit.pump.deliver_event()

    def go_on(self, kit: Stepwell) -> Any:
        kit.drain()
        return sorted(run.output for run in kit.runs()), sorted(DID)


class DeadLetters(Story):
    """A run is stalled, and its message lies among the dead letters: it is redriven."""

    functions = (job,)
    promised: ClassVar[Any] = (2, "Completed", [0])

    def begin(self, kit: Stepwell) -> None:
        kit.send_only("t/go")
        kit.pump.deliver_event()
        (message,) = kit.pump.hold("work")
        (run,) = kit.runs()
        kit.platform.services.runs.mark_stalled(run.run_id, "its message was received 10 times")
        kit.platform.room.dead_letters.put("work", message["body"], {})  # type: ignore[arg-type]
        kit.platform.room.dead_letters.put("events", "what nobody can read", {})  # type: ignore[arg-type]
        kit.pump.lose("work", [message])

    def go_on(self, kit: Stepwell) -> Any:
        p = kit.platform
        shown = dead_letters.letters(p.services, p.room.dead_letters, dead_letters.BOTH, 10)["rows"]
        kit.advance_only("1m")
        (of_run,) = [letter for letter in shown if letter["kind"] == "turn"]
        dead_letters.redrive(p.services, p.room.dead_letters, of_run["id"], dead_letters.BOTH)
        kit.drain()
        return len(shown), kit.only_run().status.value, DID
