"""A platform whose processes may die: messages are delivered as Lambda does it, and after a crash a new process with
empty memory goes on with what lies in AWS."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chalicelib import config as configuration
from chalicelib import deliveries, wiring
from chalicelib.aws.room import furnish
from chalicelib.core import apps as synced
from chalicelib.core import limits, timers
from chalicelib.core.calls import CallRequest, Operations, Reply, Returned
from chalicelib.core.crons import CronSchedule
from chalicelib.core.durations import parse_duration
from chalicelib.core.errors import InfrastructureError, NotFound, StaleCheckpoint, UserError
from chalicelib.core.function_pauses import PauseMode
from chalicelib.core.functions import CronTrigger, EventTrigger, FunctionConfig
from chalicelib.core.messages import EventMessage, LifecycleMessage, event_queue_messages
from chalicelib.core.metrics import Metric
from chalicelib.core.replays import results_before
from chalicelib.core.runs import RunStatus
from chalicelib.engine import (
    apps,
    cancellations,
    checkpoints,
    collect,
    dead_letters,
    endpoint_runs,
    ingest,
    pausing,
    process_event,
    query,
    replays,
    replays_of_many,
    signals,
    tick,
)
from chalicelib.engine.app_ports import Catalog
from chalicelib.engine.expiry import stamp_s
from chalicelib.engine.metrics import Collected
from chalicelib.engine.ports import Driver
from chalicelib.engine.services import Chance
from chalicelib.sdk.function import Function
from chalicelib.sdk.registry import Registry
from chalicelib.testing.pump import INVOCATION_MS, Invocation
from chalicelib.testing.session import UnsignedSession
from chalicelib.wiring import Platform
from tests.apps import App, AppFunction, serve
from tests.faults.emulator import Emulator
from tests.faults.injector import Crash, Injector
from tests.faults.watch import Watch

_ROUNDS = 300
# A process takes its time to start; a clock that stands still would accept two events at once.
_START_MS = 100
_HORIZON_MS = 400 * limits.DAY_MS


class NotAtRest(AssertionError):
    """Messages go round and round."""


@dataclass(frozen=True)
class MortalDriver:
    """A process that died while user code ran answers nothing, whatever caught the crash."""

    driver: Driver
    injector: Injector

    def call(self, request: CallRequest) -> Reply:
        reply = self.driver.call(request)
        if self.injector.dead:
            raise Crash
        return reply


@dataclass(frozen=True)
class ReturningApps:
    """Functions of synced apps return at once; endpoints answer as the scenario says."""

    driver: Driver
    catalog: Catalog
    endpoint: Callable[[CallRequest], Reply]

    def call(self, request: CallRequest) -> Reply:
        config = self.catalog.get(request.fn_id)
        if config is not None and config.driver == "http":
            return Returned(output=f"{request.fn_id} done", size_bytes=0)
        if config is not None and config.driver == "endpoint":
            return self.endpoint(request)
        return self.driver.call(request)


class World:
    """One scenario's platform, its queues and its clock."""

    def __init__(
        self,
        emulator: Emulator,
        functions: Sequence[Function[Any]],
        *,
        remaining_ms: int = INVOCATION_MS,
        arm_ticks: bool = False,
        duplicate: bool = False,
        settings: dict[str, str] | None = None,
        app: Sequence[AppFunction] = (),
        watch: Watch | None = None,
    ) -> None:
        emulator.clear()
        self._app = app
        self.endpoint: Callable[[CallRequest], Reply] | None = None
        self.emulator = emulator
        self.watch = watch or Watch(emulator)
        self.injector = Injector(self.watch.look)
        self.executions: Counter[tuple[str, str]] = Counter()
        self.last_step: tuple[str, str] | None = None
        self.crashes = 0
        self.acknowledged: list[tuple[str, str]] = []
        # The ids of the events that senders were told were accepted.
        self.accepted: list[str] = []
        # How often a sender who was told of a fault sent again: both may have been accepted.
        self.resent = 0
        self.results: list[dict[str, Any]] = []
        # What each process counted, the dead ones' too.
        self._counts: list[Collected] = []
        self._registry = Registry(functions)
        self._variables = emulator.variables | {f"STEPWELL_{key}": text for key, text in (settings or {}).items()}
        self._entropy = iter(range(1, 1 << 30))
        self._invocation = Invocation(remaining_ms)
        self._arm_ticks = arm_ticks
        self._duplicate = duplicate
        self._session = UnsignedSession()
        self._session.register_component("data_loader", emulator.session.get_component("data_loader"))
        self.injector.install(self._session)
        self.platform = self._boot()
        self.platform.services.timers.set_mark(tick.CRON_MARK, str(self.now_ms))

    def _boot(self, session: Any = None) -> Platform:
        """A new process: nothing is remembered."""
        config = configuration.load(self._variables)
        chance = Chance(entropy=lambda: (next(self._entropy) << 32).to_bytes(10, "big"), jitter=lambda: 0.0)
        held: list[Platform] = []
        room = furnish(
            wiring.names(config),
            lambda: stamp_s(held[0].services, held[0].clock.now_ms()),
            session=self._session if session is None else session,
        )
        platform = wiring.build(config, registry=self._registry, room=room, chance=chance)
        services = platform.services
        if self._app:
            services = replace(services, **serve(services, App(self._app, self._checkpoint)))
        else:
            services = replace(services, driver=ReturningApps(services.driver, services.catalog, self._call_endpoint))
        held.append(replace(platform, services=replace(services, driver=MortalDriver(services.driver, self.injector))))
        self._counts.append(platform.metrics)
        return held[0]

    def _call_endpoint(self, request: CallRequest) -> Reply:
        assert self.endpoint is not None, "nobody was to call an endpoint"
        return self.endpoint(request)

    @property
    def counts(self) -> Counter[Metric]:
        """What all processes counted, told or not."""
        total: Counter[Metric] = Counter()
        for collected in self._counts:
            total.update(collected.so_far().sums)
        return total

    # What user code tells of itself.
    def ran(self, run_id: str, step: str) -> None:
        """A step's handler runs."""
        self.executions[run_id, step] += 1
        self.last_step = run_id, step

    def die(self) -> None:
        """The process dies inside a step."""
        self.injector.die()

    # Invocations.
    def invoke(self, work: Callable[[Platform], object]) -> bool:
        """Run our code as a Lambda invocation; False when its process died."""
        try:
            with self.injector.armed():
                work(self.platform)
        except Crash:
            self.crashes += 1
            self.watch.crashed(self.last_step, self.executions)
            self.emulator.move_to(self.now_ms + _START_MS)
            self.platform = self._boot()
            self.injector.dead = False
            return False
        return True

    def drain(self) -> None:
        """Deliver until nothing is visible."""
        for _ in range(_ROUNDS):
            if not self.deliver("events") and not self.deliver("work"):
                return
        raise NotAtRest(f"not at rest after {_ROUNDS} deliveries")

    def deliver(self, kind: str) -> bool:
        """One batch of a queue; whether there was one."""
        if not self.emulator.has_visible(f"stepwell-test-{kind}"):
            return False
        records = self.receive(kind, 10 if kind == "events" else 1)
        if not records:
            return False
        if self._duplicate:
            self.hand(kind, records)
        self.hand(kind, records)
        return True

    def receive(self, kind: str, most: int) -> list[dict[str, Any]]:
        """Messages of a queue as Lambda hands them over."""
        answer = self.emulator.sqs.receive_message(
            QueueUrl=self._url(kind), MaxNumberOfMessages=most, WaitTimeSeconds=0, MessageSystemAttributeNames=["All"]
        )
        return [_record(message) for message in answer.get("Messages", [])]

    def _url(self, kind: str) -> str:
        return self.emulator.variables["STEPWELL_QUEUE_EVENTS_URL" if kind == "events" else "STEPWELL_QUEUE_WORK_URL"]

    def hand(self, kind: str, records: list[dict[str, Any]]) -> None:
        """Let the handler have them, and acknowledge those that it did not fail."""
        handler = deliveries.on_events if kind == "events" else deliveries.on_work
        answers: list[dict[str, Any]] = []

        def work(platform: Platform) -> None:
            try:
                answers.append(handler(platform, {"Records": records}, self._invocation))
            except Exception as error:  # As Lambda: an error acknowledges nothing.
                self.results.append({"error": f"{type(error).__name__}: {error}"})

        if not self.invoke(work) or not answers:
            return
        self.results.append(answers[0])
        failed = {failure["itemIdentifier"] for failure in answers[0]["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in failed:
                self.acknowledge(kind, record)

    def acknowledge(self, kind: str, record: dict[str, Any]) -> None:
        """Delete a message that was handled."""
        self.acknowledged.append((kind, record["body"]))
        self.emulator.sqs.delete_message(QueueUrl=self._url(kind), ReceiptHandle=record["receiptHandle"])

    # The script of a scenario.
    def send(self, name: str | list[dict[str, Any]], data: dict[str, Any] | None = None, **fields: Any) -> None:
        """Send an event, or several, and let everything follow. A client whose request failed sends it again."""
        self.accept(name, data, **fields)
        self.settle()

    def accept(self, name: str | list[dict[str, Any]], data: dict[str, Any] | None = None, **fields: Any) -> None:
        """Send without letting anything follow."""
        raw: Any = {"name": name, "data": data or {}, **fields} if isinstance(name, str) else name
        answers: list[ingest.Accepted] = []
        for _ in range(_ROUNDS):
            self.invoke(lambda p: answers.append(ingest.accept(p.services, p.reception, raw)))
            self.accepted += answers[-1].ids if answers else ()
            if answers[-1].fault is None if answers else self.injector.has_sent:
                return
            self.resent += 1
        raise NotAtRest("events are never accepted")

    def from_outside(self, name: str, data: dict[str, Any]) -> None:
        """Another process, in which nothing fails, takes an event in and carries out all that it causes."""
        # Later than what was accepted before, by a clock that counts milliseconds.
        self.emulator.move_to(self.now_ms + 1)
        other = self._boot(self.emulator.session)
        ingest.accept(other.services, other.reception, {"name": name, "data": data})
        taken = event_queue_messages.validate_json(self.emulator.take_event())
        assert isinstance(taken, EventMessage | LifecycleMessage)
        process_event.process(other.services, taken)

    def elsewhere(self) -> bool:
        """Another process, in which nothing fails, takes one message of the work queue; whether there was one."""
        records = self.receive("work", 1)
        for record in records:
            other = self._boot(self.emulator.session)
            deliveries.on_work(other, {"Records": [record]}, self._invocation)
            self.acknowledge("work", record)
        return bool(records)

    def cancel_run(self, fn_id: str) -> None:
        """The API's cancellation of the only run of a function. A client that got no answer waits a while, in which
        the run is collected, and asks again."""
        (run_id,) = (
            row["pk"] for row in self.emulator.rows("runs") if row["sk"] == "0" and f'"{fn_id}"' in row["seed"]
        )
        while not self.invoke(lambda p: query.cancel_run(p.services, run_id)):
            self._advance_ms(5 * limits.MINUTE_MS)
            self.collect()
        self.settle()

    def replay_run(self, run_id: str, fn_id: str, from_step: str) -> None:
        """The API's replay of the only run of a function, under this id: repeated, it must be the same run."""
        (original,) = (
            row["pk"] for row in self.emulator.rows("runs") if row["sk"] == "0" and f'"{fn_id}"' in row["seed"]
        )

        def replay(p: Platform) -> None:
            run = query.load_run(p.services, original)
            results = results_before(run.steps, from_step)
            replays.begin(p.services, run.head.seed, run.events, run_id, p.clock.now_ms(), results)

        while not self.invoke(replay):
            self._advance_ms(5 * limits.MINUTE_MS)
            self.collect()
        self.settle()

    def replay_many(self, fn_id: str) -> None:
        """The API's replay of all failed runs of a function. A client that got no answer looks whether it was made."""

        def create(p: Platform) -> None:
            if not p.services.replays.page(before=None, limit=1):
                replays_of_many.create(p.services, fn_id, status=RunStatus.FAILED, after_ms=None, before_ms=None)

        while not self.invoke(create):
            self.settle()
        self.settle()

    def sync(self, app_id: str, *names: str, event: str) -> None:
        """An app registers itself with these functions. One that got no answer is synced again."""
        functions = tuple(
            FunctionConfig(id=f"{app_id}-{name}", name=name, triggers=(EventTrigger(event=event),), driver="http")
            for name in names
        )
        app = synced.App(id=app_id, url="https://app.example.com", functions=functions)
        while not self.invoke(lambda p: apps.register(p.services, p.room.apps, app)):
            pass

    def remove_app(self, app_id: str) -> None:
        """The API's removal of an app. A client that got no answer asks again, and may be told that it is gone."""

        def remove(platform: Platform) -> None:
            with contextlib.suppress(NotFound):
                apps.remove(platform.services, platform.room.apps, app_id)

        while not self.invoke(remove):
            pass

    def pause(self, fn_id: str, mode: PauseMode = "queue") -> None:
        """The API's pause. A client that got no answer asks again."""
        while not self.invoke(lambda p: pausing.pause(p.services, p.room.apps, fn_id, mode)):
            pass
        self.settle()

    def resume(self, fn_id: str) -> None:
        """The API's resume. A client that got no answer asks again."""
        while not self.invoke(lambda p: pausing.resume(p.services, p.room.apps, fn_id)):
            pass
        self.settle()

    def cancel_in_bulk(self, fn_id: str, if_exp: str | None) -> None:
        """The API's cancellation of all runs of a function until now. A client that got no answer asks again."""

        def create(p: Platform) -> None:
            cancellations.create(
                p.services,
                app_id="",
                function_id=fn_id,
                started_after_ms=None,
                started_before_ms=p.clock.now_ms(),
                if_exp=if_exp,
            )

        while not self.invoke(create):
            self._advance_ms(limits.MINUTE_MS)
        self.settle()

    def begin_run(self, run_id: str, event: dict[str, Any], steps: list[Any]) -> None:
        """An app begins a run. It tells again what it got no answer for, as SDKs do."""

        def begin(p: Platform) -> None:
            received_us = p.reception.next_us(p.clock.now_ms())
            endpoint_runs.begin(p.services, run_id, event, steps, 3, received_us)

        while not self.invoke(begin):
            self.emulator.move_to(self.now_ms + 1_000)
        self.settle()

    def checkpoint(self, run_id: str, steps: list[Any]) -> None:
        """It tells what it has done since."""
        while not self.invoke(lambda p: endpoint_runs.checkpoint(p.services, run_id, steps)):
            self.emulator.move_to(self.now_ms + 1_000)
        self.settle()

    def _checkpoint(self, run_id: str, queue_item_id: str, reply: Operations) -> str:
        """An app, itself no process of ours, reports steps while a turn waits for it. Whatever becomes of the process
        that takes them, it asks a second time, and then answers its call."""
        for _ in range(2):
            answer = self._taken(run_id, queue_item_id, reply)
            if answer is not None:
                return answer
        return "failed"

    def _taken(self, run_id: str, queue_item_id: str, reply: Operations) -> str | None:
        try:
            checkpoints.record(self.platform.services, run_id, queue_item_id, reply)
        except Crash:
            self.crashes += 1
            self.injector.dead = False
            return None
        except InfrastructureError:
            return None
        except StaleCheckpoint:
            return "stale"
        except UserError:
            return "failed"
        return "ok"

    def signal(self, name: str, data: Any) -> None:
        """The API's sending of a signal. A client that got no answer sends it again."""
        while not self.invoke(lambda p: signals.send(p.services, name, data)):
            pass
        self.settle()

    def collect(self) -> None:
        """What runs every five minutes."""
        while not self.invoke(lambda p: collect.collect(p.services, self._deadline_ms())):
            self._advance_ms(5 * limits.MINUTE_MS)
        self.settle()

    def redrive(self) -> int:
        """The API's redrive of all dead letters; how many were sent. A client that got no answer asks again, when they
        can be seen again."""
        answers: list[dict[str, Any]] = []
        while not self.invoke(lambda p: answers.append(self._redriven(p))):
            self._move_to(self.now_ms + limits.MINUTE_MS)
        return int(answers[0]["redriven"])

    def _redriven(self, platform: Platform) -> dict[str, Any]:
        room, deadline_ms = platform.room, self._deadline_ms()
        return dead_letters.redrive_all(platform.services, room.dead_letters, dead_letters.BOTH, deadline_ms)

    def settle(self) -> None:
        """Deliver all that is visible, and after a fault also what comes back when its visibility has run out."""
        self.drain()
        for _ in range(_ROUNDS):
            back = self.emulator.in_flight()
            if not back:
                return
            self._move_to(int(min(back)) + 1)
            self.drain()
        raise NotAtRest("messages stay in flight")

    def advance(self, by: str) -> None:
        """Move the clock ahead, waking everything on the way at its time."""
        self._advance_ms(parse_duration(by))

    def _advance_ms(self, by_ms: int) -> None:
        target = self.now_ms + by_ms
        while self.now_ms < target:
            self._move_to(min(self._next_ms(), target))
            self.settle()

    def finish(self) -> bool:
        """Let all come that is still to come; whether anything came."""
        horizon = self.now_ms + _HORIZON_MS
        self.settle()
        for waited in range(_ROUNDS):
            if not self.emulator.messages() and not self._timers():
                return waited > 0
            moment = self._next_ms()
            if moment > horizon:
                return waited > 0
            self._move_to(moment)
            self.settle()
        raise NotAtRest("there is always something more to come")

    @property
    def now_ms(self) -> int:
        return self.emulator.now_ms()

    def _deadline_ms(self) -> int:
        return self.now_ms + INVOCATION_MS

    def _move_to(self, moment_ms: int) -> None:
        self.emulator.move_to(moment_ms)
        due = self._due_for_tick()
        if not due:
            return
        mark = min(timers.first_bucket(None, self.now_ms), *(timers.bucket_of(ms) for ms in due))
        # Sweeping every bucket of a week that was skipped would only take time.
        self.platform.services.timers.set_mark(tick.TIMER_MARK, str(mark))
        self.tick()

    def tick(self) -> None:
        """What runs every minute, where there is something to do for it."""
        if self._arm_ticks:
            while not self.invoke(lambda p: tick.tick(p.services, self._deadline_ms())):
                self.emulator.move_to(self.now_ms + limits.MINUTE_MS)
        else:
            tick.tick(self.platform.services, self._deadline_ms())

    def _timers(self) -> list[int]:
        return [int(row["sk"].split("#")[0]) for row in self.emulator.rows("timers") if "message" in row]

    def _due_for_tick(self) -> list[int]:
        near = self.now_ms + timers.LOOKAHEAD_MS
        due = [ms for ms in self._timers() if ms <= near]
        marks = {row["sk"]: row["mark"] for row in self.emulator.rows("timers") if "mark" in row}
        after = int(marks[tick.CRON_MARK])
        due += [ms for cron in self._crons() for ms in cron.due_between(after, self.now_ms)]
        return due

    def _crons(self) -> list[CronSchedule]:
        triggers = [trigger for config in self.platform.services.catalog.configs() for trigger in config.triggers]
        return [CronSchedule.parse(trigger.cron) for trigger in triggers if isinstance(trigger, CronTrigger)]

    def _next_ms(self) -> int:
        """When something may happen next: a message comes, a timer comes near, a schedule is due."""
        now = self.now_ms
        times: list[float] = [now + _HORIZON_MS * 2]
        for message in self.emulator.messages():
            times += [at for at in (message.hidden_until_ms + 1, message.delayed_until_ms) if at > now]
        times += [max(ms - timers.LOOKAHEAD_MS + 1, now + 1) for ms in self._timers()]
        for cron in self._crons():
            times += [next(cron.due_between(now, now + 30 * limits.DAY_MS), times[0])]
        return int(min(times))

    def replay(self) -> None:
        """Every message that was ever acknowledged comes again, as after an outage of a broker."""
        again, self.acknowledged = self.acknowledged, []
        for kind, body in again:
            self.put_message(kind, body)
        self.settle()

    def put_message(self, kind: str, body: str) -> None:
        """Put any text into a queue."""
        self.emulator.sqs.send_message(QueueUrl=self._url(kind), MessageBody=body)


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
    }
