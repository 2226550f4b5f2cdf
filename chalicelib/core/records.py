"""An event's record: the event, what it starts, and afterwards what it resumed and cancelled."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from chalicelib.core.events import Event
from chalicelib.core.joining import Join
from chalicelib.core.runs import Hold, Invoker


class Start(BaseModel):
    """A run that the event starts, or why it does not: `duplicate_of` names the run of the same event id, `skipped`
    says what flow control has against it, `join` what the event joins instead of starting a run of its own.
    `not_before_ms` is the time that a throttle gave it; `hold` what it holds as a singleton; `notes` are about keys
    that could not be evaluated."""

    model_config = ConfigDict(frozen=True)

    fn_id: str
    run_id: str
    duplicate_of: str | None = None
    problem: str | None = None
    skipped: str | None = None
    not_before_ms: int | None = None
    hold: Hold | None = None
    notes: tuple[str, ...] = ()
    join: Join | None = None

    @property
    def is_live(self) -> bool:
        """Whether the event starts a run of its own."""
        return self.join is None and self.duplicate_of is None and self.problem is None and self.skipped is None

    def why_not(self, user_id: str | None) -> str:
        """The reason why nothing was started. `user_id`: the event's own id."""
        return self.problem or self.skipped or f"the id {user_id!r} already started run {self.duplicate_of}"


class EventRecord(BaseModel):
    """Written once, before the event is matched against anything (DESIGN, "Event").

    `from_run`: the event tells this run's end and its data is read from there.
    """

    model_config = ConfigDict(frozen=True)

    event: Event
    starts: tuple[Start, ...] = ()
    invoker: Invoker | None = None
    cron: str | None = None
    from_run: str | None = None
    processed_at_ms: int


class EventTimes(BaseModel):
    """When the stages of an event's processing were done, in milliseconds since the epoch: it was recorded; every
    wait and cancellation that it meets was told. When the processing began is in its record."""

    model_config = ConfigDict(frozen=True)

    recorded_ms: int
    matched_ms: int


class EventPage(BaseModel):
    """Some events of a name, in order, and the position after which to go on, if there are more."""

    model_config = ConfigDict(frozen=True)

    records: tuple[EventRecord, ...]
    next_position: str | None = None


class EffectKind(StrEnum):
    RESUMED = "resumed"
    CANCELLED = "cancelled"


class Resumed(StrEnum):
    """What became of an event's attempt to end a wait: `EARLIER`, the same event ended it in an earlier delivery."""

    NOW = "now"
    EARLIER = "earlier"
    NOT = "not"


class Effect(BaseModel):
    """The audit's row, and the marker that lets an event touch a run, or each wait of it, once."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    kind: EffectKind
    run_id: str
    step_id: str | None = None
    at_ms: int
