"""One run of a function, and of each value of a key, at a time."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.core.messages import EventMessage, event_queue_messages
from chalicelib.engine import process_event
from chalicelib.sdk import Context, InvalidFunction, Singleton, StepError, Throttle, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.insides import Died, items


@function(fn_id="sync", trigger=TriggerEvent(event="changed"), singleton=Singleton(mode="skip", key="event.data.shop"))
def sync(ctx: Context) -> object:
    ctx.step.sleep("a while", "1h")
    if ctx.event.data.get("fails"):
        raise ValueError("no")
    return ctx.event.data["n"]


@function(
    fn_id="render", trigger=TriggerEvent(event="changed"), singleton=Singleton(mode="cancel", key="event.data.shop")
)
def render(ctx: Context) -> object:
    ctx.step.sleep("a while", "1h")
    return ctx.event.data["n"]


def changed(n: int, shop: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": "changed", "data": {"n": n, "shop": shop, **more}}


def places(kit: Stepwell) -> list[str]:
    return [item["pk"] for item in items(kit, "limits") if item["pk"].startswith("singleton#")]


def test_skip_while_one_has_not_ended_nothing_starts_and_the_audit_names_it() -> None:
    with start_stepwell([sync]) as kit:
        kit.send([changed(1)])
        kit.advance("30m")
        [second] = kit.send([changed(2)])
        kit.send([changed(3, shop="b")])

        first, other = kit.runs()
        assert (first.status, other.status) == ("Running", "Running")
        assert kit.event(second)["not_started"] == [
            {
                "function_id": "sync",
                "reason": f'run {first.run_id} of the key "a" has not ended: the function is a singleton',
            }
        ]
        kit.advance("1h")
        kit.send([changed(4)])
        kit.advance("2h")

        assert [run.output for run in kit.runs()] == [1, 3, 4]
        assert kit.counts["StartsSkipped"] == 1
        assert places(kit) == []


def test_skip_of_several_that_come_at_once_one_runs() -> None:
    with start_stepwell([sync]) as kit:
        kit.send([changed(n) for n in range(5)])

        assert len(kit.runs()) == 1


@pytest.mark.parametrize("end", ["fails", "cancelled"])
def test_however_a_run_ends_its_place_is_free(end: str) -> None:
    with start_stepwell([sync]) as kit:
        kit.send([changed(1, fails=end == "fails")])
        if end == "cancelled":
            kit.cancel(kit.only_run().run_id)
        else:
            kit.advance("3h")
        assert kit.only_run().status == {"fails": "Failed", "cancelled": "Cancelled"}[end]

        kit.send([changed(2)])

        assert [run.status for run in kit.runs()][1:] == ["Running"]


def test_cancel_the_newest_takes_over_and_the_timeline_says_from_whom() -> None:
    with start_stepwell([render]) as kit:
        kit.send([changed(1)])
        kit.advance("30m")
        [second] = kit.send([changed(2)])
        kit.send([changed(3, shop="b")])
        kit.advance("3h")

        first, later, other = kit.runs()
        assert [run.status for run in (first, later, other)] == ["Cancelled", "Completed", "Completed"]
        assert (later.output, other.output) == (2, 3)
        ending = first.timeline[-1]
        assert ending["cause"] == {"kind": "singleton", "id": later.run_id, "name": "render"}
        assert ending["error"]["message"] == "cancelled by a later run: the function is a singleton"
        assert [row["run_id"] for row in kit.event(second)["cancelled"]] == [first.run_id]
        assert places(kit) == []


def test_cancel_of_several_that_come_at_once_the_last_one_stays() -> None:
    with start_stepwell([render]) as kit:
        sent = kit.send([changed(n) for n in range(6)])
        kit.advance("2h")

        assert [run.output for run in kit.runs() if run.status == "Completed"] == [5]
        assert sum(run.status == "Cancelled" for run in kit.runs()) == 5
        assert kit.event(sent[5])["started"][0]["run_id"] == next(
            run.run_id for run in kit.runs() if run.status == "Completed"
        )


def test_cancel_an_older_event_that_comes_late_gives_way() -> None:
    with start_stepwell([render]) as kit:
        kit.send_only([changed(1)])
        held = kit.pump.hold("events")
        [sent] = kit.send([changed(2)])
        kit.pump.deliver("events", held)
        kit.drain()

        newer = kit.run(kit.event(sent)["started"][0]["run_id"])
        [older] = [run for run in kit.runs() if run.run_id != newer.run_id]
        assert (older.status, newer.status) == ("Cancelled", "Running")
        assert older.history == ["run.created", "run.cancelled"]
        assert older.timeline[-1]["cause"]["id"] == newer.run_id
        assert older.timeline[-1]["error"]["message"] == (
            "cancelled before it began: another run holds the place of this singleton"
        )


def test_a_key_that_cannot_be_evaluated_loses_no_run() -> None:
    @function(
        fn_id="broken-key",
        trigger=TriggerEvent(event="changed"),
        singleton=Singleton(mode="skip", key="event.data.n + 1"),
    )
    def broken_key(ctx: Context) -> None:
        ctx.step.sleep("a while", "1h")

    with start_stepwell([broken_key]) as kit:
        ids = [kit.send("changed", {"n": "text"})[0] for _ in range(2)]

        assert len(kit.runs()) == 2
        [note] = kit.event(ids[1])["notes"]
        assert note["note"].startswith("singleton.key could not be evaluated: ")
        assert note["note"].endswith("; it does not hold for this event")


def test_who_invokes_it_is_told_that_nothing_was_started() -> None:
    @function(fn_id="caller", trigger=TriggerEvent(event="call"))
    def caller(ctx: Context) -> object:
        try:
            return ctx.step.invoke("sync", function=sync, data={"n": 2, "shop": "a"})
        except StepError as error:
            return error.message

    with start_stepwell([caller, sync]) as kit:
        kit.send([changed(1)])
        kit.send("call")

        assert kit.only_run(caller).output.endswith("has not ended: the function is a singleton")


def test_a_redelivered_event_starts_its_run_once_and_holds_nothing_afterwards() -> None:
    with start_stepwell([sync]) as kit:
        kit.send_only([changed(1)])
        held = kit.pump.hold("events")
        kit.pump.deliver("events", held, acknowledge=False)
        kit.drain()
        kit.advance("2h")
        assert kit.only_run().output == 1

        # Its run has ended long ago.
        kit.pump.deliver("events", held)

        assert kit.only_run().output == 1
        assert places(kit) == []


def message_of(kit: Stepwell) -> tuple[list[Any], EventMessage]:
    kit.send_only([changed(1)])
    held = kit.pump.hold("events")
    message = event_queue_messages.validate_json(held[0]["body"])
    assert isinstance(message, EventMessage)
    return held, message


def test_a_claim_whose_process_died_is_found_by_its_own_event(monkeypatch: pytest.MonkeyPatch) -> None:
    with start_stepwell([sync]) as kit:
        held, message = message_of(kit)
        with monkeypatch.context() as fault:
            fault.setattr(type(kit.platform.services.events), "put", _die)
            with pytest.raises(Died):
                process_event.process(kit.platform.services, message)
        [between] = kit.send([changed(2)])
        run_id = ids.run_id(message.event.internal_id, "sync")
        assert run_id in kit.event(between)["not_started"][0]["reason"]

        kit.pump.deliver("events", held)
        kit.drain()

        assert kit.only_run().run_id == run_id


def test_a_claim_whose_event_never_comes_again_blocks_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with start_stepwell([sync]) as kit:
        held, message = message_of(kit)
        with monkeypatch.context() as fault:
            fault.setattr(type(kit.platform.services.events), "put", _die)
            with pytest.raises(Died):
                process_event.process(kit.platform.services, message)
        kit.pump.lose("events", held)
        kit.advance_only("16m")

        kit.send([changed(2)])

        assert kit.only_run().status == "Running"


def test_a_claim_of_a_delivery_that_did_not_decide_is_given_back() -> None:
    """Two deliveries of one event: the first one to write its record found the place held, the other one did not."""
    with start_stepwell([sync]) as kit:
        kit.send([changed(1)])
        [skipped] = kit.send([changed(2)])
        event = kit.platform.services.events.get(skipped)
        assert event is not None
        kit.advance("2h")

        process_event.process(kit.platform.services, EventMessage(event=event.event))

        assert places(kit) == []
        assert kit.only_run().output == 1


def test_a_throttled_run_holds_its_place_from_the_beginning() -> None:
    @function(
        fn_id="both",
        trigger=TriggerEvent(event="changed"),
        singleton=Singleton(mode="cancel"),
        throttle=Throttle(limit=1, period="1h"),
    )
    def both(ctx: Context) -> object:
        ctx.step.sleep("long", "90m")
        return ctx.event.data["n"]

    with start_stepwell([both]) as kit:
        for n in range(3):
            kit.send([changed(n)])

        assert [run.status for run in kit.runs()] == ["Cancelled", "Cancelled", "Queued"]
        kit.advance("5h")
        assert kit.runs()[2].output == 2


@pytest.mark.parametrize(
    ("singleton", "told"),
    [
        (Singleton(mode="queue"), "singleton.mode: .*'skip' or 'cancel'"),  # type: ignore[arg-type]
        (Singleton(mode="skip", key="event.data."), "singleton.key: .*line 1"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(singleton: Singleton, told: str) -> None:
    with pytest.raises(InvalidFunction, match=rf"function 'broken': {told}"):

        @function(fn_id="broken", trigger=TriggerEvent(event="x"), singleton=singleton)
        def broken(_ctx: Context) -> None: ...


def _die(*_arguments: Any) -> None:
    raise Died
