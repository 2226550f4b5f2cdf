"""Apps on an SDK, without the wire: an AppDriver that plays functions written as generators.

A function yields what it asks for and is sent what comes of it; an error is thrown into it. As the SDKs do, it plays
the function from its beginning in each call, runs one new step at once, tells several as planned, and lets branches go
on in the order in which their steps ended. With `checkpoints` it reports steps by itself and runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.core.calls import (
    Awaited,
    CallRequest,
    ErrorInfo,
    GatewayOptions,
    InvokeOptions,
    Memo,
    Opcode,
    Operation,
    Operations,
    Raised,
    Reply,
    Returned,
    SignalOptions,
    WaitOptions,
)
from chalicelib.core.function_pauses import FunctionPause
from chalicelib.core.functions import EventTrigger, FunctionConfig
from chalicelib.core.ids import hashed_step_id
from chalicelib.drivers.dispatch import Dispatcher
from chalicelib.engine.app_ports import Catalog
from chalicelib.engine.services import Services

Story = Generator[Any, Any, Any]
Checkpoint = Callable[[str, str, Operations], str]
"""Reports steps of a run's call: "ok", "stale" or "failed", which is what an app makes of the answer."""


class AppError(Exception):
    """An error of the app's code, or of a step that failed for good. `retriable`: another attempt may go well."""

    def __init__(self, message: str, *, retriable: bool = True, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.retriable = retriable
        self.retry_after_ms = retry_after_ms


@dataclass(frozen=True)
class Run:
    """A step that the app runs."""

    name: str
    work: Callable[[], Any]


@dataclass(frozen=True)
class Ask:
    """A step that the engine carries out."""

    op: Operation

    @property
    def name(self) -> str:
        return self.op.name


@dataclass(frozen=True)
class Branches:
    """Side by side: all outputs, or with `races` (number, output) of the first."""

    stories: tuple[Story, ...]
    races: bool = False


def run(name: str, work: Callable[[], Any] | Any = None) -> Run:
    return Run(name, work if callable(work) else lambda: work)


def both(*stories: Story) -> Branches:
    return Branches(stories)


def race(*stories: Story) -> Branches:
    return Branches(stories, races=True)


def _ask(code: Opcode, name: str, **options: Any) -> Ask:
    return Ask(Operation(code, hashed_step_id(name, 0), name, **options))


def sleep(name: str, until_ms: int) -> Ask:
    return _ask(Opcode.SLEEP, name, sleep_until_ms=until_ms)


def wait(name: str, event: str, *, timeout_ms: int = 3_600_000, if_exp: str | None = None) -> Ask:
    awaited = (Awaited(event=event, if_exp=if_exp),)
    return _ask(Opcode.WAIT_FOR_EVENT, name, wait=WaitOptions(awaited=awaited, timeout_ms=timeout_ms))


def signal(name: str, signal: str, *, timeout_ms: int = 3_600_000, replaces: bool = False) -> Ask:
    options = SignalOptions(signal=signal, timeout_ms=timeout_ms, replaces=replaces)
    return _ask(Opcode.WAIT_FOR_SIGNAL, name, signal=options)


def invoke(name: str, function_id: str, data: dict[str, Any] | None = None) -> Ask:
    return _ask(Opcode.INVOKE_FUNCTION, name, invoke=InvokeOptions(function_id=function_id, data=data or {}))


def fetch(name: str, url: str, **options: Any) -> Ask:
    return _ask(Opcode.GATEWAY, name, gateway=GatewayOptions(url=url, **{"method": "GET", **options}))


def infer(name: str, url: str, **options: Any) -> Ask:
    return _ask(Opcode.AI_GATEWAY, name, gateway=GatewayOptions(url=url, **options))


@dataclass(frozen=True)
class AppFunction:
    """A function of an app. `checkpoints`: after so many steps it reports them and goes on, 0 for never. `ended_ms`:
    when steps end by the app's clock, where that is told."""

    fn_id: str
    event: str
    story: Callable[[CallRequest], Story]
    retries: int = 4
    checkpoints: int = 0
    ended_ms: Mapping[str, int] = field(default_factory=dict)

    @property
    def config(self) -> FunctionConfig:
        return FunctionConfig(
            id=self.fn_id,
            name=self.fn_id,
            triggers=(EventTrigger(event=self.event),),
            retries=self.retries,
            driver="http",
            app_id="app",
            endpoint="http://127.0.0.1:3000/api/inngest",
        )


class _Leave(BaseException):
    """The call is over."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


@dataclass
class _Branch:
    """A story and where it stands."""

    story: Story
    at: Any = None
    inner: list[_Branch] = field(default_factory=list)
    # Those that have lost a race go on by themselves, and nobody waits for them.
    left_over: list[_Branch] = field(default_factory=list)
    is_over: bool = False
    output: Any = None
    error: AppError | None = None

    def go(self, value: Any = None, error: AppError | None = None) -> None:
        """To what it asks for next."""
        try:
            self.at = self.story.throw(error) if error is not None else self.story.send(value)
        except StopIteration as end:
            self.is_over, self.output = True, end.value
            return
        except AppError as raised:
            self.is_over, self.error = True, raised
            return
        if isinstance(self.at, Branches):
            self.inner = [_Branch(story) for story in self.at.stories]
            for branch in self.inner:
                branch.go()
            self.join()

    def join(self) -> None:
        """Go on if the branches within are over, or one of them where they race."""
        over = [number for number, branch in enumerate(self.inner) if branch.is_over]
        if not self.inner or not over or (not self.at.races and len(over) < len(self.inner)):
            return
        races, inner, self.inner = self.at.races, self.inner, []
        failed = next((inner[number].error for number in over if inner[number].error is not None), None)
        if failed is not None:
            self.go(error=failed)
        elif races:
            self.left_over += [branch for branch in inner if not branch.is_over]
            self.go((over[0], inner[over[0]].output))
        else:
            self.go([branch.output for branch in inner])

    def leaves(self) -> list[_Branch]:
        """The branches that stand at a step."""
        own = [self] if not self.is_over and not self.inner else []
        return own + [leaf for branch in (*self.inner, *self.left_over) for leaf in branch.leaves()]

    def feed(self, key: str, memo: Memo) -> bool:
        """Tell whoever waits for this step; whether somebody did."""
        for branch in (*self.inner, *self.left_over):
            if branch.feed(key, memo):
                self.join()
                return True
        if self.is_over or self.inner or hashed_step_id(self.at.name, 0) != key:
            return False
        self.go(memo.output, None if memo.error is None else AppError(memo.error.message, retriable=False))
        return True


class App:
    """Implements drivers.dispatch.AppDriver."""

    def __init__(self, functions: Iterable[AppFunction], checkpoint: Checkpoint | None = None) -> None:
        self.functions = {function.fn_id: function for function in functions}
        self.checkpoint = checkpoint
        self.calls: list[CallRequest] = []

    def call(self, config: FunctionConfig, request: CallRequest) -> Reply:
        """Enter the function once."""
        self.calls.append(request)
        function = self.functions[config.id]
        try:
            return _Call(self, function, request).play()
        except _Leave as left:
            return left.reply


class _Call:
    def __init__(self, app: App, function: AppFunction, request: CallRequest) -> None:
        self._request = request
        self._ended_ms = function.ended_ms
        self._limit = function.checkpoints if not request.has_planned and not request.target else 0
        self._checkpoint = app.checkpoint
        self._buffer: list[Operation] = []
        self._top = _Branch(function.story(request))
        self._memos = dict(request.steps)

    def play(self) -> Reply:
        self._top.go()
        order = [*self._request.stack, *(key for key in self._memos if key not in self._request.stack)]
        while True:
            while any(self._top.feed(key, self._memos[key]) for key in order):
                pass
            if self._top.is_over:
                return self._over()
            asked = [leaf.at for leaf in self._top.leaves()]
            target = self._request.target
            if target is not None:
                asked = [ask for ask in asked if hashed_step_id(ask.name, 0) == target]
            if len(asked) != 1 or not isinstance(asked[0], Run) or (target is None and self._request.has_planned):
                return self._ask(asked)
            op = self._ran(asked[0])
            if not self._limit or target is not None or op.op is not Opcode.STEP_RUN or self._request.attempt:
                return Operations((*self._buffer, op))
            self._buffer.append(op)
            self._memos[op.id] = Memo(output=op.output)
            order.append(op.id)
            if len(self._buffer) >= self._limit:
                self._flush()

    def _flush(self) -> None:
        assert self._checkpoint is not None
        ops, self._buffer = tuple(self._buffer), []
        said = self._checkpoint(self._request.run_id, self._request.queue_item_id, Operations(ops))
        if said == "stale":
            raise _Leave(Raised(ErrorInfo(name="StaleDispatchError", message="stale"), retriable=False))
        if said == "failed":
            raise _Leave(Operations(ops))

    def _over(self) -> Reply:
        error = self._top.error
        if error is not None:
            if self._buffer:
                self._flush()
            return Raised(ErrorInfo(name="Error", message=str(error)), error.retriable, error.retry_after_ms)
        if self._limit:
            complete = Operation(Opcode.RUN_COMPLETE, hashed_step_id("complete", 0), "", output=self._top.output)
            return Operations((*self._buffer, complete))
        return Returned(self._top.output, 0)

    def _ask(self, asked: Sequence[Run | Ask]) -> Reply:
        if self._buffer:
            self._flush()
        if not asked:
            assert self._request.target is not None
            error = ErrorInfo(name="StepNotFound", message="could not find the step to run; timed out")
            return Raised(error)
        planned = [ask.op if isinstance(ask, Ask) else _named(Opcode.STEP_PLANNED, ask.name) for ask in asked]
        return Operations(tuple(planned))

    def _ran(self, step: Run) -> Operation:
        try:
            ended = self._ended_ms.get(step.name)
            return replace(_named(Opcode.STEP_RUN, step.name), output=step.work(), ended_at_ms=ended)
        except AppError as error:
            code = Opcode.STEP_ERROR if error.retriable else Opcode.STEP_FAILED
            info = ErrorInfo(name="Error", message=str(error))
            failed = replace(_named(code, step.name), error=info, retriable=error.retriable)
            return replace(failed, retry_after_ms=error.retry_after_ms)


def _named(code: Opcode, name: str) -> Operation:
    return Operation(code, hashed_step_id(name, 0), name)


class Together:
    """A catalog of this deployment's functions and of those of apps."""

    def __init__(self, own: Catalog, functions: Iterable[AppFunction]) -> None:
        self._own = own
        self._apps: Mapping[str, FunctionConfig] = {function.fn_id: function.config for function in functions}

    @property
    def deployed(self) -> frozenset[str]:
        return self._own.deployed

    def catch_up(self, accepted_at_ms: int) -> None:
        self._own.catch_up(accepted_at_ms)

    def get(self, fn_id: str) -> FunctionConfig | None:
        return self._apps.get(fn_id) or self._own.get(fn_id)

    def configs(self) -> Sequence[FunctionConfig]:
        return (*self._own.configs(), *self._apps.values())

    def pause_of(self, fn_id: str, *, anew: bool = False) -> FunctionPause | None:
        return self._own.pause_of(fn_id, anew=anew)


def serve(services: Services, app: App) -> dict[str, Any]:
    """The services of a platform that also has this app's functions."""
    catalog = Together(services.catalog, app.functions.values())
    return {"catalog": catalog, "driver": Dispatcher(catalog, services.driver, {"http": app})}
