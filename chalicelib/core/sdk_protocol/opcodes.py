"""Operations that an app asks for, as the engine knows them.

What is wrong with one of a known kind fails its step, for good and with the reason, so that the function may catch it
(law 3). What is no operation at all, or of a kind that is not known here, makes the whole answer useless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from chalicelib.core import limits
from chalicelib.core.calls import (
    Awaited,
    ErrorInfo,
    InvokeOptions,
    Opcode,
    Operation,
    SignalOptions,
    WaitOptions,
)
from chalicelib.core.errors import UserError
from chalicelib.core.sdk_protocol import gateway
from chalicelib.core.sdk_protocol.texts import Broken, clean, error_info, measured, shown
from chalicelib.core.sdk_protocol.times import duration_ms, moment_ms
from chalicelib.core.steps import FUNCTION_ENTRY

_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
# What the Python and TypeScript SDKs called a step's result before StepRun.
_LEGACY_STEP: Final = "Step"
_MAX_NAME: Final = limits.MAX_STEP_NAME_CHARS


class Unusable(UserError):
    """An answer that cannot be carried out, and could not the next time either."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Told:
    """What the answer's headers say about a step that failed."""

    now_ms: int
    retriable: bool = True
    retry_after_ms: int | None = None


def operations(value: Any, told: Told) -> tuple[Operation, ...]:
    """The operations of an answer: an array, or a single one. Raises Unusable."""
    found = value if isinstance(value, list) else [value]
    if len(found) > limits.MAX_STEPS:
        raise Unusable(
            "LimitExceeded",
            f"the app asked for {len(found):,} steps at once; a run may have {limits.MAX_STEPS:,}: "
            "split the work with step.invoke or events",
        )
    ops = tuple(_operation(item, told) for item in found)
    seen: set[str] = set()
    for op in ops:
        if op.id in seen:
            raise Unusable("BrokenAnswer", f"the app asked twice for the step {op.name!r} (id {op.id}) in one answer")
        seen.add(op.id)
    return ops


def _operation(item: Any, told: Told) -> Operation:
    if not isinstance(item, dict):
        raise Unusable("BrokenAnswer", f"an operation must be an object, not {shown(str(item), 80)}")
    code, step_id = item.get("op"), item.get("id")
    if not isinstance(code, str) or code not in _READERS:
        what = f"the operation {shown(str(code), 60)!r}"
        raise Unusable(
            "UnknownOperation",
            f"the app asks for {what} (step {shown(_name(item), 80)!r}), which Stepwell does not know: "
            f"it knows {', '.join(sorted(_READERS))}",
        )
    if not isinstance(step_id, str) or not _ID.fullmatch(step_id) or step_id == FUNCTION_ENTRY:
        raise Unusable("BrokenAnswer", f"{code}: the step's id is {shown(str(step_id), 80)!r}, which is no hashed id")
    opcode, read = _READERS[code]
    op = _timed(Operation(opcode, step_id, _name(item)), item.get("timing"))
    try:
        return read(op, item, _options(item), told)
    except (UserError, ValidationError) as error:
        return _refused(op, code, error)


