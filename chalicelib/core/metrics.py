"""What Stepwell counts and measures (docs/METRICS.md). Each name is a custom metric that its user pays for, so there
is no dimension but the stage: what a single function or run does, the logs and the API tell."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

NAMESPACE: Final = "Stepwell"


class Unit(StrEnum):
    """CloudWatch's names of units."""

    COUNT = "Count"
    MILLISECONDS = "Milliseconds"


class Metric(StrEnum):
    """A metric's name, its unit, and what it tells."""

    unit: Unit
    meaning: str

    def __new__(cls, name: str, unit: Unit, meaning: str) -> Metric:
        member = str.__new__(cls, name)
        member._value_ = name
        member.unit = unit
        member.meaning = meaning
        return member

    EVENTS_IN = "EventsIn", Unit.COUNT, "events of users (HTTP, bus, steps) that were recorded"
    EVENTS_REFUSED = "EventsRefused", Unit.COUNT, "events that were not accepted: invalid, or too large"
    DUPLICATES_IGNORED = (
        "DuplicatesIgnored",
        Unit.COUNT,
        "runs not started because the event's id was seen within 24 hours, and events that were delivered again",
    )
    EVENT_AGE = "EventAge", Unit.MILLISECONDS, "from an event's acceptance until its processing began"
    RECORD_TIME = "RecordTime", Unit.MILLISECONDS, "from the beginning of an event's processing until it was recorded"
    MATCH_TIME = (
        "MatchTime",
        Unit.MILLISECONDS,
        "from its record until the waits and cancellations it meets were told, or the first page of them",
    )
    MATCH_PAGES = "MatchPages", Unit.COUNT, "further pages of waits and cancellations that one event meets"

    RUNS_STARTED = "RunsStarted", Unit.COUNT, "runs created"
    STARTS_SKIPPED = "StartsSkipped", Unit.COUNT, "runs not started by flow control; the event's audit says why"
    RUNS_COMPLETED = "RunsCompleted", Unit.COUNT, "runs that ended well"
    RUNS_FAILED = "RunsFailed", Unit.COUNT, "runs that failed for good"
    RUNS_CANCELLED = "RunsCancelled", Unit.COUNT, "runs that an event or the API cancelled"
    RUNS_POKED = "RunsPoked", Unit.COUNT, "runs that were found forgotten and sent a new message"

    STEPS = "Steps", Unit.COUNT, "steps that ended well (waits for events and signals are counted by themselves)"
    STEPS_FAILED = "StepsFailed", Unit.COUNT, "steps that failed for good"
    RETRIES = "Retries", Unit.COUNT, "failed attempts, of steps or of functions' own code, that will be repeated"
    LATE_RESULTS = "LateResults", Unit.COUNT, "results that came when their step or run had ended: the first one stays"
    LEASE_TAKEOVERS = "LeaseTakeovers", Unit.COUNT, "leases that ran out, since their process died, and were taken"

    WAITED_IN_LINE = "WaitedInLine", Unit.COUNT, "turns and steps that found no place under a limit and stood in line"

    WAITS_OPENED = "WaitsOpened", Unit.COUNT, "waits for events and signals that were registered"
    WAITS_MATCHED = "WaitsMatched", Unit.COUNT, "waits that an event or a signal ended"
    WAITS_EXPIRED = "WaitsExpired", Unit.COUNT, "waits that timed out"
    WAITS_CANCELLED = "WaitsCancelled", Unit.COUNT, "waits that were open when their run ended"
    INVALID_EXPRESSIONS = (
        "InvalidExpressions",
        Unit.COUNT,
        "waits and cancellations whose condition could not be used",
    )
    EXPRESSION_ERRORS = (
        "ExpressionErrors",
        Unit.COUNT,
        "conditions that an event could not be tested against: they count as not met",
    )

    WORK_AGE = "WorkAge", Unit.MILLISECONDS, "from the time a work message was due until it was handled first"
    REQUESTS_FAILED = "RequestsFailed", Unit.COUNT, "requests that the API answered with a fault of ours (500, 503)"
    DELIVERIES_FAILED = "DeliveriesFailed", Unit.COUNT, "messages that a fault sent back to their queue"
    DEAD_LETTERED = "DeadLettered", Unit.COUNT, "messages that failed in their last delivery"

    # Told by on_tick every minute, unless zero.
    EVENTS_VISIBLE = "EventsVisible", Unit.COUNT, "events that nobody has read yet"
    EVENTS_IN_FLIGHT = "EventsInFlight", Unit.COUNT, "events being processed"
    WORK_VISIBLE = "WorkVisible", Unit.COUNT, "work that nobody has taken yet"
    WORK_IN_FLIGHT = "WorkInFlight", Unit.COUNT, "work being done"
    WORK_DELAYED = "WorkDelayed", Unit.COUNT, "work whose time comes within 15 minutes"
    DEAD_LETTERS = "DeadLetters", Unit.COUNT, "messages in the two dead-letter queues"
