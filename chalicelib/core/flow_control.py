"""Flow control as a function's configuration says it. Names follow the SDK protocol; the limits are those of
docs/APPS.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, model_validator

from chalicelib.core import limits
from chalicelib.core.checking import Config, duration_between, expression


def _range(least_ms: int, most_ms: int, text: str) -> AfterValidator:
    return AfterValidator(lambda value: duration_between(value, least_ms, most_ms, text))


Key = Annotated[str, Field(min_length=1), AfterValidator(lambda text: expression(text, "event"))]
"""An expression on the event that starts a run."""
_Count = Annotated[StrictInt, Field(ge=1, le=limits.MAX_FLOW_LIMIT)]
_UpToADay = Annotated[str, _range(limits.SECOND_MS, limits.DAY_MS, "from 1s to 24h")]
_UpToAWeek = Annotated[str, _range(limits.SECOND_MS, 7 * limits.DAY_MS, "from 1s to 7d")]
_UpToAYear = Annotated[str, _range(limits.SECOND_MS, limits.MAX_WAIT_MS, "from 1s to 366d")]


class Concurrency(Config):
    """How many steps run at once: of the function, of the deployment (`env` and `account` are the same here)."""

    limit: _Count
    key: Key | None = None
    scope: Literal["fn", "env", "account"] = "fn"

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """An SDK may send a scope of null for none."""
        return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _shared(self) -> Self:
        if self.scope != "fn" and self.key is None:
            raise ValueError(f"a limit of scope {self.scope} needs a key: functions with the same key share it")
        return self


class Throttle(Config):
    """Starts are spaced."""

    limit: _Count
    period: _UpToAWeek
    # An SDK may send null for the usual one.
    burst: Annotated[_Count, BeforeValidator(lambda value: 1 if value is None else value)] = 1
    key: Key | None = None


class RateLimit(Config):
    """What is more than this is dropped."""

    limit: _Count
    period: _UpToADay
    key: Key | None = None


class Debounce(Config):
    """The newest of the events that follow each other closely starts a run."""

    period: _UpToAWeek
    key: Key | None = None
    timeout: _UpToAYear | None = None


class Batch(Config):
    """One run for several events."""

    max_size: Annotated[StrictInt, Field(alias="maxSize", ge=2, le=limits.MAX_BATCH)]
    timeout: _UpToAWeek = "60s"
    key: Key | None = None
    if_exp: Annotated[Key | None, Field(alias="if")] = None


class Priority(Config):
    """Seconds by which a run is ahead of the others."""

    run: Key | None = None


class Singleton(Config):
    """One run at a time."""

    mode: Literal["skip", "cancel"]
    key: Key | None = None


class Timeouts(Config):
    """After which a run is cancelled: before it begins, or before it ends."""

    start: _UpToAYear | None = None
    finish: _UpToAYear | None = None


def _listed(value: Any) -> Any:
    """A number alone, and one limit alone, are a list of one. A limit of 0 is none (SDK protocol)."""
    if value is None:
        return ()
    if isinstance(value, dict) or (isinstance(value, int) and not isinstance(value, bool)):
        value = [value]
    if not isinstance(value, list | tuple):
        return value
    found = [{"limit": one} if isinstance(one, int) and not isinstance(one, bool) else one for one in value]
    return [one for one in found if not (isinstance(one, dict) and one.get("limit") == 0)]


class Flow(Config):
    """All of it. What is not set is not limited."""

    concurrency: Annotated[tuple[Concurrency, ...], BeforeValidator(_listed), Field(max_length=2)] = ()
    throttle: Throttle | None = None
    rate_limit: Annotated[RateLimit | None, Field(alias="rateLimit")] = None
    debounce: Debounce | None = None
    batch_events: Annotated[Batch | None, Field(alias="batchEvents")] = None
    priority: Priority | None = None
    singleton: Singleton | None = None
    idempotency: Key | None = None
    timeouts: Timeouts | None = None

    @model_validator(mode="after")
    def _combined(self) -> Self:
        if self.batch_events is None:
            return self
        # They are of one event's key or order; a batch has many.
        against = {
            "debounce": self.debounce,
            "singleton": self.singleton,
            "rateLimit": self.rate_limit,
            "idempotency": self.idempotency,
            "priority": None if self.priority is None else self.priority.run,
        }
        for name, part in against.items():
            if part is not None:
                raise ValueError(f"batchEvents cannot be combined with {name}")
        return self

    @property
    def in_use(self) -> tuple[str, ...]:
        """The parts that are set, by their names on the wire."""
        return tuple(self.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True))


NAMES = tuple(field.alias or name for name, field in Flow.model_fields.items())
"""The names on the wire, as fields of a function."""


def warnings(flow: Flow | None) -> tuple[str, ...]:
    """What is configured and does not hold."""
    if flow is None:
        return ()
    found = []
    if flow.idempotency is not None and flow.rate_limit is not None:
        found.append("rateLimit has no effect: idempotency takes its place")
    if flow.debounce is not None and flow.singleton is not None and flow.singleton.mode == "skip":
        found.append("singleton of mode skip has no effect beside debounce: the newest event would be lost")
    if flow.priority is not None and not flow.concurrency:
        found.append("priority has no effect: without concurrency no run stands in line")
    return tuple(found)