def _options(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the operation asks for. Raises Broken for what could not be kept."""
    opts = item.get("opts")
    if opts is not None and not isinstance(opts, dict):
        raise Broken(f"opts must be an object, not {type(opts).__name__}")
    try:
        measured([opts, item.get("name")])
    except Broken as error:
        raise Broken(f"what it asks for cannot be kept: {error}") from None
    return opts or {}


def _refused(op: Operation, code: str, error: Exception) -> Operation:
    name = error.name if isinstance(error, Broken) else None
    message = _explained(error) if isinstance(error, ValidationError) else str(error)
    what = f"{code} of step {op.name!r}" if name is None else f"the output of step {op.name!r}"
    info = ErrorInfo.of(name or "InvalidStepError", clean(f"{what}: {message}"))
    return replace(op, op=Opcode.STEP_FAILED, error=info, retriable=False, output=None)


def _explained(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"


def _name(item: Mapping[str, Any]) -> str:
    userland = item.get("userland")
    own = userland.get("id") if isinstance(userland, dict) else None
    for name in (item.get("displayName"), own, item.get("name"), item.get("id")):
        if isinstance(name, str) and name:
            return clean(name[:_MAX_NAME])
    return ""


def _timed(op: Operation, timing: Any) -> Operation:
    """With the times that the app measured, if it did: nanoseconds, when it began and for how long it ran."""
    if not isinstance(timing, dict):
        return op
    began_ms, took_ms = (_ms(timing.get(name)) for name in ("a", "b"))
    if began_ms is None or took_ms is None:
        return op
    return replace(op, started_at_ms=began_ms, ended_at_ms=began_ms + took_ms)


def _ms(nanoseconds: Any) -> int | None:
    is_number = isinstance(nanoseconds, int | float) and 0 <= nanoseconds < 1e19
    return int(nanoseconds) // 1_000_000 if is_number else None


def _ran(op: Operation, item: Mapping[str, Any], _: Mapping[str, Any], told: Told) -> Operation:
    output = item.get("data")
    if item["op"] == _LEGACY_STEP and isinstance(output, dict) and output.keys() == {"data"}:
        output = output["data"]
    if item.get("error") is not None and output is None:
        return _failed(replace(op, op=Opcode.STEP_ERROR), item, {}, told)
    return replace(op, output=output, size_bytes=measured(output))


def _failed(op: Operation, item: Mapping[str, Any], _: Mapping[str, Any], told: Told) -> Operation:
    error = item.get("error")
    info = error_info(error if error is not None else item.get("data"))
    if op.op is Opcode.STEP_FAILED:
        return replace(op, error=info, retriable=False)
    return replace(op, error=info, retriable=told.retriable, retry_after_ms=told.retry_after_ms)


def _not_found(op: Operation, item: Mapping[str, Any], _: Mapping[str, Any], __: Told) -> Operation:
    given = item.get("error")
    text = "the function did not come to this step: its code has changed, or it decides its way outside of steps"
    info = ErrorInfo.of("StepNotFound", text) if given is None else error_info(given, "StepNotFound")
    return replace(op, error=info, retriable=False)


def _plain(op: Operation, _: Mapping[str, Any], __: Mapping[str, Any], ___: Told) -> Operation:
    return op


def _sleep(op: Operation, item: Mapping[str, Any], opts: Mapping[str, Any], told: Told) -> Operation:
    until = opts.get("duration") or item.get("name")
    return replace(op, sleep_until_ms=moment_ms(until, told.now_ms, "the sleep"))


def _wait(op: Operation, item: Mapping[str, Any], opts: Mapping[str, Any], told: Told) -> Operation:
    event, condition = opts.get("event") or item.get("name"), opts.get("if")
    if not isinstance(event, str) or not 0 < len(event) <= limits.MAX_EVENT_NAME_CHARS:
        raise Broken(f"the event's name must be a text of 1 to {limits.MAX_EVENT_NAME_CHARS} characters")
    if condition is not None and not isinstance(condition, str):
        raise Broken(f"if must be a text, not {type(condition).__name__}")
    timeout = duration_ms(opts.get("timeout"), told.now_ms, "timeout")
    awaited = Awaited(event=event, if_exp=condition or None)
    return replace(op, wait=WaitOptions(awaited=(awaited,), timeout_ms=timeout))


def _signal(op: Operation, item: Mapping[str, Any], opts: Mapping[str, Any], told: Told) -> Operation:
    conflict = opts.get("conflict")
    if conflict not in (None, "", "fail", "replace"):
        raise Broken(f"conflict is {shown(str(conflict), 40)!r}: it must be fail or replace")
    options = SignalOptions(
        signal=opts.get("signal") or item.get("name"),
        timeout_ms=_year(opts.get("timeout"), told),
        replaces=conflict == "replace",
    )
    return replace(op, signal=options)


def _invoke(op: Operation, _: Mapping[str, Any], opts: Mapping[str, Any], told: Told) -> Operation:
    payload = opts.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise Broken(f"payload must be an object, not {type(payload).__name__}")
    given = {name: value for name, value in (payload or {}).items() if value is not None}
    if measured(given) > limits.MAX_EVENT_BYTES:
        raise Broken(f"payload is larger than an event may be, {limits.MAX_EVENT_BYTES:,} bytes")
    options = InvokeOptions(
        function_id=opts.get("function_id", ""),
        data=given.get("data", {}),
        user=given.get("user", {}),
        v=given.get("v"),
        timeout_ms=_year(opts.get("timeout"), told),
    )
    if not 0 < len(options.function_id) <= 256:
        raise Broken("function_id must be a text of 1 to 256 characters")
    return replace(op, invoke=options)


def _year(timeout: Any, told: Told) -> int:
    if timeout is None or timeout == "":
        return limits.DEFAULT_INVOKE_TIMEOUT_MS
    return duration_ms(timeout, told.now_ms, "timeout")


def _gateway(op: Operation, _: Mapping[str, Any], opts: Mapping[str, Any], __: Told) -> Operation:
    options = gateway.ai_gateway(opts) if op.op is Opcode.AI_GATEWAY else gateway.gateway(opts)
    return replace(op, gateway=options)


_Reader = Callable[[Operation, Mapping[str, Any], Mapping[str, Any], Told], Operation]
_READERS: Final[dict[str, tuple[Opcode, _Reader]]] = {
    "StepRun": (Opcode.STEP_RUN, _ran),
    _LEGACY_STEP: (Opcode.STEP_RUN, _ran),
    "StepPlanned": (Opcode.STEP_PLANNED, _plain),
    "StepError": (Opcode.STEP_ERROR, _failed),
    "StepFailed": (Opcode.STEP_FAILED, _failed),
    "StepNotFound": (Opcode.STEP_NOT_FOUND, _not_found),
    "Sleep": (Opcode.SLEEP, _sleep),
    "WaitForEvent": (Opcode.WAIT_FOR_EVENT, _wait),
    "WaitForSignal": (Opcode.WAIT_FOR_SIGNAL, _signal),
    "InvokeFunction": (Opcode.INVOKE_FUNCTION, _invoke),
    "AIGateway": (Opcode.AI_GATEWAY, _gateway),
    "Gateway": (Opcode.GATEWAY, _gateway),
    "RunComplete": (Opcode.RUN_COMPLETE, _ran),
    "DiscoveryRequest": (Opcode.DISCOVERY_REQUEST, _plain),
}
