"""Steps that wait: sleeps, waits for events and signals, invocations. What is expected later is sent before the write
that makes it expected, so that the record proves the sending (DESIGN, "Send before you record")."""

from __future__ import annotations

from chalicelib.core import events as names
from chalicelib.core import ids
from chalicelib.core.calls import ErrorInfo, InvokeOptions, Opcode, Operation
from chalicelib.core.errors import InvalidExpression
from chalicelib.core.events import Event
from chalicelib.core.messages import EventMessage
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import Invoker
from chalicelib.core.signals import InvalidSignal, SignalWait, checked_name
from chalicelib.core.steps import StepKind, StepOutcome, StepRecord, StepStatus
from chalicelib.engine import signals, waits
from chalicelib.engine.recording import Recorder


def sleep(r: Recorder, op: Operation) -> None:
    """Sleep until a moment, or not at all."""
    now = r.s.clock.now_ms()
    due = op.sleep_until_ms if op.sleep_until_ms is not None else now
    plan = r.plan_of(op, StepKind.SLEEP, now)
    if due <= now:
        outcome = StepOutcome(ended_at_ms=now)
        r.put(StepRecord(id=op.id, status=StepStatus.COMPLETED, plan=plan, outcome=outcome))
        return
    plan = plan.model_copy(update={"timer": r.wake_at(op.id, due)})
    step = StepRecord(id=op.id, status=StepStatus.WAITING, plan=plan, wake_at_ms=due)
    r.register(step)
    r.log("sleeping", op, step, in_ms=due - now)


def wait(r: Recorder, op: Operation) -> None:
    """Wait for an event, or the first of several."""
    assert op.wait is not None
    now = r.s.clock.now_ms()
    config = r.s.catalog.get(r.run.head.seed.fn_id)
    try:
        found = waits.registration(
            r.run,
            op,
            None if config is None else config.lookback,
            now,
            lambda name: r.s.pauses.shapes_lately(name, now),
        )
    except InvalidExpression as error:
        # Law 3: the step fails for good, here and now; nothing goes back to the queue.
        if _fail(r, op, StepKind.RUN, ErrorInfo.of("InvalidExpression", str(error))):
            r.s.metrics.count(Metric.INVALID_EXPRESSIONS)
        return
    due = now + op.wait.timeout_ms
    for pause in found.pauses:
        r.s.pauses.note_shape(pause.event_name, pause.shape, due)
    timer = r.wake_at(op.id, due)
    plan = found.described(r.plan_of(op, StepKind.WAIT, now), op).model_copy(update={"timer": timer})
    step = StepRecord(id=op.id, status=StepStatus.WAITING, plan=plan, wake_at_ms=due, look_before=found.look_before)
    if r.register(step, found.pauses):
        r.s.metrics.count(Metric.WAITS_OPENED)
    events = dict.fromkeys(awaited.event for awaited in op.wait.awaited)
    r.log(f"waiting for {' or '.join(events)}", op, step, in_ms=due - now)


def wait_for_signal(r: Recorder, op: Operation) -> None:
    """Wait for a signal for which nobody else waits, or in the place of who does."""
    assert op.signal is not None
    try:
        name = checked_name(op.signal.signal)
    except InvalidSignal as error:
        _fail(r, op, StepKind.SIGNAL, ErrorInfo.of("InvalidSignal", str(error)))
        return
    now = r.s.clock.now_ms()
    due = now + op.signal.timeout_ms
    timer = r.wake_at(op.id, due)
    plan = r.plan_of(op, StepKind.SIGNAL, now).model_copy(update={"signal": name, "timer": timer})
    step = StepRecord(id=op.id, status=StepStatus.WAITING, plan=plan, wake_at_ms=due)
    seed = r.run.head.seed
    wanted = SignalWait(signal=name, run_id=seed.run_id, step_id=op.id, fn_id=seed.fn_id, until_ms=due)
    refused = signals.register(r, step, wanted, replaces=op.signal.replaces)
    if refused is None:
        r.log(f"waiting for the signal {name}", op, step, in_ms=due - now)
        return
    if timer is not None:
        r.s.timers.remove([timer])
    r.end(_failed(op, refused), plan.model_copy(update={"timer": None}))


def invoke(r: Recorder, op: Operation) -> None:
    """Start another function and wait for its end."""
    assert op.invoke is not None
    options = op.invoke
    invoked = r.s.catalog.get(options.function_id)
    if invoked is None or invoked.retired:
        known = ", ".join(sorted(config.id for config in r.s.catalog.configs()))
        text = f"the invoked function {options.function_id!r} is not there; known functions: {known}"
        _fail(r, op, StepKind.RUN, ErrorInfo.of("FunctionNotFound", text))
        return
    now = r.s.clock.now_ms()
    due = now + options.timeout_ms
    timer = r.wake_at(op.id, due)
    event = _invocation(r.run.head.run_id, op, options, now)
    plan = r.plan_of(op, StepKind.INVOKE, now)
    invoker = Invoker(run_id=r.run.head.run_id, step_id=op.id, step_name=plan.name)
    r.s.queues.send_events([EventMessage(event=event, target=options.function_id, invoker=invoker)])
    plan = plan.model_copy(
        update={
            "invokes": options.function_id,
            "invoked_run": ids.run_id(event.internal_id, options.function_id),
            "timer": timer,
        }
    )
    step = StepRecord(id=op.id, status=StepStatus.WAITING, plan=plan, wake_at_ms=due)
    r.register(step)
    r.log(f"invoking {options.function_id}", op, step)


def _invocation(run_id: str, op: Operation, options: InvokeOptions, now_ms: int) -> Event:
    # Derived from run and step, in the run's own time: an invocation that is sent twice starts one run.
    internal_id = ids.step_event_id(run_id, op.id, 0, names.INVOKED, ids.ulid_time_ms(run_id))
    return Event(
        internal_id=internal_id,
        received_at_us=now_ms * 1000,
        id=internal_id,
        name=names.INVOKED,
        data=options.data,
        user=options.user,
        ts=now_ms,
        v=options.v,
        source="invoke",
    )


def _fail(r: Recorder, op: Operation, kind: StepKind, error: ErrorInfo) -> bool:
    return r.end(_failed(op, error), r.plan_of(op, kind, r.s.clock.now_ms()))


def _failed(op: Operation, error: ErrorInfo) -> Operation:
    return Operation(op=Opcode.STEP_FAILED, id=op.id, name=op.name, error=error)
