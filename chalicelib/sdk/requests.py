"""What steps ask the engine for, arguments checked. Each function gives what completes an operation, which
raises UserError or InvalidStepError when an argument cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.core import events as core_events
from chalicelib.core import limits
from chalicelib.core.calls import Awaited, InvokeOptions, Opcode, Operation, SignalOptions, WaitOptions
from chalicelib.core.clock import from_datetime
from chalicelib.core.durations import RUN, Lookback, format_duration, parse_duration
from chalicelib.core.errors import InvalidDuration, InvalidEvent
from chalicelib.core.signals import checked_name
from chalicelib.sdk.errors import InvalidStepError
from chalicelib.sdk.event import Event
from chalicelib.sdk.execution import OutgoingEvent
from chalicelib.sdk.function import Function
from chalicelib.sdk.outputs import to_json
from chalicelib.sdk.waiting import WaitFor

Duration = int | timedelta | str
"""Milliseconds, a timedelta, or a text such as "90s", "1h30m" or "7d"."""
Build = Callable[[Operation], Operation]


def sleep(duration: Duration) -> Build:
    """Sleep for so long."""

    def build(op: Operation) -> Operation:
        until = (op.started_at_ms or 0) + _duration_ms(duration, "the duration")
        return replace(op, op=Opcode.SLEEP, sleep_until_ms=until)

    return build


def sleep_until(until: datetime) -> Build:
    """Sleep until a moment; a datetime without time zone is UTC, one in the past wakes at once."""

    def build(op: Operation) -> Operation:
        if not isinstance(until, datetime):
            raise InvalidStepError(
                f"sleep_until takes a datetime, not {type(until).__name__}; for a duration use ctx.step.sleep"
            )
        moment, now = from_datetime(until), op.started_at_ms or 0
        _check_limit(moment - now, "the time until then")
        return replace(op, op=Opcode.SLEEP, sleep_until_ms=moment)

    return build


def wait(event: str, if_exp: str | None, timeout: Duration, lookback: Duration | None) -> Build:
    """Wait for an event."""

    def build(op: Operation) -> Operation:
        options = WaitOptions(
            awaited=(_awaited(event, if_exp, ""),),
            timeout_ms=_duration_ms(timeout, "timeout"),
            lookback=_lookback(lookback),
        )
        return replace(op, op=Opcode.WAIT_FOR_EVENT, wait=options)

    return build


def wait_for_any(events: Sequence[WaitFor], timeout: Duration, lookback: Duration | None) -> Build:
    """Wait for the first of several events."""

    def build(op: Operation) -> Operation:
        options = WaitOptions(
            awaited=_choices(events),
            is_choice=True,
            timeout_ms=_duration_ms(timeout, "timeout"),
            lookback=_lookback(lookback),
        )
        return replace(op, op=Opcode.WAIT_FOR_EVENT, wait=options)

    return build


def wait_for_signal(signal: str, timeout: Duration, on_conflict: str) -> Build:
    """Wait for a signal."""

    def build(op: Operation) -> Operation:
        if on_conflict not in ("fail", "replace"):
            raise InvalidStepError(f"on_conflict must be 'fail' or 'replace', not {on_conflict!r}")
        options = SignalOptions(
            signal=checked_name(signal),
            timeout_ms=_duration_ms(timeout, "timeout"),
            replaces=on_conflict == "replace",
        )
        return replace(op, op=Opcode.WAIT_FOR_SIGNAL, signal=options)

    return build


def outgoing_signal(signal: object, data: object) -> tuple[str, object]:
    """The signal to send, checked as the API checks it. Raises InvalidSignal or LimitExceeded."""
    value, _ = to_json(data, "the signal's data", limits.MAX_STEP_OUTPUT_BYTES, root="data")
    return checked_name(signal), value


def _choices(events: object) -> tuple[Awaited, ...]:
    if not isinstance(events, list | tuple):
        raise InvalidStepError(
            "wait_for_any takes a list, such as [WaitFor(event='a'), WaitFor(event='b', if_exp='…')], "
            f"not {type(events).__name__}"
        )
    if not 2 <= len(events) <= limits.MAX_CHOICES:
        hint = "; for a single one use wait_for_event" if len(events) == 1 else ""
        raise InvalidStepError(f"wait_for_any takes 2 to {limits.MAX_CHOICES} events, not {len(events)}{hint}")
    found: list[Awaited] = []
    for number, item in enumerate(events, start=1):
        if not isinstance(item, WaitFor):
            raise InvalidStepError(f"event {number} must be a WaitFor (from chalicelib.sdk), not {type(item).__name__}")
        awaited = _awaited(item.event, item.if_exp, f"event {number}: ")
        if awaited in found:
            raise InvalidStepError(
                f"event {number} ({item.event}) is the same as event {found.index(awaited) + 1}: "
                "give it another condition, or leave it out"
            )
        found.append(awaited)
    return tuple(found)


def _awaited(event: str, if_exp: str | None, where: str) -> Awaited:
    _check_text(event, f"{where}event", limits.MAX_EVENT_NAME_CHARS)
    if if_exp is not None:
        _check_text(if_exp, f"{where}if_exp", None)
    return Awaited(event=event, if_exp=if_exp)


def _lookback(value: Duration | None) -> Lookback | None:
    if value is None or value == RUN:
        return None if value is None else RUN
    return _duration_ms(value, "lookback", "'run', milliseconds")


def invoke(
    function: object,
    data: Mapping[str, object] | None,
    user: Mapping[str, object] | None,
    v: str | None,
    timeout: Duration | None,
) -> Build:
    """Invoke a function that @function made."""

    def build(op: Operation) -> Operation:
        if not isinstance(function, Function):
            raise InvalidStepError(
                "invoke needs function=…, a function decorated with @function, "
                f"not {type(function).__name__}; to name one by its id use ctx.step.invoke_by_id"
            )
        return invoke_by_id(function.fn_id, data, user, v, timeout)(op)

    return build


def invoke_by_id(
    function_id: str,
    data: Mapping[str, object] | None,
    user: Mapping[str, object] | None,
    v: str | None,
    timeout: Duration | None,
) -> Build:
    """Invoke a function by its id."""

    def build(op: Operation) -> Operation:
        _check_text(function_id, "function_id", 256)
        if v is not None:
            _check_text(v, "v", limits.MAX_EVENT_NAME_CHARS)
        timeout_ms = limits.DEFAULT_INVOKE_TIMEOUT_MS if timeout is None else _duration_ms(timeout, "timeout")
        options = InvokeOptions(
            function_id=function_id,
            data=_object(data, "data"),
            user=_object(user, "user"),
            v=v,
            timeout_ms=timeout_ms,
        )
        return replace(op, op=Opcode.INVOKE_FUNCTION, invoke=options)

    return build


def outgoing(events: Event | list[Event]) -> list[OutgoingEvent]:
    """The events to send, checked as the API checks them. Raises InvalidStepError or InvalidEvent."""
    items = [events] if isinstance(events, Event) else events
    if not isinstance(items, list | tuple):
        raise InvalidStepError(f"send_event takes an Event or a list of them, not {type(events).__name__}")
    if len(items) > limits.MAX_EVENTS_PER_REQUEST:
        raise InvalidStepError(
            f"{len(items):,} events are too many for one step; at most {limits.MAX_EVENTS_PER_REQUEST:,}"
        )
    return [_outgoing(item, f"event {index}") for index, item in enumerate(items, start=1)]


def _outgoing(event: object, what: str) -> OutgoingEvent:
    if not isinstance(event, Event):
        raise InvalidStepError(f"{what} must be an Event (from chalicelib.sdk), not {type(event).__name__}")
    raw, size = to_json(event.payload(), what, limits.MAX_EVENT_BYTES, root="event")
    try:
        return core_events.validate(raw, size).model_dump(mode="json")
    except InvalidEvent as error:
        raise InvalidStepError(f"{what}: {error}") from None


def _duration_ms(value: object, what: str, takes: str = "milliseconds") -> int:
    if isinstance(value, bool) or not isinstance(value, int | timedelta | str):
        raise InvalidStepError(f"{what} takes {takes}, a timedelta or a text such as '7d', not {type(value).__name__}")
    try:
        ms = parse_duration(value)
    except InvalidDuration:
        raise
    except (OverflowError, ValueError):  # A number with thousands of digits cannot even be shown.
        ms = limits.MAX_WAIT_MS + 1
    _check_limit(ms, what)
    return ms


def _check_limit(ms: int, what: str) -> None:
    if ms > limits.MAX_WAIT_MS:
        raise InvalidStepError(f"{what} is longer than {format_duration(limits.MAX_WAIT_MS)}, the longest there is")


def _check_text(value: object, what: str, max_chars: int | None) -> None:
    if not isinstance(value, str) or not value:
        raise InvalidStepError(f"{what} must be a text, not {'empty' if value == '' else type(value).__name__}")
    if max_chars is not None and len(value) > max_chars:
        raise InvalidStepError(f"{what} has {len(value):,} characters; at most {max_chars} are allowed")
    to_json(value, what, root=what)


def _object(value: Mapping[str, object] | None, what: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidStepError(f"{what} must be a dict, not {type(value).__name__}")
    result, _ = to_json(dict(value), what, limits.MAX_EVENT_BYTES, root=what)
    assert isinstance(result, dict)
    return result
