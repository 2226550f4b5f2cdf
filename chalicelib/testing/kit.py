"""The kit: send an event, move the clock, look at the run."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

from chalicelib import config as configuration
from chalicelib import wiring
from chalicelib.core import ids, limits, timers
from chalicelib.core.crons import CronSchedule
from chalicelib.core.durations import parse_duration
from chalicelib.core.errors import InvalidEvent
from chalicelib.core.function_pauses import PauseMode
from chalicelib.core.functions import CronTrigger
from chalicelib.core.runs import Run, RunStatus
from chalicelib.core.steps import FUNCTION_ENTRY, StepRecord, in_order
from chalicelib.core.timeline import timeline
from chalicelib.engine import collect, ingest, near_misses, pausing, query, replays, signals, tick
from chalicelib.engine.services import Chance
from chalicelib.sdk.function import Function
from chalicelib.sdk.registry import Registry, discover
from chalicelib.testing import cloud, memory
from chalicelib.testing.pump import INVOCATION_MS, Pump
from chalicelib.testing.session import kit_session
from chalicelib.testing.stubs import Stub, StubbingDriver
from chalicelib.wiring import Platform

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class StepView:
    """A step of a run: `status` is completed, failed, waiting, planned or retrying."""

    name: str
    status: str
    output: Any
    error: str | None
    attempts: int
    caused_by: str | None

    @classmethod
    def of(cls, step: StepRecord) -> StepView:
        outcome = step.outcome
        error = None if outcome is None or outcome.error is None else outcome.error.message
        cause = None if outcome is None or outcome.cause is None else outcome.cause
        return cls(
            name=step.plan.name,
            status=step.status.value,
            output=None if outcome is None else outcome.output,
            error=error,
            attempts=len(step.plan.attempts) + (step.status == "completed"),
            caused_by=None if cause is None else cause.name or cause.kind.value,
        )


@dataclass(frozen=True)
class RunView:
    """A run as it is now."""

    run_id: str
    function_id: str
    status: RunStatus
    output: Any
    error: str | None
    steps: dict[str, StepView]
    timeline: list[dict[str, Any]]

    @classmethod
    def of(cls, run: Run) -> RunView:
        ending = run.head.ending
        return cls(
            run_id=run.head.run_id,
            function_id=run.head.seed.fn_id,
            status=run.head.status,
            output=None if ending is None else ending.output,
            error=None if ending is None or ending.error is None else ending.error.message,
            steps=_by_name(run),
            timeline=timeline(run),
        )

    @property
    def warnings(self) -> list[str]:
        """The warnings on the timeline."""
        return [str(entry["message"]) for entry in self.timeline if entry["type"] == "warning"]

    @property
    def history(self) -> list[str]:
        """The types of the timeline's entries, in order."""
        return [str(entry["type"]) for entry in self.timeline]


def _by_name(run: Run) -> dict[str, StepView]:
    """Steps in the order in which they began; a repeated name gets `:1`, `:2`, …, as its id does."""
    found: dict[str, StepView] = {}
    real = [step for key, step in run.steps.items() if key != FUNCTION_ENTRY]
    for step in in_order(real):
        name, repeat = step.plan.name, 0
        while name in found:
            repeat += 1
            name = f"{step.plan.name}:{repeat}"
        found[name] = StepView.of(step)
    return found


