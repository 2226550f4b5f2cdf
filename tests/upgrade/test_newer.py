"""A rollback: what a release newer than this one has written is not lost, and keeps nothing else from going on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.core.bulk import BulkProgress
from chalicelib.core.messages import ResumeMessage, TurnMessage, UnknownKind, event_queue_messages, read, work_messages
from chalicelib.engine import collect, dead_letters, pausing, tick
from chalicelib.engine.ports import QueueName
from chalicelib.sdk import Context, TriggerEvent, function
from chalicelib.testing import Stepwell, start_stepwell
from tests.scenarios.insides import items, put_item

UNHEARD = '{"kind":"unheard_of","run_id":"01KE0000000000000000000000","of":{"a":"newer release"}}'


@function(fn_id="job", trigger=TriggerEvent(event="go"))
def job(ctx: Context) -> str:
    ctx.step.sleep("nap", "1h")
    return ctx.step.run("work", lambda: "done")


@function(fn_id="failing", trigger=TriggerEvent(event="try"))
def failing(ctx: Context) -> None:
    def work() -> None:
        raise ValueError("not yet")

    ctx.step.run("work", work)


def deliver_to_the_end(kit: Stepwell) -> None:
    """Until a message that fails each time lies among the dead letters."""
    for _ in range(12):
        kit.drain()
        kit.advance_only("1m")


def letters(kit: Stepwell) -> list[dict[str, Any]]:
    p = kit.platform
    rows: list[dict[str, Any]] = dead_letters.letters(p.services, p.room.dead_letters, dead_letters.BOTH, 10)["rows"]
    return rows


@pytest.mark.parametrize("queue", [QueueName.EVENTS, QueueName.WORK])
def test_a_message_of_an_unknown_kind_ends_among_the_dead_letters_and_can_be_redriven(queue: QueueName) -> None:
    with start_stepwell([job]) as kit:
        kit.platform.room.queues.send_anew(queue, UNHEARD)
        kit.send("go")
        deliver_to_the_end(kit)

        (letter,) = letters(kit)
        assert (letter["queue"], letter["body"]) == (queue.value, UNHEARD)
        assert letter["reason"].startswith("this release knows no messages of kind 'unheard_of'")
        assert kit.only_run().steps["nap"].status == "waiting"  # What was sent beside it went on.

        kit.advance_only("1m")
        p = kit.platform
        dead_letters.redrive(p.services, p.room.dead_letters, letter["id"], dead_letters.BOTH)
        assert [message["body"] for message in kit.pump.hold("events" if queue is QueueName.EVENTS else "work")] == [
            UNHEARD
        ]


def test_what_is_no_message_is_told_apart_from_what_is_not_known() -> None:
    with pytest.raises(UnknownKind, match="'unheard_of'"):
        read(event_queue_messages, UNHEARD)
    with pytest.raises(UnknownKind, match="'unheard_of'"):
        read(work_messages, UNHEARD)
    with pytest.raises(ValidationError, match="Invalid JSON"):
        read(work_messages, "{")


def test_a_timer_of_an_unknown_kind_keeps_no_other_from_coming() -> None:
    with start_stepwell([job]) as kit:
        kit.send("go")
        (timer,) = [item for item in items(kit, "timers") if "message" in item]
        # In each shard, before the one that is known.
        for shard in range(4):
            bucket = timer["pk"].split("#")[0]
            put_item(kit, "timers", {"pk": f"{bucket}#{shard}", "sk": "000000000000001#odd", "message": UNHEARD})
        kit.advance("1h")
        assert kit.only_run().output == "done"

        deliver_to_the_end(kit)
        assert {letter["body"] for letter in letters(kit)} == {UNHEARD}


def test_a_timer_s_message_goes_on_as_it_was_written() -> None:
    with start_stepwell([job]) as kit:
        kit.send("go")
        (timer,) = [item for item in items(kit, "timers") if "message" in item]
        newer = json.dumps({**json.loads(timer["message"]), "since_the_next_release": [1]})
        put_item(kit, "timers", {**timer, "message": newer})
        kit.advance_only("57m")
        tick.move_timers(kit.platform.services, kit.platform.clock.now_ms() + 60_000)

        kit.advance_only("3m")
        assert [message["body"] for message in kit.pump.hold("work")] == [newer]


def test_a_message_that_is_sent_again_keeps_what_is_not_known_of_it() -> None:
    newer = '{"kind":"turn","run_id":"r","due_ms":9999999999999,"since_the_next_release":{"a":1}}'
    again = read(work_messages, newer).model_copy(update={"due_ms": 5})
    assert json.loads(again.model_dump_json())["since_the_next_release"] == {"a": 1}
    resume = read(event_queue_messages, '{"kind":"resume","fn_id":"f","pause_id":"p","more":2}')
    assert isinstance(resume, ResumeMessage)
    assert json.loads(resume.model_dump_json())["more"] == 2


def test_a_step_that_is_tried_again_keeps_what_is_not_known_of_it() -> None:
    with start_stepwell([job, failing]) as kit:
        kit.send("try")
        (step,) = [item for item in items(kit, "runs") if str(item["sk"]).startswith("s#")]
        put_item(kit, "runs", {**step, "pl": json.dumps({**json.loads(step["pl"]), "since_the_next_release": True})})
        kit.advance("2m")

        (step,) = [item for item in items(kit, "runs") if str(item["sk"]).startswith("s#")]
        plan = json.loads(step["pl"])
        assert (len(plan["attempts"]) > 1, plan["since_the_next_release"]) == (True, True)


def test_attributes_that_are_not_known_stay_on_a_run_s_head() -> None:
    with start_stepwell([job]) as kit:
        kit.send("go")
        (head,) = [item for item in items(kit, "runs") if item["sk"] == "0"]
        put_item(kit, "runs", {**head, "since_the_next_release": "x"})
        kit.advance("1h")

        assert kit.only_run().output == "done"
        (head,) = [item for item in items(kit, "runs") if item["sk"] == "0"]
        assert head["since_the_next_release"] == "x"


def test_rows_of_a_run_that_are_not_known_are_passed_over() -> None:
    with start_stepwell([job]) as kit:
        kit.send("go")
        run_id = kit.only_run().run_id
        put_item(kit, "runs", {"pk": run_id, "sk": "x#of-a-newer-release", "what": "ever"})
        kit.advance("1h")

        assert kit.only_run().output == "done"
        assert [item for item in items(kit, "runs") if item["sk"] == "x#of-a-newer-release"]


def test_a_pause_of_a_function_keeps_what_is_not_known_of_it() -> None:
    with start_stepwell([job, failing]) as kit:
        p = kit.platform
        pausing.pause(p.services, p.room.apps, "job", "queue")
        (item,) = [item for item in items(kit, "functions") if "paused" in item]
        paused = json.loads(item["paused"])
        paused["job"]["by"] = "ada"
        put_item(kit, "functions", {**item, "paused": json.dumps(paused)})
        pausing.pause(p.services, p.room.apps, "failing", "skip")

        (item,) = [item for item in items(kit, "functions") if "paused" in item]
        assert json.loads(item["paused"])["job"]["by"] == "ada"


def test_the_progress_of_a_job_keeps_what_is_not_known_of_it() -> None:
    found = BulkProgress.model_validate_json('{"looked_at":3,"since_the_next_release":7}')
    assert json.loads(found.model_copy(update={"looked_at": 4}).model_dump_json())["since_the_next_release"] == 7


def damage(kit: Stepwell, run_id: str) -> dict[str, Any]:
    """The step of a run as a newer release may have left it; what it was."""
    (step,) = [item for item in items(kit, "runs") if item["pk"] == run_id and str(item["sk"]).startswith("s#")]
    put_item(kit, "runs", {**step, "st": "of_a_newer_release"})
    return step


def test_a_step_whose_status_is_not_known_stalls_its_run_with_a_clear_reason_and_is_kept() -> None:
    with start_stepwell([job], MAX_RECEIVES="3") as kit:
        kit.send("go")
        kit.send("go")
        first, second = kit.runs()
        was = damage(kit, first.run_id)
        kit.advance_only("1h")
        tick.move_timers(kit.platform.services, kit.platform.clock.now_ms() + 60_000)
        for _ in range(5):
            kit.drain()
            kit.advance_only("1m")

        assert kit.run(second.run_id).output == "done"
        head = kit.platform.services.runs.head(first.run_id)
        assert head is not None
        assert head.stalled is not None
        assert (
            f"of run {first.run_id} cannot be read by this release: 'of_a_newer_release' is not a valid StepStatus"
            in head.stalled
        )

        put_item(kit, "runs", was)  # As when the newer release is back.
        kit.platform.services.queues.send_work(TurnMessage(run_id=first.run_id))
        kit.drain()
        assert kit.run(first.run_id).output == "done"


def test_a_run_that_cannot_be_read_keeps_no_other_from_being_poked() -> None:
    with start_stepwell([job]) as kit:
        for _ in range(12):
            kit.send("go")
        heads = {item["pk"]: item for item in items(kit, "runs") if item["sk"] == "0"}
        odd, *others = sorted(heads)
        put_item(
            kit,
            "runs",
            {
                **heads[odd],
                "seed": json.dumps({**json.loads(heads[odd]["seed"]), "hold": {"mode": "x", "digest": "d"}}),
            },
        )
        kit.advance_only("2h")  # No tick came: all are overdue.

        assert collect.collect(kit.platform.services, kit.platform.clock.now_ms() + 60_000) == len(others)
        assert [item for item in items(kit, "runs") if item["pk"] == odd]


def test_a_row_of_the_index_that_cannot_be_read_keeps_no_other_from_being_collected() -> None:
    with start_stepwell([job]) as kit:
        row = {"pk": "a-hash", "sk": "run#step#0", "pause": '{"kind":"of_a_newer_release"}'}
        put_item(kit, "pauses", row)
        collect.collect_pauses(kit.platform.services)

        assert items(kit, "pauses") == [row]


@function(fn_id="waiter", trigger=TriggerEvent(event="wait"))
def waiter(ctx: Context) -> bool:
    found = ctx.step.wait_for_event("answer", event="answer", if_exp="async.data.n == event.data.n", timeout="9d")
    return found is not None


def test_a_row_that_cannot_be_read_keeps_no_other_run_from_being_resumed_and_misses_no_event() -> None:
    with start_stepwell([waiter], MAX_RECEIVES="3") as kit:
        for _ in range(3):
            kit.send("wait", {"n": 1})
        middle = sorted((row for row in items(kit, "pauses") if "pause" in row), key=lambda row: str(row["sk"]))[1]
        newer = json.dumps({**json.loads(middle["pause"]), "kind": "of_a_newer_release"})
        put_item(kit, "pauses", {**middle, "pause": newer})
        kit.send("answer", {"n": 1})
        deliver_to_the_end(kit)

        assert sorted(run.status.value for run in kit.runs()) == ["Completed", "Completed", "Running"]
        (letter,) = letters(kit)
        assert letter["reason"].startswith(f"the row {middle['sk']} of the index cannot be read by this release")

        put_item(kit, "pauses", middle)  # As when the newer release is back.
        kit.advance_only("1m")
        p = kit.platform
        dead_letters.redrive(p.services, p.room.dead_letters, letter["id"], dead_letters.BOTH)
        kit.drain()
        assert {run.output for run in kit.runs()} == {True}
