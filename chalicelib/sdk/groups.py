"""The rules of a parallel group, for both kinds of functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chalicelib.core.calls import Operation
from chalicelib.sdk.errors import InvalidStepError
from chalicelib.sdk.execution import Execution
from chalicelib.sdk.lanes import Lane
from chalicelib.sdk.running import Suspended, is_suspension


class Collector:
    """Tries every callable of a group, so that all their steps are asked for, and gathers how each ended."""

    def __init__(self, execution: Execution, callables: Sequence[Callable[[], Any]]) -> None:
        self.execution = execution
        self._group = execution.enter_group()
        self._outer = execution.lane
        self._callables = _checked(callables)
        self._results: list[Any] = []
        self._ops: list[Operation] = []
        self._suspended_at: str | None = None
        self._error: BaseException | None = None

    def lanes(self) -> Iterator[CallableLane]:
        """One callable after the other; steps called meanwhile belong to it."""
        for item in self._callables:
            self.execution.lane = Lane(self._group)
            yield CallableLane(self, item)
        self.execution.lane = self._outer

    def keep(self, result: Any) -> None:
        """A callable returned."""
        if self.execution.suspension is not None:
            self.execution.swallowed("a callable of ctx.group.parallel returned")
            raise self.execution.suspension
        self._results.append(result)

    def keep_error(self, error: BaseException) -> None:
        """A callable raised: suspended, it is waited for; failed, the others are still tried."""
        suspension = self.execution.suspension
        if suspension is None and isinstance(error, Exception):
            self._error = self._error or error
        elif suspension is not None and is_suspension(error) and self._goes_on(suspension):
            self._ops.extend(suspension.ops)
            self._suspended_at = self._suspended_at or suspension.at
            self.execution.suspension = None
        else:
            self.execution.lane = self._outer
            raise error

    def _goes_on(self, suspended: Suspended) -> bool:
        return not suspended.final and self.execution.fault is None and self.execution.aborted is None

    def result(self) -> tuple[Any, ...]:
        """The results, if all callables have ended. Raises Suspended, or the first error."""
        if self._suspended_at is not None:
            raise self.execution.suspend(self._suspended_at, tuple(self._ops), past_others=False)
        if self._error is not None:
            raise self._error
        return tuple(self._results)


class CallableLane:
    """One callable and its end."""

    def __init__(self, collector: Collector, item: Callable[[], Any]) -> None:
        self.callable = item
        self._collector = collector

    def returned(self, result: Any) -> None:
        """The callable returned."""
        self._collector.keep(result)

    def raised(self, error: BaseException) -> None:
        """The callable raised."""
        self._collector.keep_error(error)


def _checked(callables: object) -> tuple[Callable[[], Any], ...]:
    if not isinstance(callables, tuple | list):
        raise InvalidStepError(
            "ctx.group.parallel takes a tuple of callables, such as (lambda: ctx.step.run('a', a),), "
            f"not {type(callables).__name__}"
        )
    for index, item in enumerate(callables, start=1):
        if not callable(item):
            raise InvalidStepError(
                f"item {index} of ctx.group.parallel is not callable but {type(item).__name__}: write "
                "`lambda: ctx.step.run(…)`, so that the group decides when it is called"
            )
    return tuple(callables)
