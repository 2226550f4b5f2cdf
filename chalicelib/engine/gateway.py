"""Requests that are made for steps. They run in the turn as a step does: at least once, with attempts that are
recorded. What they carry is in no record: whoever makes the next attempt asks the function again."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from chalicelib.core import gateway, limits
from chalicelib.core.calls import Opcode, Operation
from chalicelib.core.gateway import GatewayFault
from chalicelib.core.steps import StepKind
from chalicelib.engine.services import Services, logger

REQUESTS = {Opcode.GATEWAY: StepKind.FETCH, Opcode.AI_GATEWAY: StepKind.INFER}
"""Operations that ask for a request, and the steps that they are."""


def has_room(s: Services, deadline_ms: int) -> bool:
    """Whether so much of the invocation is left that a request may begin."""
    return deadline_ms - s.clock.now_ms() >= limits.GATEWAY_ROOM_MS


def ended(s: Services, ops: Sequence[Operation], deadline_ms: int) -> Iterator[tuple[Operation, Operation]]:
    """Make these requests, several at a time; each with how it ended, in the order in which they do."""
    if len(ops) == 1:
        yield ops[0], _request(s, ops[0], deadline_ms)
        return
    with ThreadPoolExecutor(limits.MAX_GATEWAY_REQUESTS) as pool:
        made = {pool.submit(contextvars.copy_context().run, _request, s, op, deadline_ms): op for op in ops}
        for future in as_completed(made):
            yield made[future], future.result()


def _request(s: Services, op: Operation, deadline_ms: int) -> Operation:
    assert op.gateway is not None
    began = s.clock.now_ms()
    problem = gateway.problem_with(op.gateway)
    if problem is not None:
        answer: gateway.GatewayAnswer | GatewayFault = GatewayFault(problem, retriable=False)
    else:
        answer = s.gateway.request(op.gateway, deadline_ms - limits.GATEWAY_RESERVE_MS)
    now = s.clock.now_ms()
    extra: dict[str, object] = {"step": op.name, "request": gateway.shown(op.gateway), "took_ms": now - began}
    if not isinstance(answer, GatewayFault):
        extra["status"] = answer.status
    logger.info("request made", extra=extra)
    return gateway.ended(op, answer, began, now)