class Stepwell:
    """A platform of its own, at rest between calls: every method that sends or advances runs everything that follows
    before it returns."""

    def __init__(
        self,
        platform: Platform,
        sqs: Any,
        traveller: time_machine.Traveller,
        stubs: StubbingDriver,
        remaining_ms: int,
        account: memory.Account,
    ) -> None:
        self.platform = platform
        self._account = account
        self.pump = Pump(platform, sqs, remaining_ms)
        self._traveller = traveller
        self._stubs = stubs

    @property
    def now(self) -> datetime:
        """The kit's time; functions see it too."""
        return datetime.fromtimestamp(self.platform.clock.now_ms() / 1000, tz=UTC)

    def send(
        self, name: str | list[dict[str, Any]], data: dict[str, Any] | None = None, *, id: str | None = None
    ) -> list[str]:
        """Send an event (or a list of events as dicts) and let everything that follows happen; the events' ids."""
        sent = self.send_only(name, data, id=id)
        self.pump.drain()
        return sent

    def send_signal(self, signal: str, data: Any = None) -> str | None:
        """What `POST /v1/signals` does; the id of the run that waited for it, None when none did."""
        found = signals.send(self.platform.services, signal, data)
        self.pump.drain()
        return found

    def send_only(
        self, name: str | list[dict[str, Any]], data: dict[str, Any] | None = None, *, id: str | None = None
    ) -> list[str]:
        """Send without letting anything happen yet. Raises InvalidEvent.

        It takes two milliseconds: what was before comes before it by the clock, too, and what follows after it.
        """
        self._tick_clock()
        raw: object = name
        if isinstance(name, str):
            raw = {"name": name, "data": data or {}, **({} if id is None else {"id": id})}
        accepted = ingest.accept(self.platform.services, self.platform.reception, raw)
        self._tick_clock()
        if accepted.refusals:
            raise InvalidEvent(accepted.refusals[0].error)
        return list(accepted.ids)

    def _tick_clock(self) -> None:
        self._move_to(self.platform.clock.now_ms() + 1)

    def drain(self) -> None:
        """Let everything happen that can happen now."""
        self.pump.drain()

    def stub(
        self, fn: Function[Any] | str, step_id: str, *, returns: Any = None, raises: Exception | None = None
    ) -> None:
        """Decide the outcome of a step instead of running it."""
        fn_id = fn if isinstance(fn, str) else fn.fn_id
        self._stubs.stub(fn_id, step_id, Stub(returns, raises))

    def deploy(self, functions: Iterable[Function[Any]]) -> None:
        """Other functions from now on, while runs are under way."""
        before = self.platform
        made = wiring.build(
            before.config, registry=Registry(functions), room=before.room, chance=before.services.chance
        )
        self._stubs.driver = made.services.driver
        services = replace(before.services, catalog=made.services.catalog)
        self.platform = self.pump.platform = replace(before, services=services)

    def advance(self, by: timedelta | str | int) -> None:
        """Move the clock ahead, waking everything on the way at its time."""
        target_ms = self.platform.clock.now_ms() + parse_duration(by)
        self._come_to_rest()
        while (now := self.platform.clock.now_ms()) < target_ms:
            self._move_to(min(self._next_ms(now), target_ms))
            # The clock goes from one due time to the next, so nothing lies behind it and the sweep may begin here.
            mark = timers.first_bucket(None, self.platform.clock.now_ms())
            self.platform.services.timers.set_mark(tick.TIMER_MARK, str(mark))
            self._come_to_rest()

    def advance_only(self, by: timedelta | str | int) -> None:
        """Move the clock ahead without letting anything happen: what was due meanwhile is late."""
        self._move_to(self.platform.clock.now_ms() + parse_duration(by))

    def _come_to_rest(self) -> None:
        tick.tick(self.platform.services, self.platform.clock.now_ms() + INVOCATION_MS)
        self.pump.drain()

    def _move_to(self, moment_ms: int) -> None:
        # In the middle of the millisecond: as a float of seconds its beginning may fall into the one before.
        moment = _EPOCH + timedelta(milliseconds=moment_ms, microseconds=500)
        self._traveller.move_to(moment, tick=False)

    def _next_ms(self, now_ms: int) -> int:
        """When something may happen next: a timer, a schedule, a message that comes back."""
        s = self.platform.services
        times = [now_ms + limits.DAY_MS * 400, *cloud.due_generations(self._account.dynamodb.tables)]
        for shard in range(collect.OPEN_SHARDS):
            after = None
            while True:
                found, after = s.runs.open_page(shard, after, 100)
                heads = s.runs.heads(found)
                times += [head.wake_at_ms for head in heads if head.wake_at_ms is not None]
                queued = [head for head in heads if head.begun_at_ms is None]
                times += [head.seed.due_ms for head in queued if head.wake_at_ms is None]
                # Each minute the lines before limits are swept.
                times += [now_ms + limits.MINUTE_MS for head in queued if head.wake_at_ms is not None]
                if after is None:
                    break
        s.catalog.catch_up(now_ms)
        for config in s.catalog.configs():
            for trigger in config.triggers:
                if isinstance(trigger, CronTrigger):
                    schedule = CronSchedule.parse(trigger.cron)
                    times.append(next(schedule.due_between(now_ms, now_ms + limits.DAY_MS * 400), times[0]))
                    due = schedule.due_between(now_ms - trigger.jitter_ms, now_ms) if trigger.jitter_ms else ()
                    starts = [tick.starts_at_ms(config.id, trigger, one) for one in due]
                    times += [start for start in starts if start > now_ms - 1_000]
        if self.pump.waiting():  # The queue does not keep a message for ever.
            times.append(now_ms + limits.MAX_MESSAGE_DELAY_MS)
        soonest = min((time for time in times if time > now_ms), default=times[0])
        overdue = any(time <= now_ms for time in times)
        # Delays of messages are whole seconds, so what is due now may come within the next one.
        return min(soonest, now_ms + 1_000) if overdue or self.pump.in_flight() else soonest

    def collect(self) -> None:
        """What runs every five minutes in production."""
        collect.collect(self.platform.services, self.platform.clock.now_ms() + INVOCATION_MS)
        self.pump.drain()

    def runs(self, fn: Function[Any] | str | None = None) -> list[RunView]:
        """Runs, oldest first."""
        s = self.platform.services
        s.catalog.catch_up(self.platform.clock.now_ms())
        wanted = [config.id for config in s.catalog.configs()]
        if fn is not None:
            wanted = [fn if isinstance(fn, str) else fn.fn_id]
        positions = [p for fn_id in wanted for p in s.runs.page(fn_id, before="9" * 15, limit=1_000)]
        loaded = [s.runs.load(position.split("#", 1)[1]) for position in positions]
        present = [run for run in loaded if run is not None]
        # In one millisecond, by the order in which their events were accepted.
        present.sort(key=lambda run: (run.head.seed.created_at_ms, run.head.seed.trigger_received_at_us))
        return [RunView.of(run) for run in present]

    def only_run(self, fn: Function[Any] | str | None = None) -> RunView:
        """The one run there is. Raises AssertionError when there is none or more than one."""
        found = self.runs(fn)
        assert len(found) == 1, f"{len(found)} runs, not one: {[(run.function_id, run.status) for run in found]}"
        return found[0]

    @property
    def counts(self) -> dict[str, int]:
        """What was counted since the kit started, by the names of docs/METRICS.md."""
        return {metric.value: n for metric, n in self.platform.metrics.so_far().sums.items()}

    def event(self, event_id: str) -> dict[str, Any]:
        """An event and what it caused, as `GET /v1/events/{id}` shows it: `started`, `not_started` with reasons,
        `resumed`, `cancelled`, `times`, and `nearly_met`: the waits that it missed, and why."""
        p = self.platform
        shown, _ = query.event(p.services, event_id)
        return shown | {"nearly_met": near_misses.near_misses(p.services, p.room.looking, event_id)}

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of this name, oldest first (100 at most)."""
        end_ms = self.platform.clock.now_ms() + limits.DAY_MS
        page = query.events_page(
            self.platform.services, name=name, after_ms=0, before_ms=end_ms, limit=limits.MAX_PAGE, cursor=None
        )
        return page.rows[::-1]

    def cancel(self, run_id: str) -> None:
        """What `DELETE /v1/runs/{id}` does."""
        query.cancel_run(self.platform.services, run_id)
        self.pump.drain()

    def pause(self, fn: Function[Any] | str, mode: PauseMode = "queue") -> None:
        """What `POST /v1/functions/{id}/pause` does. Raises NotFound, Conflict."""
        fn_id = fn if isinstance(fn, str) else fn.fn_id
        pausing.pause(self.platform.services, self.platform.room.apps, fn_id, mode)

    def resume(self, fn: Function[Any] | str) -> None:
        """What `POST /v1/functions/{id}/resume` does. Raises NotFound."""
        fn_id = fn if isinstance(fn, str) else fn.fn_id
        pausing.resume(self.platform.services, self.platform.room.apps, fn_id)
        self.pump.drain()

    def replay(self, run_id: str, from_step: str | None = None) -> str:
        """What `POST /v1/runs/{id}/replay` does; the id of the new run. Raises NotFound, Conflict, InvalidReplay."""
        head = replays.replay(self.platform.services, run_id, from_step)
        self.pump.drain()
        return head.run_id

    def run(self, run_id: str) -> RunView:
        """A run as it is now."""
        assert ids.is_ulid(run_id), f"{run_id!r} is not a run id"
        run = self.platform.services.runs.load(run_id)
        assert run is not None, f"there is no run {run_id}"
        return RunView.of(run)


@contextlib.contextmanager
def start_stepwell(
    functions: Iterable[Function[Any]] | None = None,
    *,
    at: datetime = START,
    remaining_ms: int = INVOCATION_MS,
    **settings: str,
) -> Iterator[Stepwell]:
    """A platform in memory at a fixed time, with these functions or, by default, those of chalicelib/functions.

    `remaining_ms` is what each invocation has left. `settings` are STEPWELL_… variables without their prefix.
    """
    registry = discover() if functions is None else Registry(functions)
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": cloud.REGION}
    counter = iter(range(1, 1 << 30))
    chance = Chance(entropy=lambda: _entropy(next(counter)), jitter=lambda: 0.0)
    account = cloud.open_account()
    with _environment(environment), time_machine.travel(at, tick=False) as traveller, memory.serving(account):
        session = kit_session()
        cloud.create_bucket(session)
        variables = cloud.variables() | {f"STEPWELL_{key}": value for key, value in settings.items()}
        platform = wiring.build(configuration.load(variables), registry=registry, session=session, chance=chance)
        stubs = StubbingDriver(platform.services.driver)
        platform = replace(platform, services=replace(platform.services, driver=stubs))
        # A deployment ticks from its first minute on.
        tick.tick(platform.services, platform.clock.now_ms() + INVOCATION_MS)
        yield Stepwell(platform, session.create_client("sqs"), traveller, stubs, remaining_ms, account)


def _entropy(number: int) -> bytes:
    """The same in every test run, and unlike every other number's in all of its bytes: ids are made of the first."""
    return hashlib.sha256(str(number).encode()).digest()[:10]


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in [*values, "AWS_ENDPOINT_URL"]}
    os.environ.pop("AWS_ENDPOINT_URL", None)
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
