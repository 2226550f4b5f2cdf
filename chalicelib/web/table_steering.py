"""Routes by which functions and their runs are steered."""

from __future__ import annotations

from chalicelib.web.route import Route

STEERING = (
    Route(
        "POST",
        "/v1/runs/{run_id}/replay",
        "replays.replay",
        "Run it again, from its start or from a step",
        "RunAnswer",
        errors=(400, 404, 409, 413, 415),
        body="RunReplayRequest",
        needs_body=False,
    ),
    Route(
        "POST",
        "/v1/functions/{function_id}/replay",
        "replays.create",
        "Replay many runs of a function",
        "ReplayAnswer",
        errors=(400, 404, 409, 413, 415),
        body="ReplayRequest",
        needs_body=False,
    ),
    Route(
        "POST",
        "/v1/functions/{function_id}/pause",
        "functions.pause",
        "Let a function's runs wait, or its events start nothing",
        "FunctionAnswer",
        errors=(400, 404, 409, 413, 415),
        body="FunctionPauseRequest",
        needs_body=False,
    ),
    Route(
        "POST",
        "/v1/functions/{function_id}/resume",
        "functions.resume",
        "Let a paused function go on",
        "FunctionAnswer",
        errors=(404, 415),
    ),
    Route("GET", "/v1/replays", "replays.show_all", "Replays of many, newest first", "Replays", "PageQuery", (400,)),
    Route(
        "GET",
        "/v1/replays/{replay_id}",
        "replays.show",
        "One replay of many, and how far it has come",
        "ReplayAnswer",
        errors=(404,),
    ),
    Route("DELETE", "/v1/replays/{replay_id}", "replays.stop", "Stop a replay", "ReplayAnswer", errors=(404,)),
)
