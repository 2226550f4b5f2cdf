"""What an answer with operations says: which steps are recorded, and what becomes of the run afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.core.calls import ErrorInfo, Opcode, Operations, Raised, Returned

_ENDED = (Opcode.STEP_RUN, Opcode.STEP_FAILED)


@dataclass(frozen=True)
class Answer:
    """`steps` are carried out first; then the function has returned, or raised, or asks to be called again."""

    steps: Operations
    returned: Returned | None = None
    raised: Raised | None = None
    asks_again: bool = False


def sort(reply: Operations) -> Answer | None:
    """What the answer says; None when it means nothing."""
    if not reply.ops or any(op.op is Opcode.STEP_NOT_FOUND for op in reply.ops):
        return None
    complete = next((op for op in reply.ops if op.op is Opcode.RUN_COMPLETE), None)
    if complete is not None:
        # Nobody waits any more for what has not ended.
        ended = tuple(op for op in reply.ops if op.op in _ENDED)
        returned = Returned(complete.output, complete.size_bytes, reply.unseen_steps, reply.changes)
        return Answer(replace(reply, ops=ended), returned=returned)
    of_run = next((op for op in reply.ops if op.is_of_run and op.op in (Opcode.STEP_ERROR, Opcode.STEP_FAILED)), None)
    steps = tuple(op for op in reply.ops if op is not of_run and op.op is not Opcode.DISCOVERY_REQUEST)
    raised = None
    if of_run is not None:
        error = of_run.error or ErrorInfo(name="Error", message="the function failed")
        retriable = of_run.retriable and of_run.op is Opcode.STEP_ERROR
        raised = Raised(error, retriable, of_run.retry_after_ms)
    asks_again = any(op.op is Opcode.DISCOVERY_REQUEST for op in reply.ops)
    return Answer(replace(reply, ops=steps), raised=raised, asks_again=asks_again)
