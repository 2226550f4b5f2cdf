"""Steps that a function's app records itself while a turn waits for its answer, so that it can go on meanwhile.

The head is told first, on condition that the lease is still that of the turn which called: an app whose turn was given
up for dead would else record beside the one that is called now. Each step is then put if absent. If another end is
recorded already, the app must not go on from its own: it is refused, and answers its call with what it has, which
brings it the recorded one.
"""

from __future__ import annotations

from chalicelib.core import ids, limits
from chalicelib.core.calls import Opcode, Operation, Operations
from chalicelib.core.errors import NotFound, StaleCheckpoint, UserError
from chalicelib.core.metrics import Metric
from chalicelib.core.runs import Owner, RunHead
from chalicelib.core.steps import StepKind, StepPlan, StepRecord
from chalicelib.engine import metrics
from chalicelib.engine.expiry import stamp_s
from chalicelib.engine.outcomes import finished_step, same_end
from chalicelib.engine.services import Services, logger

_ENDED = (Opcode.STEP_RUN, Opcode.STEP_FAILED)
# Of what began in one millisecond, these stand before what the turn records of its answer.
_BEFORE = 1_000_000_000


class InvalidCheckpoint(UserError):
    """A checkpoint that cannot be taken; the message says why."""


class OvertakenCheckpoint(UserError):
    """Another end of one of its steps is recorded: the app must take that one."""


def record(s: Services, run_id: str, queue_item_id: str, reply: Operations) -> None:
    """Record steps that have ended. Repeating it changes nothing.

    `queue_item_id` names the lease, as the call told the app. Raises NotFound, InvalidCheckpoint, StaleCheckpoint and
    OvertakenCheckpoint.
    """
    for op in reply.ops:
        if op.op not in _ENDED:
            raise InvalidCheckpoint(
                f"the step {op.name!r} is {op.op.value}; only steps that have ended can be checkpointed: "
                f"{' and '.join(code.value for code in _ENDED)}"
            )
    if not ids.is_ulid(run_id):
        raise NotFound(f"there is no run {run_id!r}")
    head = s.runs.checkpoint(run_id, Owner.named(queue_item_id), len(reply.ops))
    if head is None:
        raise StaleCheckpoint(f"the call of run {run_id} that this checkpoint belongs to is over; stop it")
    first = head.checkpointed - len(reply.ops) - _BEFORE
    for number, op in enumerate(reply.ops):
        _put(s, head, op, first + number)


def _put(s: Services, head: RunHead, op: Operation, nth: int) -> None:
    now = s.clock.now_ms()
    plan = StepPlan(
        name=op.name[: limits.MAX_STEP_NAME_CHARS],
        kind=StepKind.RUN,
        started_at_ms=op.started_at_ms or now,
        nth=nth,
    )
    stamp = max(stamp_s(s, now), head.expires_at_s)
    ours: StepRecord = finished_step(op, plan, now).model_copy(update={"expires_at_s": stamp})
    stored = s.runs.put_step(head.run_id, ours)
    if stored is ours:
        metrics.step_ended(s, stored, is_ours=True)
        extra = {"run_id": head.run_id, "function_id": head.seed.fn_id, "step": op.name}
        logger.info("step checkpointed", extra=extra)
    elif not same_end(stored, ours):
        s.metrics.count(Metric.LATE_RESULTS)
        raise OvertakenCheckpoint(
            f"another result of the step {op.name!r} is recorded; answer the call, and it will be called again with it"
        )
