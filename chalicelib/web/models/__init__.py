"""What the API takes and answers, as models: parameters are read by them, and the OpenAPI document is made of them."""

from chalicelib.web.models.cancellations import CancellationAnswer, CancellationRequest, Cancellations
from chalicelib.web.models.common import Elsewhere, Error, Health, Index, OpenApi
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
from chalicelib.web.models.runs import Jobs, RunAnswer, Runs, Timeline
from chalicelib.web.models.sdk_state import Actions, Batch

__all__ = [
    "Accepted",
    "Actions",
    "BacklogAnswer",
    "Batch",
    "BegunAnswer",
    "CancellationAnswer",
    "CancellationRequest",
    "Cancellations",
    "DeadLetterAnswer",
    "DeadLettersAnswer",
    "DeadLettersQuery",
    "EffectsQuery",
    "Elsewhere",
    "Error",
    "EventAnswer",
    "EventRuns",
    "Events",
    "EventsQuery",
    "FunctionAnswer",
    "Functions",
    "Health",
    "Index",
    "Jobs",
    "NewRunRequest",
    "NotAccepted",
    "OpenApi",
    "PageQuery",
    "Parameters",
    "Pauses",
    "PausesQuery",
    "QueueQuery",
    "RedrivenAnswer",
    "ResultQuery",
    "RunAnswer",
    "RunResult",
    "RunResultLater",
    "RunStepsRequest",
    "Runs",
    "RunsQuery",
    "TakenAnswer",
    "Timeline",
]
