"""The ended steps of a run as SDKs read them from the API."""

from __future__ import annotations

from typing import Any

from chalicelib.core.sdk_protocol import memo_wire
from chalicelib.core.steps import StepRecord, completion_order, ended


def steps_wire(steps: dict[str, StepRecord]) -> dict[str, Any]:
    """The memos of a run in the order in which its steps ended: where no stack is told, SDKs take that of the keys."""
    memos = ended(steps)
    return {key: memo_wire(memos[key]) for key in completion_order(steps)}
