"""Nobody is forgotten: lost messages, dead processes, rows that nobody removed."""

from __future__ import annotations

from chalicelib.core.errors import InfrastructureError
from chalicelib.engine import collect
from chalicelib.sdk import Cancel, Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.insides import Died, break_driver, drain_dying, items, put_item


@function(fn_id="napper", trigger=TriggerEvent(event="nap"))
def napper(ctx: Context) -> str:
    ctx.step.sleep("nap", "10m")
    return "awake"


@function(fn_id="waiter", trigger=TriggerEvent(event="wait"), cancel=Cancel(event="stop"))
def waiter(ctx: Context) -> bool:
    return ctx.step.wait_for_event("wait", event="answer", timeout="2h") is None


@function(fn_id="worker", trigger=TriggerEvent(event="work"))
def worker(ctx: Context) -> str:
    return ctx.step.run("work", lambda: "worked")


def collect_after(kit: Stepwell, by: str) -> None:
    """The clock moves and only on_collect runs."""
    kit.advance_only(by)
    kit.collect()


def test_a_wake_up_that_was_lost() -> None:
    with start_stepwell([napper]) as kit:
        kit.send("nap")
        kit.advance_only("10m1s")
        kit.pump.lose("work", kit.pump.hold("work"))
        collect_after(kit, "1m")
        assert kit.only_run().status == "Running"  # Not yet: it may be on its way.
        collect_after(kit, "2m")

        assert (kit.only_run().status, kit.only_run().output) == ("Completed", "awake")


def test_a_start_that_was_lost() -> None:
    with start_stepwell([worker]) as kit:
        kit.send_only("work")
        kit.pump.deliver_event()
        kit.pump.lose("work", kit.pump.hold("work"))
        collect_after(kit, "14m")
        assert kit.only_run().status == "Queued"
        collect_after(kit, "2m")

        assert kit.only_run().status == "Completed"


def test_a_process_that_died_with_its_message() -> None:
    with start_stepwell([worker]) as kit:
        kit.send_only("work")
        kit.pump.deliver_event()
        break_driver(kit, Died(), times=1)
        turn = kit.pump.hold("work")
        try:
            kit.pump.deliver("work", turn)
        except Died:
            kit.pump.lose("work", turn)
        collect_after(kit, "2m")
        assert kit.only_run().status == "Running"
        collect_after(kit, "2m")

        assert kit.only_run().status == "Completed"


def test_a_process_that_died_and_its_message_comes_again() -> None:
    with start_stepwell([worker]) as kit:
        break_driver(kit, Died(), times=1)
        kit.send_only("work")
        assert drain_dying(kit) == 1
        for _ in range(2):
            kit.advance_only("1m")
            kit.drain()
            assert kit.only_run().status == "Running"
        kit.advance_only("1m")
        kit.drain()

        assert kit.only_run().status == "Completed"


def test_a_step_that_kills_its_process_each_time_fails_in_the_end() -> None:
    with start_stepwell([worker]) as kit:
        break_driver(kit, Died(), times=3)
        kit.send_only("work")
        died = 0
        for _ in range(20):
            died += drain_dying(kit)
            kit.advance_only("1m")
        kit.drain()

        run = kit.only_run()
        assert died == 3
        assert run.status == "Failed"
        assert "the step 'work' exceeded time or memory: its process ended 3 times" in str(run.error)
        assert kit.pump.dead_letters() == 0


def test_a_run_whose_message_went_to_the_dead_letters_is_stalled_and_can_go_on() -> None:
    with start_stepwell([worker]) as kit:
        broken = break_driver(kit, InfrastructureError("S3 is away"))
        kit.send("work")
        for _ in range(20):
            kit.advance_only("31s")
            kit.drain()

        run = kit.only_run()
        assert run.status == "Running"
        stalled = next(entry for entry in run.timeline if entry["type"] == "run.stalled")
        assert "received 10 times" in stalled["reason"]
        assert "dead letters" in stalled["reason"]
        assert kit.pump.dead_letters() == 1

        broken.left = 0
        collect_after(kit, "5m")
        run = kit.only_run()
        assert (run.status, run.output) == ("Completed", "worked")
        assert "run.stalled" not in run.history


