"""Every route there is, as data: what answers it, who may ask, and what the OpenAPI document says of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """One method of one path.

    `view` is a function of chalicelib.web.views (`module.function`); `parameters` and `answer` are models of
    chalicelib.web.models. All three by name: they are loaded when they are needed, not when the app is.
    """

    method: str
    path: str
    view: str
    summary: str
    answer: str
    parameters: str | None = None
    errors: tuple[int, ...] = ()
    # Asks for no signing key: everything else does.
    is_open: bool = False
    # Its view looks at the request itself, whose content type may be any; else those of chalicelib.web.routes.
    takes_any_type: bool = False
    takes_body: bool = False
    # The model of a JSON body; without one, a body is an event or a list of them. And that of a refusal.
    body: str | None = None
    refusal: str = "Error"
    takes_request: bool = False
    # Other answers than 200 that are no errors: status, model, and what it means.
    others: tuple[tuple[str, str, str], ...] = ()

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def tag(self) -> str:
        return self.view.partition(".")[0].replace("_", " ")


_ELSEWHERE = (
    ("302", "Elsewhere", "The answer is too large for here: it lies where `Location` says, for five minutes."),
)
_RESULT = (
    ("202", "RunResultLater", "The run has not ended yet: ask again."),
    ("default", "RunResult", "What the app answered: its status, headers and body."),
)

ROUTES = (
    Route("GET", "/", "about.index", "What there is", "Index"),
    Route("GET", "/health", "about.health", "Whether the service is there", "Health", is_open=True),
    Route("GET", "/openapi.json", "about.openapi", "This API, described", "OpenApi"),
    Route(
        "POST",
        "/e/{key}",
        "events.send",
        "Send one event, or a list of events",
        "Accepted",
        errors=(400, 413, 415),
        is_open=True,
        takes_body=True,
        refusal="NotAccepted",
    ),
    Route("GET", "/v1/events", "events.show_all", "Events, newest first", "Events", "EventsQuery", (400,)),
    Route(
        "GET",
        "/v1/events/{event_id}",
        "events.show",
        "One event, with what it started, resumed and cancelled",
        "EventAnswer",
        "EffectsQuery",
        (400, 404),
    ),
    Route(
        "GET", "/v1/events/{event_id}/runs", "events.runs", "The runs that an event started", "EventRuns", None, (404,)
    ),
    Route("GET", "/v1/runs", "runs.show_all", "Runs, newest first", "Runs", "RunsQuery", (400,)),
    Route("GET", "/v1/runs/{run_id}", "runs.show", "One run", "RunAnswer", errors=(404,)),
    Route("DELETE", "/v1/runs/{run_id}", "runs.cancel", "Cancel a run", "RunAnswer", errors=(404,)),
    Route(
        "GET",
        "/v1/runs/{run_id}/timeline",
        "runs.timeline",
        "Every attempt, wait, resume and cancellation of a run",
        "Timeline",
        errors=(404,),
    ),
    Route("GET", "/v1/runs/{run_id}/jobs", "runs.jobs", "What is queued for a run", "Jobs", errors=(404,)),
    Route(
        "GET",
        "/v0/runs/{run_id}/actions",
        "sdk_state.actions",
        "The ended steps of a run, as SDKs read them",
        "Actions",
        errors=(404, 413),
        takes_request=True,
        others=_ELSEWHERE,
    ),
    Route(
        "GET",
        "/v0/runs/{run_id}/batch",
        "sdk_state.batch",
        "The events that started a run, as SDKs read them",
        "RunEvents",
        errors=(404, 413),
        takes_request=True,
        others=_ELSEWHERE,
    ),
    Route(
        "POST",
        "/v1/checkpoint",
        "endpoint_runs.begin",
        "An app begins a run within a request to it",
        "BegunAnswer",
        errors=(400, 409, 413, 415),
        body="NewRunRequest",
    ),
    Route(
        "POST",
        "/v1/checkpoint/{run_id}/steps",
        "endpoint_runs.steps",
        "What an app has done of a run that it began",
        "TakenAnswer",
        errors=(400, 404, 409, 413, 415),
        body="RunStepsRequest",
    ),
    Route(
        "GET",
        "/v1/checkpoint/{run_id}/output",
        "endpoint_runs.output",
        "The result of a run that an app began",
        "RunResult",
        "ResultQuery",
        (400, 404, 409, 500),
        is_open=True,
        others=_RESULT,
    ),
    Route(
        "GET",
        "/v1/http/runs/{run_id}/output",
        "endpoint_runs.result",
        "The result of a run that an app began",
        "RunResult",
        "ResultQuery",
        (400, 404, 409, 500),
        is_open=True,
        others=_RESULT,
    ),
    *(
        Route(method, f"/v1/realtime/{path}", f"realtime.{view}", "Not offered", "Error", errors=(415, 501))
        for method, path, view in (
            ("POST", "publish", "publish"),
            ("POST", "publish/tee", "tee"),
            ("POST", "token", "token"),
            ("GET", "sse", "subscribe"),
        )
    ),
    Route(
        "GET",
        "/v1/cancellations",
        "cancellations.show_all",
        "Bulk cancellations, newest first",
        "Cancellations",
        "PageQuery",
        (400,),
    ),
    Route(
        "POST",
        "/v1/cancellations",
        "cancellations.create",
        "Cancel many runs of a function",
        "CancellationAnswer",
        errors=(400, 404, 413, 415),
        body="CancellationRequest",
    ),
    Route(
        "GET",
        "/v1/cancellations/{cancellation_id}",
        "cancellations.show",
        "One bulk cancellation, and how far it has come",
        "CancellationAnswer",
        errors=(404,),
    ),
    Route(
        "DELETE",
        "/v1/cancellations/{cancellation_id}",
        "cancellations.stop",
        "Stop a bulk cancellation",
        "CancellationAnswer",
        errors=(404,),
    ),
    Route("GET", "/v1/functions", "functions.show_all", "The functions of this deployment", "Functions"),
    Route("GET", "/v1/functions/{function_id}", "functions.show", "One function", "FunctionAnswer", errors=(404,)),
    Route(
        "GET",
        "/v1/functions/{function_id}/queue",
        "functions.queue",
        "What waits for a place under a limit of a function",
        "QueueAnswer",
        parameters="PageQuery",
        errors=(400, 404),
    ),
    Route(
        "POST",
        "/fn/register",
        "apps.register",
        "Register an app and its functions, as SDKs do",
        "Registered",
        errors=(400, 415),
        takes_body=True,
        body="Registration",
        refusal="NotRegistered",
    ),
    Route("GET", "/dev", "about.dev", "Whether this is a development server", "Dev", errors=(404,), is_open=True),
    Route("GET", "/v1/apps", "apps.show_all", "The apps on an SDK that are synced", "Apps"),
    Route("GET", "/v1/apps/{app_id}", "apps.show", "One app", "AppAnswer", errors=(404,)),
    Route("DELETE", "/v1/apps/{app_id}", "apps.remove", "Remove an app", "AppAnswer", errors=(404,)),
    Route(
        "POST",
        "/v1/apps/sync",
        "apps.sync",
        "Ask an app for its functions",
        "SyncedAnswer",
        errors=(400, 415),
        takes_body=True,
        body="AppAddress",
    ),
    Route(
        "GET",
        "/v1/pauses",
        "operations.pauses",
        "What an event of a name would be checked against, or what a run waits for",
        "Pauses",
        "PausesQuery",
        (400, 404),
    ),
    Route("GET", "/v1/backlog", "operations.show_backlog", "What is waiting, stage by stage", "BacklogAnswer"),
    Route(
        "GET",
        "/v1/dead-letters",
        "dead_letters.show_all",
        "Messages that nobody could handle, and why",
        "DeadLettersAnswer",
        "DeadLettersQuery",
        (400,),
    ),
    Route(
        "POST",
        "/v1/dead-letters/redrive",
        "dead_letters.redrive_all",
        "Send all dead letters back to their queues",
        "RedrivenAnswer",
        "QueueQuery",
        (400, 415),
    ),
    Route(
        "POST",
        "/v1/dead-letters/{letter_id}/redrive",
        "dead_letters.redrive",
        "Send one dead letter back to its queue",
        "DeadLetterAnswer",
        "QueueQuery",
        (400, 404, 415),
    ),
    Route(
        "DELETE",
        "/v1/dead-letters/{letter_id}",
        "dead_letters.delete",
        "Forget one dead letter",
        "DeadLetterAnswer",
        "QueueQuery",
        (400, 404),
    ),
    Route(
        "POST",
        "/v1/signals",
        "signals.send",
        "Send a signal to the run that waits for it",
        "SignalAnswer",
        errors=(400, 404, 413, 415),
        body="SignalRequest",
    ),
    Route(
        "POST",
        "/v1/checkpoint/{run_id}/async",
        "calls.checkpoint",
        "Steps that an app has ended while it is called",
        "CheckpointAnswer",
        errors=(400, 404, 409, 413, 415),
        body="CheckpointRequest",
    ),
    Route(
        "POST",
        "/v0/connect/start",
        "connect.start",
        "Refuses an app that wants to be called through a connection that it opens",
        "ConnectRefusal",
        errors=(404,),
        takes_any_type=True,
    ),
)
