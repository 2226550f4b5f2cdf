"""Ended steps as apps on an SDK read them, in calls and from the API: `{data}` or `{error}`, by hashed step id."""

from __future__ import annotations

from typing import Any

from chalicelib.core.calls import Memo
from chalicelib.core.steps import StepRecord, completion_order, ended


def memo_wire(memo: Memo) -> dict[str, Any]:
    """One memo. Exactly one field: SDKs take an object with any other for bare data."""
    if memo.error is None:
        return {"data": memo.output}
    return {"error": memo.error.model_dump(exclude_none=True)}


def steps_wire(steps: dict[str, StepRecord]) -> dict[str, Any]:
    """The memos of a run in the order in which its steps ended: where no stack is told, SDKs take that of the keys."""
    memos = ended(steps)
    return {key: memo_wire(memos[key]) for key in completion_order(steps)}
