"""What a function is handed."""

from __future__ import annotations

from functools import cached_property

from chalicelib.sdk.async_steps import AsyncGroup, AsyncStep
from chalicelib.sdk.event import Event
from chalicelib.sdk.execution import Execution
from chalicelib.sdk.logs import ReplayLogger
from chalicelib.sdk.steps import Group, Step


class _Context:
    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self.run_id = execution.request.run_id
        # The number of this attempt, from 0.
        self.attempt = execution.request.attempt
        self.logger = ReplayLogger(execution)

    @cached_property
    def event(self) -> Event:
        """The event that started the run."""
        return Event.of(self._execution.request.event)

    @cached_property
    def events(self) -> list[Event]:
        """The events that started the run: those of a batch, else the one."""
        return [self.event, *(Event.of(event) for event in self._execution.request.rest)]


class Context(_Context):
    """What a `def` function is handed: event, events, run_id, attempt, logger, step and group."""

    def __init__(self, execution: Execution) -> None:
        super().__init__(execution)
        self.step = Step(execution)
        self.group = Group(execution)


ContextSync = Context


class AsyncContext(_Context):
    """What an `async def` function is handed; the methods of `step` and `group` are awaited."""

    def __init__(self, execution: Execution) -> None:
        super().__init__(execution)
        self.step = AsyncStep(execution)
        self.group = AsyncGroup(execution)
