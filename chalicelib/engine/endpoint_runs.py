"""Runs that an app starts itself, within a request to it, and tells of as it goes ("durable endpoints").

While it works on the request, the app holds the run's lease, as a turn does; each checkpoint prolongs it. What cannot
be done within the request (waiting, sleeping, trying again) it leaves to us: the lease is given back and a turn goes
on, which calls the endpoint. An app that is not heard of any more loses the lease, and `on_collect` finds the run.

Clients repeat a checkpoint whose answer they did not get. So each part can be done again, and once a turn has the run,
a checkpoint is accepted only if all that it tells is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from chalicelib.core import ids, limits
from chalicelib.core.calls import ErrorInfo, Opcode, Operation, Operations, Raised
from chalicelib.core.clock import Clock
from chalicelib.core.endpoints import HTTP_REQUEST, LEASE_MS, OWNER, HttpRequest, config_of
from chalicelib.core.errors import NotFound, StaleCheckpoint, UserError
from chalicelib.core.events import Event, check_bounds, measure
from chalicelib.core.messages import TurnMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.records import EventRecord, Start
from chalicelib.core.runs import Ending, Owner, Run, RunHead, RunSeed, RunStatus
from chalicelib.core.sdk_protocol.opcodes import Told, operations
from chalicelib.core.steps import FUNCTION_ENTRY
from chalicelib.engine import function_errors, settle
from chalicelib.engine.operations import Operator
from chalicelib.engine.outcomes import too_many_steps
from chalicelib.engine.services import Services, logger

_FAILED = (Opcode.STEP_ERROR, Opcode.STEP_FAILED)


class InvalidRun(UserError):
    """A run that cannot be begun so; the message names the field."""


@dataclass(frozen=True)
class Begun:
    """A run, and what the app names it by."""

    run_id: str
    fn_id: str
    app_id: str


def begin(s: Services, run_id: str, event: dict[str, Any], steps: list[Any], retries: int, received_us: int) -> Begun:
    """Create the run of a request, if absent, and take in the steps that are told with it. Repeating it changes
    nothing. Raises InvalidRun, InvalidRequest, InvalidEvent, StaleCheckpoint and Unusable."""
    if not ids.is_ulid(run_id):
        raise InvalidRun("run_id must be a ULID")
    if event.get("name") != HTTP_REQUEST:
        raise InvalidRun(f"event.name must be {HTTP_REQUEST!r}")
    check_bounds(event, measure(event))
    request = HttpRequest.read(event.get("data"))
    told = _told(s.clock, steps)
    fn_id = request.function_id(retries)
    head = _create(s, run_id, fn_id, _event(run_id, event, received_us))
    if head.seed.fn_id != fn_id:
        raise StaleCheckpoint(f"there is a run {run_id!r} already, of another function")
    if head.begun_at_ms is None:
        now = s.clock.now_ms()
        s.runs.take_lease(run_id, _owner(run_id), until_ms=now + LEASE_MS, now_ms=now)
    _take_in(s, run_id, told)
    return Begun(run_id, fn_id, request.app_id)


def checkpoint(s: Services, run_id: str, steps: list[Any]) -> None:
    """Take in what the app has done since. Raises NotFound, StaleCheckpoint and Unusable."""
    told = _told(s.clock, steps)
    head = s.runs.head(run_id) if ids.is_ulid(run_id) else None
    if head is None or config_of(head.seed.fn_id) is None:
        raise NotFound(f"there is no run {run_id!r} that an app began")
    _take_in(s, run_id, told)


def ending_of(s: Services, run_id: str) -> Ending | None:
    """How such a run ended, if it has. Raises NotFound."""
    head = s.runs.head(run_id) if ids.is_ulid(run_id) else None
    if head is None or config_of(head.seed.fn_id) is None:
        raise NotFound(f"there is no run {run_id!r} that an app began")
    return head.ending


def _told(clock: Clock, steps: list[Any]) -> tuple[Operation, ...]:
    return operations(steps, Told(clock.now_ms())) if steps else ()


def _owner(run_id: str) -> Owner:
    return Owner(message_id=OWNER, nonce=run_id)


def _event(run_id: str, raw: dict[str, Any], received_us: int) -> Event:
    # Derived from the run: a request that is told again has the same event.
    internal_id = ids.endpoint_event_id(run_id, HTTP_REQUEST)
    return Event(
        internal_id=internal_id,
        received_at_us=received_us,
        id=internal_id,
        name=HTTP_REQUEST,
        data=raw["data"],
        ts=received_us // 1000,
        source="endpoint",
    )


def _create(s: Services, run_id: str, fn_id: str, event: Event) -> RunHead:
    now = s.clock.now_ms()
    record = EventRecord(event=event, starts=(Start(fn_id=fn_id, run_id=run_id),), processed_at_ms=now)
    # The event first: it says of a run that never began what started it.
    stored = s.events.put(record).event
    seed = RunSeed(
        run_id=run_id,
        fn_id=fn_id,
        event_id=stored.internal_id,
        event_name=stored.name,
        trigger_received_at_us=stored.received_at_us,
        created_at_ms=now,
    )
    head = s.runs.create(seed, stored, ())
    if head.seed is seed:
        s.metrics.count(Metric.RUNS_STARTED)
        logger.info("run begun by its app", extra={"run_id": run_id, "function_id": fn_id})
    return head


def _take_in(s: Services, run_id: str, told: tuple[Operation, ...]) -> None:
    now = s.clock.now_ms()
    is_held = s.runs.renew_lease(run_id, _owner(run_id), until_ms=now + LEASE_MS, now_ms=now)
    run = s.runs.load(run_id)
    if run is None:
        raise NotFound(f"there is no run {run_id!r}")
    if not is_held:
        _again(s, run, told)
        return
    _Told(s, run, told).carry_out()


def _again(s: Services, run: Run, told: tuple[Operation, ...]) -> None:
    """The app does not hold the run: what it tells must be recorded. Whoever recorded it may have died before what
    follows from that."""
    ending = run.head.ending
    if not all(_is_recorded(run, op) for op in told):
        how = "goes on elsewhere" if ending is None else f"has ended ({ending.status.value})"
        raise StaleCheckpoint(f"run {run.head.run_id} {how}: stop working on it")
    if ending is None:
        s.queues.send_work(TurnMessage(run_id=run.head.run_id))
    elif not run.head.settled:
        settle.settle_run(s, run)


def _is_recorded(run: Run, op: Operation) -> bool:
    if op.op is Opcode.DISCOVERY_REQUEST:
        return True
    if op.op is Opcode.RUN_COMPLETE:
        return run.head.ending is not None and run.head.status is RunStatus.COMPLETED
    if _is_of_run(op):
        return FUNCTION_ENTRY in run.steps or run.head.status is RunStatus.FAILED
    return op.id in run.steps


def _is_of_run(op: Operation) -> bool:
    """Whether it tells that the function itself failed."""
    return op.op in _FAILED and op.is_of_run


class _Told:
    """What the app tells of a run that it holds."""

    def __init__(self, s: Services, run: Run, told: tuple[Operation, ...]) -> None:
        self._s = s
        self._run = run
        self._owner = _owner(run.head.run_id)
        self._told = told
        config = s.catalog.get(run.head.seed.fn_id)
        self._max_attempts = limits.DEFAULT_RETRIES + 1 if config is None else config.max_attempts

    def carry_out(self) -> None:
        steps = tuple(op for op in self._told if self._is_new_step(op))
        if len(self._run.steps) + len(steps) > limits.MAX_STEPS:
            self._end(RunStatus.FAILED, error=too_many_steps())
            return
        operator = Operator(
            self._s, self._run, self._owner, deadline_ms=self._s.clock.now_ms() + LEASE_MS, is_first=True
        )
        # What has ended came one after the other: it makes no group with what the app leaves to us.
        ended = tuple(op for op in steps if op.op is Opcode.STEP_RUN)
        for part in (ended, tuple(op for op in steps if op not in ended)):
            operator.carry_out(Operations(part), self._max_attempts)
            if operator.conflict is not None:
                self._end(RunStatus.FAILED, error=operator.conflict)
                return
        for op in self._told:
            if op.op is Opcode.RUN_COMPLETE:
                self._end(RunStatus.COMPLETED, output=op.output, size_bytes=op.size_bytes)
                return
            if _is_of_run(op) and not self._failed(op):
                return
        if any(op.op is not Opcode.STEP_RUN for op in self._told):
            self._leave()

    def _is_new_step(self, op: Operation) -> bool:
        if op.op in (Opcode.RUN_COMPLETE, Opcode.DISCOVERY_REQUEST) or _is_of_run(op):
            return False
        # An error ends the app's work, so one that is there was told before: it is no second attempt.
        return op.op not in _FAILED or op.id not in self._run.steps

    def _failed(self, op: Operation) -> bool:
        """Whether the function is tried again."""
        if FUNCTION_ENTRY in self._run.steps:
            return True
        now = self._s.clock.now_ms()
        error = op.error if op.error is not None else ErrorInfo(name="Error", message="the function failed")
        raised = Raised(error, op.retriable and op.op is Opcode.STEP_ERROR, op.retry_after_ms)
        if function_errors.record(self._s, self._run, raised, op.started_at_ms or now, self._max_attempts):
            return True
        self._end(RunStatus.FAILED, error=error)
        return False

    def _leave(self) -> None:
        """A turn goes on. Release first, then send: a turn that came while the app held the lease would only poke."""
        run_id = self._run.head.run_id
        head = self._s.runs.release(run_id, self._owner, version=None, wake_at_ms=self._s.clock.now_ms())
        if head is not None and head.ending is not None:
            settle.settle(self._s, run_id)
            return
        self._s.queues.send_work(TurnMessage(run_id=run_id))

    def _end(
        self, status: RunStatus, *, output: Any = None, error: ErrorInfo | None = None, size_bytes: int = 0
    ) -> None:
        ending = Ending(
            status=status, ended_at_ms=self._s.clock.now_ms(), output=output, error=error, size_bytes=size_bytes
        )
        head = self._s.runs.end(self._run.head.run_id, ending, owner=self._owner)
        if head is not None and not head.settled:
            settle.settle_run(self._s, replace(self._run, head=head))
