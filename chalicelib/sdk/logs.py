"""The function's logger: silent while the function only repeats what it did before."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from chalicelib.sdk.execution import Execution

FUNCTION_LOGGER = "stepwell.functions"


class ReplayLogger(logging.LoggerAdapter[logging.Logger]):
    """A standard logger with the run's ids on each record (`run_id`, `function_id`, `event_id`, `attempt`).

    It is silent while steps are recalled, so that a line appears once per attempt of its place: lines inside
    a step's handler always, lines between steps when the function first gets there. Between the steps of a
    callable of `group.parallel` a line may appear more than once.
    """

    def __init__(self, execution: Execution) -> None:
        request = execution.request
        ids = {
            "run_id": request.run_id,
            "function_id": request.fn_id,
            "event_id": request.event.internal_id,
            "attempt": request.attempt,
        }
        super().__init__(logging.getLogger(FUNCTION_LOGGER), ids)
        self._execution = execution

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (the name is the standard library's)
        return not self._execution.replaying and super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs
