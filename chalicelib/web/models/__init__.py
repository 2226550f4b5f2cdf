"""What the API takes and answers, as models: parameters are read by them, and the OpenAPI document is made of them."""

from chalicelib.core.registrations import Registration
from chalicelib.web.models.apps import AppAddress, AppAnswer, Apps, Dev, NotRegistered, Registered, SyncedAnswer
from chalicelib.web.models.common import ConnectRefusal, Error, Health, Index, OpenApi
from chalicelib.web.models.dead_letters import DeadLetterAnswer, DeadLettersAnswer, RedrivenAnswer
from chalicelib.web.models.events import Accepted, EventAnswer, EventRuns, Events, NotAccepted
from chalicelib.web.models.functions import FunctionAnswer, Functions
from chalicelib.web.models.operations import BacklogAnswer, Pauses
from chalicelib.web.models.parameters import (
    DeadLettersQuery,
    EffectsQuery,
    EventsQuery,
    PageQuery,
    Parameters,
    PausesQuery,
    QueueQuery,
    RunsQuery,
)
from chalicelib.web.models.runs import RunAnswer, Runs, Timeline

__all__ = [
    "Accepted",
    "AppAddress",
    "AppAnswer",
    "Apps",
    "BacklogAnswer",
    "ConnectRefusal",
    "DeadLetterAnswer",
    "DeadLettersAnswer",
    "DeadLettersQuery",
    "Dev",
    "EffectsQuery",
    "Error",
    "EventAnswer",
    "EventRuns",
    "Events",
    "EventsQuery",
    "FunctionAnswer",
    "Functions",
    "Health",
    "Index",
    "NotAccepted",
    "NotRegistered",
    "OpenApi",
    "PageQuery",
    "Parameters",
    "Pauses",
    "PausesQuery",
    "QueueQuery",
    "RedrivenAnswer",
    "Registered",
    "Registration",
    "RunAnswer",
    "Runs",
    "RunsQuery",
    "SyncedAnswer",
    "Timeline",
]
