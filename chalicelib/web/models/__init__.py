"""What the API takes and answers, as models: parameters are read by them, and the OpenAPI document is made of them."""

from chalicelib.core.registrations import Registration
from chalicelib.web.models.apps import AppAddress, AppAnswer, Apps, Dev, NotRegistered, Registered, SyncedAnswer
from chalicelib.web.models.calls import CheckpointAnswer, CheckpointRequest
from chalicelib.web.models.cancellations import CancellationAnswer, CancellationRequest, Cancellations
from chalicelib.web.models.common import ConnectRefusal, Elsewhere, Error, Health, Index, OpenApi
from chalicelib.web.models.dead_letters import DeadLetterAnswer, DeadLettersAnswer, RedrivenAnswer
from chalicelib.web.models.endpoint_runs import (
    BegunAnswer,
    NewRunRequest,
    ResultQuery,
    RunResult,
    RunResultLater,
    RunStepsRequest,
    TakenAnswer,
)
from chalicelib.web.models.events import Accepted, EventAnswer, EventRuns, Events, NotAccepted
from chalicelib.web.models.functions import FunctionAnswer, FunctionPauseRequest, Functions, QueueAnswer
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
from chalicelib.web.models.replays import ReplayAnswer, ReplayRequest, Replays, RunReplayRequest
from chalicelib.web.models.runs import Jobs, RunAnswer, Runs, Timeline
from chalicelib.web.models.sdk_state import Actions, RunEvents
from chalicelib.web.models.signals import SignalAnswer, SignalRequest

__all__ = [
    "Accepted",
    "Actions",
    "AppAddress",
    "AppAnswer",
    "Apps",
    "BacklogAnswer",
    "BegunAnswer",
    "CancellationAnswer",
    "CancellationRequest",
    "Cancellations",
    "CheckpointAnswer",
    "CheckpointRequest",
    "ConnectRefusal",
    "DeadLetterAnswer",
    "DeadLettersAnswer",
    "DeadLettersQuery",
    "Dev",
    "EffectsQuery",
    "Elsewhere",
    "Error",
    "EventAnswer",
    "EventRuns",
    "Events",
    "EventsQuery",
    "FunctionAnswer",
    "FunctionPauseRequest",
    "Functions",
    "Health",
    "Index",
    "Jobs",
    "NewRunRequest",
    "NotAccepted",
    "NotRegistered",
    "OpenApi",
    "PageQuery",
    "Parameters",
    "Pauses",
    "PausesQuery",
    "QueueAnswer",
    "QueueQuery",
    "RedrivenAnswer",
    "Registered",
    "Registration",
    "ReplayAnswer",
    "ReplayRequest",
    "Replays",
    "ResultQuery",
    "RunAnswer",
    "RunEvents",
    "RunReplayRequest",
    "RunResult",
    "RunResultLater",
    "RunStepsRequest",
    "Runs",
    "RunsQuery",
    "SignalAnswer",
    "SignalRequest",
    "SyncedAnswer",
    "TakenAnswer",
    "Timeline",
]
