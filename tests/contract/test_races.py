"""Real parallelism, on ministack: of many at once exactly one wins, and all are told the same."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from chalicelib.core.events import Event
from chalicelib.core.pauses import Pause
from chalicelib.core.records import Resumed
from chalicelib.core.runs import LeaseResult, RunHead, RunStatus
from chalicelib.core.steps import StepRecord, StepStatus
from tests.contract import build
from tests.contract.build import LATER_MS, STEP
from tests.contract.conftest import NOW_MS, World

T = TypeVar("T")
RACERS = 8
ROUNDS = 5


def race(contend: Callable[[int], T]) -> list[T]:
    """What each of RACERS threads got, all let go at once."""
    start = threading.Barrier(RACERS)

    def go(number: int) -> T:
        start.wait()
        return contend(number)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(go, range(RACERS)))


def test_one_turn_gets_the_lease(ministack: World) -> None:
    runs = ministack.room.runs
    for _ in range(ROUNDS):
        run_id = build.run(ministack)

        def contend(number: int, run_id: str = run_id) -> tuple[LeaseResult, RunHead | None]:
            me = build.owner(f"m{number}", f"n{number}")
            return runs.take_lease(run_id, me, until_ms=LATER_MS, now_ms=NOW_MS)

        got = race(contend)
        winners = [head for result, head in got if result is LeaseResult.TAKEN]
        assert len(winners) == 1
        assert winners[0] == build.head(ministack, run_id)
        assert sum(result is LeaseResult.OTHER for result, _ in got) == RACERS - 1


def test_one_turn_gets_the_lease_that_ran_out(ministack: World) -> None:
    runs = ministack.room.runs
    run_id = build.run(ministack, leased=build.owner("dead"))
    now = LATER_MS + 1
    got = race(lambda n: runs.take_lease(run_id, build.owner(f"m{n}"), until_ms=now + 1_000, now_ms=now)[0])
    assert got.count(LeaseResult.TAKEN) == 1
    assert build.head(ministack, run_id).starts == 2


def test_one_result_of_a_step_is_recorded_and_everyone_takes_it(ministack: World) -> None:
    for _ in range(ROUNDS):
        run_id = build.run(ministack)

        def contend(number: int, run_id: str = run_id) -> StepRecord:
            return ministack.room.runs.put_step(run_id, build.completed(f"by {number}"))

        got = race(contend)
        recorded = ministack.room.runs.get_step(run_id, STEP)
        assert recorded is not None
        assert {step.model_copy(update={"expires_at_s": 0}) for step in got} == {
            recorded.model_copy(update={"expires_at_s": 0})
        }


def test_one_event_resumes_a_wait_and_is_alone_in_the_audit(ministack: World) -> None:
    for _ in range(ROUNDS):
        me = build.owner()
        run_id, events = build.run(ministack, leased=me), [build.event(ministack) for _ in range(RACERS)]
        ministack.room.runs.register(run_id, me, build.waiting(), (), NOW_MS)

        def contend(number: int, run_id: str = run_id, events: list[Event] = events) -> Resumed:
            effect = build.resumed(events[number], run_id)
            return ministack.room.runs.resume(effect, build.outcome(f"by {number}"))

        got = race(contend)
        winner = got.index(Resumed.NOW)
        step = ministack.room.runs.get_step(run_id, STEP)
        assert Counter(got) == {Resumed.NOW: 1, Resumed.NOT: RACERS - 1}
        assert step is not None
        assert step.outcome == build.outcome(f"by {winner}")
        marked = [bool(build.effects(ministack, event.internal_id)) for event in events]
        assert marked == [number == winner for number in range(RACERS)]


def test_deliveries_of_one_event_resume_once_and_all_go_on(ministack: World) -> None:
    me = build.owner()
    run_id, event = build.run(ministack, leased=me), build.event(ministack)
    ministack.room.runs.register(run_id, me, build.waiting(), (), NOW_MS)
    got = race(lambda n: ministack.room.runs.resume(build.resumed(event, run_id), build.outcome(f"by {n}")))
    assert Counter(got) == {Resumed.NOW: 1, Resumed.EARLIER: RACERS - 1}
    assert len(build.effects(ministack, event.internal_id)) == 1


def test_event_timeout_and_end_are_settled_by_who_comes_first(ministack: World) -> None:
    me = build.owner()
    run_id, event = build.run(ministack, leased=me), build.event(ministack)
    ministack.room.runs.register(run_id, me, build.waiting(), (), NOW_MS)

    def contend(number: int) -> object:
        if number % 2:
            return ministack.room.runs.complete(run_id, STEP, build.outcome(None)).outcome
        resumed = ministack.room.runs.resume(build.resumed(event, run_id), build.outcome("event"))
        return None if resumed is Resumed.NOT else build.outcome("event")

    got = race(contend)
    step = ministack.room.runs.get_step(run_id, STEP)
    assert step is not None
    assert set(got[1::2]) == {step.outcome}
    assert set(got[0::2]) == ({step.outcome} if step.outcome == build.outcome("event") else {None})
    assert bool(build.effects(ministack, event.internal_id)) == (step.outcome == build.outcome("event"))


def test_a_wait_is_registered_or_its_run_has_ended(ministack: World) -> None:
    """Cancellation against registration: never a wait in a run that had ended before."""
    me = build.owner()
    for _ in range(ROUNDS):
        run_id, event = build.run(ministack, leased=me), build.event(ministack)
        pause = build.pause(ministack, run_id)

        def contend(number: int, run_id: str = run_id, event: Event = event, pause: Pause = pause) -> object:
            try:
                if number % 2:
                    end = build.ending(RunStatus.CANCELLED, cause=build.caused_by(event))
                    return ministack.room.runs.cancel_by(build.cancelled(event, run_id), end)
                return ministack.room.runs.register(run_id, me, build.waiting(), [pause], NOW_MS)
            except Exception as error:
                return error

        got = race(contend)
        assert build.head(ministack, run_id).status is RunStatus.CANCELLED
        step = ministack.room.runs.get_step(run_id, STEP)
        registered = [one for one in got[0::2] if not isinstance(one, Exception)]
        assert (step is not None) == bool(registered)
        assert len(build.rows(ministack, pause.key.key)) == (step is not None)


def test_a_run_is_created_once(ministack: World) -> None:
    seed = build.seed(ministack)
    events = [build.event(ministack, data={"n": number}) for number in range(RACERS)]
    pause = build.pause(ministack, seed.run_id)
    got = race(
        lambda n: ministack.room.runs.create(seed.model_copy(update={"created_at_ms": NOW_MS + n}), events[n], [pause])
    )
    run = ministack.room.runs.load(seed.run_id)
    assert run is not None
    assert {head.seed.created_at_ms for head in got} == {run.head.seed.created_at_ms}


def test_one_end_of_a_run_stays(ministack: World) -> None:
    run_id = build.run(ministack)
    got = race(lambda n: ministack.room.runs.end(run_id, build.ending(output=n), owner=None))
    assert set(map(str, got)) == {str(build.head(ministack, run_id))}


def test_one_planned_step_s_lease_is_granted(ministack: World) -> None:
    run_id = build.run(ministack)
    got = race(
        lambda n: ministack.room.runs.lease_step(
            run_id, STEP, build.owner(f"m{n}"), build.plan(planned=True), until_ms=LATER_MS, now_ms=NOW_MS
        )
    )
    assert [lease.granted for lease in got].count(True) == 1
    assert all(lease.step is not None and lease.step.status is StepStatus.PLANNED for lease in got)


def test_one_run_claims_a_user_s_id(ministack: World) -> None:
    fn_id, runs = f"fn-{ministack.new()}", [ministack.new() for _ in range(RACERS)]
    got = race(lambda n: ministack.room.events.claim_id(fn_id, "order-1", runs[n], NOW_MS))
    assert len(set(got)) == 1


def test_one_record_of_an_event_stays(ministack: World) -> None:
    event = build.event(ministack)
    got = race(lambda n: ministack.room.events.put(build.record(event, cron=f"by {n}")))
    assert set(map(str, got)) == {str(ministack.room.events.get(event.internal_id))}


def test_no_poke_is_lost_between_reading_and_releasing(ministack: World) -> None:
    """Whoever brings news is heard by the release, or finds no live lease and takes the turn itself."""
    me = build.owner()
    for _ in range(ROUNDS):
        run_id = build.run(ministack, leased=me)

        def contend(number: int, run_id: str = run_id) -> object:
            if number:
                return ministack.room.runs.poke(run_id, NOW_MS)
            return ministack.room.runs.release(run_id, me, version=0, wake_at_ms=None)

        released, *poked = race(contend)
        assert (released is None) == (not any(poked))
