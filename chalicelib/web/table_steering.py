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
)