def test_infrastructure_that_fails_for_a_while_costs_time_only() -> None:
    with start_stepwell([worker]) as kit:
        broken = break_driver(kit, InfrastructureError("throttled"), times=4)
        kit.send("work")
        kit.advance("1m")

        run = kit.only_run()
        assert run.status == "Completed"
        assert run.steps["work"].attempts == 1  # Faults of the platform are no attempts of the step.
        assert broken.left == 0
        assert kit.pump.dead_letters() == 0


def test_a_run_is_poked_once_an_hour() -> None:
    with start_stepwell([napper]) as kit:
        kit.send("nap")
        kit.advance_only("20m")
        poked = []
        for _ in range(16):
            kit.pump.lose("work", kit.pump.hold("work"))
            now_ms = kit.platform.clock.now_ms()
            poked.append(collect.collect(kit.platform.services, now_ms + 60_000))
            kit.advance_only("5m")

        assert sum(poked) == 2
        assert poked[0] == 1


def test_an_end_that_was_not_settled() -> None:
    @function(fn_id="child", trigger=TriggerEvent(event="child"))
    def child(_ctx: Context) -> int:
        return 7

    @function(fn_id="parent", trigger=TriggerEvent(event="parent"))
    def parent(ctx: Context) -> object:
        return ctx.step.invoke("ask", function=child)

    with start_stepwell([child, parent]) as kit:
        kit.send("parent")

        assert kit.only_run(parent).output == 7
        # The end of both is settled: nothing is left for on_collect.
        assert kit.platform.services.runs.open_page(0, None, 100)[0] == []
        open_runs = [kit.platform.services.runs.open_page(shard, None, 100)[0] for shard in range(8)]
        assert sum(open_runs, []) == []  # noqa: RUF017


def test_a_pause_that_expired_fires_its_timeout() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait")
        run_id = kit.only_run().run_id
        run_now = kit.platform.services.runs.load(run_id)
        assert run_now is not None
        timers = [step.plan.timer for step in run_now.steps.values() if step.plan.timer is not None]
        assert timers
        kit.platform.services.timers.remove(timers)
        kit.advance_only("3h30m")
        kit.platform.services.runs.mark_poked(run_id, kit.platform.clock.now_ms())  # Only the pause tells.
        kit.collect()

        run = kit.run(run_id)
        assert (run.status, run.output) == ("Completed", True)
        assert [item for item in items(kit, "pauses") if "pause" in item] == []


def test_a_row_of_a_run_that_has_ended_is_removed_when_its_time_is_over() -> None:
    with start_stepwell([waiter]) as kit:
        kit.send("wait")
        rows = [item for item in items(kit, "pauses") if "step_id" in str(item.get("pause"))]
        kit.send("stop")
        for row in rows:  # As if it had been forgotten.
            put_item(kit, "pauses", row)
        kit.collect()
        assert len([item for item in items(kit, "pauses") if "pause" in item]) == 1
        kit.send("answer")
        kit.advance_only("4h")
        kit.collect()

        assert [item for item in items(kit, "pauses") if "pause" in item] == []
        assert kit.only_run().status == "Cancelled"


def test_it_goes_on_where_it_stopped() -> None:
    with start_stepwell([napper]) as kit:
        kit.send([{"name": "nap"}] * 12)
        kit.advance_only("1h")
        while held := kit.pump.hold("work"):
            kit.pump.lose("work", held)
        services = kit.platform.services
        # No time is left: each call does one page of a shard and stops.
        poked = [collect.collect(services, services.clock.now_ms()) for _ in range(2)]
        assert sum(poked) == 12
        kit.drain()

        assert {run.status for run in kit.runs()} == {"Completed"}
